"""Every candidate fitted below every cut and asked for what lies above: what compare, backtest and auto all rest on.

Shapes: `c` cuts, `k` candidates, `m` runs above a cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.comparing.candidates import Candidate
from isoloss.comparing.cuts import Cut
from isoloss.core.backtest import Backtest
from isoloss.core.calibration import Measure
from isoloss.core.errors import DataError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.fitting.newton import Progress

EDGE = 0.1  # decades: how much a prediction at the very edge of the runs counts among those further out
SEEN_AT = 2  # cuts after which the hopeless are left
HOPELESS = 3.0  # times the error of the best: with all cuts its weight would be nothing
COMMON = ("objective", "hold", "tie", "prior", "weights", "uncertainty", "cluster", "strata", "seed")


@dataclass(frozen=True)
class Trials:
    """Fits of each candidate below each cut, `fits[k][c]`, their errors (c, k), and why others are not among them."""

    candidates: tuple[Candidate, ...]
    fits: tuple[tuple[Fit, ...], ...]
    error_ck: np.ndarray
    refused: Mapping[str, str]
    hopeless: tuple[Candidate, ...]


@dataclass(frozen=True)
class Effort:
    """How a tournament is held: how many draws the fits below cuts have, and whether the hopeless are left early."""

    draws: int
    leave: bool


THOROUGH = Effort(100, leave=False)
QUICK = Effort(0, leave=True)


def tried(
    candidates: Sequence[Candidate],
    cuts: Sequence[Cut],
    measure: Measure,
    settings: Mapping[str, Any],
    effort: Effort,
    progress: Progress | None = None,
) -> Trials:
    """Fit every candidate below every cut; one that its runs cannot tell is refused, with the reason.

    With `effort.leave`, those that err three times as much as the best at two cuts, the last and the one before, are
    not fitted at the others.
    """
    done, total = 0, len(candidates) * len(cuts)
    fits: dict[Candidate, dict[int, Fit]] = {candidate: {} for candidate in candidates}
    refused, hopeless = {}, []
    for round_, c in enumerate(reversed(range(len(cuts)))):
        if effort.leave and round_ == SEEN_AT:
            hopeless = _hopeless(fits, cuts)
            fits = {candidate: by_cut for candidate, by_cut in fits.items() if candidate not in hopeless}
        for candidate in list(fits):
            try:
                fits[candidate][c] = fitted(candidate, cuts[c].below, measure, settings, effort.draws)
            except DataError as error:
                refused[candidate.law.name] = error.given
                del fits[candidate]
            done += 1
            if progress:
                progress(done, total)
    if progress:
        progress(total, total)
    kept = tuple(tuple(by_cut[c] for c in range(len(cuts))) for by_cut in fits.values())
    error_ck = np.array([[miss(fit, cut) for fit, cut in zip(each, cuts, strict=True)] for each in kept])
    return Trials(tuple(fits), kept, error_ck.reshape(len(kept), len(cuts)).T, refused, tuple(hopeless))


def _hopeless(fits: Mapping[Candidate, Mapping[int, Fit]], cuts: Sequence[Cut]) -> list[Candidate]:
    error = {
        candidate: float(np.exp(np.mean([np.log(max(miss(fit, cuts[c]), 1e-9)) for c, fit in by_cut.items()])))
        for candidate, by_cut in fits.items()
    }
    return [candidate for candidate, value in error.items() if value > HOPELESS * min(error.values())]


def miss(fit: Fit, cut: Cut) -> float:
    """The mean relative error above a cut, further runs counting more."""
    law = fit.law
    x_km = np.array([cut.above[c] for c in law.columns])
    miss_m = np.abs(law.value(x_km, fit.theta_p) / cut.above[law.output.name] - 1.0)
    return float(np.average(miss_m, weights=cut.distance_m + EDGE))


def fitted(candidate: Candidate, runs: Runs, measure: Measure, settings: Mapping[str, Any], draws: int) -> Fit:
    """The candidate fitted to runs."""
    how = {name: settings[name] for name in COMMON if name in settings}
    weights = candidate.weights(runs, measure)
    how |= {} if weights is None else {"weights": weights}
    how |= {"objective": candidate.objective} if candidate.objective else {}
    return fit(runs, candidate.law, draws=draws, **how)


def predicted(
    law: str, fits: Sequence[Fit], cuts: Sequence[Cut], measure: Measure, level: float, notes: tuple[str, ...] = ()
) -> Backtest:
    """The back-test of one fit a cut, with intervals of new runs at `level`."""
    parts = [fit.predict(cut.above, level=level) for fit, cut in zip(fits, cuts, strict=True)]
    mid_r = np.concatenate([np.atleast_1d(part.mid) for part in parts])
    return Backtest(
        law=law,
        measure=measure,
        level=level,
        at_c=tuple(cut.at for cut in cuts),
        below_c=tuple(len(cut.below) for cut in cuts),
        cut_r=np.repeat(np.arange(len(cuts)), [len(cut.above) for cut in cuts]),
        distance_r=np.concatenate([cut.distance_m for cut in cuts]),
        mid_r=mid_r,
        low_r=np.concatenate([np.atleast_1d(part.low) for part in parts]),
        high_r=np.concatenate([np.atleast_1d(part.high) for part in parts]),
        reached_r=np.concatenate([cut.above[fits[0].law.output.name] for cut in cuts]),
        spread_r=np.concatenate([_spread(fit, cut.above) for fit, cut in zip(fits, cuts, strict=True)]),
        notes=notes,
    )


def _spread(fit: Fit, above: Runs) -> np.ndarray:
    # The standard deviation of the curve's draws, as a part of the prediction; of heavy tails, that of their bulk.
    if not len(fit.draws_sp):
        return np.zeros(len(above))
    x_km = np.array([above[c] for c in fit.law.columns])
    with np.errstate(over="ignore", under="ignore"):
        part_sm = fit.law.value(x_km, fit.draws_sp) / fit.law.value(x_km, fit.theta_p)
    return np.nanstd(part_sm, axis=0)


def per_cut(tested: Backtest, value_r: np.ndarray) -> np.ndarray:
    """The mean of a value over the predictions of each cut, (c,), weighted by their distance beyond it."""
    weight_r = tested.distance_r + EDGE
    n = len(tested.at_c)
    return np.bincount(tested.cut_r, value_r * weight_r, n) / np.bincount(tested.cut_r, weight_r, n)

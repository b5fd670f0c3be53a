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
from isoloss.core.calibration import NEAR, Measure
from isoloss.core.errors import DataError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.fitting.newton import Progress

DRAWS = 100  # of the fits below cuts
COMMON = ("objective", "hold", "tie", "prior", "weights", "uncertainty", "cluster", "strata", "seed")


@dataclass(frozen=True)
class Trials:
    """Fits of each candidate below each cut: `fits[k][c]`; and why other candidates could not be fitted."""

    candidates: tuple[Candidate, ...]
    fits: tuple[tuple[Fit, ...], ...]
    refused: Mapping[str, str]


def tried(
    candidates: Sequence[Candidate],
    cuts: Sequence[Cut],
    measure: Measure,
    settings: Mapping[str, Any],
    progress: Progress | None = None,
) -> Trials:
    """Fit every candidate below every cut; one that its runs cannot tell is refused, with the reason."""
    done, total = 0, len(candidates) * len(cuts)
    kept, fits, refused = [], [], {}
    for candidate in candidates:
        try:
            fits.append(tuple(fitted(candidate, cut.below, measure, settings, DRAWS) for cut in cuts))
            kept.append(candidate)
        except DataError as error:
            refused[candidate.law.name] = error.given
        done += len(cuts)
        if progress:
            progress(done, total)
    return Trials(tuple(kept), tuple(fits), refused)


def fitted(candidate: Candidate, runs: Runs, measure: Measure, settings: Mapping[str, Any], draws: int) -> Fit:
    """The candidate fitted to runs."""
    how = {name: settings[name] for name in COMMON if name in settings}
    weights = candidate.weights(runs, measure)
    how |= {} if weights is None else {"weights": weights}
    return fit(runs, candidate.law, draws=draws, **how)


def predicted(
    law: str, fits: Sequence[Fit], cuts: Sequence[Cut], measure: Measure, level: float, notes: tuple[str, ...] = ()
) -> Backtest:
    """The back-test of one fit a cut, with intervals of new runs at `level`."""
    parts = [fit.predict(cut.above, level=level) for fit, cut in zip(fits, cuts, strict=True)]
    return Backtest(
        law=law,
        measure=measure,
        level=level,
        at_c=tuple(cut.at for cut in cuts),
        below_c=tuple(len(cut.below) for cut in cuts),
        cut_r=np.repeat(np.arange(len(cuts)), [len(cut.above) for cut in cuts]),
        distance_r=np.concatenate([cut.distance_m for cut in cuts]),
        mid_r=np.concatenate([np.atleast_1d(part.mid) for part in parts]),
        low_r=np.concatenate([np.atleast_1d(part.low) for part in parts]),
        high_r=np.concatenate([np.atleast_1d(part.high) for part in parts]),
        reached_r=np.concatenate([cut.above[fits[0].law.output.name] for cut in cuts]),
        notes=notes,
    )


def per_cut(tested: Backtest, value_r: np.ndarray) -> np.ndarray:
    """The mean of a value over the predictions of each cut, (c,), weighted by their distance beyond it."""
    weight_r = tested.distance_r + NEAR
    n = len(tested.at_c)
    return np.bincount(tested.cut_r, value_r * weight_r, n) / np.bincount(tested.cut_r, weight_r, n)

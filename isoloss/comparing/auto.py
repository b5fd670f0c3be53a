"""fit(), which takes a law's name or "auto": then a blend of the laws that extrapolate best, calibrated on back-tests.

Shapes: `n` runs, `k` candidates, `c` cuts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, overload

import numpy as np

from isoloss import fitting
from isoloss.comparing.blending import blended, shares, sharpness
from isoloss.comparing.tournament import CUTS, LEVEL, Tournament, tournament, without
from isoloss.comparing.trials import QUICK, fitted, predicted
from isoloss.core.backtest import Backtest
from isoloss.core.errors import RequestError
from isoloss.core.fit import Data, Fit
from isoloss.core.groups import Groups
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.fitting.settings import Settings

AUTO = "auto"
DRAWS = 60  # of the blend below a cut
RECENT = 2  # cuts that the intervals are calibrated on, which ask most nearly what all runs will be asked


@overload
def fit(runs: Any, law: str | Law = ..., *, by: str, **settings: Any) -> Groups: ...
@overload
def fit(runs: Any, law: str | Law = ..., *, by: None = None, **settings: Any) -> Fit: ...
def fit(runs: Any, law: str | Law = "chinchilla", **settings: Any) -> Fit | Groups:
    """Fit a law to runs, or with `law="auto"` the laws that extrapolate best, as one; see `isoloss.fitting.engine.fit`.

    "auto" hides the larger runs at several cuts, as `compare` does, and weighs every law by how well it predicts them.
    The answer is a `Fit` of their weighted mean, whose draws carry how far the laws disagree, with the intervals of new
    runs calibrated on the same back-tests; its assumptions say what was chosen and why. `laws` limits the choice.
    Raises what `compare` raises, and RequestError for groups.
    """
    if law != AUTO:
        return fitting.fit(runs, law, **settings)
    return auto(runs, **settings)


def auto(runs: Any, laws: Iterable[str | Law] | None = None, **settings: Any) -> Fit:
    """A calibrated blend of the laws that extrapolate best; see `fit`."""
    how = Settings.read(settings)
    if how.by:
        raise RequestError("A law is chosen for one table, not for groups.", do="Fit each group by itself.")
    held = tournament(runs, laws, CUTS, settings, QUICK)
    weight_k = held.weight_k
    share_k = shares(weight_k, how.draws)
    chosen = np.flatnonzero(weight_k)
    fits = [fitted(held.trials.candidates[k], held.runs, held.measure, held.settings, int(share_k[k])) for k in chosen]
    made = _blended(held, chosen, fits, weight_k[chosen], held.runs, how.draws)
    test = blend_test(held, RECENT)
    largest = float(held.measure.of(held.runs).max())
    return replace(
        made,
        calibration=test.calibration(largest),
        data=Data.of(held.runs),
        assumptions=(*held.runs.notes, *held.assumptions, *_because(held)),
    )


def blend_test(held: Tournament, last: int | None = None) -> Backtest:
    """The back-test of the blend at all cuts or the last few: at each, with the weights that the other cuts give."""
    places = range(len(held.cuts))[-(last or len(held.cuts)) :]
    fits = []
    for c in places:
        weight_k = without(held, c)
        chosen, share_k = np.flatnonzero(weight_k), shares(weight_k, DRAWS)
        members = [_drawn(held, int(k), c, int(share_k[k])) for k in chosen]
        fits.append(_blended(held, chosen, members, weight_k[chosen], held.cuts[c].below, DRAWS))
    return predicted(AUTO, fits, [held.cuts[c] for c in places], held.measure, LEVEL)


def _drawn(held: Tournament, k: int, c: int, draws: int) -> Fit:
    known = held.trials.fits[k][c]
    if len(known.draws_sp):
        return known
    return fitted(held.trials.candidates[k], held.cuts[c].below, held.measure, held.settings, draws)


def _blended(
    held: Tournament, chosen: np.ndarray, fits: list[Fit], weight_k: np.ndarray, runs: Runs, draws: int
) -> Fit:
    emphasis = float(weight_k @ [held.trials.candidates[k].emphasis for k in chosen])
    size_n = held.measure.of(runs)
    return blended(fits, weight_k, runs, (size_n / size_n.max()) ** emphasis, draws)


def _because(held: Tournament) -> tuple[str, ...]:
    weight_k, error_k = held.weight_k, np.exp(np.log(held.trials.error_ck).mean(axis=0))
    chosen = [k for k in np.argsort(-weight_k, kind="stable") if weight_k[k]]
    power, places = sharpness(len(held.cuts)), f"{len(held.cuts)} cuts of {held.measure}"
    said = [f"{held.trials.candidates[k]} {weight_k[k]:.0%} (back-test error {error_k[k]:.2%})" for k in chosen]
    among = len(held.trials.candidates) + len(held.trials.hopeless)
    return (
        f"a blend of laws, weighted by error^-{power:.2g} over {places}: {', '.join(said)}",
        f"chosen among {among} candidates; a draw is a draw of one law, so intervals hold how far the laws disagree",
    )

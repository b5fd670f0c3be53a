"""Draws of the parameters, two by two: which of them the data cannot tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.figure import Axis, Figure, Panel, Points
from isoloss.core.fit import Fit
from isoloss.plots import plot

MOST = 6  # pairs, those that move together most
ACROSS = 3
DRAWS = 300
DECADES = 1.0  # a parameter whose draws span more is drawn on a logarithmic axis


def _check(fit: Fit) -> None:
    if not len(fit.draws_sp):
        raise RequestError(
            f"The fit of '{fit.law.name}' carries no draws, so there is nothing to see of its parameters together.",
            do="Fit runs with draws=1000; most published fits have none.",
        )
    if len(_free(fit)) < 2:
        raise RequestError(f"The fit of '{fit.law.name}' has fewer than two parameters that vary.")


@plot("Which parameters move together?", check=_check)
def pairs(fit: Fit) -> Figure:
    """The pairs of parameters whose draws correlate most, at most six, with the best estimate."""
    ranked = sorted(combinations(_free(fit), 2), key=lambda pair: -abs(_correlation(fit, *pair)))
    shown = ranked[:MOST]
    panels = tuple(_panel(fit, i, j) for i, j in shown)
    names = fit.law.names
    told = [f"{names[i]} and {names[j]} {_correlation(fit, i, j):+.2f}" for i, j in shown]
    left = f" {len(ranked) - MOST} pairs that correlate less are not shown." if len(ranked) > MOST else ""
    notes = (
        f"Rank correlations of the draws: {', '.join(told)}.{left}",
        "A narrow slant means that the data tell a combination of the two and neither alone.",
    )
    return Figure(pairs.title, panels, notes, "pairs", ACROSS if len(panels) > ACROSS else 0)


def _free(fit: Fit) -> list[int]:
    return [j for j in range(len(fit.law.names)) if np.ptp(fit.draws_sp[:, j]) > 0]


def _correlation(fit: Fit, i: int, j: int) -> float:
    ranks_2s = np.argsort(np.argsort(fit.draws_sp[:, [i, j]], axis=0), axis=0).T
    return float(np.corrcoef(ranks_2s).ravel()[1])


def _panel(fit: Fit, i: int, j: int) -> Panel:
    x, y = fit.draws_sp[:DRAWS, i], fit.draws_sp[:DRAWS, j]
    draws = Points("draws", "run", False, x, y, series=0)
    best = Points("best estimate", "optimum", False, fit.theta_p[[i]], fit.theta_p[[j]])
    return Panel(_axis(fit, i), _axis(fit, j), (draws, best))


def _axis(fit: Fit, j: int) -> Axis:
    drawn = fit.draws_sp[:, j]
    wide = drawn.min() > 0 and np.log10(drawn.max() / drawn.min()) > DECADES
    return Axis("parameter", "log" if wide else "linear", words=fit.law.names[j])

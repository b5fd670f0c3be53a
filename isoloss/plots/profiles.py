"""IsoFLOP profiles as they were measured: runs of each budget over size, and the minima found, with intervals."""

from __future__ import annotations

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Points
from isoloss.core.figure_style import scientific
from isoloss.core.frontier import Frontier, Optimum
from isoloss.core.quantities import quantity
from isoloss.core.runs import Runs
from isoloss.fitting.budgets import Sweep, sweep
from isoloss.plots import _curves, plot
from isoloss.plots._curves import Look, curve, grid

NEAR = 0.1  # how far a run's budget may lie from an optimum's to be drawn with it
AHEAD = 10.0


def _check(runs: Runs, frontier: Frontier) -> None:
    if frontier.approach != "isoflop":
        raise RequestError(
            f"This picture shows isoFLOP profiles; the frontier is of the {frontier.approach}.",
            do="Draw it with name='curves', or fit isoloss.isoflop(runs).",
        )


@plot("Where are the minima of the profiles?", check=_check)
def profiles(runs: Runs, frontier: Frontier, *, level: float = 0.9) -> Figure:
    """Runs joined by budget, each minimum with the interval of its size, and the frontier through the minima."""
    table = sweep(runs, frontier.size.law.output.name, frontier.loss.law.output.name)
    marks: list[Mark] = [*_frontier(frontier, level)]
    for optimum in frontier.optima:
        marks += _budget(table, optimum)
    marks += _minima([o for o in frontier.optima if not o.left_out])
    budgets = [o.flops for o in frontier.optima]
    colour = Axis(table.compute, span=(min(budgets), max(budgets)))
    panel = Panel(
        Axis(table.size, words=f"model size {quantity(table.size).symbol}"), Axis(table.output), tuple(marks), colour
    )
    left = [f"Left out: {scientific(o.flops, 2)} FLOP, {o.left_out}." for o in frontier.optima if o.left_out]
    notes = (
        f"A budget is compute within {NEAR:.0%}.",
        f"Bars: 90% intervals of a size; shaded: the {level:.0%} interval of the loss.",
        *left,
    )
    return Figure(profiles.title, (panel,), notes, "profiles")


def _budget(table: Sweep, optimum: Optimum) -> list[Mark]:
    near_n = np.abs(np.log(table.flops_n / optimum.flops)) <= np.log1p(NEAR)
    rows = np.flatnonzero(near_n)[np.argsort(table.size_n[near_n], kind="stable")]
    x, y, about = table.size_n[rows], table.loss_n[rows], _curves.about(table.runs.take(rows))
    line = Line("", "run", False, x, y, value=optimum.flops)
    return (
        [line, Points("runs, joined by budget", "run", False, x, y, values=table.flops_n[rows], about=about)]
        if len(rows)
        else []
    )


def _minima(kept: list[Optimum]) -> list[Mark]:
    x, y = np.array([o.size.mid for o in kept]), np.array([o.loss.mid for o in kept])
    marks: list[Mark] = [Points("minimum", "optimum", False, x, y)]
    if all(o.size.known for o in kept):
        ends = np.array([[o.size.low, o.size.high, np.nan] for o in kept]).ravel()
        marks.append(Line("minimum", "optimum", False, ends, np.repeat(y, 3)))
    return marks


def _frontier(frontier: Frontier, level: float) -> list[Mark]:
    # The loss of the best size of every budget, over that size.
    budgets = [o.flops for o in frontier.optima if not o.left_out]
    compute = frontier.size.law.columns[0]
    flops_m = grid(min(budgets) / 2, AHEAD * max(budgets), min(budgets), max(budgets))
    size = _curves.predicted(frontier.size, {compute: flops_m}, level).mid
    loss = _curves.predicted(frontier.loss, {frontier.loss.law.columns[0]: flops_m}, level)
    within_m = (flops_m >= min(budgets)) & (flops_m <= max(budgets))
    look = Look("best size of each budget", "best size, beyond the runs", f"{level:.0%} interval of its loss")
    return curve(np.asarray(size), loss, within_m, look)

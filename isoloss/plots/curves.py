"""Training curves: the loss of every run along its compute, and the envelope below them all."""

from __future__ import annotations

import numpy as np

from isoloss.core.errors import DesignError, RequestError
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Points, Region
from isoloss.core.frontier import Frontier
from isoloss.core.runs import Runs
from isoloss.fitting.budgets import Sweep, sweep
from isoloss.fitting.envelope import RUN_NAMES
from isoloss.plots import _curves, plot
from isoloss.plots._curves import Look, curve, grid

AHEAD = 100.0
MOST = 60  # curves


def _check(runs: Runs, frontier: Frontier | None) -> None:
    if frontier is not None and frontier.approach != "envelope":
        raise RequestError(
            f"This picture shows training curves; the frontier is of {frontier.approach} profiles.",
            do="Draw it with name='profiles', or fit isoloss.envelope(runs).",
        )


@plot("What does training buy as it goes on?", check=_check)
def curves(runs: Runs, frontier: Frontier | None, *, level: float = 0.9) -> Figure:
    """One curve a run, coloured by its size, and the least loss at each compute; with an envelope fit, its law.

    Raises DesignError for a table with one row a run.
    """
    table = sweep(runs, None, frontier.loss.law.output.name if frontier else "loss")
    members = _members(table)
    marks: list[Mark] = []
    for rows in members[:MOST]:
        size = float(table.size_n[rows[0]])
        marks.append(Line("training runs", "run", False, table.flops_n[rows], table.loss_n[rows], value=size))
    last = np.array([rows[-1] for rows in members[:MOST]])
    ends = Points("their ends", "run", False, table.flops_n[last], table.loss_n[last], values=table.size_n[last])
    marks.append(ends)
    flops, least = _least(table, np.concatenate(members))
    if frontier is None:
        marks.append(Line("least loss so far", "optimum", False, flops, least))
    else:
        marks = [*_law(frontier, float(flops[0]), float(flops[-1]), level), *marks, *_optima(frontier)]
    panel = Panel(Axis(table.compute), Axis(table.output), tuple(marks), Axis(table.size, words="model size"))
    left = (f"{len(members) - MOST} of {len(members)} curves are not shown.",) if len(members) > MOST else ()
    shading = (
        (f"Shaded: the {level:.0%} interval of the frontier.",) if frontier and len(frontier.loss.draws_sp) else ()
    )
    notes = (
        f"{len(members)} training runs, one curve each.",
        "Under a schedule that decays later, early points lie higher than a finished run of their length would.",
        *shading,
        *left,
    )
    return Figure(curves.title, (panel,), notes, "curves")


def _members(table: Sweep) -> list[np.ndarray]:
    # Rows of each run with several of them, along its compute.
    name = next((n for n in RUN_NAMES if n in table.runs), None)
    label_n = np.array([str(v) for v in table.runs[name]]) if name else table.size_n
    members = [np.flatnonzero(label_n == label) for label in np.unique(label_n)]
    members = [rows[np.argsort(table.flops_n[rows], kind="stable")] for rows in members if len(rows) > 1]
    if not members:
        raise DesignError(
            f"These are no training curves: each of {len(table.runs)} runs has one row only.",
            f"Runs were told apart by {f'the column {name}' if name else 'their size'}. From: {table.runs.source}.",
            "Read checkpoints, several rows a run, or draw name='compute'.",
        )
    return members


def _least(table: Sweep, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = rows[np.argsort(table.flops_n[rows], kind="stable")]
    return table.flops_n[order], np.minimum.accumulate(table.loss_n[order])


def _law(frontier: Frontier, low: float, high: float, level: float) -> list[Mark]:
    known = frontier.data.ranges.get(frontier.loss.law.columns[0], (low, high))
    seen = [o.flops for o in frontier.optima if not o.left_out] or list(known)
    x_m = grid(low, AHEAD * high, min(seen), max(seen))
    told = _curves.predicted(frontier.loss, {frontier.loss.law.columns[0]: x_m}, level)
    within_m = (x_m >= min(seen)) & (x_m <= max(seen))
    look = Look("envelope", "envelope, beyond the runs", f"{level:.0%} interval of the envelope")
    return [Region("beyond the data", "beyond", x=(high, None)), *curve(x_m, told, within_m, look)]


def _optima(frontier: Frontier) -> list[Mark]:
    kept = [o for o in frontier.optima if not o.left_out]
    x, y = np.array([o.flops for o in kept]), np.array([o.loss.mid for o in kept])
    return [Points("best run over a stretch", "optimum", False, x, y)]

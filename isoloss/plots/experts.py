"""Loss against the number of experts, a curve a size: how much routing helps, and where it stops to."""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.figure import Axis, Figure, Mark, Panel
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.plots import _curves, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import refuse_unless, size_in

SIZES = 5


def _check(runs: Runs | None, fit: Fit) -> None:
    refuse_unless(
        [fit],
        lambda law: "experts" in law.columns and size_in(law) is not None,
        "loss against the number of experts",
        "with a size and the input 'experts'",
    )


@plot("How many experts pay?", check=_check)
def experts(runs: Runs | None, fit: Fit, *, level: float = 0.9) -> Figure:
    """At most five sizes, those of the runs where there are any; other inputs are held at their middle."""
    size, output = size_in(fit.law) or "params", fit.law.output.name
    table, known = _curves.complete(runs, fit), _curves.ranges(fit, runs)
    low, high = _curves.window(size, known, ahead=1.0)
    sizes = (
        _curves.spread(table[size], SIZES) if table is not None else [float(v) for v in np.geomspace(low, high, SIZES)]
    )
    held = {name: _middle(table, name, known) for name in fit.law.columns if name not in (size, "experts")}
    first, last = known.get("experts", (1.0, 256.0))
    experts_m = grid(max(1.0, first / 2), 4 * last, first, last)
    marks: list[Mark] = []
    for value in sizes:
        at = {name: np.full(len(experts_m), v) for name, v in {**held, size: value}.items()} | {"experts": experts_m}
        told = _curves.predicted(fit, at, level)
        within_m = _curves.inside(known, at)
        marks += curve(experts_m, told, within_m, Look(f"{numbers.short(value)} parameters", value=value))
    marks += _curves.points(table, "experts", output, size)
    colour = Axis(size, words="model size", span=(min(sizes), max(sizes)) if len(sizes) > 1 else None)
    panel = Panel(Axis("experts"), Axis(output), tuple(marks), colour)
    told_held = (f"Held: {', '.join(f'{n} {numbers.short(v)}' for n, v in held.items())}.",) if held else ()
    notes = (_curves.interval_note(fit, level), "Dashed: beyond the experts or the sizes of the runs.", *told_held)
    return Figure(experts.title, (panel,), notes, "experts")


def _middle(table: Runs | None, name: str, known: dict[str, tuple[float, float]]) -> float:
    if table is not None:
        return float(np.median(table[name]))
    low, high = _curves.window(name, known, ahead=1.0)
    return float(np.sqrt(low * high))

"""Loss against tokens, a curve a model size: larger models need fewer tokens for the same loss."""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.figure import Axis, Figure, Mark, Panel
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.plots import _curves, _data, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import check_size_and_data

SIZES = 6


@plot("How many tokens does each size need?", check=check_size_and_data)
def sample_efficiency(runs: Runs | None, fit: Fit, *, level: float = 0.9) -> Figure:
    """At most six sizes, those of the runs where there are any; Kaplan et al. 2020, Fig. 2, by the law."""
    size, output = _data.size_of(fit), fit.law.output.name
    table, known = _curves.complete(runs, fit), _curves.ranges(fit, runs)
    low, high = _curves.window(size, known, ahead=1.0)
    sizes = (
        _curves.spread(table[size], SIZES) if table is not None else [float(v) for v in np.geomspace(low, high, SIZES)]
    )
    tokens_m = grid(*_curves.window("tokens", known), *known.get("tokens", ()))
    marks: list[Mark] = []
    for value in sizes:
        at = {size: np.full(len(tokens_m), value), "tokens": tokens_m}
        told = _curves.predicted(fit, at, level)
        look = Look(f"{numbers.short(value)} parameters", value=value)
        marks += curve(tokens_m, told, _curves.inside(known, at), look)
    marks += _curves.points(table, "tokens", output, size)
    colour = _data.size_axis(fit, (min(sizes), max(sizes)) if len(sizes) > 1 else None)
    panel = Panel(Axis("tokens"), Axis(output), tuple(marks), colour)
    return Figure(sample_efficiency.title, (panel,), _notes(fit, level), "sample_efficiency")


def _notes(fit: Fit, level: float) -> tuple[str, ...]:
    return (
        "A level line across the curves meets the larger model first: it learns more from every token.",
        _curves.interval_note(fit, level),
        "Dashed: beyond the sizes or the tokens of the runs.",
    )

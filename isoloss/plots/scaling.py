"""Loss against each resource alone, L(N), L(D) and L(C): the fitted curve, its extrapolation and the runs."""

from __future__ import annotations

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.figure import Axis, Figure, Mark, Panel, Region
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.core.split import is_held_out
from isoloss.planning import cost
from isoloss.plots import _curves, _data, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import size_and_data

ENDLESS = 1e60  # of parameters or tokens: what is left of the loss is what the other resource costs


def _check(_: Runs | None, fit: Fit) -> None:
    if len(fit.law.columns) > 1 and not size_and_data(fit.law):
        raise RequestError(
            f"This picture shows loss against one resource, but the law '{fit.law.name}' is of "
            f"{', '.join(fit.law.columns)}.",
            do="Fit a law of one input, such as 'power_floor', or of size and data, such as 'chinchilla'.",
        )


@plot("What does each resource buy alone?", check=_check)
def scaling(runs: Runs | None, fit: Fit, *, flops: float | None = None, level: float = 0.9) -> Figure:
    """One panel a resource, the others endless, or spent best where it is compute; one panel for a law of one input."""
    table, known = _curves.complete(runs, fit), _curves.ranges(fit, runs)
    if len(fit.law.columns) == 1:
        panels = (_of_one(table, fit, known, level),)
    else:
        panels = (*_of_each(table, fit, known, level), _of_compute(table, fit, known, flops, level))
    return Figure(scaling.title, panels, _notes(fit, known, level), "scaling")


def _of_one(table: Runs | None, fit: Fit, known: dict[str, tuple[float, float]], level: float) -> Panel:
    name = fit.law.columns[0]
    x_m = grid(*_curves.window(name, known), *known.get(name, ()))
    told = _curves.predicted(fit, {name: x_m}, level)
    look = Look(f"the law '{fit.law.name}'", f"the law '{fit.law.name}', beyond the data", f"{level:.0%} interval")
    marks = [*_beyond(name, known), *curve(x_m, told, _curves.inside(known, {name: x_m}), look)]
    output = fit.law.output
    return Panel(Axis(name), Axis(output.name), (*marks, *_curves.points(table, name, output.name)))


def _of_each(table: Runs | None, fit: Fit, known: dict[str, tuple[float, float]], level: float) -> list[Panel]:
    size = _data.size_of(fit)
    panels = []
    for name, other, most_of, words in ((size, "tokens", "the most", "data"), ("tokens", size, "the largest", "size")):
        x_m = grid(*_curves.window(name, known), *known.get(name, ()))
        marks: list[Mark] = [*_beyond(name, known)]
        if other in known:
            most = np.full(len(x_m), known[other][1])
            told = _curves.predicted(fit, {name: x_m, other: most}, level)
            within_m = _curves.inside(known, {name: x_m, other: most})
            marks += curve(x_m, told, within_m, Look(f"with {most_of} {words} of the runs"))
        limit = _curves.predicted(fit, {name: x_m, other: np.full(len(x_m), ENDLESS)}, level)
        look = Look(f"with endless {words}", role="optimum")
        marks += curve(x_m, limit, np.zeros(len(x_m), bool), look)
        axis = _data.size_axis(fit) if name == size else Axis("tokens")
        panels.append(
            Panel(axis, Axis(fit.law.output.name), (*marks, *_curves.points(table, name, fit.law.output.name)))
        )
    return panels


def _of_compute(
    table: Runs | None, fit: Fit, known: dict[str, tuple[float, float]], flops: float | None, level: float
) -> Panel:
    size, name = _data.size_of(fit), _data.flops_of(fit)
    if table is not None:
        table = table.with_columns(**{name: cost.total(table[size], table["tokens"])})
        known = {**known, name: _range(table[name][~is_held_out(table)])}
    elif name not in known and size in known and "tokens" in known:
        known = {**known, name: _product(known[size], known["tokens"])}
    low, high = _curves.window(name, known) if name in known else _typical(size)
    x_m = grid(low, max(high, flops or 0.0), *known.get(name, ()))
    best = _data.frontier(fit, x_m, level)
    within_m = _curves.inside(known, {name: x_m, size: best.size.mid, "tokens": best.tokens.mid})
    marks = [*_beyond(name, known), *curve(x_m, best.loss, within_m, Look("spent best"))]
    return Panel(Axis(name), Axis(fit.law.output.name), (*marks, *_curves.points(table, name, fit.law.output.name)))


def _typical(size: str) -> tuple[float, float]:
    # Compute itself has no usual values; sizes and amounts of data have.
    return _product(_curves.window(size, {}), _curves.window("tokens", {}))


def _product(sizes: tuple[float, float], tokens: tuple[float, float]) -> tuple[float, float]:
    return cost.total(sizes[0], tokens[0]), cost.total(sizes[1], tokens[1])


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _beyond(name: str, known: dict[str, tuple[float, float]]) -> list[Mark]:
    return [Region("beyond the data", "beyond", x=(known[name][1], None))] if name in known else []


def _notes(fit: Fit, known: dict[str, tuple[float, float]], level: float) -> tuple[str, ...]:
    unknown = [name for name in fit.law.columns if name not in known]
    lacking = (
        (f"The range of the data is not known in {', '.join(unknown)}: all is drawn as beyond it.",) if unknown else ()
    )
    alone = (
        ("Runs lie above a curve of one resource where another holds them back.",) if len(fit.law.columns) > 1 else ()
    )
    return (_curves.interval_note(fit, level), "Dashed: beyond the data that were fitted.", *alone, *lacking)

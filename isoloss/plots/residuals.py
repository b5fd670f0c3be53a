"""What the law leaves over, against each of its inputs: any pattern here is something the law does not know."""

from __future__ import annotations

import math

import numpy as np

from isoloss.core.figure import Axis, Band, Figure, Line, Mark, Panel, Points
from isoloss.core.fit import Fit
from isoloss.core.quantities import quantity
from isoloss.core.runs import Runs
from isoloss.planning import cost
from isoloss.plots import _curves, plot
from isoloss.plots._needs import size_and_data

MOST = 6  # panels
ACROSS = 3


@plot("What does the law miss?")
def residuals(runs: Runs, fit: Fit) -> Figure:
    """Measured over predicted, less one, in per cent, against every input, with the scatter of one run about zero.

    For a law of size and data against compute as well. The scatter is one standard deviation.
    """
    table = runs.complete([*fit.law.columns, fit.law.output.name])
    _curves.check_fitted(table)
    columns = list(fit.law.columns)
    if size_and_data(fit.law):
        size = next(name for name in columns if name != "tokens")
        compute = cost.count_of_compute(size)
        table = table.with_columns(**{compute: cost.total(table[size], table["tokens"])})
        columns = [size, "tokens", compute]
    percent_n = _percent(table, fit)
    y = Axis(fit.law.output.name, "linear", "measured / predicted − 1", "%", _span(percent_n, fit.scatter))
    panels = [Panel(_axis(table, name), y, _marks(table, name, percent_n, fit)) for name in columns[:MOST]]
    return Figure(
        residuals.title, tuple(panels), _notes(fit, columns), "residuals", ACROSS if len(panels) > ACROSS else 0
    )


def _axis(table: Runs, name: str) -> Axis:
    words = f"model size {quantity(name).symbol}" if name in cost.SIZES else ""
    return Axis(name, "log" if (table[name] > 0).all() else "linear", words=words)


def _percent(table: Runs, fit: Fit) -> np.ndarray:
    x_kn = np.array([table[c] for c in fit.law.columns])
    return 100 * (table[fit.law.output.name] / fit.law.value(x_kn, fit.theta_p) - 1)


def _span(percent_n: np.ndarray, scatter: float) -> tuple[float, float]:
    widest = max(float(np.abs(percent_n).max()), 100 * scatter if math.isfinite(scatter) else 0.0, 1e-6)
    return -1.15 * widest, 1.15 * widest


def _marks(table: Runs, name: str, percent_n: np.ndarray, fit: Fit) -> tuple[Mark, ...]:
    low, high = float(table[name].min()), float(table[name].max())
    ends = np.array([low / 1.3, high * 1.3]) if low > 0 else np.array([low, high])
    marks: list[Mark] = []
    if math.isfinite(fit.scatter):
        below, above = (100 * math.expm1(sign * fit.scatter) for sign in (-1, 1))
        marks.append(Band("scatter of one run (± 1 s.d.)", "guide", False, ends, np.full(2, below), np.full(2, above)))
    marks.append(Line("", "guide", False, ends, np.zeros(2)))
    shown = table.with_columns(residual=percent_n)
    return (*marks, *(p for p in _curves.points(shown, name, "residual") if isinstance(p, Points)))


def _notes(fit: Fit, columns: list[str]) -> tuple[str, ...]:
    scatter = (
        f"Shaded: the scatter of one run about the law, one standard deviation, {fit.scatter:.2%}."
        if math.isfinite(fit.scatter)
        else "No scatter is shown: this fit keeps no residuals."
    )
    left = (f"Inputs that are not shown: {', '.join(columns[MOST:])}.",) if len(columns) > MOST else ()
    return (
        "Above zero a run did worse than the law says. A trend along an axis means the law is missing something.",
        scatter,
        *left,
    )

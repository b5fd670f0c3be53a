"""A smoothly broken power law: its curve, where it breaks, and the exponent on either side of each break."""

from __future__ import annotations

import numpy as np

from isoloss.core.figure import Axis, Figure, Mark, Panel, Region
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.planning.answers import estimate, sets
from isoloss.plots import _curves, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import refuse_unless

SHIFT = 1e-4  # of the logarithm: the step of a slope


def breaks_of(law: Law) -> list[str]:
    """The parameters that say where a broken law breaks, in order."""
    return [name for name in law.names if law.name.startswith("bnsl_") and name.startswith("d_")]


def _check(runs: Runs | None, fit: Fit) -> None:
    refuse_unless([fit], lambda law: bool(breaks_of(law)), "the breaks of a broken power law", "with breaks")


@plot("Where does the power law break?", check=_check)
def breaks(runs: Runs | None, fit: Fit, *, level: float = 0.9) -> Figure:
    """The law over its input, its breaks with their intervals, and below the floor the local exponent."""
    table, known, name = _curves.complete(runs, fit), _curves.ranges(fit, runs), fit.law.columns[0]
    x_m = grid(*_curves.window(name, known), *known.get(name, ()))
    within_m = _curves.inside(known, {name: x_m})
    told = _curves.predicted(fit, {name: x_m}, level)
    at = _breaks(fit, level, (float(x_m[0]), float(x_m[-1])))
    look = Look(f"the law '{fit.law.name}'", "the law, beyond the data", f"{level:.0%} interval")
    output = fit.law.output.name
    marks = [*at, *curve(x_m, told, within_m, look), *_curves.points(table, name, output)]
    slopes = curve(x_m, estimate(_exponents(fit, x_m), level), within_m, Look("exponent there"))
    exponent = Axis("exponent", "linear", words="local exponent, the floor taken off")
    panels = (Panel(Axis(name), Axis(output), tuple(marks)), Panel(Axis(name), exponent, (*at, *slopes)))
    notes = (
        _curves.interval_note(fit, level),
        "Dotted boxes: the interval of a break. A break beyond the data cannot be foreseen (Caballero et al. 2022).",
    )
    return Figure(breaks.title, panels, notes, "breaks")


def _breaks(fit: Fit, level: float, ends: tuple[float, float]) -> list[Mark]:
    marks: list[Mark] = []
    for i, parameter in enumerate(breaks_of(fit.law), 1):
        told = fit.interval(parameter, level)
        if told.known and ends[0] < told.high and told.low < ends[1]:
            marks.append(Region(f"break {i}", "optimum", x=(max(told.low, ends[0]), min(told.high, ends[1]))))
        elif ends[0] < told.mid < ends[1]:
            marks.append(Region(f"break {i}", "optimum", x=(told.mid / 1.02, told.mid * 1.02)))
    return marks


def _exponents(fit: Fit, x_m: np.ndarray) -> np.ndarray:
    # Minus the slope of the logarithm of the reducible part, (t, m).
    theta_tp = sets(fit)
    floor_t = theta_tp[:, [fit.law.names.index("a")]]
    below, above = (np.log(fit.law.value([x_m * np.exp(s * SHIFT)], theta_tp) - floor_t) for s in (-1, 1))
    return -(above - below) / (2 * SHIFT)

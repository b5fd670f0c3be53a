"""A parameter's profile: how much worse the best fit gets as the parameter is moved, and where the interval ends."""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Points, Region
from isoloss.core.profile import Profile
from isoloss.plots import plot

SHOWN = 3.0  # thresholds
DECADES = 1.5  # a parameter that spans more is drawn on a logarithmic axis


@plot("How far can the parameter move?")
def profile(found: Profile) -> Figure:
    """The rise of the objective over the parameter, the threshold, and the interval that it cuts out."""
    known_m = np.isfinite(found.rise_m) & (found.rise_m <= SHOWN * found.threshold)
    value_m, rise_m = found.value_m[known_m], np.maximum(found.rise_m[known_m], 0.0)
    low, high = float(value_m.min()), float(value_m.max())
    scale = "log" if low > 0 and np.log10(high / low) > DECADES else "linear"
    interval = tuple(end if low <= end <= high else None for end in (found.estimate.low, found.estimate.high))
    label = f"{found.level:.0%} interval"
    marks: tuple[Mark, ...] = (
        Region(label, "data", x=(interval[0], interval[1])),
        Line("threshold", "guide", True, np.array([low, high]), np.full(2, found.threshold)),
        Line("rise, the other parameters following", "law", False, value_m, rise_m),
        Points("best estimate", "optimum", False, np.array([found.estimate.mid]), np.zeros(1)),
    )
    y = Axis(
        "rise", "linear", words="rise of the objective", span=(-0.06 * SHOWN * found.threshold, SHOWN * found.threshold)
    )
    panel = Panel(Axis("parameter", scale, words=found.parameter, span=_around(low, high, scale)), y, marks)
    ends = f"{numbers.short(found.estimate.low, 4)} to {numbers.short(found.estimate.high, 4)}"
    notes = (
        f"{found.parameter}: {label} {ends}, where the rise stays below {found.threshold:.3g}.",
        *(finding.sentence for finding in found.findings),
    )
    return Figure(profile.title, (panel,), notes, "profile")


def _around(low: float, high: float, scale: str) -> tuple[float, float]:
    if scale == "log":
        return low / 1.1, high * 1.1
    return low - 0.05 * (high - low), high + 0.05 * (high - low)

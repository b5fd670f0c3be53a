"""A parameter's profile: how much worse the best fit gets as the parameter is moved, and the interval that this gives.

Shapes: `m` values of the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.shown import Shown
from isoloss.core.text import notes

UNBOUNDED = 1e90  # an end beyond this is that of a range which has none
LINES, WIDTH, SHOWN = 15, 30, 2.0  # of the drawn curve: its lines, columns to the threshold, thresholds shown


@dataclass(frozen=True, eq=False)
class Profile(Shown):
    """The curve of one parameter: value_m, rise_m = 2 (objective - least) / worth, and theta of the other parameters.

    The interval holds the values whose rise is below `threshold`; an end that is nowhere reached is the end of the
    parameter's range, or infinite, and a finding says so.
    """

    parameter: str
    value_m: np.ndarray
    rise_m: np.ndarray
    others: Mapping[str, np.ndarray]
    threshold: float
    level: float
    estimate: Estimate
    findings: tuple[Finding, ...] = ()
    assumptions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": 1,
            "parameter": self.parameter,
            "level": self.level,
            "threshold": self.threshold,
            "interval": self.estimate.to_json(),
            "values": _plain(self.value_m),
            "rise": _plain(self.rise_m),
            "others": {name: _plain(values) for name, values in self.others.items()},
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

    def __str__(self) -> str:
        """The interval, and the curve around it, drawn: values whose bar passes the line are outside."""
        near = np.flatnonzero(self.rise_m <= SHOWN * self.threshold)
        shown = near[np.unique(np.linspace(0, len(near) - 1, LINES).astype(int))]
        lines = [f"{self.parameter} = {_ends(self.estimate)} ({self.level:.0%} interval of the profile)"]
        lines += [f"  {'value':>10}  {'rise':>7}  up to {self.threshold:.3f} is inside, left of the line"]
        for value, rise in zip(self.value_m[shown].tolist(), self.rise_m[shown].tolist(), strict=True):
            lines.append(f"  {value:>10.4g}  {rise:>7.3f}  {self._bar(rise)}".rstrip())
        return "\n".join([*lines, *notes(self.assumptions, self.findings)])

    def _bar(self, rise: float) -> str:
        drawn = "#" * round(WIDTH * max(rise, 0.0) / self.threshold)
        return f"{drawn[:WIDTH]:<{WIDTH}}|{drawn[WIDTH:]}"


def _ends(estimate: Estimate) -> str:
    # An end that is nowhere reached is told as the end of the range, however far away that is.
    if estimate.known and max(abs(estimate.low), abs(estimate.high)) < UNBOUNDED:
        return str(estimate)
    low, high = (
        "without limit" if abs(end) >= UNBOUNDED else numbers.short(end, 4) for end in (estimate.low, estimate.high)
    )
    return f"{numbers.short(estimate.mid, 4)} ({low} to {high})"


def _plain(values_m: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values_m]

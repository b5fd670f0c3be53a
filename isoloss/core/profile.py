"""A parameter's profile: how much worse the best fit gets as the parameter is moved, and the interval that this gives.

Shapes: `m` values of the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding


@dataclass(frozen=True, eq=False)
class Profile:
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
            "values": self.value_m.tolist(),
            "rise": self.rise_m.tolist(),
            "others": {name: values.tolist() for name, values in self.others.items()},
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

    def __str__(self) -> str:
        """The interval, and the curve in a few lines."""
        shown = np.unique(np.linspace(0, len(self.value_m) - 1, 13).astype(int))
        width = max(self.threshold * 2, 1e-12)
        lines = [f"{self.parameter} = {self.estimate} ({self.level:.0%} interval of the profile)"]
        for i in shown:
            bar = "#" * int(min(self.rise_m[i] / width, 1.0) * 40)
            lines.append(f"  {self.value_m[i]:>12.5g}  rise {self.rise_m[i]:>9.3f}  {bar}")
        notes = [f"  assuming {a}" for a in self.assumptions] + [f"  {f}" for f in self.findings]
        return "\n".join([*lines, *notes])

"""What a fit says of points that were asked about: the law's output with its interval, and what that rests on.

Shapes: `m` points asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.shown import Shown

Kind = Literal["run", "mean"]


@dataclass(frozen=True)
class Prediction(Shown):
    """A law's output at m points with its interval, and what that rests on."""

    estimate: Estimate
    quantity: str
    inputs: Mapping[str, np.ndarray]
    level: float
    kind: Kind
    assumptions: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def mid(self) -> Any:
        return self.estimate.mid

    @property
    def low(self) -> Any:
        return self.estimate.low

    @property
    def high(self) -> Any:
        return self.estimate.high

    def to_json(self) -> dict[str, Any]:
        """The answer part of `isoloss predict --json`."""
        points = [
            {**{n: float(v[i]) for n, v in self.inputs.items()}, self.quantity: self.estimate[i].to_json()}
            for i in range(len(self.estimate))
        ]
        return {
            "schema": 1,
            "level": self.level,
            "kind": self.kind,
            "predictions": points,
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

    def __str__(self) -> str:
        what = "a new run" if self.kind == "run" else "the mean curve"
        head = f"{self.quantity} ({self.level:.0%} interval of {what})"
        lines = []
        for i in range(len(self.estimate)):
            at = ", ".join(f"{name} {numbers.short(float(v[i]))}" for name, v in self.inputs.items())
            lines.append(f"  {at}: {self.estimate[i]}")
        notes = text.notes(self.assumptions, self.findings)
        return "\n".join([head, *lines, *notes])

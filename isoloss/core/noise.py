"""How the scatter of single runs depends on their size: a power law in the product of the law's sizes.

Shapes: `n` runs or points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.quantities import QUANTITIES

SIZES = ("params", "body_params", "matmul_params", "active_params", "tokens", "unique_tokens", "steps")
SIZES += ("flops", "body_flops", "min_flops")


@dataclass(frozen=True)
class Noise:
    """Standard deviation ~ (product of `columns` / `at`) ** `exponent`; the same for all runs if there is none."""

    columns: tuple[str, ...] = ()
    exponent: float = 0.0
    at: float = 1.0

    def factor(self, inputs: Mapping[str, Any], n: int) -> np.ndarray:
        """The standard deviation at each point, (n,), as a part of that at a run of middle size."""
        if not self.columns:
            return np.ones(n)
        return (size(inputs, self.columns) / self.at) ** self.exponent

    def to_json(self) -> dict[str, Any]:
        return {"columns": list(self.columns), "exponent": self.exponent, "at": self.at}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Noise:
        return cls(tuple(d["columns"]), float(d["exponent"]), float(d["at"]))


def sizes_among(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a law's inputs that say how large a run is."""
    return tuple(c for c in columns if c in SIZES and c in QUANTITIES)


def size(inputs: Mapping[str, Any], columns: tuple[str, ...]) -> np.ndarray:
    """The product of the columns, (n,)."""
    return np.prod([np.asarray(inputs[c], float) for c in columns], axis=0)

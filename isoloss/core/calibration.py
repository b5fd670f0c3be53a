"""How much wider an interval must be to hold as often as it says, the further a point lies beyond the data.

Shapes: `m` points asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoloss.core.quantities import quantity

COMPUTE = ("flops", "body_flops", "min_flops")
MODELS = ("params", "body_params", "matmul_params", "active_params", "dense_params", "nonvocab_params")
DATA = ("tokens", "steps", "samples", "examples", "characters")
LARGE = 10.0  # where typical values of a count end, at the least
NEAR = 0.1  # decades: what is asked of an interval at the very edge of the data


@dataclass(frozen=True)
class Measure:
    """How large a run is: the product of `columns`, which goes as compute where these are a size and its data."""

    columns: tuple[str, ...]

    @classmethod
    def among(cls, columns: tuple[str, ...]) -> Measure:
        """Compute if it is there, else a size times data, else whichever of the two there is, else the first column."""
        compute = [c for c in COMPUTE if c in columns]
        parts = [next((c for c in group if c in columns), None) for group in (MODELS, DATA)]
        return cls((compute[0],) if compute else tuple(p for p in parts if p) or columns[:1])

    @property
    def grows(self) -> bool:
        """Whether runs can be larger by it: counts can, shares and losses cannot."""
        return all(quantity(c).typical[1] >= LARGE for c in self.columns)

    def of(self, inputs: Any) -> np.ndarray:
        """The measure of runs or of columns by name, (m,)."""
        return np.prod([np.asarray(inputs[c], float) for c in self.columns], axis=0)

    def __str__(self) -> str:
        return " x ".join(self.columns)


@dataclass(frozen=True)
class Calibration:
    """Intervals of a new run are 1 + growth (d + 0.1) times as wide, d decades of the measure beyond `at`.

    `at` is the largest measure of the runs fitted. `growth` is such that `level` of the `runs` predicted in `cuts`
    back-tests lay in their intervals. They are never made narrower: what held at small scale may not at large.
    """

    growth: float
    measure: Measure
    at: float
    level: float
    cuts: int
    runs: int

    def distance(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """How many decades beyond the data each point stands, (m,); zero within."""
        return decades(self.measure.of(inputs), self.at)

    def factor(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """How many times wider the interval is made at each point, (m,); it never falls with distance."""
        return self.at_distance(self.distance(inputs))

    def at_distance(self, distance_m: np.ndarray) -> np.ndarray:
        """The factor on an interval's width, so many decades beyond the data."""
        return 1.0 + self.growth * (distance_m + NEAR)

    def stated(self, inputs: Mapping[str, Any]) -> str:
        """What was done to the intervals at these points, in a sentence."""
        far, factor = float(self.distance(inputs).max()), float(self.factor(inputs).max())
        return (
            f"intervals are widened {factor:.2f} times at {far:.2f} decades of {self.measure} beyond the data, "
            f"so that {self.level:.0%} of {self.runs} predictions in {self.cuts} back-tests would have held"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`."""
        return cls(**{**d, "measure": Measure(tuple(d["measure"]["columns"]))})


def decades(size_m: np.ndarray, at: float) -> np.ndarray:
    """How many decades each size lies beyond `at`, (m,); zero below it, and where a measure has no logarithm."""
    return np.log10(np.maximum(size_m, at) / at) if at > 0 else np.zeros(len(size_m))

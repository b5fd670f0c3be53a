"""How far a new run may lie from a curve that was never tried there, the further the more.

Shapes: `s` draws, `m` points asked about.
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
NEAR = 1.0  # decades: a miss a decade out is twice that at the edge of the data


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
    """Beyond the data a new run misses the curve by a normal error of `drift` (1 + d), d decades of `measure` out.

    `at` is the largest measure of the runs fitted. `drift` is what the `runs` predicted in `cuts` back-tests missed by,
    beyond what the draws told (see `Backtest.calibration`). Within the data the scatter of the residuals holds; where
    the measure cannot grow, every point counts as outside.
    """

    drift: float
    measure: Measure
    at: float
    cuts: int
    runs: int

    def distance(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """How many decades beyond the data each point stands, (m,); zero within."""
        size_m = self.measure.of(inputs)
        return decades(size_m, self.at) if self.measure.grows else np.zeros(len(size_m))

    def deviation(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """The standard deviation of a new run about the curve beyond the data, as a part of the output, (m,)."""
        return self.drift * (self.distance(inputs) + NEAR)

    def errors(self, scatter_sm: np.ndarray, inputs: Mapping[str, Any], seed: int) -> np.ndarray:
        """A new run's log errors about the curve, (s, m): `scatter_sm` within the data, misses beyond it."""
        normal_s1 = np.random.default_rng(seed).standard_normal((len(scatter_sm), 1))
        return np.where(self._outside(inputs), normal_s1 * self.deviation(inputs), scatter_sm)

    def stated(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """How far a new run at these points is taken to miss, in a sentence; none where all are within the data."""
        if not self._outside(inputs).any():
            return ()
        far, deviation = float(self.distance(inputs).max()), float(self.deviation(inputs).max())
        return (
            f"at {far:.2f} decades of {self.measure} beyond the data a new run is taken to miss the curve by "
            f"{deviation:.2%} (one standard deviation), as {self.runs} predictions in {self.cuts} back-tests did",
        )

    def _outside(self, inputs: Mapping[str, Any]) -> np.ndarray:
        return (self.distance(inputs) > 0) | (not self.measure.grows)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`."""
        return cls(**{**d, "measure": Measure(tuple(d["measure"]["columns"]))})


def decades(size_m: np.ndarray, at: float) -> np.ndarray:
    """How many decades each size lies beyond `at`, (m,); zero below it, and where a measure has no logarithm."""
    return np.log10(np.maximum(size_m, at) / at) if at > 0 else np.zeros(len(size_m))

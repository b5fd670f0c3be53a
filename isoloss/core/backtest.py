"""What a law would have predicted from the smaller runs alone, beside what the larger ones reached.

Shapes: `r` predictions, over all cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.calibration import NEAR, Calibration, Measure
from isoloss.core.shown import Shown

LATER = 5.0  # a cut counts so many times the one before it: it asks what will be asked of all runs
TOLD = 0.75  # at most this share of the squared misses is taken as told by the draws


@dataclass(frozen=True)
class CutScore:
    """One cut: the largest measure fitted, how many runs were below and above, and how the predictions above fared.

    `factor` is how many times beyond the fitted runs the farthest prediction stands; `error` the median of |miss|,
    `bias` that of predicted / reached - 1, `coverage` the share of runs inside the interval, `width` the median width
    of the interval as a part of the prediction.
    """

    at: float
    below: int
    above: int
    factor: float
    error: float
    bias: float
    coverage: float
    width: float

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class Backtest(Shown):
    """Predictions of every cut, (r,) each: which cut, decades beyond its runs, the interval of a new run, what came.

    `spread_r` is the standard deviation of the curve's draws, as a part of the prediction.
    """

    law: str
    measure: Measure
    level: float
    at_c: tuple[float, ...]
    below_c: tuple[int, ...]
    cut_r: np.ndarray
    distance_r: np.ndarray
    mid_r: np.ndarray
    low_r: np.ndarray
    high_r: np.ndarray
    reached_r: np.ndarray
    spread_r: np.ndarray
    notes: tuple[str, ...] = field(default=())

    @property
    def miss_r(self) -> np.ndarray:
        """Predicted / reached - 1, (r,)."""
        return self.mid_r / self.reached_r - 1.0

    @property
    def inside_r(self) -> np.ndarray:
        """Which runs lay in their interval, (r,)."""
        return (self.low_r <= self.reached_r) & (self.reached_r <= self.high_r)

    @property
    def coverage(self) -> float:
        """The share of runs inside, each cut counting the same."""
        return float(np.mean([cut.coverage for cut in self.cuts]))

    @property
    def cuts(self) -> tuple[CutScore, ...]:
        """How each cut fared, from the fewest runs to the most."""
        return tuple(self._score(c) for c in range(len(self.at_c)))

    def _score(self, c: int) -> CutScore:
        rows = self.cut_r == c
        width_r = (self.high_r - self.low_r)[rows] / np.abs(self.mid_r[rows])
        return CutScore(
            at=self.at_c[c],
            below=self.below_c[c],
            above=int(rows.sum()),
            factor=float(10 ** self.distance_r[rows].max()),
            error=float(np.median(np.abs(self.miss_r[rows]))),
            bias=float(np.median(self.miss_r[rows])),
            coverage=float(self.inside_r[rows].mean()),
            width=float(np.median(width_r)),
        )

    def calibration(self, at: float) -> Calibration:
        """How far new runs beyond the data may miss the curve, from how far those of the cuts did.

        A squared miss (relative, per (1 + d)^2 for d decades beyond the fitted runs) less what the curve's draws told
        of it is what they did not tell; its mean over runs, later cuts counting more, is the squared drift. Draws are
        never taken to tell more than three quarters. `at` is the largest measure of the fit that is calibrated.
        """
        weight_c = LATER ** np.arange(len(self.at_c)) if self.measure.grows else np.ones(len(self.at_c))
        weight_r = (weight_c / np.bincount(self.cut_r, minlength=len(self.at_c)))[self.cut_r]
        missed, told = (
            np.average((value_r / (self.distance_r + NEAR)) ** 2, weights=weight_r)
            for value_r in (self.reached_r / self.mid_r - 1.0, self.spread_r)
        )
        drift = float(np.sqrt(max(missed - told, (1 - TOLD) * missed)))
        return Calibration(drift, self.measure, at, len(self.at_c), len(self.cut_r))

    def to_json(self) -> dict[str, Any]:
        """The cuts, and every prediction."""
        rows = ("cut", "distance", "mid", "low", "high", "reached")
        return {
            "schema": 1,
            "law": self.law,
            "measure": list(self.measure.columns),
            "level": self.level,
            "coverage": self.coverage,
            "cuts": [cut.to_json() for cut in self.cuts],
            "predictions": {name: getattr(self, f"{name}_r").tolist() for name in rows},
            "assumptions": list(self.notes),
        }

    def __str__(self) -> str:
        """One line a cut, in at most 100 columns."""
        head = f"back-test of {self.law} ({self.level:.0%} intervals of a new run), by {self.measure}"
        lines = [
            head[:100],
            f"  {'fitted up to':>12} {'runs':>5} {'predicted':>9} {'beyond':>8} {'error':>7} {'bias':>8} "
            f"{'inside':>7} {'width':>7}",
        ]
        for cut in self.cuts:
            lines.append(
                f"  {numbers.short(cut.at):>12} {cut.below:>5} {cut.above:>9} {numbers.short(cut.factor, 2) + 'x':>8} "
                f"{cut.error:>7.2%} {cut.bias:>+8.2%} {cut.coverage:>7.0%} {cut.width:>7.2%}"
            )
        lines.append(f"  inside over all cuts: {self.coverage:.0%}")
        return "\n".join([*lines, *text.notes(self.notes, ())])

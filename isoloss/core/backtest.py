"""What a law would have predicted from the smaller runs alone, beside what the larger ones reached.

Shapes: `r` predictions, over all cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.calibration import NEAR, Calibration, Measure

FARTHEST = 50.0  # a miss of more half-widths than this tells no more


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
class Backtest:
    """Predictions of every cut, (r,) each: which cut, decades beyond its runs, the interval of a new run, what came."""

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

    def strain(self) -> np.ndarray:
        """How many times its half-width (on the side it fell) each interval must be to hold its run, (r,)."""
        over_r = self.reached_r - self.mid_r
        half_r = np.where(over_r > 0, self.high_r - self.mid_r, self.mid_r - self.low_r)
        return np.minimum(np.abs(over_r) / np.maximum(half_r, 1e-12 * np.abs(self.mid_r)), FARTHEST)

    def calibration(self, at: float) -> Calibration:
        """The widening with which `level` of these runs, each cut counting the same, lie in their intervals.

        A run that its interval holds asks for none; one that lies k half-widths away, d decades beyond the fitted runs,
        asks for a growth of (k - 1) / (d + 0.1). The growth is the quantile of these, taken as in split conformal
        prediction (Vovk et al. 2005), with every cut a block. `at` is the largest measure of the fit that is widened.
        """
        asked_r = np.maximum(self.strain() - 1.0, 0.0) / (self.distance_r + NEAR)
        per_cut = np.bincount(self.cut_r, minlength=len(self.at_c))
        growth = _quantile(asked_r, 1.0 / per_cut[self.cut_r], self.level)
        return Calibration(growth, self.measure, at, self.level, len(self.at_c), len(self.cut_r))

    def widened(self, calibration: Calibration) -> Backtest:
        """The same predictions with intervals as the calibration makes them."""
        factor_r = calibration.at_distance(self.distance_r)
        low_r = self.mid_r + (self.low_r - self.mid_r) * factor_r
        high_r = self.mid_r + (self.high_r - self.mid_r) * factor_r
        return Backtest(**{**vars(self), "low_r": low_r, "high_r": high_r})

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


def _quantile(values_r: np.ndarray, weight_r: np.ndarray, level: float) -> float:
    order_r = np.argsort(values_r)
    share_r = np.cumsum(weight_r[order_r]) / weight_r.sum()
    return float(values_r[order_r][min(np.searchsorted(share_r, level - 1e-12), len(values_r) - 1)])

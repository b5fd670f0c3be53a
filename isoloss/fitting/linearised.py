"""A law seen as straight near where it stands: residuals and how they answer to each coordinate, without second parts.

Shapes: `n` runs, `p` coordinates, `b` problems solved together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoloss.fitting.coordinates import Derivatives


@dataclass(frozen=True)
class Linearised:
    """b problems: objectives, residuals, the objective's pull and stiffness at each run, and what the residuals answer.

    The residual's slope in a coordinate is slope_pbn, times factor_pb, times unit_bn.
    """

    value_b: np.ndarray
    residual_bn: np.ndarray
    pull_bn: np.ndarray
    stiff_bn: np.ndarray
    unit_bn: np.ndarray
    factor_pb: np.ndarray
    slope_pbn: Sequence[np.ndarray]

    def take(self, rows_b: np.ndarray) -> Linearised:
        """The problems of a mask or an index array."""
        return Linearised(
            self.value_b[rows_b],
            self.residual_bn[rows_b],
            self.pull_bn[rows_b],
            self.stiff_bn[rows_b],
            self.unit_bn[rows_b],
            self.factor_pb[:, rows_b],
            [slope_bn[rows_b] for slope_bn in self.slope_pbn],
        )

    @cached_property
    def derivatives(self) -> Derivatives:
        """The objective with its gradient, and Gauss and Newton's part of its Hessian."""
        p, b = self.factor_pb.shape
        hessian_ppb, stiff_bn = np.empty((p, p, b)), self.stiff_bn * self.unit_bn**2
        for i in range(p):
            weighted_bn = stiff_bn * self.slope_pbn[i]
            for j in range(i, p):
                hessian_ppb[i, j] = hessian_ppb[j, i] = np.vecdot(weighted_bn, self.slope_pbn[j])
        hessian_ppb *= self.factor_pb * self.factor_pb[:, None]
        return Derivatives(self.value_b, self.gathered(self.pull_bn), hessian_ppb)

    def along(self, step_pb: np.ndarray) -> np.ndarray:
        """How a step changes the residuals, (b, n), were the law straight."""
        moves = (self.factor_pb * step_pb)[:, :, None]
        total_bn = moves[0] * self.slope_pbn[0]
        for move_b1, slope_bn in zip(moves[1:], self.slope_pbn[1:], strict=True):
            total_bn += move_b1 * slope_bn
        return total_bn * self.unit_bn

    def gathered(self, pull_bn: np.ndarray) -> np.ndarray:
        """How a pull at every run pulls at the coordinates, (p, b)."""
        pull_bn = pull_bn * self.unit_bn
        return self.factor_pb * np.stack([np.vecdot(slope_bn, pull_bn) for slope_bn in self.slope_pbn])

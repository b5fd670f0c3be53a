"""Newton's equations of many problems at once, in coordinates of unit curvature, and their damped solutions.

The damping is that of Levenberg and Marquardt (Marquardt 1963), scaled by each parameter's own curvature; parameters at
a bound that hold them back stay there (Bertsekas 1982, projected Newton).
Shapes: `p` parameters, `b` problems solved together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoloss.fitting.coordinates import Coordinates, Derivatives

LEAST_PIVOT = 1e-14  # of a system with unit curvatures that counts as positive
LEAST_RIDGE = 1e-12  # added to unit curvatures, so that a flat direction is no division by zero


@dataclass(frozen=True)
class Step:
    """A move in the internal coordinates, the decrease it promises, and whether the objective is a bowl there."""

    u_pb: np.ndarray
    promised_b: np.ndarray
    is_bowl_b: np.ndarray

    def take(self, rows_b: np.ndarray | slice) -> Step:
        """The problems of a mask, a slice or an index array."""
        return Step(self.u_pb[:, rows_b], self.promised_b[rows_b], self.is_bowl_b[rows_b])


@dataclass(frozen=True)
class Equations:
    """Gradients and Hessians over coordinates in units of scale_pb; a scale of zero keeps a coordinate where it is."""

    gradient_pb: np.ndarray
    hessian_ppb: np.ndarray
    scale_pb: np.ndarray

    @classmethod
    def of(cls, space: Coordinates, at: Derivatives, u_pb: np.ndarray, fixed_p: np.ndarray | None) -> Equations:
        """Those at u_pb, where coordinates that are `fixed_p`, or push against their bound, are cut out."""
        outward_pb = np.where(at.gradient_pb > 0, u_pb <= space.low_p[:, None], u_pb >= space.high_p[:, None])
        if fixed_p is not None:
            outward_pb |= fixed_p[:, None]
        # Where all residuals are in the objective's straight parts nothing is curved: a natural step bounds the move.
        slope_pb = np.abs(at.gradient_pb) / space.stride_p[:, None]
        curvature_pb = np.maximum(np.abs(at.hessian_ppb.diagonal().T), slope_pb)
        scale_pb = 1.0 / np.sqrt(np.maximum(curvature_pb, 1e-12 * at.value_b + 1e-300))
        scale_pb[outward_pb] = 0.0
        hessian_ppb = at.hessian_ppb * (scale_pb * scale_pb[:, None])
        if outward_pb.any():
            np.einsum("ppb->pb", hessian_ppb)[outward_pb] = 1.0
        return cls(at.gradient_pb * scale_pb, hessian_ppb, scale_pb)

    def take(self, rows_b: np.ndarray) -> Equations:
        """The problems of a mask or an index array."""
        return Equations(self.gradient_pb[:, rows_b], self.hessian_ppb[:, :, rows_b], self.scale_pb[:, rows_b])

    def step(self, damping_b: np.ndarray) -> Step:
        """The damped step."""
        return self.factored(damping_b).step

    def steps(self, damping_b: np.ndarray) -> tuple[Step, Step]:
        """The undamped step, which tells how far the optimum is, and the damped one: solved in one go."""
        b = len(damping_b)
        twice = Equations(*(np.concatenate([part, part], axis=-1) for part in vars(self).values()))
        both = twice.step(np.concatenate([np.zeros(b), damping_b]))
        return both.take(slice(0, b)), both.take(slice(b, None))

    def length(self, step_pb: np.ndarray) -> np.ndarray:
        """Of a move over the scaled coordinates, (b,)."""
        return np.linalg.norm(np.divide(step_pb, self.scale_pb, where=self.scale_pb > 0, out=step_pb * 0), axis=0)

    def factored(self, damping_b: np.ndarray) -> Factored:
        """The damped equations, made ready for any right-hand side: the factors L and D of L D L'."""
        p = len(self.scale_pb)
        left_ppb = self.hessian_ppb.copy()
        np.einsum("ppb->pb", left_ppb)[:] += LEAST_RIDGE + damping_b
        for j in range(p - 1):
            column_pb = left_ppb[j + 1 :, j] / left_ppb[j, j]
            left_ppb[j + 1 :, j + 1 :] -= column_pb[:, None] * left_ppb[j, j + 1 :]
            left_ppb[j + 1 :, j] = column_pb
        return Factored(self, left_ppb)


@dataclass(frozen=True)
class Factored:
    """Equations with their factors: the unit triangle below the diagonal of lower_ppb, the pivots on it."""

    of: Equations
    lower_ppb: np.ndarray

    @cached_property
    def is_bowl_b(self) -> np.ndarray:
        """Which problems have pivots above zero only."""
        return self.lower_ppb.diagonal().min(axis=1) > LEAST_PIVOT

    @cached_property
    def step(self) -> Step:
        """The step against the gradient; none where there is no bowl."""
        x_pb = self._solved(-self.of.gradient_pb)
        return Step(x_pb * self.of.scale_pb, -0.5 * (self.of.gradient_pb * x_pb).sum(axis=0), self.is_bowl_b)

    def answer(self, force_pb: np.ndarray) -> np.ndarray:
        """How far a force in the internal coordinates moves them, (p, b)."""
        return self._solved(force_pb * self.of.scale_pb) * self.of.scale_pb

    def _solved(self, right_pb: np.ndarray) -> np.ndarray:
        x_pb, lower_ppb = right_pb.copy(), self.lower_ppb
        for j in range(len(x_pb) - 1):
            x_pb[j + 1 :] -= lower_ppb[j + 1 :, j] * x_pb[j]
        x_pb /= lower_ppb.diagonal().T
        for j in range(len(x_pb) - 1, 0, -1):
            x_pb[:j] -= lower_ppb[j, :j] * x_pb[j]
        return np.where(self.is_bowl_b, x_pb, 0.0)

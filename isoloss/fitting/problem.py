"""A law, its runs and an objective as one function of internal coordinates, with exact derivatives.

Internal coordinates u are the logarithms of parameters that are scales, and the parameters themselves otherwise.
Shapes: `n` runs, `k` inputs, `p` parameters, `b` problems solved together (starts or resamples). Parameters come first
here (u_pb, hessian_ppb), because arithmetic that runs along the last axis is fastest where that axis is long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from isoloss.core.law import Law, Parameter
from isoloss.fitting.coordinates import LOG_REACH, Coordinates, Derivatives
from isoloss.fitting.linearised import Linearised
from isoloss.fitting.objectives import Objective
from isoloss.fitting.sample import AS_MEASURED, Sample

ROWS_AT_ONCE = 40_000  # runs whose derivatives are worked out together: the arrays of one problem then fit the cache
FEW = 16  # problems at once, up to which sums over the runs are products of matrices


@dataclass(frozen=True, eq=False)
class Problem(Coordinates):
    """What is minimised: inputs x_kn and outputs y_n under a law and an objective, runs weighted by weight_n."""

    law: Law
    x_kn: np.ndarray
    y_n: np.ndarray
    objective: Objective
    weight_n: np.ndarray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each coordinate."""
        return self.law.names

    @cached_property
    def is_log_p(self) -> np.ndarray:
        """Which parameters are searched over their logarithm: those whose size is not known to within 100 times.

        A power law's valley is straight in log amplitude and plain exponent. An offset stays plain: it may be zero.
        """
        wide = [p.range.log and p.range.typical[1] > 100 * p.range.typical[0] for p in self.law.parameters]
        return np.array(wide) & ~self.is_offset_p

    @cached_property
    def is_offset_p(self) -> np.ndarray:
        """Which parameters are plainly added to the rest of the law."""
        offsets = self.law.formula.offsets
        return np.array([name in offsets for name in self.law.names])

    @cached_property
    def is_term_p(self) -> np.ndarray:
        """Which parameters multiply a term of the law, which vanishes with them."""
        is_linear_p = np.array([name in self.law.formula.linear for name in self.law.names])
        return is_linear_p & self.is_log_p

    @cached_property
    def low_p(self) -> np.ndarray:
        return np.array([_internal(p.range.low, log) for p, log in self._parameters])

    @cached_property
    def high_p(self) -> np.ndarray:
        return np.array([_internal(p.range.high, log) for p, log in self._parameters])

    @cached_property
    def design_n(self) -> np.ndarray:
        """The number of each run's point among the different points of the inputs."""
        return numbered(self.x_kn)

    @cached_property
    def stride_p(self) -> np.ndarray:
        """A long step in each internal coordinate: a factor e, a typical value, or the size of the output."""
        typical_p = [p.range.typical[1] for p in self.law.parameters]
        size_p = np.where(self.is_offset_p, np.abs(self.y_n).mean(), typical_p)
        return np.where(self.is_log_p, 1.0, size_p)

    @cached_property
    def rounding(self) -> float:
        """The objective that rounding alone leaves when the law passes through every run."""
        return 1e-28 * (len(self.y_n) if self.objective.log else float(np.sum(self.y_n**2)))

    def under(self, objective: Objective) -> Problem:
        """The same runs under another objective."""
        return replace(self, objective=objective)

    def weighted(self, weight_n: np.ndarray | None) -> Problem:
        """The same runs, each counting as often as its weight says."""
        return replace(self, weight_n=weight_n)

    def of_runs(self, rows: Any) -> Problem:
        """The problem that some of the runs set: a mask, a slice or an index array."""
        weight_n = None if self.weight_n is None else self.weight_n[rows]
        return replace(self, x_kn=self.x_kn[:, rows], y_n=self.y_n[rows], weight_n=weight_n)

    def value(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> np.ndarray:
        """The objective of each problem (b,), infinite where the law cannot be evaluated."""
        theta_pb, total_b = self.theta(u_pb), np.zeros(u_pb.shape[1])
        for rows, part in self._blocks(sample):
            terms_bn = part.objective.terms(part.residual(theta_pb, rows.y_bn))[0]
            weight = part.weight(rows)
            total_b += terms_bn.sum(axis=1) if weight is None else np.vecdot(terms_bn, weight)
        return np.where(np.isfinite(total_b), total_b, np.inf)

    def crossed(self, u_pb: np.ndarray, sample: Sample) -> np.ndarray:
        """The objective of every problem of the sample at every column of u_pb: (b of u, b of sample)."""
        weight, theta_pb = self.weight(sample), self.theta(u_pb)
        if sample.y_bn is None:
            terms_bn = self.objective.terms(self.residual(theta_pb))[0]
            total_bb = terms_bn.sum(axis=1)[:, None] if weight is None else terms_bn @ np.atleast_2d(weight).T
        else:
            terms = (self.objective.terms(self._residual(made_n, sample.y_bn))[0] for made_n in self._outputs(theta_pb))
            total_bb = np.stack([t.sum(axis=1) if weight is None else np.vecdot(t, weight) for t in terms])
        return np.where(np.isfinite(total_bb), total_bb, np.inf)

    def derivatives(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> Derivatives:
        """Value, gradient and Hessian: those of the law come from one compiled call, weighted over the runs."""
        theta_pb = self.theta(u_pb)
        parts = [part._in_parameters(theta_pb, rows) for rows, part in self._blocks(sample)]
        value_b, gradient_pb, hessian_ppb = (sum(arrays[1:], arrays[0]) for arrays in zip(*parts, strict=True))
        factor_pb = np.where(self.is_log_p[:, None], theta_pb, 1.0)
        gradient_pb *= factor_pb
        hessian_ppb *= factor_pb * factor_pb[:, None]
        for j in np.flatnonzero(self.is_log_p):
            hessian_ppb[j, j] += gradient_pb[j]
        return Derivatives(np.where(np.isfinite(value_b), value_b, np.inf), gradient_pb, hessian_ppb)

    def residuals(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> np.ndarray:
        """What `linearised` takes for straight, (b, n)."""
        return self.residual(self.theta(u_pb), sample.y_bn)

    def linearised(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> Linearised:
        """The law made straight at each of u_pb; where the objective is no bowl, it has no stiffness."""
        theta_pb, shape = self.theta(u_pb), (u_pb.shape[1], len(self.y_n))
        made, *slopes = self.law.formula.tangent(list(self.x_kn), _columns(theta_pb))
        predicted_bn = _filled(made, shape)
        residual_bn = self._residual(predicted_bn, sample.y_bn)
        weight = self.weight(sample)
        term_bn, pull_bn, stiff_bn = (
            part if weight is None else part * weight for part in self.objective.terms(residual_bn)
        )
        value_b = term_bn.sum(axis=1)
        return Linearised(
            np.where(np.isfinite(value_b), value_b, np.inf),
            residual_bn,
            pull_bn,
            np.maximum(stiff_bn, 0.0),
            1.0 / predicted_bn if self.objective.log else np.ones(shape),
            np.where(self.is_log_p[:, None], theta_pb, 1.0),
            [_filled(part, shape) for part in slopes],
        )

    def sensitivity(self, u_p: np.ndarray) -> np.ndarray:
        """How the residuals answer to each internal coordinate, (n, p)."""
        theta_p = self.theta(u_p[:, None])[:, 0]
        jacobian_np = self.law.jacobian(self.x_kn, theta_p)
        if self.objective.log:
            jacobian_np = jacobian_np / self.law.value(self.x_kn, theta_p)[:, None]
        return jacobian_np * np.where(self.is_log_p, theta_p, 1.0)

    def predicted(self, u_p: np.ndarray) -> np.ndarray:
        """The law's output at every run, (n,)."""
        return self.law.value(self.x_kn, self.theta(u_p[:, None])[:, 0])

    def residual_n(self, u_p: np.ndarray) -> np.ndarray:
        """The residual of every run, (n,)."""
        return self.residual(self.theta(u_p[:, None]))[0]

    def residual(self, theta_pb: np.ndarray, y_bn: np.ndarray | None = None) -> np.ndarray:
        """The residual of every run under every set of parameters, (b, n)."""
        return self._residual(self._outputs(theta_pb), y_bn)

    def weight(self, sample: Sample) -> np.ndarray | None:
        """How often each run counts, (n,) or (b, n); None where all count once."""
        given = [w for w in (self.weight_n, sample.weight_bn) if w is not None]
        return given[0] * given[1] if len(given) == 2 else next(iter(given), None)

    def _outputs(self, theta_pb: np.ndarray) -> np.ndarray:
        predicted = self.law.formula.value(list(self.x_kn), _columns(theta_pb))
        return _filled(predicted, (theta_pb.shape[1], len(self.y_n)))

    def _residual(self, predicted_bn: np.ndarray, y_bn: np.ndarray | None) -> np.ndarray:
        measured = self.y_n if y_bn is None else y_bn
        return np.log(predicted_bn) - np.log(measured) if self.objective.log else predicted_bn - measured

    def _blocks(self, sample: Sample) -> Iterator[tuple[Sample, Problem]]:
        if len(self.y_n) <= ROWS_AT_ONCE:
            yield sample, self
            return
        for first in range(0, len(self.y_n), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            yield sample.of_runs(rows), self.of_runs(rows)

    def _in_parameters(self, theta_pb: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        predicted, *parts = self.law.formula.hessian(list(self.x_kn), _columns(theta_pb))
        predicted_bn = _filled(predicted, (theta_pb.shape[1], len(self.y_n)))
        value_b, slope_bn, curvature_bn = self._weights(predicted_bn, sample)
        return value_b, *_gathered(parts, slope_bn, curvature_bn, len(theta_pb))

    def _weights(self, predicted_bn: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # The chain rule from the residual to the prediction: with r = log m, r' = 1/m and r'' = -1/m^2.
        term_bn, slope_bn, curvature_bn = self.objective.terms(self._residual(predicted_bn, sample.y_bn))
        weight = self.weight(sample)
        if weight is None:
            value_b = term_bn.sum(axis=1)
        else:
            value_b = np.vecdot(term_bn, weight)
            slope_bn = slope_bn * weight
            curvature_bn = curvature_bn * weight
        if self.objective.log:
            inverse_bn = 1.0 / predicted_bn
            curvature_bn -= slope_bn
            curvature_bn *= inverse_bn
            curvature_bn *= inverse_bn
            slope_bn *= inverse_bn
        return value_b, slope_bn, curvature_bn

    @property
    def _parameters(self) -> list[tuple[Parameter, bool]]:
        return list(zip(self.law.parameters, self.is_log_p, strict=True))


def numbered(key_kn: np.ndarray) -> np.ndarray:
    """The number of each column among the different columns, (n,)."""
    order_n = np.lexsort(key_kn)
    is_new_n = (np.diff(key_kn[:, order_n], axis=1) != 0).any(axis=0)
    number_n = np.empty(key_kn.shape[1], int)
    number_n[order_n] = np.concatenate([[0], np.cumsum(is_new_n)])
    return number_n


def _gathered(
    parts: list[Any], slope_bn: np.ndarray, curvature_bn: np.ndarray, p: int
) -> tuple[np.ndarray, np.ndarray]:
    # The sums over runs of slope * first, and of curvature * first * first + slope * second.
    gathered = _together if len(slope_bn) <= FEW else _one_by_one
    gradient_pb, hessian_ppb = gathered(parts[:p], slope_bn, curvature_bn)
    for (i, j), part in zip(combinations_with_replacement(range(p), 2), parts[p:], strict=True):
        if isinstance(part, np.ndarray) or part != 0:
            sum_b = np.vecdot(slope_bn, _filled(part, slope_bn.shape))
            hessian_ppb[i, j] += sum_b
            if i != j:
                hessian_ppb[j, i] += sum_b
    return gradient_pb, hessian_ppb


def _together(first: list[Any], slope_bn: np.ndarray, curvature_bn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # One product of matrices a problem: fastest for few problems, slow for many.
    b, n = slope_bn.shape
    first_bpn = np.empty((b, len(first), n))
    for i, part in enumerate(first):
        first_bpn[:, i] = part
    hessian_bpp = (first_bpn * curvature_bn[:, None]) @ first_bpn.transpose(0, 2, 1)
    gradient_bp = np.vecdot(first_bpn, slope_bn[:, None])
    return np.ascontiguousarray(gradient_bp.T), np.ascontiguousarray(hessian_bpp.transpose(1, 2, 0))


def _one_by_one(parts: list[Any], slope_bn: np.ndarray, curvature_bn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Every sum by itself, over one triangle.
    first = [_filled(part, slope_bn.shape) for part in parts]
    p, b = len(first), len(slope_bn)
    gradient_pb, hessian_ppb = np.empty((p, b)), np.empty((p, p, b))
    for i in range(p):
        gradient_pb[i] = np.vecdot(slope_bn, first[i])
        weighted_bn = curvature_bn * first[i]
        for j in range(i, p):
            hessian_ppb[i, j] = hessian_ppb[j, i] = np.vecdot(weighted_bn, first[j])
    return gradient_pb, hessian_ppb


def _filled(part: Any, shape: tuple[int, int]) -> np.ndarray:
    return part if isinstance(part, np.ndarray) and part.shape == shape else np.broadcast_to(part, shape)


def _columns(theta_pb: np.ndarray) -> list[np.ndarray]:
    return [row_b[:, None] for row_b in theta_pb]


def _internal(bound: float, log: bool) -> float:
    if not log:
        return bound
    return float(np.clip(np.log(bound), -LOG_REACH, LOG_REACH)) if bound > 0 else -LOG_REACH

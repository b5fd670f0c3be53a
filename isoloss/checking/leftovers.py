"""What a fit leaves over: residuals with the directions in which its parameters could still move, and trends in them.

Shapes: `n` runs, `q` directions, `z` terms of a trend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoloss.checking.answers import fitted
from isoloss.checking.case import Case
from isoloss.core.errors import RequestError

CLIPPED = 3.0  # robust standard deviations beyond which a single run does not pull a trend further
RANK = 1e-9  # of the squared length, below which a direction follows from the others


@dataclass(frozen=True, eq=False)
class Leftovers:
    """Log residuals rest_n in units of what the noise model says, an orthonormal basis_nq of the law's own directions.

    `scale` is their robust standard deviation, without as many as the law may pass through; `independent` counts the
    runs that stand for themselves.
    """

    rest_n: np.ndarray
    basis_nq: np.ndarray
    scale: float
    independent: int

    @property
    def off_n(self) -> np.ndarray:
        """Residuals in robust standard deviations, as of runs that the fit had not seen."""
        spare_n = 1 - np.minimum((self.basis_nq**2).sum(axis=1), 0.99)
        return self.rest_n / (self.scale * np.sqrt(spare_n))

    def trend(self, terms_nz: np.ndarray) -> Trend:
        """How much of the residuals a combination of terms explains that the law could not have taken up itself."""
        own_nq, rest_n = self._own
        new_nz = _basis(terms_nz - own_nq @ (own_nq.T @ terms_nz))
        part_z = new_nz.T @ rest_n
        z, total = len(part_z), float(rest_n @ rest_n)
        freedom = self.independent - own_nq.shape[1] - z
        if not z or freedom < 2 or total <= 0:
            return Trend(1.0, 0.0, 0.0, np.zeros(len(rest_n)))
        share = min(float(part_z @ part_z) / total, 1 - 1e-12)
        f = share / (1 - share) * freedom / z
        return Trend(f_tail(f, z, freedom), share, f, new_nz @ part_z)

    @cached_property
    def _own(self) -> tuple[np.ndarray, np.ndarray]:
        # The law's directions with a level, and the clipped residuals without what these could take up.
        own_nq = _basis(np.hstack([self.basis_nq, np.ones((len(self.rest_n), 1))]))
        clipped_n = np.clip(self.rest_n, -CLIPPED * self.scale, CLIPPED * self.scale)
        return own_nq, clipped_n - own_nq @ (own_nq.T @ clipped_n)


@dataclass(frozen=True, eq=False)
class Trend:
    """The probability of a trend as strong by chance, its share of the residuals' squares, F, and its value_n."""

    chance: float
    share: float
    f: float
    value_n: np.ndarray


def leftovers(case: Case) -> Leftovers:
    """What the case's fit leaves over; RequestError where outputs have no logarithm or the fit passes through all."""
    fit, table = fitted(case), case.table
    if len(fit.residuals_n) != len(table):
        raise RequestError(f"{fit.law.output.name} has no logarithm everywhere")
    x_kn = np.array([table[c] for c in fit.law.columns])
    with np.errstate(all="ignore"):
        answer_np = fit.law.jacobian(x_kn, fit.theta_p) * fit.theta_p / fit.law.value(x_kn, fit.theta_p)[:, None]
    factor_n = fit.noise.factor({c: table[c] for c in fit.noise.columns}, len(table))
    basis_nq = _basis(answer_np / factor_n[:, None])
    q = basis_nq.shape[1]
    scale = 1.4826 * float(np.median(np.sort(np.abs(fit.residuals_n))[min(q, len(table) - 1) :]))
    if not scale > 0:
        raise RequestError("the law passes through most of the runs")
    return Leftovers(fit.residuals_n, basis_nq, scale, fit.clusters or len(table))


def f_tail(f: float, over: int, under: int) -> float:
    """The chance of an F statistic beyond `f`: Paulson 1942, a normal in its cube root, close for 3 and more below."""
    root, a, b = f ** (1 / 3), 2 / (9 * over), 2 / (9 * under)
    z = ((1 - b) * root - (1 - a)) / math.sqrt(b * root**2 + a)
    return 0.5 * math.erfc(z / math.sqrt(2))


def powers(values_n: np.ndarray, degree: int = 5) -> np.ndarray:
    """Powers of the logarithm, (n, z), as many as its different values carry."""
    log_n = np.log(values_n)
    width = float(np.ptp(log_n))
    if not width > 0:
        return np.empty((len(log_n), 0))
    x_n = (log_n - log_n.min()) / width * 2 - 1
    degree = min(degree, len(np.unique(x_n.round(6))) - 1)
    return np.stack([x_n**d for d in range(1, degree + 1)], axis=1)


def _basis(columns_nq: np.ndarray) -> np.ndarray:
    # Orthonormal columns that span the same, but for those that are nothing or follow from the others.
    with np.errstate(all="ignore"):
        size_q = np.linalg.norm(columns_nq, axis=0)
    kept = np.isfinite(size_q) & (size_q > RANK * np.nanmax(size_q, initial=0.0))
    if not kept.any():
        return np.empty((len(columns_nq), 0))
    unit_nq = columns_nq[:, kept] / size_q[kept]
    value_q, vector_qq = np.linalg.eigh(unit_nq.T @ unit_nq)
    told = value_q > RANK * value_q[-1]
    return unit_nq @ (vector_qq[:, told] / np.sqrt(value_q[told]))

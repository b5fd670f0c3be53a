"""How good a prediction with its uncertainty is, and what information criteria and left-out runs say of a fit.

Shapes: `n` runs, `p` parameters, `m` points, `q` quantiles.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.core.fit import Fit
from isoloss.core.runs import Runs

HALVES = 12
LEVELS = tuple(float(1 - 2 * t) for t in (np.arange(HALVES) + 0.5) / (2 * HALVES))  # of the intervals that are scored


def crps(quantile_qm: np.ndarray, reached_m: np.ndarray) -> np.ndarray:
    """The continuous ranked probability score (m,), from quantiles (q, m) at (i + 1/2) / q in rising order.

    Twice the mean pinball loss over quantiles: Gneiting and Raftery 2007, section 4.2; Laio and Tamea 2007.
    """
    at_q1 = ((np.arange(len(quantile_qm)) + 0.5) / len(quantile_qm))[:, None]
    over_qm = reached_m - quantile_qm
    return 2.0 * np.mean(np.where(over_qm > 0, at_q1 * over_qm, (at_q1 - 1.0) * over_qm), axis=0)


def quantiles(fit: Fit, runs: Runs) -> np.ndarray:
    """Quantiles (q, m) of a new run's output at each of `runs`, at (i + 1/2) / q."""
    intervals = [fit.predict(runs, level=level) for level in LEVELS]
    return np.array([np.atleast_1d(i.low) for i in intervals] + [np.atleast_1d(i.high) for i in intervals[::-1]])


def criteria(residual_n: np.ndarray, p: int) -> tuple[float, float]:
    """AICc and BIC of log residuals whose absolute values add (Laplace's law), for p parameters and a scale.

    Hurvich and Tsai 1989; Schwarz 1978. AICc is infinite where there are too few runs for its correction.
    """
    n, k = len(residual_n), p + 1
    deviance = 2 * n * (math.log(2 * max(float(np.mean(np.abs(residual_n))), 1e-300)) + 1)
    correction = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf
    return deviance + 2 * k + correction, deviance + k * math.log(n)


def left_out(fit: Fit, runs: Runs) -> float:
    """The mean absolute log residual when each run is left out in turn, by its leverage: r / (1 - h), Allen 1974."""
    x_kn = np.array([runs[c] for c in fit.law.columns])
    y_n, mid_n = runs[fit.law.output.name], fit.law.value(x_kn, fit.theta_p)
    answer_np = (fit.law.jacobian(x_kn, fit.theta_p) / mid_n[:, None])[:, _free(fit)]
    answer_np = answer_np / np.maximum(np.linalg.norm(answer_np, axis=0), 1e-300)
    basis_np, singular_p, _ = np.linalg.svd(answer_np, full_matrices=False)
    leverage_n = (basis_np[:, singular_p > 1e-10 * singular_p.max(initial=0)] ** 2).sum(axis=1)
    with np.errstate(all="ignore"):
        residual_n = np.log(y_n / mid_n) if (y_n / mid_n > 0).all() else y_n / mid_n - 1.0
    return float(np.mean(np.abs(residual_n) / np.maximum(1.0 - leverage_n, 1e-3)))


def _free(fit: Fit) -> np.ndarray:
    ranges = [p.range for p in fit.law.parameters]
    inside = [r.low < value < r.high for r, value in zip(ranges, fit.theta_p, strict=True)]
    return np.flatnonzero(np.array(inside) & ~np.isin(fit.law.names, fit.fixed))

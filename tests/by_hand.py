"""The Huber sum of Chinchilla's law with its gradient, by hand, as someone with SciPy alone would write it.

Coordinates are (log E, log A, log B, alpha, beta). Shapes: `n` runs, `p` parameters, `b` starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

DELTA = 1e-3
TOLERANCES: dict[str, dict[str, float]] = {
    "default": {"maxiter": 15000},
    "tight": {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 15000, "maxfun": 100_000},
}


@dataclass(frozen=True)
class Sum:
    """The sum over runs (n,), each counting as often as its weight says."""

    params_n: np.ndarray
    tokens_n: np.ndarray
    loss_n: np.ndarray
    weight_n: np.ndarray

    def minimum(self, start_p: np.ndarray, tolerances: str) -> OptimizeResult:
        """Where L-BFGS-B ends."""
        arguments = (np.log(self.params_n), np.log(self.tokens_n), np.log(self.loss_n), self.weight_n)
        options: Any = TOLERANCES[tolerances]
        with np.errstate(over="ignore"):
            return minimize(value_and_gradient, start_p, arguments, "L-BFGS-B", jac=True, options=options)

    def least(self, start_pb: np.ndarray, tolerances: str) -> float:
        """The lowest of many starts."""
        return min(float(self.minimum(start_p, tolerances).fun) for start_p in start_pb.T)


def value_and_gradient(
    v_p: np.ndarray, log_n_n: np.ndarray, log_d_n: np.ndarray, log_y_n: np.ndarray, weight_n: np.ndarray
) -> tuple[float, np.ndarray]:
    """The sum, and its derivatives in the five coordinates."""
    e, a, b, alpha, beta = v_p
    size_n, data_n = np.exp(a - alpha * log_n_n), np.exp(b - beta * log_d_n)
    total_n = np.exp(e) + size_n + data_n
    r_n = np.log(total_n) - log_y_n
    magnitude_n = np.abs(r_n)
    inside_n = np.minimum(magnitude_n, DELTA)
    value = float(weight_n @ (inside_n * (magnitude_n - 0.5 * inside_n)))
    slope_n = weight_n * np.clip(r_n, -DELTA, DELTA) / total_n
    by_size_n, by_data_n = slope_n * size_n, slope_n * data_n
    gradient_p = [
        slope_n.sum() * np.exp(e),
        by_size_n.sum(),
        by_data_n.sum(),
        -by_size_n @ log_n_n,
        -by_data_n @ log_d_n,
    ]
    return value, np.array(gradient_p)


def hoffmann_starts(count: int, seed: int = 0) -> np.ndarray:
    """Points of the grid of starts of Hoffmann et al. 2022, section D.3, drawn without replacement: (5, b)."""
    axes = (
        [-1.0, -0.5, 0.0, 0.5, 1.0],
        range(0, 30, 5),
        range(0, 30, 5),
        [0.0, 0.5, 1.0, 1.5, 2.0],
        [0.0, 0.5, 1.0, 1.5, 2.0],
    )
    grid_pb = np.stack([axis.ravel() for axis in np.meshgrid(*axes)]).astype(float)
    chosen = np.random.default_rng(seed).choice(grid_pb.shape[1], count, replace=False)
    return grid_pb[:, chosen]


def coordinates(theta_pb: np.ndarray) -> np.ndarray:
    """Chinchilla's parameters (5, b) as coordinates."""
    return np.concatenate([np.log(np.maximum(theta_pb[:3], 1e-3)), theta_pb[3:]])

"""Power laws through compute-optimal points: size, data and loss against compute, for many draws of the points at once.

Points are weighted by how sure each is, w = 1 / (v + t^2): v is the variance of its draws, t the scatter about the line
that v does not explain, as much as makes the weighted squares equal to their degrees of freedom (Paule and Mandel
1982, J. Res. NBS 87:377). Shapes: `b` budgets, `s` draws, `g` grid of exponents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

EXPONENTS = np.geomspace(0.004, 2.0, 160)  # where the exponent of a loss with a floor is looked for
DETERMINED = 0.95  # the share of draws with a positive floor from which on the points are said to show one
FLOOR_POINTS = 5
HALVINGS = 60
SCALE = 0.5 * 1.3489795  # half the distance of the quartiles, in standard deviations

Solver = Callable[[np.ndarray], np.ndarray]  # weights (b,) -> squared misfits in units of the points (b,)


@dataclass(frozen=True, eq=False)
class Weighing:
    """How sure each point is: variances of its own draws, and the scatter t beyond them."""

    variance_b: np.ndarray
    beyond: float

    @property
    def weight_b(self) -> np.ndarray:
        return 1.0 / (self.variance_b + self.beyond**2)


def weighing(variance_b: np.ndarray, misfit: Solver, degrees: int) -> Weighing:
    """The scatter beyond `variance_b` that a law with `degrees` of freedom left over shows; none if none is left."""
    if degrees < 1:
        return Weighing(variance_b, 0.0)

    def excess(beyond: float) -> float:
        weight_b = 1.0 / (variance_b + beyond**2)
        return float(np.sum(weight_b * misfit(weight_b)) - degrees)

    if excess(0.0) <= 0:
        return Weighing(variance_b, 0.0)
    low, high = 0.0, float(np.sqrt(variance_b.max()) + 1.0)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return Weighing(variance_b, high)


def variances(draws_bs: np.ndarray) -> np.ndarray:
    """The variance of each point's draws from their quartiles, so that a few that went astray do not count."""
    quartiles_2b = np.nanquantile(draws_bs, [0.25, 0.75], axis=1)
    spread_b = (quartiles_2b[1] - quartiles_2b[0]) / (2 * SCALE)
    known_b = spread_b[spread_b > 0]
    return np.maximum(spread_b, 1e-3 * known_b.max() if len(known_b) else 1e-12) ** 2


def line(x_b: np.ndarray, y_bs: np.ndarray, weight_b: np.ndarray) -> np.ndarray:
    """Intercept and slope (2, s) of the weighted straight line through each draw; missing points (NaN) do not count."""
    weight_bs = np.where(np.isfinite(y_bs), weight_b[:, None], 0.0)
    filled_bs = np.where(np.isfinite(y_bs), y_bs, 0.0)
    total_s = weight_bs.sum(axis=0)
    with np.errstate(all="ignore"):
        x_s = (weight_bs * x_b[:, None]).sum(axis=0) / total_s
        y_s = (weight_bs * filled_bs).sum(axis=0) / total_s
        away_bs = x_b[:, None] - x_s
        slope_s = (weight_bs * away_bs * filled_bs).sum(axis=0) / (weight_bs * away_bs**2).sum(axis=0)
    slope_s = np.where((weight_bs > 0).sum(axis=0) >= 2, slope_s, np.nan)
    return np.stack([y_s - slope_s * x_s, slope_s])


def straight_misfit(x_b: np.ndarray, y_b: np.ndarray) -> Solver:
    """The squared distances of points from their weighted line."""

    def misfit(weight_b: np.ndarray) -> np.ndarray:
        intercept, slope = line(x_b, y_b[:, None], weight_b)[:, 0]
        return (y_b - intercept - slope * x_b) ** 2

    return misfit


def floored(x_b: np.ndarray, y_bs: np.ndarray, weight_b: np.ndarray) -> np.ndarray:
    """E, log A and alpha (3, s) of E + A exp(-alpha x) through draws y_bs of log losses; E is never negative.

    For every exponent of a grid the rest is linear (relative residuals stand in for log ones); a parabola through the
    best three refines the exponent. Missing points do not count.
    """
    has_bs = np.isfinite(y_bs)
    weight_bs, inverse_bs = np.where(has_bs, weight_b[:, None], 0.0), np.where(has_bs, np.exp(-y_bs), 0.0)
    middle = float(x_b.mean())
    rest_gs = np.stack([_linear(x_b - middle, inverse_bs, weight_bs, np.array(a))[2] for a in EXPONENTS])
    best_s = np.clip(rest_gs.argmin(axis=0), 1, len(EXPONENTS) - 2)
    s = np.arange(rest_gs.shape[1])
    before, at, after = (rest_gs[best_s + k, s] for k in (-1, 0, 1))
    with np.errstate(all="ignore"):
        shift_s = np.clip(np.nan_to_num(0.5 * (before - after) / (before - 2 * at + after)), -1, 1)
    alpha_s = EXPONENTS[best_s] * (EXPONENTS[1] / EXPONENTS[0]) ** shift_s
    floor_s, height_s, _ = _linear(x_b - middle, inverse_bs, weight_bs, alpha_s)
    with np.errstate(all="ignore"):
        return np.stack([floor_s, np.log(height_s) + alpha_s * middle, alpha_s])


def shows_floor(theta_3s: np.ndarray, points: int) -> bool:
    """Whether enough draws have a floor above zero, and an exponent inside the range that was looked through."""
    if points < FLOOR_POINTS:
        return False
    is_found_s = (theta_3s[0] > 0) & (theta_3s[2] > 1.05 * EXPONENTS[0]) & (theta_3s[2] < EXPONENTS[-1] / 1.05)
    return bool(is_found_s.mean() >= DETERMINED)


def floored_misfit(x_b: np.ndarray, y_b: np.ndarray) -> Solver:
    """The squared distances of log losses from their weighted power law with a floor."""

    def misfit(weight_b: np.ndarray) -> np.ndarray:
        floor, log_height, alpha = floored(x_b, y_b[:, None], weight_b)[:, 0]
        return (y_b - np.log(floor + np.exp(log_height - alpha * x_b))) ** 2

    return misfit


def _linear(
    x_b: np.ndarray, inverse_bs: np.ndarray, weight_bs: np.ndarray, alpha_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Least weighted squares of (E + A p) / L - 1 over E >= 0 and A, with p = exp(-alpha x).
    power_bs = np.exp(-alpha_s * x_b[:, None]) * inverse_bs
    ee, ep, pp, e1, p1 = (
        (weight_bs * product).sum(axis=0)
        for product in (inverse_bs**2, inverse_bs * power_bs, power_bs**2, inverse_bs, power_bs)
    )
    with np.errstate(all="ignore"):
        determinant = ee * pp - ep**2
        floor_s = (pp * e1 - ep * p1) / determinant
        height_s = (ee * p1 - ep * e1) / determinant
        alone = ~(floor_s > 0) | ~(height_s > 0)
        floor_s, height_s = np.where(alone, 0.0, floor_s), np.where(alone, p1 / pp, height_s)
        rest_bs = floor_s * inverse_bs + height_s * power_bs - 1
    return floor_s, height_s, (weight_bs * rest_bs**2).sum(axis=0)

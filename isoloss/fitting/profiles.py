"""One budget's curve of log loss against log size, and its lowest point, for many draws of the losses at once.

Shapes: `n` runs of the budget, `d` coefficients of the curve, `s` draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoloss.core.errors import UnknownNameError

GRID = 512  # sizes at which an interpolating curve is looked at
ROUNDS = 10
LEAST = {
    "quadratic": 4,
    "cubic": 5,
    "akima": 5,
}  # sizes that a curve of this kind is drawn through, where there are so many

Minima = tuple[np.ndarray, np.ndarray]  # log size and log loss at the lowest point (s,); NaN where it is not inside


@dataclass(frozen=True, eq=False)
class Profile:
    """A curve's runs (places among the budget's), their log sizes x_n, and what is left of their losses around it."""

    method: str
    used_n: np.ndarray
    x_n: np.ndarray
    smooth_n: np.ndarray
    residual_n: np.ndarray
    leverage_n: np.ndarray

    @property
    def grain(self) -> float:
        """How far the lowest point of an interpolation may be off for the sizes that were not run, as a deviation.

        Its place between two sizes is the curve's choice; uniform between them has their distance / sqrt(12), which is
        the least that Porian et al. 2024 give their points. A smooth curve is held by runs on both sides: 0.
        """
        return float(np.median(np.diff(np.unique(self.x_n)))) / np.sqrt(12) if self.method == "akima" else 0.0

    def minima(self, y_sn: np.ndarray) -> Minima:
        """The lowest point of the curve through each draw of the log losses, y_sn (s, n)."""
        return METHODS[self.method](self.x_n, y_sn)


def profile(
    x_n: np.ndarray, y_n: np.ndarray, method: str, reach: float, without_n: np.ndarray | None = None
) -> Profile:
    """The curve through the runs within a factor `reach` of its own lowest point, which is sought in rounds.

    `without_n` marks runs that must not be used. Fewer sizes than a curve needs widen the reach, and a cubic or an
    interpolation through fewer sizes than that is a quadratic.
    """
    allowed_n = np.ones(len(x_n), bool) if without_n is None else ~without_n
    centre = float(x_n[allowed_n][np.argmin(y_n[allowed_n])])
    method = method if len(np.unique(x_n[allowed_n])) >= LEAST[method] else "quadratic"
    used_n, before = np.zeros(len(x_n), bool), None
    for _ in range(ROUNDS):
        used_n = allowed_n & _within(x_n, allowed_n, centre, np.log(reach), LEAST[method])
        if before is not None and (used_n == before).all():
            break
        before = used_n
        centre = _bottom(x_n[used_n], y_n[used_n])
    used = np.flatnonzero(used_n)
    degree = 3 if method == "cubic" else 2
    smooth_n, leverage_n = _smooth(x_n[used], y_n[used], degree)
    return Profile(method, used, x_n[used], smooth_n, y_n[used] - smooth_n, leverage_n)


def edge(x_n: np.ndarray, y_n: np.ndarray) -> str:
    """Which end of the sizes a budget without an inside minimum falls towards: 'smallest' or 'largest'."""
    lowest = x_n[np.argmin(y_n)]
    return "smallest" if lowest - x_n.min() < x_n.max() - lowest else "largest"


def quadratic(x_n: np.ndarray, y_sn: np.ndarray) -> Minima:
    """The vertex of the parabola of least squares. Hoffmann et al. 2022, section 3.2."""
    centre, c_ds = _polynomial(x_n, y_sn, 2)
    with np.errstate(all="ignore"):
        t_s = np.where(c_ds[2] > 0, -c_ds[1] / (2 * c_ds[2]), np.nan)
    return _inside(x_n, centre, t_s, c_ds)


def cubic(x_n: np.ndarray, y_sn: np.ndarray) -> Minima:
    """The local minimum of the cubic of least squares."""
    centre, c_ds = _polynomial(x_n, y_sn, 3)
    with np.errstate(all="ignore"):
        root_s = np.sqrt(c_ds[2] ** 2 - 3 * c_ds[3] * c_ds[1])
        t_s = -c_ds[1] / (c_ds[2] + root_s)  # the root where the second derivative is positive, in its stable form
    return _inside(x_n, centre, np.where(c_ds[2] + root_s > 0, t_s, np.nan), c_ds)


def akima(x_n: np.ndarray, y_sn: np.ndarray) -> Minima:
    """The lowest point of Akima's interpolation (Akima 1970) through the mean of each size, as Porian et al. 2024."""
    from scipy.interpolate import Akima1DInterpolator

    knots, place_n = np.unique(x_n, return_inverse=True)
    mean_ks = np.array([y_sn[:, place_n == k].mean(axis=1) for k in range(len(knots))])
    grid = np.linspace(knots[0], knots[-1], GRID)
    curve_gs = Akima1DInterpolator(knots, mean_ks, axis=0)(grid)
    lowest_s = curve_gs.argmin(axis=0)
    return _between(grid, curve_gs, lowest_s)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Minima]] = {
    "quadratic": quadratic,
    "cubic": cubic,
    "akima": akima,
}


def check_method(method: str) -> None:
    """UnknownNameError for a curve that is none."""
    if method not in METHODS:
        raise UnknownNameError("kind of isoFLOP profile", method, METHODS)


def _within(x_n: np.ndarray, allowed_n: np.ndarray, centre: float, log_reach: float, least: int) -> np.ndarray:
    away_n = np.abs(x_n - centre)
    nearest = np.sort(np.abs(np.unique(x_n[allowed_n]) - centre))
    return away_n <= max(log_reach, nearest[min(least, len(nearest)) - 1]) * (1 + 1e-9)


def _bottom(x_n: np.ndarray, y_n: np.ndarray) -> float:
    centre, c_ds = _polynomial(x_n, y_n[None], 2)
    downhill = np.inf if c_ds[1, 0] < 0 else -np.inf
    found = centre - c_ds[1, 0] / (2 * c_ds[2, 0]) if c_ds[2, 0] > 0 else downhill
    return float(np.clip(found, x_n.min(), x_n.max()))


def _polynomial(x_n: np.ndarray, y_sn: np.ndarray, degree: int) -> tuple[float, np.ndarray]:
    centre = float(x_n.mean())
    basis_nd = np.vander(x_n - centre, degree + 1, increasing=True)
    return centre, np.linalg.pinv(basis_nd) @ y_sn.T


def _smooth(x_n: np.ndarray, y_n: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    basis_nd = np.vander(x_n - x_n.mean(), degree + 1, increasing=True)
    hat_nn = basis_nd @ np.linalg.pinv(basis_nd)
    return hat_nn @ y_n, np.diag(hat_nn)


def _inside(x_n: np.ndarray, centre: float, t_s: np.ndarray, c_ds: np.ndarray) -> Minima:
    with np.errstate(invalid="ignore"):
        is_inside_s = (t_s + centre > x_n.min()) & (t_s + centre < x_n.max())
    t_s = np.where(is_inside_s, t_s, np.nan)
    return t_s + centre, sum((c_s * t_s**i for i, c_s in enumerate(c_ds)), np.zeros_like(t_s))


def _between(grid: np.ndarray, curve_gs: np.ndarray, lowest_s: np.ndarray) -> Minima:
    # A parabola through the lowest point of the grid and its neighbours.
    is_inside_s = (lowest_s > 0) & (lowest_s < len(grid) - 1)
    i_s, s = np.clip(lowest_s, 1, len(grid) - 2), np.arange(curve_gs.shape[1])
    before, at, after = (curve_gs[i_s + k, s] for k in (-1, 0, 1))
    bend_s = np.maximum(before - 2 * at + after, 1e-300)
    shift_s = np.clip(0.5 * (before - after) / bend_s, -0.5, 0.5)
    x_s = grid[i_s] + shift_s * (grid[1] - grid[0])
    y_s = at - 0.25 * (before - after) * shift_s
    return np.where(is_inside_s, x_s, np.nan), np.where(is_inside_s, y_s, np.nan)

"""How far the optimum may move, from the objective's curvature alone: covariances, leverage, what a prior is worth.

Shapes: `n` runs, `p` coordinates, `c` clusters.
"""

from __future__ import annotations

import numpy as np

from isoloss.fitting.newton import Posed


def worth(problem: Posed, u_p: np.ndarray) -> float:
    """What half a squared standard deviation costs in the objective: E[psi^2] / E[psi'], sigma^2 for squares."""
    psi_square, psi_slope = _moments(problem, u_p)
    return psi_square / psi_slope


def curvature(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """The objective's Hessian at an optimum, (p, p).

    Where the objective has corners, which few runs happen to lie in, its slope is taken over a window: Powell 1991.
    """
    with np.errstate(all="ignore"):
        if not problem.objective.easing:
            return problem.derivatives(u_p[:, None]).hessian_ppb[:, :, 0]
        answer_np, bend_n = problem.sensitivity(u_p), _bends(problem, problem.residual_n(u_p))
        return (answer_np * (bend_n * _weight(problem))[:, None]).T @ answer_np


def covariance(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """Of the coordinates, (p, p), if scatter is the same everywhere; zero for those at an end of their range."""
    free = free_coordinates(problem, u_p)
    cov_pp = np.zeros((len(u_p), len(u_p)))
    cov_pp[np.ix_(free, free)] = worth(problem, u_p) * inverse(curvature(problem, u_p)[np.ix_(free, free)])
    return cov_pp


def sandwich(problem: Posed, u_p: np.ndarray, cluster_n: np.ndarray) -> np.ndarray:
    """Of the coordinates, (p, p), whatever the scatter of each cluster: White 1980, Liang and Zeger 1986."""
    free = free_coordinates(problem, u_p)
    residual_n = problem.residual_n(u_p)
    pull_np = (problem.sensitivity(u_p)[:, free].T * (problem.objective.terms(residual_n)[1] * _weight(problem))).T
    pull_cp = np.stack([np.bincount(cluster_n, column) for column in pull_np.T], axis=1)
    clusters = len(np.unique(cluster_n))
    bread_pp = inverse(curvature(problem, u_p)[np.ix_(free, free)])
    cov_pp = np.zeros((len(u_p), len(u_p)))
    meat_pp = pull_cp.T @ pull_cp * clusters / max(clusters - len(free), 1)
    cov_pp[np.ix_(free, free)] = bread_pp @ meat_pp @ bread_pp
    return cov_pp


def leverage(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """How much of its own prediction each run decides, between 0 and 1, (n,)."""
    answer_np = problem.sensitivity(u_p)[:, free_coordinates(problem, u_p)] * np.sqrt(_weight(problem))[:, None]
    size_p = np.linalg.norm(answer_np, axis=0)
    basis_np, singular_p, _ = np.linalg.svd(answer_np / np.where(size_p > 0, size_p, 1), full_matrices=False)
    return (basis_np[:, singular_p > 1e-12 * singular_p.max(initial=0)] ** 2).sum(axis=1)


def free_coordinates(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """The numbers of the coordinates that are not at an end of their range."""
    return np.flatnonzero((u_p > problem.low_p) & (u_p < problem.high_p))


def inverse(matrix_pp: np.ndarray) -> np.ndarray:
    """Of a symmetric matrix whose rows may have very different sizes; directions without curvature do not count."""
    size_p = np.sqrt(np.maximum(np.abs(np.diag(matrix_pp)), 1e-300))
    return np.linalg.pinv(matrix_pp / np.outer(size_p, size_p), rcond=1e-14, hermitian=True) / np.outer(size_p, size_p)


def _moments(problem: Posed, u_p: np.ndarray) -> tuple[float, float]:
    # E[psi^2], for p fitted coordinates, and E[psi'].
    residual_n, weight_n = problem.residual_n(u_p), _weight(problem)
    n = len(residual_n)
    psi_n = problem.objective.terms(residual_n)[1]
    psi_square = float(np.sum((weight_n * psi_n) ** 2) / weight_n.sum()) * n / max(n - len(u_p), 1)
    psi_slope = float(np.average(_bends(problem, residual_n), weights=weight_n))
    return max(psi_square, 1e-300), max(psi_slope, 1e-300)


def _bends(problem: Posed, residual_n: np.ndarray) -> np.ndarray:
    window = 1.4826 * float(np.median(np.abs(residual_n))) * len(residual_n) ** -0.2 or 1e-12
    up_n, down_n = (problem.objective.terms(residual_n + step)[1] for step in (window, -window))
    return (up_n - down_n) / (2 * window)


def _weight(problem: Posed) -> np.ndarray:
    return np.ones(len(problem.y_n)) if problem.weight_n is None else problem.weight_n

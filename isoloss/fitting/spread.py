"""How far the optimum may move, from the objective's curvature alone: covariances, leverage, what a prior is worth.

Shapes: `n` runs, `p` coordinates, `c` clusters.
"""

from __future__ import annotations

import numpy as np

from isoloss.fitting.linked import Linked
from isoloss.fitting.newton import Posed
from isoloss.fitting.objectives import Objective

PROBES = np.array([1e-6, 1e-3, 0.1, 1.0])  # residuals that tell what kind of objective it is
MOST_LEVERAGE = 0.9  # a run that decides more of its own prediction tells nothing of its scatter


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
        return (answer_np * (bend_n * _weight(problem))[:, None]).T @ answer_np + np.diag(_belief(problem, u_p)[0])


def covariance(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """Of the coordinates, (p, p), if scatter is the same everywhere; zero for those at an end of their range."""
    free = free_coordinates(problem, u_p)
    cov_pp = np.zeros((len(u_p), len(u_p)))
    cov_pp[np.ix_(free, free)] = worth(problem, u_p) * inverse(curvature(problem, u_p)[np.ix_(free, free)])
    return cov_pp


def sandwich(problem: Posed, u_p: np.ndarray, cluster_n: np.ndarray) -> np.ndarray:
    """Of the coordinates, (p, p), whatever the scatter of each cluster: White 1980, Liang and Zeger 1986.

    A prior pulls as if it were one more cluster, whose mean is as uncertain as the prior says.
    """
    free = free_coordinates(problem, u_p)
    residual_n = problem.residual_n(u_p)
    pull_np = (problem.sensitivity(u_p)[:, free].T * (problem.objective.terms(residual_n)[1] * _weight(problem))).T
    pull_cp = np.stack([np.bincount(cluster_n, column) for column in pull_np.T], axis=1)
    clusters = len(np.unique(cluster_n))
    bread_pp = inverse(curvature(problem, u_p)[np.ix_(free, free)])
    cov_pp = np.zeros((len(u_p), len(u_p)))
    meat_pp = pull_cp.T @ pull_cp * clusters / max(clusters - len(free), 1)
    meat_pp += np.diag(_belief(problem, u_p)[1][free])
    cov_pp[np.ix_(free, free)] = bread_pp @ meat_pp @ bread_pp
    return cov_pp


def leverage(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """How much of its own prediction each run decides, between 0 and 1, (n,)."""
    return (_hat(problem, u_p) ** 2).sum(axis=1)


def _hat(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    # Q of the hat matrix Q Q', (n, q).
    answer_np = problem.sensitivity(u_p)[:, free_coordinates(problem, u_p)] * np.sqrt(_weight(problem))[:, None]
    size_p = np.linalg.norm(answer_np, axis=0)
    basis_np, singular_p, _ = np.linalg.svd(answer_np / np.where(size_p > 0, size_p, 1), full_matrices=False)
    return basis_np[:, singular_p > 1e-12 * singular_p.max(initial=0)]


def restored(problem: Posed, u_p: np.ndarray, cluster_n: np.ndarray) -> np.ndarray:
    """The residuals (n,) as they would be of clusters that the fit had not seen: r + (I - H)^-1 H psi(r) / E[psi'].

    H is a cluster's block of the hat matrix. For squares and single runs that is r / (1 - h), the third kind of
    MacKinnon and White 1985; for clusters that of Bell and McCaffrey 2002; for other objectives the correction of Feng,
    He and Hu 2011, Biometrika 98:995, without which the runs that a robust fit passes through have no scatter.
    """
    residual_n, root_n = problem.residual_n(u_p), np.sqrt(_weight(problem))
    slope = max(_slope(problem, u_p), 1e-300)
    pull_n = root_n * problem.objective.terms(residual_n)[1] / slope
    lost_n = _unseen(_hat(problem, u_p), pull_n, cluster_n)
    return residual_n + np.divide(lost_n, root_n, where=root_n > 0, out=np.zeros(len(root_n)))


def curved(problem: Posed, u_p: np.ndarray) -> float:
    """The share of the runs in the objective's curved part, 0 to 1: 1 for squares, near 0 for straight lines."""
    steepest = float(problem.objective.terms(np.zeros(1))[2][0])
    return float(np.clip(_slope(problem, u_p) / steepest, 0, 1)) if steepest > 0 else 1.0


def _slope(problem: Posed, u_p: np.ndarray) -> float:
    # E[psi'], over a window that knows that p parameters have drawn the residuals to zero.
    residual_n, n = problem.residual_n(u_p), np.count_nonzero(_weight(problem))
    freedom = max(n - len(free_coordinates(problem, u_p)), 1)
    bend_n = _bends(problem, residual_n, np.sqrt(n / freedom))
    return float(np.average(bend_n, weights=_weight(problem)))


def _unseen(basis_nq: np.ndarray, pull_n: np.ndarray, cluster_n: np.ndarray) -> np.ndarray:
    # (I - H)^-1 H of every cluster's block times its pull.
    if len(np.unique(cluster_n)) == len(cluster_n):
        share_n = np.minimum((basis_nq**2).sum(axis=1), MOST_LEVERAGE)
        return share_n / (1 - share_n) * pull_n
    lost_n = np.empty(len(pull_n))
    for cluster in range(int(cluster_n.max()) + 1):
        rows = np.flatnonzero(cluster_n == cluster)
        direction_mr, size_r, _ = np.linalg.svd(basis_nq[rows], full_matrices=False)
        share_r = np.minimum(size_r**2, MOST_LEVERAGE)
        lost_n[rows] = direction_mr @ (share_r / (1 - share_r) * (direction_mr.T @ pull_n[rows]))
    return lost_n


def free_coordinates(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    """The numbers of the coordinates that are not at an end of their range."""
    return np.flatnonzero((u_p > problem.low_p) & (u_p < problem.high_p))


def inverse(matrix_pp: np.ndarray) -> np.ndarray:
    """Of a symmetric matrix whose rows may have very different sizes; directions without curvature do not count."""
    size_p = np.sqrt(np.maximum(np.abs(np.diag(matrix_pp)), 1e-300))
    return np.linalg.pinv(matrix_pp / np.outer(size_p, size_p), rcond=1e-14, hermitian=True) / np.outer(size_p, size_p)


def is_square(objective: Objective) -> bool:
    """Whether a residual twice as large pulls twice as hard, however large it is."""
    slope = objective.terms(PROBES)[1]
    return bool(np.allclose(slope / PROBES, slope[0] / PROBES[0]))


def _moments(problem: Posed, u_p: np.ndarray) -> tuple[float, float]:
    # E[psi^2], for p fitted coordinates, and E[psi'], over the runs that count.
    residual_n, weight_n = problem.residual_n(u_p), _weight(problem)
    n = np.count_nonzero(weight_n)
    psi_n = problem.objective.terms(residual_n)[1]
    psi_square = float(np.sum((weight_n * psi_n) ** 2) / weight_n.sum()) * n / max(n - len(u_p), 1)
    psi_slope = float(np.average(_bends(problem, residual_n), weights=weight_n))
    return max(psi_square, 1e-300), max(psi_slope, 1e-300)


def _belief(problem: Posed, u_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The curvature that priors add to each coordinate, and the variance of their pull.
    if not isinstance(problem, Linked):
        return np.zeros(len(u_p)), np.zeros(len(u_p))
    return problem.worth * problem.precision_q, problem.worth**2 * problem.precision_q


def _bends(problem: Posed, residual_n: np.ndarray, widened: float = 1.0) -> np.ndarray:
    seen_n = np.abs(residual_n[_weight(problem) > 0])
    window = 1.4826 * widened * float(np.median(seen_n)) * len(seen_n) ** -0.2 or 1e-12
    up_n, down_n = (problem.objective.terms(residual_n + step)[1] for step in (window, -window))
    return (up_n - down_n) / (2 * window)


def _weight(problem: Posed) -> np.ndarray:
    return np.ones(len(problem.y_n)) if problem.weight_n is None else problem.weight_n

"""What scipy reaches on the same runs: an independent judge of our optimum, with its own objective and gradient.

Shapes: `n` runs, `p` parameters.
"""

from __future__ import annotations

import numpy as np
from law_values import spread
from scipy import optimize

from isoloss.core.law import Law
from isoloss.fitting.problem import Problem

DELTA = 1e-3  # of the Huber objective
EVALUATIONS = 3000


def best_of_scipy(problem: Problem, truth_p: np.ndarray, starts: int, seed: int = 0) -> float:
    """The least objective of L-BFGS-B from the truth and from `starts` random points of the typical ranges."""
    rng = np.random.default_rng(seed)
    begun = [truth_p, *(_random(problem, truth_p, rng) for _ in range(starts))]
    with np.errstate(all="ignore"):
        return min(_descended(problem, start_p) for start_p in begun)


def _random(problem: Problem, truth_p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # A scale that bears units has no typical value: it is drawn within a factor e^2 of the truth.
    drawn = []
    for parameter, true in zip(problem.law.parameters, truth_p, strict=True):
        known = parameter.range
        if known.high > 1e100:
            drawn.append(true * np.exp(rng.uniform(-2, 2)))
        else:
            drawn.append(float(spread(rng, known.typical, 1, known.log)[0]))
    return np.array(drawn)


def _descended(problem: Problem, start_p: np.ndarray) -> float:
    # Over logarithms where a parameter is a scale, each coordinate in units of its own curvature at the start.
    law = problem.law
    is_log_p = np.array([p.range.log and t > 0 for p, t in zip(law.parameters, start_p, strict=True)])
    v_p = np.where(is_log_p, np.log(np.where(is_log_p, start_p, 1.0)), start_p)
    low_p, high_p = _bounds(law, is_log_p)

    def theta(v_p: np.ndarray) -> np.ndarray:
        return np.where(is_log_p, np.exp(np.where(is_log_p, v_p, 0.0)), v_p)

    def objective(v_p: np.ndarray) -> tuple[float, np.ndarray]:
        theta_p = theta(v_p)
        slope_np = law.jacobian(problem.x_kn, theta_p) * np.where(is_log_p, theta_p, 1.0)
        value, slope_n = _objective(problem, law.value(problem.x_kn, theta_p))
        gradient_p = slope_n @ slope_np
        if not (np.isfinite(value) and np.isfinite(gradient_p).all()):
            return 1e30, np.zeros_like(v_p)
        return value, gradient_p

    for _ in range(3):  # begun anew, for the memory of slopes is what it loses in a narrow valley
        at = objective(v_p)
        if at[0] >= 1e30:
            return np.inf
        size_p = 1 / np.maximum(np.sqrt(_curvature(problem, theta(v_p), is_log_p)), 1e-8)
        unit = max(at[0], 1e-300)
        found = optimize.minimize(
            lambda w_p, size_p=size_p, unit=unit: _over(objective(w_p * size_p), size_p, unit),
            v_p / size_p,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low_p / size_p, high_p / size_p, strict=True)),
            options={"ftol": 1e-15, "gtol": 1e-12, "maxiter": EVALUATIONS, "maxfun": EVALUATIONS, "maxcor": 20},
        )
        v_p = found.x * size_p
    return float(objective(v_p)[0])


def _over(pair: tuple[float, np.ndarray], size_p: np.ndarray, unit: float) -> tuple[float, np.ndarray]:
    return pair[0] / unit, pair[1] * size_p / unit


def _objective(problem: Problem, predicted_n: np.ndarray) -> tuple[float, np.ndarray]:
    if not problem.objective.log:
        r_n = predicted_n - problem.y_n
        return float(0.5 * r_n @ r_n), r_n
    r_n = np.log(predicted_n / problem.y_n)
    if problem.objective.title == "squared_log":
        return float(0.5 * r_n @ r_n), r_n / predicted_n
    size_n = np.abs(r_n)
    value = np.where(size_n < DELTA, 0.5 * r_n**2, DELTA * (size_n - 0.5 * DELTA)).sum()
    return float(value), np.clip(r_n, -DELTA, DELTA) / predicted_n


def _curvature(problem: Problem, theta_p: np.ndarray, is_log_p: np.ndarray) -> np.ndarray:
    # That of squares, which is the scale of each coordinate whatever the objective.
    slope_np = problem.law.jacobian(problem.x_kn, theta_p) * np.where(is_log_p, theta_p, 1.0)
    if problem.objective.log:
        slope_np = slope_np / problem.law.value(problem.x_kn, theta_p)[:, None]
    found_p = (slope_np**2).sum(axis=0)
    return np.where(np.isfinite(found_p), found_p, 1.0)


def _bounds(law: Law, is_log_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ends = []
    for end in ("low", "high"):
        value_p = np.array([getattr(p.range, end) for p in law.parameters])
        ends.append(np.where(is_log_p, np.log(np.clip(np.where(is_log_p, value_p, 1.0), 1e-99, 1e99)), value_p))
    return ends[0], ends[1]

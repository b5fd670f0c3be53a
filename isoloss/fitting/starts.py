"""Where to begin, from the law's ranges and the data alone: nobody is asked for a starting point.

Nonlinear parameters are spread over their typical ranges (scales that bear the inputs' units over the span of those
inputs), and the parameters in which the law is linear follow by non-negative least squares: variable projection,
Golub and Pereyra 1973. Shapes: `n` runs, `p` parameters, `q` parameters of one kind, `b` starts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from isoloss.core.errors import DesignError
from isoloss.fitting.newton import Solved, minimise
from isoloss.fitting.problem import Problem
from isoloss.fitting.units import Power, units

PER_DIMENSION = 16  # points of the spread along each nonlinear parameter, up to a most in all
EASY = 2  # with more nonlinear parameters than this the spread is thin, and its points are tried before they are kept
BEYOND = 0.25  # how far beyond the runs scales are looked for, as a share of their span on a logarithmic axis
SAME = 1e-3  # objectives that differ by less than this fraction are of one valley
AGREE = 3  # so many points in the lowest valley are enough
CLOSE, TIGHT = 1e-4, 1e-7  # what a Newton step may still promise, of points tried and of those followed
LONG, LOWEST, BEHIND = 300, 2, 2.0  # steps along a valley; how many are followed so far, and up to how much higher


@dataclass(frozen=True)
class Effort:
    """How many points are spread, how many a nonlinear parameter are tried, and what share for how many steps."""

    most: int
    tried: int
    rounds: tuple[tuple[float, int], ...]


FIRST = Effort(1200, 40, ((1.0, 4), (0.25, 20)))
HARDER = Effort(5000, 80, ((1.0, 10), (0.5, 30), (0.2, 60)))  # where the first ends in many valleys


def candidates(problem: Problem, keep: int) -> np.ndarray:
    """The best `keep` starts that differ from each other, best first: internal coordinates (p, b).

    Raises DesignError where none gives a finite objective.
    """
    return candidates_and_origins(problem, keep)[0]


def candidates_and_origins(problem: Problem, keep: int) -> tuple[np.ndarray, np.ndarray]:
    """The same, and the points of the spread that each was followed from, (p, b)."""
    dimensions = len(problem.law.parameters) - len(problem.law.formula.linear)
    if dimensions <= EASY:
        u_pb = _spread_best(problem, dimensions, FIRST.most, keep)
        return u_pb, u_pb
    easiest = replace(problem, objective=(*problem.objective.easier, problem.objective)[0])
    found = _tried(easiest, _spread_best(problem, dimensions, FIRST.most, FIRST.tried * dimensions), FIRST)
    if not _agrees(found.value_b, problem.rounding):
        found = _tried(easiest, _spread_best(problem, dimensions, HARDER.most, HARDER.tried * dimensions), HARDER)
    kept = found.take(_lowest_distinct(found.value_b)[:keep])
    lowest = int(np.sum(kept.value_b[:LOWEST] <= BEHIND * kept.value_b[0] + problem.rounding))
    followed = minimise(easiest, kept.u_pb[:, :lowest], most_steps=LONG, tolerance=TIGHT)
    return np.concatenate([followed.u_pb, kept.u_pb[:, lowest:]], axis=1), kept.start_pb


def _spread_best(problem: Problem, dimensions: int, most: int, keep: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        unit_qb = spread(dimensions, min(PER_DIMENSION**dimensions, most))
        u_pb = problem.internal(_filled_linear(problem, _placed(problem, unit_qb)))
        value_b = problem.value(u_pb)
    if not np.isfinite(value_b).any():
        y_n, output = problem.y_n, problem.law.output.name
        raise DesignError(
            f"No parameters of the law '{problem.law.name}' give these runs an objective that is a number.",
            f"{output} goes from {y_n.min():g} to {y_n.max():g}.",
            "Leave out the runs whose numbers cannot be meant.",
        )
    return u_pb[:, _best_apart(value_b, unit_qb, keep)]


def _tried(easiest: Problem, u_pb: np.ndarray, effort: Effort) -> Solved:
    # A few Newton steps tell a valley from a slope; each round goes on from the lowest of the one before.
    count = u_pb.shape[1]
    found = Solved(u_pb, np.arange(float(count)), np.zeros(count, bool), u_pb)
    for share, steps in effort.rounds:
        lowest = found.take(np.argsort(found.value_b, kind="stable")[: max(1, int(share * count))])
        found = minimise(easiest, lowest.u_pb, most_steps=steps, tolerance=CLOSE)
        found = replace(found, start_pb=lowest.start_pb)
    return found


def _agrees(value_b: np.ndarray, rounding: float) -> bool:
    return bool(np.sum(value_b <= value_b.min() * (1 + SAME) + rounding) >= AGREE)


def _lowest_distinct(value_b: np.ndarray) -> np.ndarray:
    # What ends in the same place counts once.
    order = np.argsort(value_b, kind="stable")
    sorted_b = value_b[order]
    is_new_b = np.append(True, sorted_b[1:] > sorted_b[:-1] * (1 + SAME))
    return order[is_new_b & np.isfinite(sorted_b)]


def spread(dimensions: int, count: int) -> np.ndarray:
    """Points that fill the unit cube evenly, the same every time: (dimensions, count).

    The additive recurrence of the generalised golden ratio: the root g of g^(d+1) = g + 1, in steps of g^-1 ... g^-d.
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    steps_q = ratio ** -np.arange(1.0, dimensions + 1)
    return (0.5 + steps_q[:, None] * np.arange(count)) % 1.0


def non_negative(gram_bqq: np.ndarray, right_bq: np.ndarray, is_signed_q: np.ndarray) -> np.ndarray:
    """Least squares from normal equations, with the coefficients that are not signed kept at zero or above: (b, q).

    Exact, by trying every set of coefficients that may be positive; q is small.
    """
    ridged_bqq = gram_bqq * (1 + 1e-13 * np.eye(right_bq.shape[1]))
    best_bq = np.zeros_like(right_bq)
    gain_b = np.full(len(right_bq), -np.inf)
    for support in _supports(is_signed_q):
        solved_bq = _solved(ridged_bqq[:, support][:, :, support], right_bq[:, support])
        reached_b = (solved_bq * right_bq[:, support]).sum(axis=1)
        allowed_b = ((solved_bq >= 0) | is_signed_q[support]).all(axis=1) & (reached_b > gain_b)
        gain_b[allowed_b] = reached_b[allowed_b]
        best_bq[allowed_b] = 0.0
        best_bq[np.ix_(allowed_b, support)] = solved_bq[allowed_b]
    return best_bq


def _supports(is_signed_q: np.ndarray) -> list[np.ndarray]:
    signed, others = np.flatnonzero(is_signed_q), np.flatnonzero(~is_signed_q)
    chosen = [c for size in range(len(others), -1, -1) for c in combinations(others, size)]
    return [np.array(sorted([*signed, *c]), int) for c in chosen if len(signed) + len(c)]


def _solved(matrix_bqq: np.ndarray, right_bq: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(matrix_bqq, right_bq[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return np.einsum("bij,bj->bi", np.linalg.pinv(matrix_bqq, hermitian=True), right_bq)


def _placed(problem: Problem, unit_qb: np.ndarray) -> np.ndarray:
    # Linear parameters stand at 1 until they are solved for; scales follow what they are made of.
    law = problem.law
    theta_pb = np.ones((len(law.parameters), unit_qb.shape[1]))
    nonlinear = [j for j, name in enumerate(law.names) if name not in law.formula.linear]
    unit = dict(zip(nonlinear, unit_qb, strict=True))
    scales = {j: powers for j, powers in units(law).items() if powers != ()}
    for j in set(nonlinear) - set(scales):
        known = law.parameters[j].range
        low, high = known.typical
        theta_pb[j] = low * (high / low) ** unit[j] if known.log else low + (high - low) * unit[j]
    for j, powers in scales.items():
        low_b, high_b = _place_between(problem, theta_pb, powers)
        theta_pb[j] = np.exp(low_b + (high_b - low_b) * unit[j])
    return theta_pb


def _place_between(problem: Problem, theta_pb: np.ndarray, powers: tuple[Power, ...] | None) -> tuple[Any, Any]:
    # Between which logarithms a scale has the size of the inputs that it bears, for each start.
    log_x_kn = np.log(problem.x_kn)
    if powers is None:
        return log_x_kn.min(), log_x_kn.max()
    size_bn = np.sum([power.at(theta_pb)[:, None] * log_x_kn[power.input] for power in powers], axis=0)
    low_b, high_b = size_bn.min(axis=1), size_bn.max(axis=1)
    beyond_b = BEYOND * (high_b - low_b)
    return low_b - beyond_b, high_b + beyond_b


def _filled_linear(problem: Problem, theta_pb: np.ndarray) -> np.ndarray:
    # The law is m = rest + sum of coefficient * basis; relative weights stand in for log residuals.
    law, y_n = problem.law, problem.y_n
    index = [j for j, name in enumerate(law.names) if name in law.formula.linear]
    if not index:
        return theta_pb
    basis_bqn, rest_bn = _affine(problem, theta_pb, index)
    weight_n = 1.0 / y_n**2 if problem.objective.log else np.ones_like(y_n)
    weighted_bqn = basis_bqn * weight_n
    size_bq = np.sqrt(np.vecdot(weighted_bqn, basis_bqn))
    right_bq = np.vecdot(weighted_bqn, (y_n - rest_bn)[:, None]) / size_bq
    gram_bqq = weighted_bqn @ np.swapaxes(basis_bqn, 1, 2) / (size_bq[:, :, None] * size_bq[:, None])
    is_signed_q = np.array([law.parameters[j].range.low < 0 for j in index])
    found_bq = non_negative(gram_bqq, right_bq, is_signed_q)
    # A scale of zero would be stuck there, for it is searched over its logarithm: leave it a thousandth of the output.
    least_q = np.where(problem.is_log_p[index], 1e-3 * np.sqrt((y_n**2 * weight_n).sum()), -np.inf)
    filled_pb = theta_pb.copy()
    filled_pb[index] = (np.maximum(found_bq, least_q) / size_bq).T
    return filled_pb


def _affine(problem: Problem, theta_pb: np.ndarray, index: list[int]) -> tuple[np.ndarray, np.ndarray]:
    # What multiplies each linear parameter (b, q, n), and the law without them (b, n).
    x_k, columns = list(problem.x_kn), [row_b[:, None] for row_b in theta_pb]
    at_one_bn, *slopes = problem.law.formula.tangent(x_k, columns)
    basis_bqn = np.empty((theta_pb.shape[1], len(index), len(problem.y_n)))
    for place, j in enumerate(index):
        basis_bqn[:, place] = slopes[j]
    return basis_bqn, at_one_bn - basis_bqn.sum(axis=1)


def _best_apart(value_b: np.ndarray, unit_qb: np.ndarray, keep: int) -> np.ndarray:
    # Greedily: the best, then the best that is not its neighbour, and so on.
    order = np.argsort(value_b, kind="stable")
    left = order[np.isfinite(value_b[order])]
    apart = 1.5 * len(value_b) ** (-1 / max(len(unit_qb), 1))
    chosen: list[int] = []
    while len(left) and len(chosen) < keep:
        chosen.append(int(left[0]))
        is_far_b = (np.abs(unit_qb[:, left] - unit_qb[:, left[:1]]) > apart).any(axis=0)
        left = left[is_far_b]
    return np.array(chosen, int)


def afar(problem: Problem, unit_qb: np.ndarray) -> np.ndarray:
    """Coordinates (p, b) of points of the unit cube, one dimension a nonlinear parameter; the linear ones follow."""
    with np.errstate(all="ignore"):
        return problem.internal(_filled_linear(problem, _placed(problem, unit_qb)))

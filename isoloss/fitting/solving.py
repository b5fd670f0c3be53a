"""The search for the lowest optimum: starts from afar, a polish of each, restarts from optima of resamples.

Shapes: `n` runs, `p` coordinates, `b` starts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoloss.fitting.linked import Linked
from isoloss.fitting.newton import EASIER_STEPS, LOOSE, Posed, Solved, gradually, minimise
from isoloss.fitting.problem import Problem
from isoloss.fitting.resampling import Basis, weights
from isoloss.fitting.sample import Sample
from isoloss.fitting.starts import candidates, candidates_and_origins
from isoloss.fitting.verdict import AGREEMENT, agreeing

STARTS = 6
BEHIND = 3.0  # times the lowest objective, beyond which a start is given up
WIDE, SHORT = 48, 12  # starts of linked problems that are tried, and the steps of the trial
RESTARTS, RESTART_STEPS, RESTART_ROUNDS = 12, 15, 6
PATIENCE = 3000  # further steps of the lowest, where it has not converged
RIVAL = 1.05  # another optimum whose objective is at most this many times the best may win in a resample
MANY_RUNS, FEW_RUNS = 10_000, 4_000  # beyond the one, the search is among the other, and its optima are polished on all


def solve(problem: Posed) -> Solved:
    """Minimise from the best starts that differ, then from perturbed optima until these find nothing lower.

    Perturbed optima are those of resamples: Wood 2001, Biometrics 57:240, bootstrap restarting. A robust objective
    with few runs in its curved part has optima that no start from afar may reach.
    """
    if len(problem.y_n) > MANY_RUNS:
        return _polished(problem)
    start_pb, origin_pb = _starts(problem)
    found = _patiently(problem, _followed(problem, start_pb, origin_pb))
    for round_ in range(RESTART_ROUNDS):
        best = found.best
        if not found.converged_b[best]:
            break
        found = Solved.join([found, minimise(problem, _perturbed(problem, found.u_pb[:, best], round_))])
        if found.value_b.min() > found.value_b[best] * (1 - AGREEMENT):
            break
    return found


def rivals(problem: Posed, starts: Solved) -> np.ndarray:
    """The best optimum, and the next one if it is another and nearly as good: (p, 1) or (p, 2)."""
    order = np.argsort(starts.value_b, kind="stable")
    best_p = starts.u_pb[:, order[0]]
    agree_b = agreeing(problem, starts)
    for b in order[1:]:
        is_close = starts.converged_b[b] and starts.value_b[b] <= RIVAL * starts.value_b[order[0]]
        if is_close and not agree_b[b]:
            return np.stack([best_p, starts.u_pb[:, b]], axis=1)
    return best_p[:, None]


def _followed(problem: Posed, u_pb: np.ndarray, origin_pb: np.ndarray) -> Solved:
    # Through the objective's easier scales. Starts that are far behind at one of them stay there.
    u_pb, rows = u_pb.copy(), np.arange(u_pb.shape[1])
    for easier in problem.objective.easier:
        part = problem.under(easier)
        found = minimise(part, u_pb[:, rows], most_steps=EASIER_STEPS, tolerance=LOOSE)
        u_pb[:, rows] = found.u_pb
        rows = rows[found.value_b <= BEHIND * found.value_b.min() + part.rounding]
    with np.errstate(all="ignore"):
        left = Solved(u_pb, problem.value(u_pb), np.zeros(u_pb.shape[1], bool), origin_pb)
    return left.put(rows, replace(minimise(problem, u_pb[:, rows]), start_pb=origin_pb[:, rows]))


def _patiently(problem: Posed, found: Solved) -> Solved:
    # The lowest goes on where none that is as low has converged: a valley that bends takes many steps.
    best = np.array([found.best])
    if found.converged_b[best]:
        return found
    further = minimise(problem, found.u_pb[:, best], most_steps=PATIENCE)
    return found.put(best, replace(further, start_pb=found.start_pb[:, best]))


def _polished(problem: Posed) -> Solved:
    # Runs are sorted by their inputs, so that every so many-th is spread over all of them.
    rows = np.arange(0, len(problem.y_n), len(problem.y_n) // FEW_RUNS)
    thin = problem.of_runs(rows)
    apart = rivals(thin, solve(thin))
    found = minimise(problem, apart)
    return Solved(found.u_pb, found.value_b, found.converged_b, apart)


def _starts(problem: Posed) -> tuple[np.ndarray, np.ndarray]:
    # Where to start, and the points that these come from.
    if isinstance(problem, Problem):
        return candidates_and_origins(problem, STARTS)
    start_qb = _linked_starts(problem)
    tried = minimise(problem, start_qb, most_steps=SHORT, tolerance=LOOSE)
    kept_qb = start_qb[:, np.argsort(tried.value_b, kind="stable")[:STARTS]]
    return kept_qb, kept_qb


def _linked_starts(problem: Linked) -> np.ndarray:
    # Every group's own starts, and its own optimum, averaged where they are linked.
    own = [candidates(part, WIDE) for part in problem.parts]
    fewest = min(u_pb.shape[1] for u_pb in own)
    solved = [gradually(part, u_pb[:, :STARTS]) for part, u_pb in zip(problem.parts, own, strict=True)]
    best = [found.u_pb[:, [found.best]] for found in solved]
    return np.concatenate(
        [
            problem.gathered(best),
            *(problem.gathered([one] * len(best)) for one in best),
            problem.gathered([u_pb[:, :fewest] for u_pb in own]),
        ],
        axis=1,
    )


def _perturbed(problem: Posed, u_p: np.ndarray, seed: int) -> np.ndarray:
    weight_bn = weights(Basis.plain(problem, u_p[:, None]), np.random.default_rng(seed), RESTARTS)
    start_pb = np.repeat(u_p[:, None], RESTARTS, axis=1)
    return minimise(problem, start_pb, Sample(weight_bn), most_steps=RESTART_STEPS, tolerance=LOOSE).u_pb

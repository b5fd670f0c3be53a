"""Which single runs move the best size, and by how much: the fit without each run in turn, all solved together.

Shapes: `n` runs, `p` parameters, `b` refits: all runs, then all but each one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.core.runs import Runs
from isoloss.fitting import objectives, posing, spread
from isoloss.fitting.budgets import SIZES
from isoloss.fitting.newton import minimise
from isoloss.fitting.outliers import runs_name
from isoloss.fitting.problem import Problem
from isoloss.fitting.sample import Sample

FAR = 10.0  # how far beyond the largest compute N_opt is compared, unless asked otherwise
MOVES = 0.1  # a run that moves the best size by more is named
NAMED, GROUP = 5, 5
STEPS = 30
REFITTED = 400  # runs that are left out in turn
MANY_RUNS = 5000  # beyond so many, a single one cannot decide
COARSE, FINE, WIDTH = 400, 161, 2.0  # grid of log size: once over all, then about the optimum


@dataclass(frozen=True, eq=False)
class Influence:
    """How the best size at `flops` moves when one run is left out: moves_n (n,), relative to that of all runs.

    `rows` are the runs that move it beyond the threshold, the strongest first. `group` are the five that move it most
    in one direction, and `together` is the move without all of these at once: runs that pull the same way hide one
    another (Broderick et al. 2020, arXiv 2011.14999).
    """

    flops: float
    size: str
    best: float
    moves_n: np.ndarray
    rows: tuple[int, ...]
    group: tuple[int, ...]
    together: float
    findings: tuple[Finding, ...]


def answers(law: Law) -> bool:
    """Whether a law tells a best size, so that the influence of its runs can be told: one of size and tokens alone."""
    sizes = [name for name in law.columns if name in SIZES]
    return len(law.columns) == 2 and len(sizes) == 1 and "tokens" in law.columns


def influence(runs: Runs, fit: Fit, *, flops: Any = None, moves: float = MOVES) -> Influence:
    """Leave out each run in turn and tell by how much the best size at `flops` (10 times the largest, if None) moves.

    `fit` is a fit to `runs`, of a law of size and tokens. Every refit starts from the fit's optimum, and all are
    solved together. Finding B4 names the runs that move it by more than `moves`, or beyond the fit's 90% interval;
    there is none where the fit has no best size at that compute.
    Raises RequestError for a law that tells no best size, or a fit that is not of these runs.
    """
    if not answers(fit.law):
        raise RequestError(
            f"The law '{fit.law.name}' of {' and '.join(fit.law.columns)} tells no best size that a run could move.",
            do="Fit a law of size and tokens: chinchilla.",
        )
    table = runs.complete([*fit.law.columns, fit.law.output.name])
    problem = posing.pose(fit.law, table, objectives.find(fit.objective[0]))
    if len(problem.y_n) != fit.data.n:
        raise RequestError(
            f"The fit is of {fit.data.n} runs, and there are {len(problem.y_n)}.", do="Give its own runs."
        )
    size = next(name for name in fit.law.columns if name in SIZES)
    largest = float((FLOP_PER_PARAM_AND_TOKEN * table[size] * table["tokens"]).max())
    target = numbers.parse(flops) if flops is not None else FAR * largest

    row_n = _rows(problem, table)
    best = float(best_sizes(fit.law, fit.theta_p[None], target)[0])
    if not np.isfinite(best):
        return Influence(target, size, np.nan, np.full(len(row_n), np.nan), (), (), np.nan, ())
    moves_n = np.empty(len(row_n))
    moves_n[row_n] = _moves(problem, fit, target, best)

    draws_s = best_sizes(fit.law, fit.draws_sp, target, about=best) if len(fit.draws_sp) else np.empty(0)
    rows = _named(moves_n, best, draws_s, moves)
    groups = [tuple(int(i) for i in order[:GROUP]) for order in (np.argsort(moves_n), np.argsort(-moves_n))]
    without_2n = np.array([~np.isin(row_n, group) for group in groups], float)
    joint_2 = best_sizes(fit.law, _refits(problem, fit.theta_p, without_2n), target, about=best) / best - 1
    strongest = int(np.argmax(np.nan_to_num(np.abs(np.log1p(joint_2)), nan=-1.0)))
    group, together = groups[strongest], float(joint_2[strongest])
    findings = _findings(runs, size, target, best, moves_n, rows, group, together)
    return Influence(target, size, best, moves_n, rows, group, together, findings)


def best_sizes(law: Law, theta_bp: np.ndarray, flops: float, about: float | None = None) -> np.ndarray:
    """The size (b,) of least output along 6 N D = C for each parameter set: a grid of log size, then a parabola.

    The grid is about the first set's optimum, or `about`; NaN where a set has no minimum on it.
    """
    centre = np.log(about) if about is not None else _lowest(law, theta_bp[:1], flops, 0.0, np.log(flops / 6))[0]
    return np.exp(_lowest(law, theta_bp, flops, centre - WIDTH, centre + WIDTH, FINE))


def _lowest(law: Law, theta_bp: np.ndarray, flops: float, low: float, high: float, points: int = COARSE) -> np.ndarray:
    x_m = np.linspace(low, high, points)
    values = {"tokens": flops / (FLOP_PER_PARAM_AND_TOKEN * np.exp(x_m))}
    columns_km = np.stack([values.get(name, np.exp(x_m)) for name in law.columns])
    with np.errstate(all="ignore"):
        y_bm = np.log(law.value(columns_km, theta_bp))
    lowest_b = np.where(np.isfinite(y_bm), y_bm, np.inf).argmin(axis=1)
    i_b, b = np.clip(lowest_b, 1, points - 2), np.arange(len(theta_bp))
    before, at, after = (y_bm[b, i_b + k] for k in (-1, 0, 1))
    with np.errstate(all="ignore"):
        x_b = x_m[i_b] + np.nan_to_num(0.5 * (before - after) / (before - 2 * at + after)) * (x_m[1] - x_m[0])
    return np.where((lowest_b > 0) & (lowest_b < points - 1), x_b, np.nan)


def _moves(problem: Problem, fit: Fit, flops: float, best: float) -> np.ndarray:
    # In the problem's order. Of many runs, those that a straight line says move it least are not refitted.
    n = len(problem.y_n)
    if n <= REFITTED:
        suspects, moves_n = np.arange(n), np.empty(n)
    else:
        moves_n = _straight(problem, fit.theta_p, flops, best)
        suspects = np.argsort(-np.abs(moves_n), kind="stable")[:REFITTED]
    without_bn = np.ones((len(suspects), n))
    without_bn[np.arange(len(suspects)), suspects] = 0.0
    theta_bp = _refits(problem, fit.theta_p, without_bn)
    moves_n[suspects] = best_sizes(fit.law, theta_bp, flops, about=best) / best - 1
    return moves_n


def _straight(problem: Problem, theta_p: np.ndarray, flops: float, best: float) -> np.ndarray:
    # The optimum answers to the loss of one run by one Newton step, and the best size to that by its gradient.
    u_p = problem.internal(theta_p[:, None])[:, 0]
    pull_np = problem.sensitivity(u_p) * problem.objective.terms(problem.residual_n(u_p))[1][:, None]
    step_np = pull_np @ spread.inverse(spread.curvature(problem, u_p))
    small_p = 1e-4 * problem.stride_p
    moved_pp = problem.theta(u_p[:, None] + np.diag(small_p)).T
    slope_p = np.log(best_sizes(problem.law, moved_pp, flops, about=best) / best) / small_p
    return step_np @ np.nan_to_num(slope_p)


def _refits(problem: Problem, theta_p: np.ndarray, weight_bn: np.ndarray) -> np.ndarray:
    start_pb = np.repeat(problem.internal(theta_p[:, None]), len(weight_bn), axis=1)
    return problem.theta(minimise(problem, start_pb, Sample(weight_bn), most_steps=STEPS).u_pb).T


def _rows(problem: Problem, table: Runs) -> np.ndarray:
    # The table's row of each of the problem's runs: a problem may order them as it likes.
    posed = np.lexsort((problem.y_n, *problem.x_kn))
    given = np.lexsort((table[problem.law.output.name], *(table[c] for c in problem.law.columns)))
    row_n = np.empty(len(given), int)
    row_n[posed] = given
    return row_n


def _named(moves_n: np.ndarray, best: float, draws_s: np.ndarray, moves: float) -> tuple[int, ...]:
    is_far_n = ~(np.abs(moves_n) <= moves)
    if len(draws_s):
        low, high = np.nanquantile(draws_s / best - 1, [0.05, 0.95])
        is_far_n |= (moves_n < low) | (moves_n > high)
    order = np.argsort(-np.abs(np.log1p(np.maximum(moves_n, -0.999999))), kind="stable")
    return tuple(int(i) for i in order if is_far_n[i])[:NAMED]


def _findings(
    runs: Runs,
    size: str,
    flops: float,
    best: float,
    moves_n: np.ndarray,
    rows: tuple[int, ...],
    group: tuple[int, ...],
    together: float,
) -> tuple[Finding, ...]:
    at = f"best {size} at {numbers.short(flops)} FLOP ({numbers.short(best)})"
    joint = f"without {', '.join(runs_name(runs, i) for i in group)} together it moves by {together:+.0%}"
    if not rows:
        i = int(np.argmax(np.nan_to_num(np.abs(moves_n), nan=-1.0)))
        most = f"it moves most, by {moves_n[i]:+.1%}, without {runs_name(runs, i)}"
        sentence = f"No single run decides the {at}: {most}; {joint}."
        return (Finding("B4", "note", sentence, float(moves_n[i])),)
    told = ", ".join(f"{moves_n[i]:+.0%} without {runs_name(runs, i)}" for i in rows)
    sentence = f"Single runs move the {at}: {told}; {joint}."
    return (Finding("B4", "amber", sentence, float(moves_n[rows[0]]), "Look at those runs before you trust the plan."),)

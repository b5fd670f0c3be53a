"""Many small bounded minimisations at once: exact Newton steps, damped where the objective is not yet a bowl.

The damping is that of Levenberg and Marquardt (Marquardt 1963), scaled by each parameter's own curvature, chosen
for every problem by itself; parameters at a bound that hold them back stay there (Bertsekas 1982, projected Newton).
Shapes: `n` runs, `p` parameters, `b` problems solved together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from isoloss.fitting.coordinates import Derivatives
from isoloss.fitting.linked import Linked
from isoloss.fitting.problem import Problem
from isoloss.fitting.sample import AS_MEASURED, Sample

Posed = Problem | Linked
Progress = Callable[[int, int], None]

MOST_STEPS = 300
FIRST_DAMPING, MOST_DAMPING, LESS, MORE = 1e-3, 1e12, 0.1, 8.0
LEAST_PIVOT = 1e-14  # of a system with unit curvatures that counts as positive
LEAST_RIDGE = 1e-12  # added to unit curvatures, so that a flat direction is no division by zero
CHUNK_NUMBERS = 40_000  # problems times runs worked on together: a few arrays of this size fit the cache
MEMORY_KEPT = 31 * 2**20  # bytes
TOLERANCE = 1e-13  # what a Newton step still promises, as a fraction of the objective
NOISE = 1e-10  # the same, where the objective is seen to be no smoother
ROUNDING = 1e-12  # objectives that differ by less, relatively, are the same
LOOSE = 1e-2  # the same, where the optimum is only the next start


@dataclass(frozen=True)
class Solved:
    """Where b minimisations ended: coordinates (p, b), objectives, which reached an optimum, and where each began."""

    u_pb: np.ndarray
    value_b: np.ndarray
    converged_b: np.ndarray
    start_pb: np.ndarray

    @property
    def best(self) -> int:
        """The number of the lowest, of those alike but for rounding one that converged."""
        return int(np.argmin(np.where(self.converged_b, self.value_b * (1 - ROUNDING), self.value_b)))

    def put(self, rows: np.ndarray, other: Solved) -> Solved:
        """A copy in which the problems `rows` (indices) are those of `other` where these ended lower."""
        lower = other.value_b < self.value_b[rows]
        lower |= other.converged_b & ~self.converged_b[rows] & (other.value_b <= self.value_b[rows] * (1 + 1e-9))
        made = Solved(self.u_pb.copy(), self.value_b.copy(), self.converged_b.copy(), self.start_pb.copy())
        made.u_pb[:, rows[lower]] = other.u_pb[:, lower]
        made.value_b[rows[lower]] = other.value_b[lower]
        made.converged_b[rows[lower]] = other.converged_b[lower]
        made.start_pb[:, rows[lower]] = other.start_pb[:, lower]
        return made

    def take(self, rows: np.ndarray) -> Solved:
        """The minimisations of a mask or an index array."""
        return Solved(self.u_pb[:, rows], self.value_b[rows], self.converged_b[rows], self.start_pb[:, rows])

    @classmethod
    def join(cls, parts: list[Solved]) -> Solved:
        return cls(
            np.concatenate([p.u_pb for p in parts], axis=1),
            np.concatenate([p.value_b for p in parts]),
            np.concatenate([p.converged_b for p in parts]),
            np.concatenate([p.start_pb for p in parts], axis=1),
        )


def minimise(
    problem: Posed,
    u_pb: np.ndarray,
    sample: Sample = AS_MEASURED,
    *,
    most_steps: int = MOST_STEPS,
    tolerance: float = TOLERANCE,
    fixed_p: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Solved:
    """Minimise the objective from each column of u_pb, each with its own part of the sample, on all cores.

    Converged means that an undamped Newton step promises less than `tolerance` of the objective. Coordinates that
    are `fixed_p` stay. `progress(done, total)` is called after every chunk of problems.
    """
    _keep_memory()
    b, size = u_pb.shape[1], max(1, CHUNK_NUMBERS // len(problem.y_n))
    firsts = range(0, b, size)

    def solved(first: int) -> Solved:
        rows = slice(first, first + size)
        with np.errstate(all="ignore"):
            return _minimise_chunk(problem, u_pb[:, rows], sample.take(rows), most_steps, tolerance, fixed_p)

    parts: list[Solved] = []
    for part in map(solved, firsts) if len(firsts) < 4 else _on_all_cores(solved, firsts):
        parts.append(part)
        if progress:
            progress(min(len(parts) * size, b), b)
    return Solved.join(parts)


@cache
def _keep_memory() -> None:
    # Once a block of this size was given back, glibc reuses the memory of smaller ones instead of returning it to the
    # system at every step, to be filled with zeros anew: that would take most of the time. The block is never touched.
    np.empty(MEMORY_KEPT, np.uint8)


def _on_all_cores(solved: Callable[[int], Solved], firsts: range) -> Iterator[Solved]:
    # NumPy lets go of the interpreter while it works on a chunk's arrays. An interrupt drops the chunks not begun.
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    try:
        yield from pool.map(solved, firsts)
    finally:
        pool.shutdown(cancel_futures=True)


def gradually(
    problem: Posed, u_pb: np.ndarray, sample: Sample = AS_MEASURED, *, most_steps: int = MOST_STEPS
) -> Solved:
    """Minimise through the objective's easier scales, each from where the last one ended."""
    start_pb = u_pb
    for easier in problem.objective.easier:
        u_pb = minimise(problem.under(easier), u_pb, sample, most_steps=most_steps, tolerance=LOOSE).u_pb
    return replace(minimise(problem, u_pb, sample, most_steps=most_steps), start_pb=start_pb)


@dataclass(frozen=True)
class _Going:
    """The problems of a chunk that have not ended: their place in it, where they stand, and how damped they are."""

    row_b: np.ndarray
    u_pb: np.ndarray
    sample: Sample
    damping_b: np.ndarray
    at: Derivatives

    def take(self, rows_b: np.ndarray) -> _Going:
        return _Going(
            self.row_b[rows_b],
            self.u_pb[:, rows_b],
            self.sample.take(rows_b),
            self.damping_b[rows_b],
            self.at.take(rows_b),
        )

    def moved(self, problem: Posed, step_pb: np.ndarray, is_bowl_b: np.ndarray) -> _Going:
        """Each problem after its step, or where it stood and more damped if that was no better."""
        trial_pb = problem.inside(self.u_pb + step_pb)
        there = problem.derivatives(trial_pb, self.sample)
        better_b = is_bowl_b & (there.value_b < self.at.value_b)
        less_b, more_b = np.maximum(self.damping_b * LESS, 1e-14), np.maximum(self.damping_b, 1e-8) * MORE
        return _Going(
            self.row_b,
            np.where(better_b, trial_pb, self.u_pb),
            self.sample,
            np.where(better_b, less_b, more_b),
            there.where(better_b, self.at),
        )


def _minimise_chunk(
    problem: Posed,
    u_pb: np.ndarray,
    sample: Sample,
    most_steps: int,
    tolerance: float,
    fixed_p: np.ndarray | None,
) -> Solved:
    b = u_pb.shape[1]
    going = _Going(np.arange(b), u_pb, sample, np.full(b, FIRST_DAMPING), problem.derivatives(u_pb, sample))
    done = Solved(u_pb.copy(), going.at.value_b.copy(), np.zeros(b, bool), u_pb)
    for _ in range(most_steps):
        newton, damped = _steps(problem, going, fixed_p)
        is_stuck_b = going.damping_b > MOST_DAMPING
        # A step that promises little and yet gains nothing, however short, is lost in the objective's own rounding.
        least_b = np.where(is_stuck_b, max(tolerance, NOISE), tolerance) * going.at.value_b + problem.rounding
        converged_b = newton.is_bowl_b & (newton.promised_b <= least_b)
        ends_b = converged_b | is_stuck_b | ~np.isfinite(going.at.value_b)
        if ends_b.any():
            _note(done, going, ends_b, converged_b)
            done.u_pb[:, going.row_b[ends_b]] += _last_step(problem, newton.u_pb, converged_b)[:, ends_b]
            if ends_b.all():
                break
            going, damped = going.take(~ends_b), damped.take(~ends_b)
        going = going.moved(problem, damped.u_pb, damped.is_bowl_b)
    else:
        _note(done, going, np.ones(len(going.row_b), bool), np.zeros(len(going.row_b), bool))
    return replace(done, u_pb=problem.inside(done.u_pb))


def _note(done: Solved, going: _Going, ends_b: np.ndarray, converged_b: np.ndarray) -> None:
    rows = going.row_b[ends_b]
    done.u_pb[:, rows] = going.u_pb[:, ends_b]
    done.value_b[rows] = going.at.value_b[ends_b]
    done.converged_b[rows] = converged_b[ends_b]


def _last_step(problem: Posed, newton_pb: np.ndarray, converged_b: np.ndarray) -> np.ndarray:
    # The step that proved convergence squares the remaining error, unless a flat direction makes it long.
    is_short_b = (np.abs(newton_pb) < 1e-3 * problem.stride_p[:, None]).all(axis=0)
    return np.where(converged_b & is_short_b, newton_pb, 0.0)


@dataclass(frozen=True)
class _Step:
    """A move in the internal coordinates, the decrease it promises, and whether the objective is a bowl there."""

    u_pb: np.ndarray
    promised_b: np.ndarray
    is_bowl_b: np.ndarray

    def take(self, rows_b: np.ndarray | slice) -> _Step:
        return _Step(self.u_pb[:, rows_b], self.promised_b[rows_b], self.is_bowl_b[rows_b])


def _steps(problem: Posed, going: _Going, fixed_p: np.ndarray | None) -> tuple[_Step, _Step]:
    # The undamped step, which tells how far the optimum is, and the damped one, which is taken: solved in one go.
    gradient_pb, hessian_ppb, scale_pb = _scaled(going.at, going.u_pb, problem, fixed_p)
    b = len(going.row_b)
    ridge_b = np.concatenate([np.full(b, LEAST_RIDGE), going.damping_b])
    twice_pb = np.concatenate([gradient_pb, gradient_pb], axis=1)
    solved_pb, is_bowl_b = _solve_positive(np.concatenate([hessian_ppb, hessian_ppb], axis=2), -twice_pb, ridge_b)
    both = _Step(
        solved_pb * np.concatenate([scale_pb, scale_pb], axis=1), -0.5 * (twice_pb * solved_pb).sum(axis=0), is_bowl_b
    )
    return both.take(slice(0, b)), both.take(slice(b, None))


def _scaled(
    at: Derivatives, u_pb: np.ndarray, problem: Posed, fixed_p: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Unit curvature for every parameter; those held at a bound are cut out of the system.
    outward_pb = np.where(at.gradient_pb > 0, u_pb <= problem.low_p[:, None], u_pb >= problem.high_p[:, None])
    if fixed_p is not None:
        outward_pb |= fixed_p[:, None]
    # Where all residuals are in the objective's straight parts there is no curvature: a natural step bounds the move.
    slope_pb = np.abs(at.gradient_pb) / problem.stride_p[:, None]
    curvature_pb = np.maximum(np.abs(np.einsum("ppb->pb", at.hessian_ppb)), slope_pb)
    scale_pb = 1.0 / np.sqrt(np.maximum(curvature_pb, 1e-12 * at.value_b + 1e-300))
    scale_pb[outward_pb] = 0.0
    gradient_pb = at.gradient_pb * scale_pb
    hessian_ppb = at.hessian_ppb * (scale_pb * scale_pb[:, None])
    if outward_pb.any():
        for j in range(len(u_pb)):
            hessian_ppb[j, j, outward_pb[j]] = 1.0
    return gradient_pb, hessian_ppb, scale_pb


def _solve_positive(left_ppb: np.ndarray, right_pb: np.ndarray, ridge_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Solves (left + ridge) x = right by elimination of both triangles; the flags say which had only positive pivots.
    p, b = right_pb.shape
    joined_pqb = np.empty((p, p + 1, b))
    joined_pqb[:, :p], joined_pqb[:, p] = left_ppb, right_pb
    joined_pqb[np.arange(p), np.arange(p)] += ridge_b
    pivot_pb = np.empty((p, b))
    for j in range(p):
        pivot_pb[j] = joined_pqb[j, j]
        factor_pb = joined_pqb[:, j] / pivot_pb[j]
        factor_pb[j] = 0.0
        joined_pqb[:, j + 1 :] -= factor_pb[:, None] * joined_pqb[j, j + 1 :]
    is_positive_b = np.min(pivot_pb, axis=0) > LEAST_PIVOT
    return np.where(is_positive_b, joined_pqb[:, p] / pivot_pb, 0.0), is_positive_b

"""Many small bounded minimisations at once: exact Newton steps, damped where the objective is not yet a bowl.

Every problem chooses its own damping. What has not ended after a few steps is in a valley, and is taken along it with
cheaper ones before Newton's method, which alone proves an optimum, has its turn again.
Shapes: `n` runs, `p` parameters, `b` problems solved together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np

from isoloss.fitting.coordinates import Derivatives
from isoloss.fitting.equations import Equations, Step
from isoloss.fitting.linked import Linked
from isoloss.fitting.problem import Problem
from isoloss.fitting.sample import AS_MEASURED, Sample
from isoloss.fitting.valleys import SETTLED, descend

Posed = Problem | Linked
Progress = Callable[[int, int], None]
T = TypeVar("T")

MOST_STEPS, EASIER_STEPS = 150, 60
FIRST_DAMPING, MOST_DAMPING, LESS, MORE = 1e-3, 1e12, 0.1, 8.0
LOST = 0.7  # of steps that gain nothing far from an optimum, where Newton's method gives up
FIRST_STEPS, WALK, LAST_STEPS = 8, 16, 8  # of Newton, along the valley and of Newton again, until all steps are taken
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

    def begin(rows: slice) -> tuple[Solved, np.ndarray, np.ndarray]:
        damping_b = np.full(u_pb[:, rows].shape[1], FIRST_DAMPING)
        steps = min(FIRST_STEPS, most_steps)
        done, left, stiff_b = _newton(problem, u_pb[:, rows], damping_b, sample.take(rows), steps, tolerance, fixed_p)
        return done, rows.start + left, stiff_b

    parts, lefts, stiff = zip(*_in_chunks(problem, begin, u_pb.shape[1], progress), strict=True)
    done, left, stiff_b = Solved.join(list(parts)), np.concatenate(lefts), np.concatenate(stiff)
    if not len(left) or most_steps <= FIRST_STEPS:
        return done

    def go_on(rows: slice) -> Solved:
        those = left[rows]
        steps = most_steps - FIRST_STEPS
        return _further(problem, done.take(those), stiff_b[rows], sample.take(those), steps, tolerance, fixed_p)

    return done.put(left, Solved.join(list(_in_chunks(problem, go_on, len(left), None))))


def _in_chunks(problem: Posed, work: Callable[[slice], T], b: int, progress: Progress | None) -> Iterator[T]:
    # The few problems that are left of many chunks make few chunks: small arrays cost more than what is in them.
    size = max(1, CHUNK_NUMBERS // len(problem.y_n))
    chunks = [slice(first, min(first + size, b)) for first in range(0, b, size)]

    def quietly(rows: slice) -> T:
        with np.errstate(all="ignore"):
            return work(rows)

    for rows, part in zip(
        chunks, map(quietly, chunks) if len(chunks) < 4 else _on_all_cores(quietly, chunks), strict=True
    ):
        yield part
        if progress:
            progress(rows.stop, b)


@cache
def _keep_memory() -> None:
    # Once a block of this size was given back, glibc reuses the memory of smaller ones instead of returning it to the
    # system at every step, to be filled with zeros anew: that would take most of the time. The block is never touched.
    np.empty(MEMORY_KEPT, np.uint8)


def _on_all_cores(work: Callable[[slice], T], chunks: list[slice]) -> Iterator[T]:
    # NumPy lets go of the interpreter while it works on a chunk's arrays. An interrupt drops the chunks not begun.
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    try:
        yield from pool.map(work, chunks)
    finally:
        pool.shutdown(cancel_futures=True)


def gradually(
    problem: Posed, u_pb: np.ndarray, sample: Sample = AS_MEASURED, *, most_steps: int = MOST_STEPS
) -> Solved:
    """Minimise through the objective's easier scales, each from where the last one ended."""
    start_pb = u_pb
    for easier in problem.objective.easier:
        u_pb = minimise(
            problem.under(easier), u_pb, sample, most_steps=min(most_steps, EASIER_STEPS), tolerance=LOOSE
        ).u_pb
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

    def moved(self, problem: Posed, step: Step) -> _Going:
        """Each problem after its step, or where it stood and more damped if that was no better."""
        trial_pb = problem.inside(self.u_pb + step.u_pb)
        there = problem.derivatives(trial_pb, self.sample)
        better_b = step.is_bowl_b & (there.value_b < self.at.value_b)
        less_b, more_b = np.maximum(self.damping_b * LESS, 1e-14), np.maximum(self.damping_b, 1e-8) * MORE
        return _Going(
            self.row_b,
            np.where(better_b, trial_pb, self.u_pb),
            self.sample,
            np.where(better_b, less_b, more_b),
            there.where(better_b, self.at),
        )


def _further(
    problem: Posed,
    done: Solved,
    stiff_b: np.ndarray,
    sample: Sample,
    steps: int,
    tolerance: float,
    fixed_p: np.ndarray | None,
) -> Solved:
    # Along the valley and by Newton's method in turn, for problems that have not ended.
    left = np.arange(len(done.value_b))
    damping_b = np.full(len(left), FIRST_DAMPING)
    for _ in range(0, steps, WALK + LAST_STEPS):
        if not len(left):
            break
        part = sample.take(left)
        walked_pb, damping_b[left] = descend(problem, done.u_pb[:, left], damping_b[left], part, WALK, fixed_p)
        stiff_b = np.where((walked_pb != done.u_pb[:, left]).any(axis=0), FIRST_DAMPING, stiff_b)
        further, still, stiff_b = _newton(problem, walked_pb, stiff_b, part, LAST_STEPS, tolerance, fixed_p)
        done, left = done.put(left, replace(further, start_pb=done.start_pb[:, left])), left[still]
    return done


def _newton(
    problem: Posed,
    u_pb: np.ndarray,
    damping_b: np.ndarray,
    sample: Sample,
    steps: int,
    tolerance: float,
    fixed_p: np.ndarray | None,
) -> tuple[Solved, np.ndarray, np.ndarray]:
    # Where so many steps lead; which problems (indices) have not ended, and how damped they are.
    b = u_pb.shape[1]
    going = _Going(np.arange(b), u_pb, sample, damping_b, problem.derivatives(u_pb, sample))
    done = Solved(u_pb.copy(), going.at.value_b.copy(), np.zeros(b, bool), u_pb)
    for _ in range(steps):
        equations = Equations.of(problem, going.at, going.u_pb, fixed_p)
        newton, damped = equations.steps(going.damping_b)
        is_stuck_b = going.damping_b > MOST_DAMPING
        # A step that promises little and yet gains nothing, however short, is lost in the objective's own rounding.
        least_b = np.where(is_stuck_b, max(tolerance, NOISE), tolerance) * going.at.value_b + problem.rounding
        converged_b = newton.is_bowl_b & (newton.promised_b <= least_b)
        ends_b = converged_b | is_stuck_b | ~np.isfinite(going.at.value_b)
        if ends_b.any():
            _note(done, going, ends_b, converged_b)
            done.u_pb[:, going.row_b[ends_b]] += _last_step(problem, newton.u_pb, converged_b)[:, ends_b]
            if ends_b.all():
                going = going.take(~ends_b)
                break
            going, newton, damped = going.take(~ends_b), newton.take(~ends_b), damped.take(~ends_b)
        before_b = going.at.value_b
        is_far_b = ~newton.is_bowl_b | (newton.promised_b > SETTLED * before_b)
        going = going.moved(problem, damped)
        if np.mean(is_far_b & (going.at.value_b >= before_b)) > LOST:
            break
    _note(done, going, np.ones(len(going.row_b), bool), np.zeros(len(going.row_b), bool))
    return replace(done, u_pb=problem.inside(done.u_pb)), going.row_b, going.damping_b


def _note(done: Solved, going: _Going, ends_b: np.ndarray, converged_b: np.ndarray) -> None:
    rows = going.row_b[ends_b]
    done.u_pb[:, rows] = going.u_pb[:, ends_b]
    done.value_b[rows] = going.at.value_b[ends_b]
    done.converged_b[rows] = converged_b[ends_b]


def _last_step(problem: Posed, newton_pb: np.ndarray, converged_b: np.ndarray) -> np.ndarray:
    # The step that proved convergence squares the remaining error, unless a flat direction makes it long.
    is_short_b = (np.abs(newton_pb) < 1e-3 * problem.stride_p[:, None]).all(axis=0)
    return np.where(converged_b & is_short_b, newton_pb, 0.0)

"""Along valleys that bend: Gauss-Newton steps with geodesic acceleration, which need no second derivatives.

Where parameters nearly make up for each other the objective is a long bent valley, and Newton's steps, right for a
straight piece of it, are short. How the law bends along a step, told by one more value, turns the step: Transtrum and
Sethna 2012, arXiv:1201.5885. Such a step costs a fraction of Newton's, but proves no optimum.
Shapes: `n` runs, `p` parameters, `b` problems solved together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isoloss.fitting.equations import Equations
from isoloss.fitting.linearised import Linearised
from isoloss.fitting.linked import Linked
from isoloss.fitting.problem import Problem
from isoloss.fitting.sample import Sample

LEAST_DAMPING, MOST_DAMPING, LESS, MORE = 1e-12, 1e6, 0.1, 8.0
TRIES = 3  # dampings tried from one place
TIGHT = 1e-2  # a damping that shortens steps, so that they promise less than there is
PROBE = 0.1  # of a step, at which the law's bend along it is told
MOST_BENT = 0.75  # of a step, beyond which a turn is not believed
LEAST_GAIN = 1e-11  # of the objective: less is rounding
SETTLED = 1e-7  # of the objective: where a step promises less, Newton's method is better


@dataclass(frozen=True)
class _Walk:
    """Problems on their way: their rows, where they stand, how damped; the law made straight there, and its sums."""

    row_b: np.ndarray
    u_pb: np.ndarray
    damping_b: np.ndarray
    sample: Sample
    law: Linearised
    equations: Equations

    def take(self, rows_b: np.ndarray) -> _Walk:
        return _Walk(
            self.row_b[rows_b],
            self.u_pb[:, rows_b],
            self.damping_b[rows_b],
            self.sample.take(rows_b),
            self.law.take(rows_b),
            self.equations.take(rows_b),
        )


def descend(
    problem: Problem | Linked,
    u_pb: np.ndarray,
    damping_b: np.ndarray,
    sample: Sample,
    steps: int,
    fixed_p: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where b problems stand after at most so many steps from u_pb, (p, b), nowhere higher; and how damped they are."""
    u_pb, damping_b, rows = u_pb.copy(), damping_b.copy(), np.arange(u_pb.shape[1])
    for _ in range(steps):
        part = sample.take(rows)
        law = problem.linearised(u_pb[:, rows], part)
        equations = Equations.of(problem, law.derivatives, u_pb[:, rows], fixed_p)
        rows = _moved(problem, _Walk(rows, u_pb[:, rows], damping_b[rows], part, law, equations), u_pb, damping_b)
        if not len(rows):
            break
    return u_pb, damping_b


def _moved(problem: Problem | Linked, walk: _Walk, u_pb: np.ndarray, damping_b: np.ndarray) -> np.ndarray:
    # One step of each problem, written into u_pb and damping_b, more damped where it is no better: which are to go on.
    onward = []
    for _ in range(TRIES):
        step_pb, promised_b = _turned(problem, walk)
        trial_pb = problem.inside(walk.u_pb + step_pb)
        better_b = problem.value(trial_pb, walk.sample) < walk.law.value_b * (1 - LEAST_GAIN)
        good = walk.row_b[better_b]
        u_pb[:, good] = trial_pb[:, better_b]
        damping_b[good] = np.maximum(walk.damping_b[better_b] * LESS, LEAST_DAMPING)
        is_near_b = (promised_b <= SETTLED * walk.law.value_b) & (walk.damping_b <= TIGHT)
        far_b = ~is_near_b & (walk.damping_b < MOST_DAMPING)
        onward.append(walk.row_b[better_b & far_b])
        if not (~better_b & far_b).any():
            return np.concatenate(onward)
        walk = walk.take(~better_b & far_b)
        walk = replace(walk, damping_b=np.maximum(walk.damping_b, 1e-8) * MORE)
        damping_b[walk.row_b] = walk.damping_b
    return np.concatenate([*onward, walk.row_b])


def _turned(problem: Problem | Linked, walk: _Walk) -> tuple[np.ndarray, np.ndarray]:
    # The damped step with the turn that the law's bend along it asks for, (p, b), and the decrease it promises.
    law, factored = walk.law, walk.equations.factored(walk.damping_b)
    step_pb = factored.step.u_pb
    probed_bn = problem.residuals(problem.inside(walk.u_pb + PROBE * step_pb), walk.sample)
    bend_bn = (2 / PROBE) * ((probed_bn - law.residual_bn) / PROBE - law.along(step_pb))
    turn_pb = factored.answer(law.gathered(-0.5 * law.stiff_bn * bend_bn))
    is_slight_b = walk.equations.length(turn_pb) < MOST_BENT * walk.equations.length(step_pb)
    return np.where(is_slight_b, step_pb + turn_pb, step_pb), factored.step.promised_b

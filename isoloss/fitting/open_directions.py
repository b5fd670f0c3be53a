"""Draws for runs that leave a direction of the parameters open: every draw is solved from a start of its own.

A draw that starts at the optimum of all runs stays beside it, however far the valley goes that it lies in. So each draw
starts anywhere in the law's typical ranges and counts where it ends, if its own runs are met there as well as anywhere:
randomised maximum likelihood (Oliver, He and Reynolds 1996), with the law's ranges for what the runs do not tell.
Shapes: `n` runs, `p` coordinates, `s` draws.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoloss.core.certificate import Certificate
from isoloss.fitting import spread
from isoloss.fitting.linked import Linked
from isoloss.fitting.newton import Posed, Solved, gradually, minimise
from isoloss.fitting.resampling import FEW_STEPS, NUMBERS_AT_ONCE, Basis, Sampler, redrawn, turned
from isoloss.fitting.sample import Sample
from isoloss.fitting.starts import afar
from isoloss.fitting.verdict import TOGETHER

SAMPLERS: dict[str, Sampler] = {"wild": turned, "pairs": redrawn, "cluster": redrawn, "stratified": redrawn}
WORDS = "what the runs leave open is drawn from the law's typical ranges"
AS_GOOD = 2.71  # rise of a draw's objective that counts as none: chi square, one degree of freedom, 90 of 100
ROUNDS = 3  # of starts anew, for draws that ended too high


def is_there(problem: Posed, paper: Certificate) -> bool:
    """Whether some direction is open: seen at the optimum, or because two inputs went together in all runs."""
    if paper.flat:
        return True
    with np.errstate(all="ignore"):
        together_kk = np.abs(np.atleast_2d(np.corrcoef(np.log(problem.x_kn))))
    return bool((together_kk[np.triu_indices(len(together_kk), 1)] > TOGETHER).any())


def along(basis: Basis, draws: int, sampler: Sampler) -> Solved:
    """Draws along the valley; one whose starts all end too high is the draw that starts at the optimum."""
    rng, starts_rng = (np.random.default_rng([basis.seed, i]) for i in range(2))
    size = max(1, NUMBERS_AT_ONCE // len(basis.problem.y_n))
    parts = []
    for first in range(0, draws, size):
        count = min(size, draws - first)
        parts.append(_spread_out(basis, _widened(basis, sampler(basis, rng, count)), count, starts_rng))
        if basis.progress:
            basis.progress(first + count, draws)
    return Solved.join(parts)


def _widened(basis: Basis, sample: Sample) -> Sample:
    # Straight parts of an objective are too sure of themselves where p coordinates have drawn residuals to zero, as
    # in the wild bootstrap off a valley; here it is the outputs made anew that scatter more.
    if sample.y_bn is None:
        return sample
    problem, u_p, n = basis.problem, basis.from_pb[:, 0], len(np.unique(basis.cluster_n))
    factor = 1 + (1 - spread.curved(problem, u_p)) * (np.sqrt(n / max(n - len(u_p), 1)) - 1)
    exact_n = problem.predicted(u_p)
    if problem.objective.log:
        return replace(sample, y_bn=exact_n * (sample.y_bn / exact_n) ** factor)
    return replace(sample, y_bn=exact_n + factor * (sample.y_bn - exact_n))


def _spread_out(basis: Basis, sample: Sample, draws: int, rng: np.random.Generator) -> Solved:
    problem = basis.problem
    bound = 0.5 * AS_GOOD * spread.worth(problem, basis.from_pb[:, 0])
    kept = minimise(problem, np.repeat(basis.from_pb[:, :1], draws, axis=1), sample, most_steps=FEW_STEPS)
    floor_s, is_far_s = kept.value_b.copy(), np.zeros(draws, bool)
    for round_ in range(ROUNDS):
        rows = np.flatnonzero(~is_far_s)
        if not len(rows):
            break
        again = round_ and is_far_s.any()
        start_ps = kept.u_pb[:, rng.choice(np.flatnonzero(is_far_s), len(rows))] if again else _starts(basis, rows, rng)
        found = gradually(problem, start_ps, sample.take(rows), most_steps=FEW_STEPS)
        floor_s[rows] = np.minimum(floor_s[rows], found.value_b)
        is_good_s = found.value_b <= floor_s[rows] + bound
        kept = _replaced(kept, rows[is_good_s], found.take(is_good_s))
        is_far_s[rows[is_good_s]] = True
    return kept


def _starts(basis: Basis, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    problem, count = basis.problem, len(rows)
    parts = problem.parts if isinstance(problem, Linked) else (problem,)
    names, formula = problem.law.names, problem.law.formula
    unit_qs = rng.random((len([name for name in names if name not in formula.linear]), count))
    each = [afar(part, unit_qs) for part in parts]
    return problem.gathered(each) if isinstance(problem, Linked) else each[0]


def _replaced(kept: Solved, rows: np.ndarray, found: Solved) -> Solved:
    made = Solved(kept.u_pb.copy(), kept.value_b.copy(), kept.converged_b.copy(), kept.start_pb.copy())
    made.u_pb[:, rows], made.start_pb[:, rows] = found.u_pb, found.start_pb
    made.value_b[rows], made.converged_b[rows] = found.value_b, True
    return made

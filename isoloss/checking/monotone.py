"""R6: is every larger and longer run better?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import pointing, rungs
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.checking.diverged import threshold
from isoloss.checking.noise_floor import replicated
from isoloss.core.finding import Finding

LEAST, USUAL = 0.0004, 0.005  # what seeds are taken to move a loss by, at least and at most, where none were repeated
LEAST_FREEDOM = 3


@diagnosis("R6", "is every larger and longer run better?", quick=True)
def monotone(case: Case) -> Seen:
    """A larger model that has seen more is better, or something else differs between the two.

    Each loss is held against the lowest one of smaller and shorter runs of the same kind; the best of runs that repeat
    a design counts. More above it than 2 sqrt(2 log n) standard deviations of a single run is amber: the best and the
    worst of n like runs are hardly further apart by chance. The deviation is that of repeated seeds, else the scatter
    about the law, taken as 0.04% at least and 0.5% at most. A ladder whose 53M model was worse than its 32M model,
    3.472 against 3.376, was fitted all the same and was 18% off at 163M.
    """
    reached_n = pointing.output(case)
    if case.law.output.name not in pointing.FALLING:
        return Unseen(f"{case.law.output.name} is not known to fall with size and data")
    if reached_n is None or len(reached_n) < 3:
        return Unseen(f"fewer than three runs have a {case.law.output.name}")
    above_n, whose_n = rungs.above(case, _best(case, rungs.comparable(case)))
    noise = _noise(case)
    limit = noise * 2 * np.sqrt(2 * np.log(len(reached_n)))
    worse = np.flatnonzero((above_n > limit) & (above_n <= threshold(case)))
    if not len(worse):
        most = float(np.max(above_n, initial=-np.inf))
        told = "no run has a smaller and shorter one beside it" if np.isinf(most) else f"{np.expm1(most):+.1%} at most"
        return Fine(f"larger and longer runs against the best of smaller and shorter ones: {told}")
    worse = worse[np.argsort(-above_n[worse], kind="stable")]
    i, j = int(worse[0]), int(whose_n[worse[0]])
    told = f"{pointing.run(case, i)} with {reached_n[i]:.4g} than {pointing.run(case, j)} with {reached_n[j]:.4g}"
    sentence = (
        f"{pointing.are(len(worse), len(reached_n))} worse than a smaller and shorter one: first {told}, "
        f"by {above_n[i]:.1%}, {above_n[i] / noise:.2g} times the noise of a run."
    )
    fix = f"Compare their learning rates and batches, and repeat the worst with another seed{pointing.cost(case, [i])}."
    return [Finding("R6", "amber", sentence, float(above_n[i]), fix)]


def _noise(case: Case) -> float:
    noise, freedom, _ = replicated(case)
    if freedom >= LEAST_FREEDOM:
        return max(noise, LEAST)
    about = pointing.scatter(case)
    return USUAL if np.isnan(about) else float(np.clip(about, LEAST, USUAL))


def _best(case: Case, reached_n: np.ndarray) -> np.ndarray:
    # The loss of each run that is the best of its size and length, NaN for the others.
    scales = [case.runs[name] for name in (pointing.size(case), "tokens", "steps") if name and name in case.runs]
    code_n = pointing.numbered(len(reached_n), [pointing.kind(case), *scales])
    best_c = np.full(int(code_n.max(initial=0)) + 1, np.inf)
    np.fmin.at(best_c, code_n, reached_n)
    return np.where(reached_n == best_c[code_n], reached_n, np.nan)

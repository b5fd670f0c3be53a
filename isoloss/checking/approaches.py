"""C6: do isoFLOP profiles and the law of all runs agree?"""

from __future__ import annotations

import numpy as np

from isoloss.checking.answers import LEVEL, answers, at, factor, settled, size_of, target
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.fitting.isoflop import isoflop

DRAWS = 200
APART = 1.5  # times in the best size: a disagreement, however wide the intervals are


@diagnosis("C6", "do isoFLOP profiles and the law of all runs agree?")
def approaches(case: Case) -> Seen:
    """Chinchilla's approach 2 looks at valleys, its approach 3 at a surface: where both are right, they agree.

    Where the runs share compute budgets, power laws through the lowest points of the profiles are set beside the fitted
    law. Amber where the 90% intervals of the exponent have nothing in common, or where the best sizes for the compute
    in question differ by a factor of 1.5 or more: wide intervals that overlap are no agreement when the plans are
    twice apart. Besiroglu et al. 2024 (arXiv 2404.10102) found an error in a published fit by this comparison.
    """
    fit = settled(case)
    flops = target(case)
    size = size_of(fit.law)
    frontier = isoflop(case.runs, size=size, output=fit.law.output.name, draws=DRAWS, flops=flops)
    surface, valley = answers(fit, flops), _along(frontier.size, flops)
    if not np.isfinite(surface.size_t[0]):
        return Unseen("a best size of the law at the compute in question")
    apart, is_disjoint = factor(surface.size_t[0], valley.mid), _are_disjoint(surface.exponent, frontier.exponent)
    sentence = (
        f"Best {size} {at(flops)}: the law says {surface.size}, exponent {surface.exponent}; isoFLOP profiles say "
        f"{valley}, exponent {frontier.exponent}: {apart:.2f} times apart"
        + (", and the exponents' intervals have nothing in common." if is_disjoint else ".")
    )
    if apart < APART and not is_disjoint:
        return Fine(sentence)
    bias = f" The profiles' own bias there is {frontier.bias.size:+.0%}." if frontier.bias else ""
    fix = "Take the range of both for the plan, and look at C2 and C4: one of the two forms is wrong here."
    return [Finding("C6", "amber", sentence + bias, apart, fix)]


def _along(size: Fit, flops: float) -> Estimate:
    x_k1 = np.array([[flops]])
    return Estimate.of(float(size.law.value(x_k1, size.theta_p)[0]), size.law.value(x_k1, size.draws_sp)[:, 0], LEVEL)


def _are_disjoint(one: Estimate, other: Estimate) -> bool:
    if not (one.known and other.known):
        return False
    return bool(one.low > other.high or other.low > one.high)

"""The near-optimal region at a budget: how far the size may stray for how little loss, and what it trains on there.

Shapes: `t` parameter sets, the best estimate and then the draws.
"""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, roots
from isoloss.planning.goals import Flops, Within
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.surface import Surface, columns_of

USUAL = (0.001, 0.005, 0.01)  # shares of the best loss, for those who have no other in mind


@question
def near_optimal(fit: Fit | Frontier, level: float, *, flops: Flops, within: Within) -> Plan:
    """The sizes within a share of the best loss, and what they train on.

    For one budget: the best size, and for each share of `within` ("0.1%", 0.005 or a list) the smallest and the
    largest size on 6 N D = C whose loss is at most so much above the best. Each draw is measured against its own best.
    Raises RequestError for several budgets, and for laws that tell no loss for a size and data.
    """
    shares = answers.several(within, "shares of loss")
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    budget = answers.number(flops, "budget", cost.total(1, 1))
    theta_tp = answers.sets(fit)
    best_t = best_sizes(fit.law, theta_tp, np.full(len(theta_tp), budget))
    if np.isnan(best_t[0]):
        raise RequestError(f"This fit has no best size for {numbers.short(budget)} FLOP.", do="Look at its findings.")
    options = [_option(fit, surface, budget, best_t, best_t, level, "best")]
    for share in shares:
        low_t, high_t = region(surface, theta_tp, budget, best_t, share)
        options.append(_option(fit, surface, budget, low_t, best_t, level, f"smallest within {share:.3g}"))
        options.append(_option(fit, surface, budget, high_t, best_t, level, f"largest within {share:.3g}"))
    assumptions = answers.with_curve(fit, surface, "each draw is within the share of its own best")
    ends = np.array([option[surface.size_name].mid for option in options])
    findings = (
        *fit.findings,
        *answers.reach(fit, surface, ends, cost.partner(budget, ends)),
        *answers.lost(best_t, f"best size for {numbers.short(budget)} FLOP"),
    )
    goal = f"sizes near the best for {numbers.short(budget)} training FLOP"
    return Plan(goal, tuple(options), level, assumptions, findings)


def region(
    surface: Surface, theta_tp: np.ndarray, flops: float, best_t: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest size (t,) around the best whose loss is at most `share` above it.

    Where a curve never rises so far, the end is one parameter or one token.
    """
    columns = columns_of(theta_tp)
    limit_t = (1 + share) * surface.value(columns, best_t, cost.partner(flops, best_t))

    def over(log_size_t: np.ndarray) -> np.ndarray:
        size_t = np.exp(log_size_t)
        return np.log(surface.value(columns, size_t, cost.partner(flops, size_t))) - np.log(limit_t)

    centre_t, one_t = np.log(best_t), np.zeros(len(best_t))
    with np.errstate(all="ignore"):
        low_t, high_t = (
            np.where(over(end_t) <= 0, np.exp(end_t), np.exp(roots.between(over, centre_t, end_t)))
            for end_t in (one_t, one_t + np.log(cost.partner(flops, 1.0)))
        )
    return low_t, high_t


def _option(
    fit: Fit, surface: Surface, flops: float, sizes_t: np.ndarray, best_t: np.ndarray, level: float, label: str
) -> Option:
    tokens_t = cost.partner(flops, sizes_t)
    columns = columns_of(answers.sets(fit))
    loss_t = surface.value(columns, sizes_t, tokens_t)
    least_t = surface.value(columns, best_t, cost.partner(flops, best_t))
    others = {fit.law.output.name: loss_t, "loss_above_best": loss_t / least_t - 1, "size_ratio": sizes_t / best_t}
    run = answers.run(surface, sizes_t, tokens_t, **others)
    return answers.option({**run, "flops": flops}, level, label)

"""The question of a loss: the least compute that reaches it, with the size and the data to spend it on.

Shapes: `t` parameter sets, the best estimate and then the draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Plan
from isoloss.planning import answers, cost
from isoloss.planning.goals import TargetLoss
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.spending import MOST, frontier, least_loss, needed_flops
from isoloss.planning.surface import Surface


@question
def cheapest(fit: Fit | Frontier, level: float, *, loss: TargetLoss) -> Plan:
    """The cheapest run that reaches a loss: compute, size and data.

    The inverse of the question of a budget: each draw reaches the loss with its own compute, at its own best size. A
    law of compute alone tells the compute; a frontier of isoFLOP profiles or curves tells size and tokens too.
    Raises RequestError where no compute reaches the loss, or the law tells no loss for a budget.
    """
    target = answers.number(loss, "loss")
    law_fit = fit.loss if isinstance(fit, Frontier) else fit
    if frontier(law_fit.law) is None:
        answers.surface_of(fit)
    theta_tp = answers.sets(law_fit)
    flops_t = needed_flops(law_fit.law, theta_tp, np.array([target]))
    require_reachable(law_fit, flops_t[0], target)
    values, assumptions = _spent(fit, theta_tp, flops_t)
    outcome = law_fit.law.output.name
    options = (answers.option({**values, "flops": flops_t, outcome: target}, level),)
    findings = (*fit.findings, *answers.lost(flops_t, f"compute that reaches {target:g}", "Q2"))
    said = ("the loss is that of the mean curve, not of one new run",) if len(law_fit.draws_sp) else ()
    goal = f"least compute to a {outcome} of {target:g}"
    return Plan(goal, options, level, (*assumptions, *said), (*findings, *_reach(fit, values, flops_t)))


def require_reachable(fit: Fit, needed: float, target: float) -> None:
    """Raise RequestError where no compute takes the best estimate to the target."""
    if np.isfinite(needed):
        return
    last = float(least_loss(fit.law, fit.theta_p[None], MOST / 10)[0])
    raise RequestError(
        f"No compute takes this fit to {target:g}.",
        f"With the law '{fit.law.name}' the {fit.law.output.name} ends at {last:.4g}.",
        "Ask for a higher loss.",
    )


def _spent(fit: Fit | Frontier, theta_tp: np.ndarray, flops_t: np.ndarray) -> tuple[dict[str, Any], tuple[str, ...]]:
    if isinstance(fit, Frontier):
        (count,), size = fit.size.law.columns, fit.size.law.output.name
        columns = [answers.sets(part) for part in (fit.size, fit.tokens)]
        seen_t = flops_t * cost.COUNTS[count].of_budget
        sizes_t, tokens_t = (
            part.law.formula.value([seen_t], list(theta.T))
            for part, theta in zip((fit.size, fit.tokens), columns, strict=True)
        )
        return _run(size, sizes_t, tokens_t), fit.stated()
    surface = Surface.of(fit.law)
    if surface is None:
        because = cost.COUNTS[fit.law.columns[0]].because
        return {}, (*fit.stated(), *((because,) if because else ()))
    sizes_t = best_sizes(fit.law, theta_tp, np.where(np.isfinite(flops_t), flops_t, np.nan))
    return _run(surface.size_name, sizes_t, cost.partner(flops_t, sizes_t)), (
        *fit.stated(),
        cost.stated(surface.size_name),
    )


def _run(size: str, sizes_t: np.ndarray, tokens_t: np.ndarray) -> dict[str, Any]:
    return {size: sizes_t, "tokens": tokens_t, "tokens_per_param": tokens_t / sizes_t}


def _reach(fit: Fit | Frontier, values: dict[str, Any], flops_t: np.ndarray) -> tuple[Any, ...]:
    of = fit.size if isinstance(fit, Frontier) else fit
    known = {name: value[:1] for name, value in values.items() if name != "tokens_per_param"}
    size = next(iter(values), "params")
    count = of.law.columns[0] if of.law.columns[0] in cost.COUNTS else cost.count_of_compute(size)
    share = cost.COUNTS[count].of_budget
    return of.reach({**known, count: flops_t[:1] * share})

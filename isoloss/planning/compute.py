"""The question of a budget, how large a model on how much data to what loss, and its inverse: what a loss costs.

Shapes: `s` draws, `p` parameters, `m` budgets, `t` parameter sets: the best estimate and then the draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss.core import law as laws
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.family import Family
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.law import Law
from isoloss.core.plan import Option, Plan
from isoloss.core.prediction import Kind
from isoloss.planning import answers, cost, kaplan
from isoloss.planning.closed_forms import CLOSED_FORMS
from isoloss.planning.counts import in_every_count
from isoloss.planning.goals import FamilyOfShapes, Flops
from isoloss.planning.iso_cost import best_sizes_along
from isoloss.planning.questions import question
from isoloss.planning.surface import LOWER_IS_BETTER, Surface


@question
def compute(fit: Fit | Frontier, level: float, *, flops: Flops, family: FamilyOfShapes = None) -> Plan:
    """The best size and data for a training budget, and the loss there.

    From a law of size and data the optimum along 6 N D = C, with the loss of a run there; from a law of the best size
    (or data) against compute, that size and C / 6 N, without a loss; from Kaplan's frontier, size, batch, steps and
    where to stop; from a frontier of isoFLOP profiles or curves, its size, tokens and loss. `flops` is a budget or a
    list of them, one option each. With a `family` of shapes ("vocab=50257,aspect=64") the size is told in every count
    of parameters. Raises RequestError for a budget that is not positive, for any other law, and where there is no
    optimum.
    """
    flops_m = answers.budgets(flops)
    family = Family.read(family) if isinstance(family, str) else family
    return in_every_count(_answered(fit, level, flops_m), family)


def plans(law: Law) -> bool:
    """Whether a fit of `law` can answer this question."""
    return _is_surface(law) or _is_allocation(law) or kaplan.is_frontier(law)


def _answered(fit: Fit | Frontier, level: float, flops_m: np.ndarray) -> Plan:
    if isinstance(fit, Frontier):
        return _along_frontier(fit, level, flops_m)
    if _is_surface(fit.law):
        return _on_surface(fit, level, flops_m)
    if _is_allocation(fit.law):
        return _by_allocation(fit, level, flops_m)
    if kaplan.is_frontier(fit.law):
        return kaplan.efficient(fit, level, flops=flops_m)
    raise RequestError(
        f"The law '{fit.law.name}' of {fit.law.output.name} against {' and '.join(fit.law.columns)} tells no best size "
        "for a budget.",
        f"Laws that do: {', '.join(name for name, law in laws.every().items() if plans(law))}.",
        "Fit one of them, or name a published one: isoloss published.",
    )


def _is_surface(law: Law) -> bool:
    return Surface.of(law) is not None and law.output.name in LOWER_IS_BETTER


def _is_allocation(law: Law) -> bool:
    return len(law.columns) == 1 and law.columns[0] in cost.COUNTS and law.output.name in (*cost.SIZES, "tokens")


def _on_surface(fit: Fit, level: float, flops_m: np.ndarray) -> Plan:
    surface = answers.surface_of(fit)
    sizes_tm = best_sizes_along(fit.law, answers.sets(fit), flops_m)
    _require_an_optimum(fit, sizes_tm[0], flops_m)
    outcome = fit.predict(level=level, **surface.inputs(sizes_tm[0], cost.partner(flops_m, sizes_tm[0])))
    options = _options(surface.size_name, flops_m, sizes_tm, level, {fit.law.output.name: outcome.estimate})
    assumptions = (*outcome.assumptions, cost.stated(surface.size_name), *_beyond_the_fit(fit, outcome.kind, surface))
    reach = (*outcome.findings, *fit.reach({cost.count_of_compute(surface.size_name): flops_m}))
    return _plan(flops_m, options, level, assumptions, (*fit.findings, *reach, *_lost_draws(sizes_tm[1:])))


def _beyond_the_fit(fit: Fit, kind: Kind, surface: Surface) -> tuple[str, ...]:
    known = CLOSED_FORMS.get(fit.law.name)
    remarks = [known.remark] if known and known.remark else []
    if not surface.bare:
        remarks.append("every token is new; with unique_tokens=... there are so many and no more")
    if len(fit.draws_sp):
        whose = "one new run" if kind == "run" else "the mean curve"
        remarks.append(f"the interval of {fit.law.output.name} is that of {whose} at the best estimate's size and data")
    return tuple(remarks)


def _by_allocation(fit: Fit, level: float, flops_m: np.ndarray) -> Plan:
    (count,), named = fit.law.columns, fit.law.output.name
    share = cost.COUNTS[count]
    seen_m = flops_m * share.of_budget
    with np.errstate(over="ignore", under="ignore"):
        named_tm = fit.law.value(seen_m[None, :], answers.sets(fit))
    partner_tm = cost.partner(flops_m, named_tm)
    size, sizes_tm = (cost.size_behind(count), partner_tm) if named == "tokens" else (named, named_tm)

    options = _options(size, flops_m, sizes_tm, level, {})
    because = (share.because,) if share.because else ()
    assumptions = (*fit.stated(), *because, cost.stated(size), "no loss: this law tells sizes alone")
    reach = fit.reach({size: sizes_tm[0], "tokens": cost.partner(flops_m, sizes_tm[0]), count: seen_m})
    return _plan(flops_m, options, level, assumptions, (*fit.findings, *reach))


def _along_frontier(frontier: Frontier, level: float, flops_m: np.ndarray) -> Plan:
    (count,), size = frontier.size.law.columns, frontier.size.law.output.name
    share = cost.COUNTS[count]
    seen_m = flops_m * share.of_budget
    sizes_tm, tokens_tm = (
        part.law.value(seen_m[None, :], answers.sets(part)) for part in (frontier.size, frontier.tokens)
    )
    inputs: Mapping[str, Any] = {count: seen_m}
    outcome = frontier.predict(level=level, **inputs)
    options = _options(size, flops_m, sizes_tm, level, {outcome.quantity: outcome.estimate}, tokens_tm)
    because = (share.because,) if share.because else ()
    whose = ("the interval of the outcome is that of one new run",) if outcome.kind == "run" else ()
    reach = frontier.size.reach({size: sizes_tm[0], "tokens": tokens_tm[0], count: seen_m})
    assumptions = (*outcome.assumptions, *because, *whose)
    return _plan(flops_m, options, level, assumptions, (*frontier.findings, *reach))


def _options(
    size: str,
    flops_m: np.ndarray,
    sizes_tm: np.ndarray,
    level: float,
    outcome: Mapping[str, Estimate],
    data_tm: np.ndarray | None = None,
) -> list[Option]:
    tokens_tm: np.ndarray = cost.partner(flops_m, sizes_tm) if data_tm is None else data_tm
    over_budgets = {
        size: answers.estimate(sizes_tm, level),
        "tokens": answers.estimate(tokens_tm, level),
        "tokens_per_param": answers.estimate(tokens_tm / sizes_tm, level),
        "flops": Estimate(flops_m, flops_m, flops_m),
        **outcome,
    }
    return [Option({name: estimate[i] for name, estimate in over_budgets.items()}) for i in range(len(flops_m))]


def _plan(
    flops_m: np.ndarray,
    options: list[Option],
    level: float,
    assumptions: tuple[str, ...],
    findings: tuple[Finding, ...],
) -> Plan:
    budgets = [numbers.short(float(v)) for v in flops_m]
    if len(budgets) > 1:
        options = [replace(option, label=f"{b} FLOP") for option, b in zip(options, budgets, strict=True)]
    return Plan(f"best use of {', '.join(budgets)} training FLOP", tuple(options), level, assumptions, findings)


def _require_an_optimum(fit: Fit, sizes_m: np.ndarray, flops_m: np.ndarray) -> None:
    none = np.flatnonzero(np.isnan(sizes_m))
    if len(none):
        values = ", ".join(f"{name} = {value:.4g}" for name, value in fit.theta.items())
        raise RequestError(
            f"This fit has no best size for {numbers.short(float(flops_m[none[0]]))} FLOP: along 6 N D = C, from one "
            f"parameter to one token, its {fit.law.output.name} has no lowest point.",
            f"The law '{fit.law.name}' with {values}.",
            "Look at the fit's findings; runs that vary size and data apart would tell them apart.",
        )


def _lost_draws(sizes_sm: np.ndarray) -> tuple[Finding, ...]:
    if not len(sizes_sm):
        return ()
    count = int(np.isnan(sizes_sm).any(axis=1).sum())
    if count == 0:
        return ()
    share = count / len(sizes_sm)
    sentence = f"{count} of {len(sizes_sm)} draws have no best size for a budget and are left out of its intervals."
    if share <= answers.FEW:
        return (Finding("Q1", "note", sentence, share),)
    fix = "The data hardly tell what size or what data buys; add runs that vary them apart."
    return (Finding("Q1", "amber", sentence, share, fix),)

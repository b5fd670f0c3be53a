"""The question of a budget: so many FLOP to train with, how large a model, on how much data, to what loss.

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
from isoloss.core.family import COUNTS, Family
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.law import Law
from isoloss.core.plan import Option, Plan
from isoloss.core.prediction import Kind
from isoloss.planning import cost
from isoloss.planning.closed_forms import CLOSED_FORMS
from isoloss.planning.iso_cost import best_sizes, size_and_data
from isoloss.planning.questions import question

LOWER_IS_BETTER = ("loss", "bits_per_byte", "error")
FEW = 0.05  # the share of draws that may lack an optimum before the intervals are suspect


@question
def compute(fit: Fit | Frontier, level: float, *, flops: Any, family: Family | str | None = None) -> Plan:
    """The best size and data for a training budget in FLOP, or a list of budgets.

    From a law of size and data the optimum along 6 N D = C, with the loss of a run there; from a law of the best size
    (or data) against compute, that size and C / 6 N, without a loss; from a frontier, its size, tokens and loss there.
    One option a budget. With a `family` of shapes
    ("vocab=50257,aspect=64") the size is told in every count of parameters.
    Raises RequestError for a budget that is not positive, for any other law, and where there is no optimum.
    """
    flops_m = _budgets(flops)
    family = Family.read(family) if isinstance(family, str) else family
    if isinstance(fit, Frontier):
        return _in_every_count(_along_frontier(fit, level, flops_m), family)
    if _is_surface(fit.law):
        return _in_every_count(_on_surface(fit, level, flops_m), family)
    if _is_allocation(fit.law):
        return _in_every_count(_by_allocation(fit, level, flops_m), family)
    raise RequestError(
        f"The law '{fit.law.name}' of {fit.law.output.name} against {' and '.join(fit.law.columns)} tells no best size "
        "for a budget.",
        f"Laws that do: {', '.join(name for name, law in laws.every().items() if plans(law))}.",
        "Fit one of them, or name a published one: isoloss published.",
    )


def plans(law: Law) -> bool:
    """Whether a fit of `law` can answer this question."""
    return _is_surface(law) or _is_allocation(law)


def _is_surface(law: Law) -> bool:
    return size_and_data(law) is not None and law.output.name in LOWER_IS_BETTER


def _is_allocation(law: Law) -> bool:
    return len(law.columns) == 1 and law.columns[0] in cost.COUNTS and law.output.name in (*cost.SIZES, "tokens")


def _budgets(flops: Any) -> np.ndarray:
    flops_m = np.array([numbers.parse(v) for v in np.atleast_1d(np.asarray(flops, object))])
    if not len(flops_m):
        raise RequestError("The list of budgets is empty.", do="Give at least one: flops=1e24.")
    for value in flops_m:
        if not (np.isfinite(value) and cost.partner(value, 1.0) > 1):
            raise RequestError(
                f"A budget of {value:g} FLOP trains nothing.",
                f"One parameter on one token costs {cost.total(1, 1):g} FLOP.",
                "Give the budget in FLOP, for example flops=1e24.",
            )
    return flops_m


def _on_surface(fit: Fit, level: float, flops_m: np.ndarray) -> Plan:
    size = next(name for name in fit.law.columns if name in cost.SIZES)
    theta_tp = np.vstack([fit.theta_p, fit.draws_sp])
    t, m = len(theta_tp), len(flops_m)
    sizes_tm = best_sizes(fit.law, np.repeat(theta_tp, m, axis=0), np.tile(flops_m, t)).reshape(t, m)
    _require_an_optimum(fit, sizes_tm[0], flops_m)

    best = {size: sizes_tm[0], "tokens": cost.partner(flops_m, sizes_tm[0])}
    outcome = fit.predict(level=level, **best)
    options = [
        _option(size, flops_m[i], sizes_tm[:, i], level, {fit.law.output.name: outcome.estimate[i]}) for i in range(m)
    ]
    assumptions = (*outcome.assumptions, cost.stated(size), *_beyond_the_fit(fit, outcome.kind))
    reach = (*outcome.findings, *fit.reach({cost.count_of_compute(size): flops_m}))
    return _plan(flops_m, options, level, assumptions, (*fit.findings, *reach, *_lost_draws(sizes_tm[1:])))


def _beyond_the_fit(fit: Fit, kind: Kind) -> tuple[str, ...]:
    known = CLOSED_FORMS.get(fit.law.name)
    remark = (known.remark,) if known and known.remark else ()
    whose = "one new run" if kind == "run" else "the mean curve"
    interval = f"the interval of {fit.law.output.name} is that of {whose} at the best estimate's size and data"
    return (*remark, interval) if len(fit.draws_sp) else remark


def _by_allocation(fit: Fit, level: float, flops_m: np.ndarray) -> Plan:
    (count,), named = fit.law.columns, fit.law.output.name
    share = cost.COUNTS[count]
    seen_m = flops_m * share.of_budget
    with np.errstate(over="ignore", under="ignore"):
        named_tm = fit.law.value(seen_m[None, :], np.vstack([fit.theta_p, fit.draws_sp]))
    partner_tm = cost.partner(flops_m, named_tm)
    size, sizes_tm = (cost.size_behind(count), partner_tm) if named == "tokens" else (named, named_tm)

    options = [_option(size, flops_m[i], sizes_tm[:, i], level, {}) for i in range(len(flops_m))]
    because = (share.because,) if share.because else ()
    assumptions = (*fit.stated(), *because, cost.stated(size), "no loss: this law tells sizes alone")
    reach = fit.reach({size: sizes_tm[0], "tokens": cost.partner(flops_m, sizes_tm[0]), count: seen_m})
    return _plan(flops_m, options, level, assumptions, (*fit.findings, *reach))


def _along_frontier(frontier: Frontier, level: float, flops_m: np.ndarray) -> Plan:
    (count,), size = frontier.size.law.columns, frontier.size.law.output.name
    share = cost.COUNTS[count]
    seen_m = flops_m * share.of_budget
    sizes_tm, tokens_tm = (
        part.law.value(seen_m[None, :], np.vstack([part.theta_p, part.draws_sp]))
        for part in (frontier.size, frontier.tokens)
    )
    inputs: Mapping[str, Any] = {count: seen_m}
    outcome = frontier.predict(level=level, **inputs)
    options = [
        _option(
            size,
            flops_m[i],
            sizes_tm[:, i],
            level,
            {outcome.quantity: outcome.estimate[i]},
            data_t=tokens_tm[:, i],
        )
        for i in range(len(flops_m))
    ]
    because = (share.because,) if share.because else ()
    whose = ("the interval of the outcome is that of one new run",) if outcome.kind == "run" else ()
    reach = frontier.size.reach({size: sizes_tm[0], "tokens": tokens_tm[0], count: seen_m})
    assumptions = (*outcome.assumptions, *because, *whose)
    return _plan(flops_m, options, level, assumptions, (*frontier.findings, *reach))


def _in_every_count(planned: Plan, family: Family | None) -> Plan:
    if family is None:
        return planned
    options = [replace(option, estimates=_counted(option.estimates, family)) for option in planned.options]
    stated = f"counts of parameters converted for shapes of {family}"
    return replace(planned, options=tuple(options), assumptions=(*planned.assumptions, stated))


def _counted(estimates: Mapping[str, Estimate], family: Family) -> Mapping[str, Estimate]:
    known = next((name for name in estimates if name in COUNTS), None)
    if known is None:
        return estimates
    size = estimates[known]
    ends = (size.mid, size.low, size.high)
    others = {
        name: Estimate(*(float(family.convert(v, known, name)) if np.isfinite(v) else v for v in ends))
        for name in COUNTS
        if name != known
    }
    return {known: size, **others, **{n: e for n, e in estimates.items() if n != known}}


def _option(
    size: str,
    flops: float,
    sizes_t: np.ndarray,
    level: float,
    outcome: Mapping[str, Estimate],
    data_t: np.ndarray | None = None,
) -> Option:
    kept_t = sizes_t[np.isfinite(sizes_t)]
    tokens_t: np.ndarray = cost.partner(flops, kept_t) if data_t is None else data_t

    def estimate(values_t: np.ndarray) -> Estimate:
        return Estimate.of(values_t[0], values_t[1:], level)

    estimates = {
        size: estimate(kept_t),
        "tokens": estimate(tokens_t),
        "tokens_per_param": estimate(tokens_t / kept_t),
        "flops": Estimate(float(flops), float(flops), float(flops)),
        **outcome,
    }
    return Option(estimates)


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
    lost = np.flatnonzero(np.isnan(sizes_m))
    if len(lost):
        values = ", ".join(f"{name} = {value:.4g}" for name, value in fit.theta.items())
        raise RequestError(
            f"This fit has no best size for {numbers.short(float(flops_m[lost[0]]))} FLOP: along 6 N D = C, from one "
            f"parameter to one token, its {fit.law.output.name} has no lowest point.",
            f"The law '{fit.law.name}' with {values}.",
            "Look at the fit's findings; runs that vary size and data apart would tell them apart.",
        )


def _lost_draws(sizes_sm: np.ndarray) -> tuple[Finding, ...]:
    if not len(sizes_sm):
        return ()
    lost = int(np.isnan(sizes_sm).any(axis=1).sum())
    if lost == 0:
        return ()
    share = lost / len(sizes_sm)
    sentence = f"{lost} of {len(sizes_sm)} draws have no best size for a budget and are left out of its intervals."
    if share <= FEW:
        return (Finding("Q1", "note", sentence, share),)
    fix = "The data hardly tell what size or what data buys; add runs that vary them apart."
    return (Finding("Q1", "amber", sentence, share, fix),)

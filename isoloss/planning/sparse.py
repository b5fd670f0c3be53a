"""Routed models: active size, data and experts for a budget and a memory, and the dense model of the same worth.

A routed model of E experts a layer, one of which a token passes, has about (4 + 9 E) / 13 times its active parameters
in all: attention 4 n d^2, each expert 9 n d^2, embeddings left out (Ludziejewski et al. 2025, section 3).
Shapes: `t` parameter sets, the best estimate and then the draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, roots
from isoloss.planning.goals import Experts, Flops, GivenParams, GivenTokens, MostParams
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.surface import LOG_MOST, Surface, columns_of

COUNTED = "parameters in all are (4 + 9 E) / 13 times the active ones: embeddings and the router left out"
SIZES = (*cost.SIZES, "dense_params")


@question
def routed(
    fit: Fit | Frontier, level: float, *, flops: Flops, experts: Experts, most_params: MostParams = None
) -> Plan:
    """Active size and data at so many experts, and the dense model beside them.

    One option for each number of experts, the lowest loss first; `most_params` limits the parameters in all. Each has
    the size of the dense model that reaches its loss on its tokens (`dense_params`), and the losses of dense models
    that cost the same: to train (`dense_best_loss`, the best size for the budget), to train and serve (`dense_loss`, as
    many parameters as are active, the same tokens) and in memory (`dense_in_memory_loss`, as many parameters as there
    are in all, the same budget).
    Raises RequestError for a law without experts.
    """
    budget = answers.number(flops, "budget", cost.total(1, 1))
    most = np.inf if most_params is None else answers.number(most_params, "number of parameters")
    _require_experts(fit)
    assert isinstance(fit, Fit)
    wanted = answers.several(experts, "numbers of experts", 1 - 1e-12)
    options = sorted((_routed(fit, budget, E, most, level) for E in wanted), key=lambda o: o[fit.law.output.name].mid)
    within = f" within {numbers.short(most)} parameters" if np.isfinite(most) else ""
    said = answers.with_curve(fit, _surface(fit, 1.0), COUNTED)
    seen = {"experts": np.array(wanted), "tokens": np.array([option.tokens.mid for option in options])}
    findings = (*fit.findings, *fit.reach(seen))
    goal = f"routed models for {numbers.short(budget)} training FLOP{within}"
    return Plan(goal, tuple(options), level, said, findings)


@question
def dense_worth(
    fit: Fit | Frontier, level: float, *, params: GivenParams, experts: Experts, tokens: GivenTokens = None
) -> Plan:
    """The dense model that is worth a routed one of so many active parameters.

    On the same tokens: those of the law, or those given where it has them as an input. Clark et al. 2022.
    """
    if isinstance(fit, Frontier) or "experts" not in fit.law.columns:
        _refuse(fit)
    assert isinstance(fit, Fit)
    size = answers.number(params, "size")
    others = {} if tokens is None else {"tokens": answers.number(tokens, "number of tokens")}
    lacking = set(fit.law.columns) - {"experts", *SIZES} - others.keys()
    if lacking:
        raise RequestError(
            f"The law '{fit.law.name}' needs {' and '.join(sorted(lacking))} too.", do="Give it as well."
        )
    options = []
    for E in answers.several(experts, "numbers of experts", 1 - 1e-12):
        worth_t = _dense(fit, np.full(1 + len(fit.draws_sp), size), E, others)
        name = next(name for name in fit.law.columns if name in SIZES)
        values = {name: size, "experts": E, "effective_params": worth_t, "worth": worth_t / size}
        options.append(answers.option(values, level, f"experts: {E:g}"))
    goal = f"the dense worth of routed models of {numbers.short(size)} active parameters"
    return Plan(goal, tuple(options), level, fit.stated(), fit.findings)


def total_params(active: Any, experts: float) -> Any:
    """All parameters of a routed model from the active ones, embeddings left out."""
    return active * (4 + 9 * experts) / 13


def _routed(fit: Fit, budget: float, experts: float, most: float, level: float) -> Option:
    surface, dense = _surface(fit, experts), _surface(fit, 1.0)
    theta_tp = answers.sets(fit)
    columns = columns_of(theta_tp)
    best_t = best_sizes(fit.law, theta_tp, np.full(len(theta_tp), budget), surface.held)
    if np.isnan(best_t[0]):
        raise RequestError(f"This fit has no best size for {numbers.short(budget)} FLOP at {experts:g} experts.")
    best_dense_t = best_sizes(fit.law, theta_tp, np.full(len(theta_tp), budget), dense.held)
    sizes_t = np.minimum(best_t, most / total_params(1.0, experts))
    tokens_t, in_all_t = cost.partner(budget, sizes_t), total_params(sizes_t, experts)
    more = {
        "experts": experts,
        "total_params": in_all_t,
        fit.law.output.name: surface.value(columns, sizes_t, tokens_t),
        "dense_params": _dense(fit, sizes_t, experts, {"tokens": tokens_t}),
        "dense_best_loss": dense.value(columns, best_dense_t, cost.partner(budget, best_dense_t)),
        "dense_loss": dense.value(columns, sizes_t, tokens_t),
        "dense_in_memory_loss": dense.value(columns, in_all_t, cost.partner(budget, in_all_t)),
    }
    run = answers.run(surface, sizes_t, tokens_t, **more)
    return answers.option({**run, "flops": budget}, level, f"experts: {experts:g}")


def _dense(fit: Fit, sizes_t: np.ndarray, experts: float, others: dict[str, Any]) -> np.ndarray:
    columns = columns_of(answers.sets(fit))

    def loss(sizes: np.ndarray, count: float) -> np.ndarray:
        known = {**others, "experts": count}
        return fit.law.formula.value([known.get(name, sizes) for name in fit.law.columns], columns)

    target_t = loss(sizes_t, experts)

    def gap(log_sizes_t: np.ndarray) -> np.ndarray:
        return np.log(loss(np.exp(log_sizes_t), 1.0)) - np.log(target_t)

    low_t = np.zeros(len(sizes_t))
    with np.errstate(all="ignore"):
        found_t = np.exp(roots.between(gap, low_t, low_t + LOG_MOST))
        return np.where(gap(low_t + LOG_MOST) > 0, np.inf, found_t)


def _surface(fit: Fit, experts: float) -> Surface:
    return answers.surface_of(fit, {"experts": experts})


def _require_experts(fit: Fit | Frontier) -> None:
    if isinstance(fit, Frontier) or "experts" not in fit.law.columns or Surface.of(fit.law, {"experts": 1.0}) is None:
        _refuse(fit)


def _refuse(fit: Fit | Frontier) -> None:
    raise RequestError(
        f"{answers.named(fit)} knows no experts beside a size and data.",
        "Laws that do: joint_routed (published: ludziejewski2025); the dense worth of a size also routed "
        "(clark2022_sbase).",
    )

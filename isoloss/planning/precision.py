"""What fewer bits cost: the loss of a model whose weights are quantised, after training or throughout.

Constants of precision are those of Kumar et al. 2024, size and data those of the fit. Shapes: `t` parameter sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.core import law as laws
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, literature
from isoloss.planning.goals import Bits, Flops, GivenParams, GivenTokens
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.surface import Surface, columns_of
from isoloss.published import published

AFTER, THROUGHOUT = "kumar2024_ptq", "kumar2024_train"
WEIGHTS, ALL = ("gamma_w",), ("gamma_w", "gamma_a", "gamma_kv")
MOST_BITS = 64


@question
def fewer_bits(fit: Fit | Frontier, level: float, *, flops: Flops, bits: Bits) -> Plan:
    """What fewer bits cost the best run of a budget, in loss and in effective parameters."""
    answers.surface_of(fit)
    assert isinstance(fit, Fit)
    budget = answers.number(flops, "budget", cost.total(1, 1))
    theta_tp = answers.sets(fit)
    best_t = best_sizes(fit.law, theta_tp, np.full(len(theta_tp), budget))
    if np.isnan(best_t[0]):
        raise RequestError(f"This fit has no best size for {numbers.short(budget)} FLOP.", do="Look at its findings.")
    goal = f"fewer bits for the best use of {numbers.short(budget)} training FLOP"
    return _planned(fit, level, (best_t, cost.partner(budget, best_t)), bits, goal)


@question
def fewer_bits_of_a_run(
    fit: Fit | Frontier, level: float, *, params: GivenParams, tokens: GivenTokens, bits: Bits
) -> Plan:
    """What fewer bits cost a run, in loss and in effective parameters.

    Three options for each number of bits: weights quantised after training, which adds to the loss (Kumar et al. 2024,
    Eq. 2); trained with weights of so many bits, which leaves a share of the parameters effective; trained with
    weights, activations and the cache of so many (Eq. 3-4). The loss of the last two is the fit's, with the effective
    parameters. Raises RequestError for bits above 64 and laws that are not of a size and data.
    """
    answers.surface_of(fit)
    assert isinstance(fit, Fit)
    size, data = answers.number(params, "size"), answers.number(tokens, "number of tokens")
    ones_t = np.ones(1 + len(fit.draws_sp))
    goal = f"fewer bits for {numbers.short(size)} parameters on {numbers.short(data)} tokens"
    return _planned(fit, level, (size * ones_t, data * ones_t), bits, goal)


def effective_share(bits: float, parts: Sequence[str] = WEIGHTS) -> float:
    """The share of parameters that is effective when so many bits hold each part (Kumar et al. 2024, Eq. 4)."""
    gammas = published(THROUGHOUT).theta
    return float(np.prod([1 - np.exp(-bits / gammas[part]) for part in parts]))


def _planned(fit: Fit, level: float, run: tuple[np.ndarray, np.ndarray], bits: Bits, goal: str) -> Plan:
    surface = answers.surface_of(fit)
    options: list[Option] = []
    for each in answers.several(bits, "numbers of bits"):
        if each > MOST_BITS:
            raise RequestError(f"{each:g} bits of a weight cannot be.", do=f"Give a number up to {MOST_BITS}.")
        options.append(_quantised(fit, surface, run, each, level))
        for parts, words in ((WEIGHTS, "weights"), (ALL, "weights, activations and cache")):
            label = f"{words} of {each:g} bits throughout training"
            options.append(_trained(fit, surface, run, effective_share(each, parts), level, label))
    said = (
        *answers.with_curve(fit, surface),
        "constants of precision as published by Kumar et al. 2024 (integer formats, up to 1.7B parameters and 26B "
        "tokens), without an interval; size and data are the fit's",
    )
    findings = (*fit.findings, *answers.reach(fit, surface, run[0][0], run[1][0]))
    findings += tuple(f for key in (AFTER, THROUGHOUT) for f in literature.warnings(key))
    return Plan(goal, tuple(options), level, said, findings)


def _quantised(fit: Fit, surface: Surface, run: tuple[np.ndarray, np.ndarray], bits: float, level: float) -> Option:
    added = published(AFTER)
    rise_t = laws.find("post_quantised").formula.value([*run, bits], list(added.theta_p))
    loss_t = surface.value(columns_of(answers.sets(fit)), *run)
    values = answers.run(surface, *run, **{"loss_increase": rise_t, fit.law.output.name: loss_t + rise_t})
    return answers.option(values, level, f"weights quantised to {bits:g} bits after training")


def _trained(
    fit: Fit, surface: Surface, run: tuple[np.ndarray, np.ndarray], share: float, level: float, label: str
) -> Option:
    columns = columns_of(answers.sets(fit))
    full_t = surface.value(columns, *run)
    loss_t = surface.value(columns, share * run[0], run[1])
    more = {"effective_params": share * run[0], "loss_increase": loss_t - full_t, fit.law.output.name: loss_t}
    return answers.option(answers.run(surface, *run, **more), level, label)

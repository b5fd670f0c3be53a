"""What more compute, parameters or data bring, and where returns fall: from one budget, and by the tenfold.

Shapes: `t` parameter sets, the best estimate and then the draws; `p` parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.law import Law
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, roots
from isoloss.planning.goals import Beside, Doubling, Flops, Tenfold, Times
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.spending import LEAST, MOST, frontier, least_loss, needed_flops
from isoloss.planning.surface import Surface, columns_of

ALIKE = {"flops": tuple(cost.COUNTS), "params": cost.SIZES}  # counts that a tenfold of each may be of
AT = {"flops": 1e21, "params": 1e9, "tokens": 2e10}  # where a tenfold begins if the data's range is not known
ENDLESS = 1e60
CLOSE = 1e-10  # of the logarithm of a budget, where each look at it is a search


@question
def returns(fit: Fit | Frontier, level: float, *, flops: Flops, times: Times) -> Plan:
    """What so many times the compute, parameters or data bring.

    From the best run of one budget, for each multiple: compute spent best; the size alone; the data alone; both. Each
    with its loss, by how much that is lower, and the compute that would have bought it on the frontier.
    Raises RequestError for a law that tells no loss for a budget, and for several budgets.
    """
    law_fit = fit.loss if isinstance(fit, Frontier) else fit
    if frontier(law_fit.law) is None:
        answers.surface_of(fit)
    budget = answers.number(flops, "budget", cost.total(1, 1))
    multiples = answers.several(times, "multiples")
    theta_tp, surface = answers.sets(law_fit), Surface.of(law_fit.law)
    base_t = least_loss(law_fit.law, theta_tp, budget)
    options = [_of_compute(law_fit, theta_tp, budget, base_t, k, level) for k in (1.0, *multiples)]
    if surface is not None:
        sizes_t = best_sizes(law_fit.law, theta_tp, np.full(len(theta_tp), budget))
        for k in multiples:
            for of_size, of_data, words in ((k, 1.0, "the parameters"), (1.0, k, "the data"), (k, k, "both")):
                run = (of_size * sizes_t, of_data * cost.partner(budget, sizes_t))
                label = f"{numbers.short(k)} times {words}"
                options.append(_of_run(law_fit, surface, theta_tp, run, base_t, level, label))
    said = answers.with_curve(law_fit, surface) if surface is not None else law_fit.stated()
    findings = (*law_fit.findings, *answers.lost(base_t, "best size"))
    goal = f"returns on {numbers.short(budget)} training FLOP"
    return Plan(goal, tuple(options), level, (*said, *_of_floor(law_fit.law)), findings)


@question
def doubling_worth(fit: Fit | Frontier, level: float, *, doubling: Doubling) -> Plan:
    """The budget beyond which a doubling of compute gains less than a share.

    A share of the loss itself. Raises RequestError where a doubling always, or never, takes that much off.
    """
    share = answers.number(doubling, "share")
    law_fit = fit.loss if isinstance(fit, Frontier) else fit
    least = frontier(law_fit.law)
    if least is None:
        answers.surface_of(fit)
    assert least is not None
    theta_tp = answers.sets(law_fit)

    def over(log_flops_t: np.ndarray) -> np.ndarray:
        now_t, then_t = (least(theta_tp, factor * np.exp(log_flops_t)) for factor in (1.0, 2.0))
        gained_t = 1 - then_t / now_t - share
        return np.where(np.isnan(gained_t), 1.0, gained_t)

    low_t = np.full(len(theta_tp), np.log(LEAST))
    with np.errstate(all="ignore"):
        flops_t = np.exp(roots.between(over, low_t, np.full(len(theta_tp), np.log(MOST / 2)), CLOSE))
    if np.isnan(flops_t[0]):
        _refuse_doubling(share, law_fit, theta_tp)
    loss_t = least(theta_tp, flops_t)
    values = {"flops": flops_t, law_fit.law.output.name: loss_t, "gain_of_doubling": share}
    options = (answers.option(values, level),)
    findings = (*law_fit.findings, *answers.lost(flops_t, "such budget", "Q2"))
    goal = f"the budget beyond which twice the compute lowers the loss by less than {share:.3g} of itself"
    return Plan(goal, options, level, law_fit.stated(), findings)


@question
def tenfold_of(fit: Fit | Frontier, level: float, *, tenfold: Tenfold, beside: Beside = None) -> Plan:
    """How much of the reducible loss a tenfold cuts, for one or several fits.

    A tenfold of compute, parameters or data. The reducible loss is what lies above the law's floor; an exponent alpha
    of a pure power cuts it by 1 - 10^-alpha. One option a fit, so that domains stand side by side. Where a law has
    several inputs the others are endless, or spent best where the tenfold is of compute.
    Raises RequestError for a fit that has no such input.
    """
    if isinstance(fit, Frontier):
        fit = fit.loss
    fits = [fit, *answers.fits(beside)]
    options = [_tenfold(one, str(tenfold), level) for one in fits]
    said = [f"{answers.named(one)}: {line}" for one in fits for line in (*one.assumptions, *_of_floor(one.law))]
    lacking = ("no interval where the joint uncertainty of the constants is not published",)
    findings = tuple(f for one in fits for f in one.findings if f.severity != "note")
    shown = lacking if any(not len(one.draws_sp) for one in fits) else ()
    return Plan(f"what a tenfold of {tenfold} brings", tuple(options), level, (*dict.fromkeys(said), *shown), findings)


def floor(law: Law, theta_tp: np.ndarray) -> np.ndarray:
    """The irreducible part (t,): the parameters that the law plainly adds, 0 where there are none."""
    added = [law.names.index(name) for name in law.formula.offsets]
    return theta_tp[:, added].sum(axis=1)


def _of_compute(fit: Fit, theta_tp: np.ndarray, budget: float, base_t: np.ndarray, k: float, level: float) -> Option:
    loss_t = least_loss(fit.law, theta_tp, k * budget)
    label = f"{numbers.short(k)} times the compute, spent best" if k != 1 else "the best run"
    surface, spent = Surface.of(fit.law), {}
    if surface is not None:
        sizes_t = best_sizes(fit.law, theta_tp, np.full(len(theta_tp), k * budget))
        spent = answers.run(surface, sizes_t, cost.partner(k * budget, sizes_t))
    gains = _gains(fit, theta_tp, base_t, loss_t) if k != 1 else {}
    return answers.option({**spent, "flops": k * budget, fit.law.output.name: loss_t, **gains}, level, label)


def _of_run(
    fit: Fit,
    surface: Surface,
    theta_tp: np.ndarray,
    run: tuple[np.ndarray, np.ndarray],
    base_t: np.ndarray,
    level: float,
    label: str,
) -> Option:
    loss_t = surface.value(columns_of(theta_tp), *run)
    bought = {"frontier_flops": needed_flops(fit.law, theta_tp, loss_t)}
    values = answers.run(surface, *run, **{fit.law.output.name: loss_t}, **_gains(fit, theta_tp, base_t, loss_t))
    return answers.option({**values, **bought}, level, label)


def _gains(fit: Fit, theta_tp: np.ndarray, base_t: np.ndarray, loss_t: np.ndarray) -> dict[str, Any]:
    floor_t = floor(fit.law, theta_tp)
    return {"gain": 1 - loss_t / base_t, "reducible_gain": 1 - (loss_t - floor_t) / (base_t - floor_t)}


def _tenfold(fit: Fit, resource: str, level: float) -> Option:
    theta_tp = answers.sets(fit)
    first, value = _value_of(fit, resource)
    floor_t = floor(fit.law, theta_tp)
    with np.errstate(all="ignore"):
        now_t, then_t = (np.broadcast_to(value(theta_tp, at), len(theta_tp)) for at in (first, 10 * first))
    left_t = (then_t - floor_t) / (now_t - floor_t)
    if not left_t[0] < 1:
        raise RequestError(f"A tenfold of {resource} does not lower the {fit.law.output.name} of {answers.named(fit)}.")
    values = {"cut": 1 - left_t, "exponent": -np.log10(left_t), "gain": 1 - then_t / now_t, "at": first}
    return answers.option(values, level, answers.named(fit))


def _value_of(fit: Fit, resource: str) -> tuple[float, Any]:
    law, names = fit.law, ALIKE.get(resource, (resource,))
    column = next((name for name in law.columns if name in names), None)
    first = _first(fit, column or resource, resource)
    if len(law.columns) == 1 and column:
        return first, lambda theta_tp, at: law.formula.value([at], columns_of(theta_tp))
    surface = Surface.of(law) if frontier(law) is not None else None
    if surface is not None and resource == "flops":
        return first, lambda theta_tp, at: least_loss(law, theta_tp, at)
    if surface is not None and column == surface.size_name:
        return first, lambda theta_tp, at: surface.value(columns_of(theta_tp), at, ENDLESS)
    if surface is not None and column == "tokens":
        return first, lambda theta_tp, at: surface.value(columns_of(theta_tp), ENDLESS, at)
    raise RequestError(
        f"'{answers.named(fit)}' tells nothing of a tenfold of {resource}.",
        f"Its law '{law.name}' is of {' and '.join(law.columns)}.",
        "Name another input, or another fit.",
    )


def _first(fit: Fit, column: str, resource: str) -> float:
    # The upper end of the data, where it is known: there the law is still measured, and beyond it is asked about.
    high = fit.data.ranges.get(column, (0.0, 0.0))[1]
    return high if high > 0 else AT.get(resource, 1.0)


def _refuse_doubling(share: float, fit: Fit, theta_tp: np.ndarray) -> None:
    now, then = (float(least_loss(fit.law, theta_tp[:1], C)[0]) for C in (1e21, 2e21))
    raise RequestError(
        f"There is no budget at which a doubling of compute begins to take less than {share:.3g} off the loss.",
        f"With the law '{fit.law.name}' it takes {1 - then / now:.3g} off at 1e21 FLOP.",
        "A law without a floor gives the same share at every budget; ask for another share.",
    )


def _of_floor(law: Law) -> tuple[str, ...]:
    offsets = sorted(law.formula.offsets)
    if offsets:
        return (f"the reducible loss is that above {' + '.join(offsets)}",)
    return ("the law has no floor: all of its loss is reducible",)

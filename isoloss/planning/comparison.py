"""Plans of several fits side by side: which is the better, from which budget on, and how sure that is.

Shapes: `t` parameter sets of two fits that stand together, the best estimates and then the draws; `p` parameters;
`m` budgets; `g` budgets of a grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, roots
from isoloss.planning.compute import compute, plans
from isoloss.planning.goals import Beside, Flops
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.multiplier import paired_sets, said_of_pairs
from isoloss.planning.questions import question
from isoloss.planning.spending import frontier, least_loss, least_losses, least_losses_along, needed_flops
from isoloss.planning.surface import Surface, columns_of

COMPARED = (
    "beside the first: sure is the share of draws in which the first reaches less loss, multiplier how many times the "
    "compute (data_multiplier: the tokens) this one needs for the first one's loss, multiplier_growth what a tenfold "
    "budget makes of it: 1 where a factor differs and no exponent, crossing_share the share of draws in which their "
    "losses cross at all, between 1e15 and 1e30 FLOP; losses compare on the same text and tokens alone"
)
GRID = np.linspace(np.log(1e15), np.log(1e30), 61)  # log FLOP within which a crossover is looked for


@question
def compare_plans(fit: Fit | Frontier, level: float, *, flops: Flops, beside: Beside) -> Plan:
    """Plans of several fits side by side: who wins, how surely, from where on.

    Each fit answers the question of the budget. Beside the first, a fit that tells the same loss has also: `sure`, the
    share of draws (paired where both come from the same groups) in which the first reaches less loss; `multiplier`, how
    many times the compute this one needs for the loss of the first, and that at ten times the budget over it
    (`multiplier_growth`: 1 where only a factor differs, not an exponent); `data_multiplier`, the same of tokens at the
    first one's size; and `crossover_flops`, the nearest budget at which both reach one loss.
    """
    budgets_m = answers.budgets(flops)
    others = answers.fits(beside)
    everyone = [fit, *others]
    answered = [_plan(one, level, budgets_m) for one in everyone]
    names = _names(everyone)
    options: list[Option] = []
    for i, budget in enumerate(budgets_m.tolist()):
        for j, (one, planned) in enumerate(zip(everyone, answered, strict=True)):
            found = planned.options[i]
            versus = _versus(fit, one, budget, level) if j else {}
            label = names[j] + (f", {numbers.short(budget)} FLOP" if len(budgets_m) > 1 else "")
            options.append(Option({**found.estimates, **versus}, label))
    by_name = list(zip(names, answered, strict=True))
    said = [f"{name}: {line}" for name, p in by_name for line in p.assumptions]
    findings = [
        replace(f, sentence=f"{name}: {f.sentence}") for name, p in by_name for f in p.findings if f.severity != "note"
    ]
    goal = f"{len(everyone)} plans for {', '.join(numbers.short(float(C)) for C in budgets_m)} training FLOP"
    compared = [one for one in others if isinstance(fit, Fit) and _comparable(fit, one)]
    pairs = [line for one in compared if isinstance(fit, Fit) for line in said_of_pairs(fit, one)]
    pairs += [COMPARED] * bool(compared)
    spread = _spread(answered)
    return Plan(goal, tuple(options), level, tuple(dict.fromkeys([*said, *pairs])), (*spread, *findings))


def _names(everyone: list[Fit | Frontier]) -> list[str]:
    # Fits of one source are told apart by their place.
    names = [answers.named(one) for one in everyone]
    return [f"{n}, {i} of {len(names)}" if names.count(n) > 1 else n for i, n in enumerate(names, start=1)]


def _plan(fit: Fit | Frontier, level: float, budgets_m: np.ndarray) -> Plan:
    if isinstance(fit, Fit) and not plans(fit.law) and frontier(fit.law) is not None:
        return _of_compute_alone(fit, level, budgets_m)
    return compute(fit, level, flops=budgets_m)


def _of_compute_alone(fit: Fit, level: float, budgets_m: np.ndarray) -> Plan:
    share = cost.COUNTS[fit.law.columns[0]]
    seen: Mapping[str, Any] = {fit.law.columns[0]: share.of_budget * budgets_m}
    outcome = fit.predict(level=level, **seen)
    options = tuple(
        Option({"flops": answers.exact(float(C)), fit.law.output.name: outcome.estimate[i]}, "")
        for i, C in enumerate(budgets_m)
    )
    because = (share.because,) if share.because else ()
    return Plan("", options, level, (*outcome.assumptions, *because), (*fit.findings, *outcome.findings))


def _comparable(one: Fit | Frontier, other: Fit | Frontier) -> bool:
    both = [fit for fit in (one, other) if isinstance(fit, Fit) and frontier(fit.law) is not None]
    return len(both) == 2 and both[0].law.output.name == both[1].law.output.name


def _versus(first: Fit | Frontier, other: Fit | Frontier, budget: float, level: float) -> Mapping[str, Estimate]:
    if not _comparable(first, other):
        return {}
    assert isinstance(first, Fit) and isinstance(other, Fit)
    one_tp, two_tp = paired_sets(first, other)
    reached_t, later_t = (least_loss(first.law, one_tp, C) for C in (budget, 10 * budget))
    ahead_s = (reached_t < least_loss(other.law, two_tp, budget))[1:]
    times_t, times_later_t = needed_flops(other.law, two_tp, reached_t), needed_flops(other.law, two_tp, later_t) / 10
    with np.errstate(invalid="ignore"):
        growth_t = times_later_t / times_t
    found = {
        "multiplier": times_t / budget,
        "multiplier_growth": growth_t,
        "data_multiplier": _data_multiplier(first, other, (one_tp, two_tp), budget),
        "crossover_flops": _crossover((first, one_tp), (other, two_tp), budget),
    }
    sure = {"sure": answers.exact(float(ahead_s.mean()))} if len(ahead_s) else {}
    told = {name: value for name, value in found.items() if not np.isnan(value).all()}
    if len(ahead_s) and "crossover_flops" in told:
        sure["crossing_share"] = answers.exact(float(np.isfinite(told["crossover_flops"][1:]).mean()))
    return {**sure, **{name: answers.estimate(value, level) for name, value in told.items()}}


def _data_multiplier(first: Fit, other: Fit, sets: tuple[np.ndarray, np.ndarray], budget: float) -> np.ndarray:
    one, two = Surface.of(first.law), Surface.of(other.law)
    if one is None or two is None or one.size_name != two.size_name:
        return np.full(1, np.nan)
    sizes_t = best_sizes(first.law, sets[0], np.full(len(sets[0]), budget))
    tokens_t = cost.partner(budget, sizes_t)
    loss_t = one.value(columns_of(sets[0]), sizes_t, tokens_t)
    return two.tokens_for(columns_of(sets[1]), sizes_t, loss_t) / tokens_t


def _crossover(one: tuple[Fit, np.ndarray], two: tuple[Fit, np.ndarray], budget: float) -> np.ndarray:
    # The crossing nearest to the budget; NaN for sets whose losses do not cross.
    def ahead(log_flops_t: np.ndarray) -> np.ndarray:
        flops_t = np.exp(log_flops_t)
        first, second = (np.log(least_losses(fit.law, theta_tp, flops_t)) for fit, theta_tp in (one, two))
        return first - second

    first_tg, second_tg = (np.log(least_losses_along(fit.law, theta_tp, np.exp(GRID))) for fit, theta_tp in (one, two))
    signs_tg = np.sign(first_tg - second_tg)
    turns_tg = signs_tg[:, :-1] * signs_tg[:, 1:] < 0
    away_g = np.abs((GRID[:-1] + GRID[1:]) / 2 - np.log(budget))
    nearest_t = np.argmin(np.where(turns_tg, away_g, np.inf), axis=1)
    crossing_t = np.exp(roots.between(ahead, GRID[nearest_t], GRID[nearest_t + 1]))
    return np.where(turns_tg.any(axis=1), crossing_t, np.nan)


def _spread(answered: list[Plan]) -> tuple[Finding, ...]:
    sizes = [next((e.mid for n, e in p.options[0].estimates.items() if n in cost.SIZES), np.nan) for p in answered]
    known = [size for size in sizes if np.isfinite(size)]
    if len(known) < 2:
        return ()
    apart = max(known) / min(known)
    sentence = (
        f"Best sizes for {answered[0].options[0]['flops']} FLOP lie from {numbers.short(min(known))} to "
        f"{numbers.short(max(known))}, {apart:.3g} times apart."
    )
    return (Finding("C6", "amber" if apart > 2 else "note", sentence, apart),)

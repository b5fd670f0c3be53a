"""Models that will be served: the least compute of training and inference together, and what smaller models cost.

Serving a token costs 2 N FLOP, training on one 6 N (Sardana et al. 2023, Eq. 2-3). At equal loss the cheapest size has
eps_N / eps_D = 1 + T / 3 D, where eps are the log-slopes of the loss and T the tokens served; without serving the two
are equal. Shapes: `t` parameter sets, the best estimate and then the draws; `p` parameters.
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
from isoloss.planning.cheapest import require_reachable
from isoloss.planning.goals import Flops, GivenParams, Quality, Rival, Served, SizeRatio, TargetLoss
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.spending import needed_flops
from isoloss.planning.surface import Surface, columns_of

SERVING = "serving a token costs 2 N FLOP: input and output alike, attention over the context left out"
LOG_LEAST_SHARE = -12.0  # of the best size; no smaller model is looked at


@question
def served(fit: Fit | Frontier, level: float, *, loss: TargetLoss, served: Served) -> Plan:
    """The cheapest model of a loss to train and then to serve so many tokens."""
    target = answers.number(loss, "loss")
    outcome = answers.surface_of(fit).law.output.name
    return _served(fit, level, served, cheapest_to(fit, target), f"a {outcome} of {target:g}")


@question
def served_like(fit: Fit | Frontier, level: float, *, quality: Quality, served: Served) -> Plan:
    """The cheapest model to train and serve, as good as the best one of a size."""
    size = answers.number(quality, "size")
    return _served(fit, level, served, best_of_quality(fit, size), f"the loss of {numbers.short(size)} at their best")


@question
def smaller(fit: Fit | Frontier, level: float, *, flops: Flops, size_ratio: SizeRatio) -> Plan:
    """What a model smaller than the best costs more to train, for its loss.

    For one budget and each ratio of sizes, above 1 for larger models: tokens and compute that reach the loss of the
    best run, and the overhead. Below a critical size no training does. De Vries 2023; Kaplan et al. 2020, appendix B.4.
    """
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    budget = answers.number(flops, "budget", cost.total(1, 1))
    ratios = answers.several(size_ratio, "ratios of sizes")
    theta_tp = answers.sets(fit)
    columns = columns_of(theta_tp)
    best_t = best_sizes(fit.law, theta_tp, np.full(len(theta_tp), budget))
    if np.isnan(best_t[0]):
        raise RequestError(f"This fit has no best size for {numbers.short(budget)} FLOP.", do="Look at its findings.")
    loss_t = surface.value(columns, best_t, cost.partner(budget, best_t))
    options, unreached = [], []
    for ratio in ratios:
        sizes_t = ratio * best_t
        tokens_t = cost.partner(budget, best_t) if ratio == 1 else surface.tokens_for(columns, sizes_t, loss_t)
        overhead = {fit.law.output.name: loss_t, "overhead": cost.total(sizes_t, tokens_t) / budget - 1}
        run = answers.run(surface, sizes_t, tokens_t, **overhead)
        options.append(answers.option(run, level, f"{numbers.short(ratio)} of the best size"))
        unreached += [numbers.short(ratio)] * (not np.isfinite(tokens_t[0]))
    critical_t = _least_size(surface, theta_tp, best_t, loss_t) / best_t
    said = answers.with_curve(fit, surface, "at the loss of the best run, each draw at its own")
    words = [f"no training takes {', '.join(unreached)} of the best size to its loss"] * bool(unreached)
    least = f"below {float(critical_t[0]):.3g} of the best size no training reaches the loss"
    goal = f"the loss of the best use of {numbers.short(budget)} training FLOP, with other sizes"
    findings = (*fit.findings, *answers.lost(best_t, "best size"))
    return Plan(goal, tuple(options), level, (*said, least, *words), findings)


@question
def break_even(fit: Fit | Frontier, level: float, *, loss: TargetLoss, params: GivenParams, rival: Rival) -> Plan:
    """The tokens served at which the smaller of two models has paid back."""
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    target = answers.number(loss, "loss")
    small, large = sorted((answers.number(params, "size"), answers.number(rival, "size")))
    if small == large:
        raise RequestError("Both models have one size.", do="Name two sizes: params=7e9, rival=13e9.")
    theta_tp = answers.sets(fit)
    columns, target_t = columns_of(theta_tp), np.full(len(theta_tp), target)
    sizes = [np.full(len(theta_tp), size) for size in (small, large)]
    tokens = [surface.tokens_for(columns, sizes_t, target_t) for sizes_t in sizes]
    for size, tokens_t in zip((small, large), tokens, strict=True):
        if not np.isfinite(tokens_t[0]):
            raise RequestError(f"No training takes {numbers.short(size)} parameters to {target:g} under this fit.")
    small_t, large_t = (cost.total(*run) for run in zip(sizes, tokens, strict=True))
    even_t = np.maximum((small_t - large_t) / cost.serving(large - small, 1.0), 0.0)
    options = tuple(
        answers.option(answers.run(surface, *run), level, f"{numbers.short(size)} parameters")
        for size, run in zip((small, large), zip(sizes, tokens, strict=True), strict=True)
    )
    paid = answers.option({"served_tokens": even_t, fit.law.output.name: target}, level, "break-even")
    said = (*answers.with_curve(fit, surface), SERVING, "beyond it the smaller model costs less in all")
    findings = (*fit.findings, *answers.lost(even_t, "break-even", "Q2"))
    goal = f"{numbers.short(small)} against {numbers.short(large)} parameters at a loss of {target:g}"
    return Plan(goal, (paid, *options), level, said, findings)


def cheapest_to(fit: Fit | Frontier, target: float) -> tuple[np.ndarray, np.ndarray]:
    """Size and tokens (t,) of the least training compute to a loss; RequestError where no compute reaches it."""
    answers.surface_of(fit)
    assert isinstance(fit, Fit)
    theta_tp = answers.sets(fit)
    flops_t = needed_flops(fit.law, theta_tp, np.array([target]))
    require_reachable(fit, flops_t[0], target)
    best_t = best_sizes(fit.law, theta_tp, np.where(np.isfinite(flops_t), flops_t, np.nan))
    return best_t, cost.partner(flops_t, best_t)


def best_of_quality(fit: Fit | Frontier, size: float) -> tuple[np.ndarray, np.ndarray]:
    """A size and the tokens (t,) for which it is the best; RequestError where it is best for no budget."""
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    theta_tp = answers.sets(fit)
    best_t = np.full(len(theta_tp), size)
    tokens_t = surface.balanced_tokens(columns_of(theta_tp), best_t)
    if not np.isfinite(tokens_t[0]):
        raise RequestError(f"{numbers.short(size)} parameters are best for no budget under this fit.")
    return best_t, tokens_t


def least_lifetime(
    surface: Surface, theta_tp: np.ndarray, best_t: np.ndarray, tokens_t: np.ndarray, demand: float
) -> tuple[np.ndarray, np.ndarray]:
    """Size and tokens (t,) of least 6 N D + 2 N T at the loss of the best runs given."""
    columns = columns_of(theta_tp)
    loss_t = surface.value(columns, best_t, tokens_t)

    def lopsided(log_share_t: np.ndarray) -> np.ndarray:
        sizes_t = best_t * np.exp(log_share_t)
        data_t = surface.tokens_for(columns, sizes_t, loss_t)
        of_size, of_data = surface.slopes(columns, sizes_t, data_t)
        wanted = np.log(of_size / of_data) - np.log1p(demand / (3 * data_t))
        return np.where(np.isfinite(data_t), wanted, np.inf)

    zero_t = np.zeros(len(best_t))
    with np.errstate(all="ignore"):
        share_t = np.exp(roots.between(lopsided, zero_t + LOG_LEAST_SHARE, zero_t + 1e-6))
    sizes_t = best_t * share_t
    return sizes_t, surface.tokens_for(columns, sizes_t, loss_t)


def _served(fit: Fit | Frontier, level: float, demand: Any, found: tuple[np.ndarray, np.ndarray], goal: str) -> Plan:
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    theta_tp, (best_t, tokens_t) = answers.sets(fit), found
    demands = answers.several(demand, "numbers of tokens")
    loss_t = surface.value(columns_of(theta_tp), best_t, tokens_t)
    options: list[Option] = []
    for tokens_served in demands:
        run = least_lifetime(surface, theta_tp, best_t, tokens_t, tokens_served)
        for words, (sizes_t, data_t) in (("cheapest", run), ("cheapest to train", (best_t, tokens_t))):
            inference_t, training_t = cost.serving(sizes_t, tokens_served), cost.total(sizes_t, data_t)
            whole = cost.total(best_t, tokens_t) + cost.serving(best_t, tokens_served)
            more = {
                "inference_flops": inference_t,
                "lifetime_flops": training_t + inference_t,
                fit.law.output.name: loss_t,
                "saving": 1 - (training_t + inference_t) / whole,
                "data_ratio": data_t / tokens_t,
            }
            values = answers.run(surface, sizes_t, data_t, **more)
            options.append(answers.option(values, level, f"{words}, {numbers.short(tokens_served)} tokens served"))
    said = (*answers.with_curve(fit, surface), SERVING)
    ends = [np.array([option[name].mid for option in options]) for name in (surface.size_name, "tokens")]
    findings = (*fit.findings, *answers.reach(fit, surface, *ends), *answers.lost(best_t * tokens_t, "such run", "Q2"))
    return Plan(f"least compute of training and inference to {goal}", tuple(options), level, said, findings)


def _least_size(surface: Surface, theta_tp: np.ndarray, best_t: np.ndarray, loss_t: np.ndarray) -> np.ndarray:
    columns = columns_of(theta_tp)
    return surface.sizes_for(columns, np.full(len(best_t), 1e45), loss_t)

"""Fine-grained experts: size, data and granularity for a budget when routing costs, and dense models of the same cost.

A model of expansion rate E has blocks of width d, d / 64 of them: 4 d^2 parameters of attention and 8 E d^2 of experts,
of which a token passes 12 d^2 in all; its router of d E G is in neither count. Training takes 6 FLOP for each active
parameter and token and 14 for each of the router's (Krajewski et al. 2024, section 6.1 and appendix E).
Shapes: `t` parameter sets, the best estimate and then the draws; `g` granularities.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.planning import answers, cost, literature, roots
from isoloss.planning.goals import Beside, Experts, Flops, GivenGranularity, MostParams
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.surface import Surface, columns_of

DENSE = "krajewski2024_dense"
EXPANSION = 64.0
ASPECT = 64.0  # width over depth
ROUTING = 14.0  # FLOP for each parameter of the router and token
BEST = "best"
POWERS = tuple(2.0**i for i in range(13))


@question
def fine_grained(
    fit: Fit | Frontier,
    level: float,
    *,
    flops: Flops,
    granularity: GivenGranularity,
    most_params: MostParams = None,
    experts: Experts = None,
    beside: Beside = None,
) -> Plan:
    """Size, data and granularity of fine-grained experts for a budget, and the dense models beside them.

    One option for each granularity, the lowest loss first, or the best power of two for the word `best`; `most_params`
    limits the parameters in all, and `experts` is the expansion rate of the fit's runs (64 where not given). Beside
    each stand losses of dense models on the same budget: at their best size (`dense_best_loss`), of as many parameters
    as are active (`dense_loss`, the same to serve but for the router), and of as many as there are in all
    (`dense_in_memory_loss`), by `beside`, a dense fit (that of the paper where not given).
    Raises RequestError for a law without granularity. Krajewski et al. 2024, Eq. 9-10 and Table 2.
    """
    fit = _require_granularity(fit)
    budget = answers.number(flops, "budget", cost.total(1, 1))
    most = np.inf if most_params is None else answers.number(most_params, "number of parameters")
    rate = EXPANSION if experts is None else answers.number(experts, "expansion rate", 1 - 1e-12)
    dense = _dense_fit(beside)
    runs = _runs(fit, budget, granularity, rate, most)
    options = [_option(fit, dense, budget, rate, run, level) for run in runs]
    options.sort(key=lambda option: option[fit.law.output.name].mid)
    within = f" within {numbers.short(most)} parameters" if np.isfinite(most) else ""
    goal = f"fine-grained experts for {numbers.short(budget)} training FLOP{within}"
    return Plan(goal, tuple(options), level, _said(fit, dense, rate), _findings(fit, beside, budget, rate, runs))


def active_params(in_all: Any, rate: float) -> Any:
    """The parameters that a token passes, from those in all, embeddings and the router left out."""
    return in_all * 12 / (8 * rate + 4)


def width(in_all: Any, rate: float) -> Any:
    """The width of a model of so many parameters in all, 64 times as wide as deep."""
    return np.cbrt(in_all * ASPECT / (8 * rate + 4))


def tokens_for(budget: float, in_all: Any, granularity: Any, rate: float) -> Any:
    """The tokens that a budget trains a model on, its router's work included (Krajewski et al. 2024, Eq. 10)."""
    return cost.partner(budget, active_params(in_all, rate)) / (1 + _routing(in_all, granularity, rate))


def _routing(in_all: Any, granularity: Any, rate: float) -> Any:
    # The router's work as a share of the other work: 14 d E G / (6 x 12 d^2).
    return ROUTING * rate * granularity / (FLOP_PER_PARAM_AND_TOKEN * 12 * width(in_all, rate))


def _runs(fit: Fit, budget: float, given: Any, rate: float, most: float) -> list[tuple[np.ndarray, np.ndarray]]:
    # The granularity (t,) and the size (t,) of each option.
    words = [str(one).strip().lower() for one in np.ravel(np.asarray(given, object))]
    if BEST not in words:
        wanted = answers.several(given, "granularities", 1 - 1e-12)
        return [(np.full(1 + len(fit.draws_sp), G), _best_size(fit, budget, G, rate, most)) for G in wanted]
    if words != [BEST]:
        raise RequestError("The granularity is numbers or the word best, not both.")
    sizes_gt = np.array([_best_size(fit, budget, G, rate, most) for G in POWERS])
    loss_gt = np.array(
        [_loss(fit, s_t, tokens_for(budget, s_t, G, rate), G) for G, s_t in zip(POWERS, sizes_gt, strict=True)]
    )
    best_t = np.argmin(loss_gt, axis=0)
    return [(np.array(POWERS)[best_t], np.take_along_axis(sizes_gt, best_t[None], axis=0)[0])]


def _best_size(fit: Fit, budget: float, granularity: float, rate: float, most: float) -> np.ndarray:
    surface, theta_tp = answers.surface_of(fit, {"granularity": granularity}), answers.sets(fit)
    columns = columns_of(theta_tp)

    def slope(log_size_t: np.ndarray) -> np.ndarray:
        size_t = np.exp(log_size_t)
        routing_t = _routing(size_t, granularity, rate)
        of_size, of_data = surface.slopes(columns, size_t, tokens_for(budget, size_t, granularity, rate))
        return of_size - of_data * (1 - routing_t / (1 + routing_t) / 3)  # the width is as the cube root of the size

    low_t = np.zeros(len(theta_tp))
    sizes_t = np.exp(roots.between(slope, low_t, low_t + np.log(budget)))
    if not np.isfinite(sizes_t[0]):
        raise RequestError(
            f"This fit has no best size for {numbers.short(budget)} FLOP at granularity {granularity:g}."
        )
    return np.minimum(sizes_t, most)


def _loss(fit: Fit, sizes_t: np.ndarray, tokens_t: np.ndarray, granularity: Any) -> np.ndarray:
    known = {"tokens": tokens_t, "granularity": granularity}
    inputs = [known.get(name, sizes_t) for name in fit.law.columns]
    return fit.law.formula.value(inputs, columns_of(answers.sets(fit)))


def _option(
    fit: Fit, dense: Fit, budget: float, rate: float, run: tuple[np.ndarray, np.ndarray], level: float
) -> Option:
    granularity_t, sizes_t = run
    tokens_t, active_t = tokens_for(budget, sizes_t, granularity_t, rate), active_params(sizes_t, rate)
    routing_t = _routing(sizes_t, granularity_t, rate)
    surface, theta_tp = answers.surface_of(dense), answers.sets(dense)
    theta_tp = theta_tp[np.arange(len(sizes_t)) % len(theta_tp)]
    best_t = best_sizes(dense.law, theta_tp, np.full(len(theta_tp), budget))

    def dense_loss(dense_t: np.ndarray) -> np.ndarray:
        return surface.value(columns_of(theta_tp), dense_t, cost.partner(budget, dense_t))

    values = {
        "granularity": granularity_t,
        "body_params": sizes_t,
        "active_params": active_t,
        "tokens": tokens_t,
        "flops": budget,
        "routing_share": routing_t / (1 + routing_t),
        fit.law.output.name: _loss(fit, sizes_t, tokens_t, granularity_t),
        "dense_best_loss": dense_loss(best_t),
        "dense_loss": dense_loss(active_t),
        "dense_in_memory_loss": dense_loss(sizes_t),
    }
    return answers.option(values, level, f"granularity: {granularity_t[0]:g}")


def _said(fit: Fit, dense: Fit, rate: float) -> tuple[str, ...]:
    curve = (f"the interval of {fit.law.output.name} is that of the mean curve",) if len(fit.draws_sp) else ()
    return (
        *fit.stated(),
        f"expansion rate {rate:g}: 12 of every {8 * rate + 4:g} body parameters are active; the router is in no count",
        "training FLOP = 6 N_act D (1 + 14 E G / 72 d): 6 for each active parameter and token, 14 for each of the "
        "router (6 to 20 by how it is built), at 64 times as much width d as depth (Krajewski et al. 2024, Eq. 10, "
        "appendix E); moving tokens between machines costs nothing",
        f"dense models by {answers.named(dense)}, training FLOP = 6 N D; those of as many parameters as are active "
        "cost as much to serve but for the router",
        *curve,
    )


def _findings(
    fit: Fit, beside: Any, budget: float, rate: float, runs: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[Finding, ...]:
    granularities = np.array([granularity_t[0] for granularity_t, _ in runs])
    sizes = np.array([sizes_t[0] for _, sizes_t in runs])
    seen = {
        "granularity": granularities,
        "body_params": sizes,
        "tokens": tokens_for(budget, sizes, granularities, rate),
    }
    crowded = granularities[rate * granularities > 8 * width(sizes, rate)]
    sentence = (
        f"At granularity {numbers.short(float(crowded.min()))} the router has more parameters than the experts that a "
        "token passes: there finer experts made models worse, which the law does not know (Krajewski et al. 2024, "
        "section 7)."
        if len(crowded)
        else ""
    )
    found = (Finding("Q6", "amber", sentence, float(crowded.min()), "Ask for coarser experts."),) if sentence else ()
    about_dense = literature.warnings(DENSE) if beside is None else ()
    return (*fit.findings, *fit.reach(seen), *found, *about_dense)


def _dense_fit(beside: Any) -> Fit:
    fits = answers.fits(DENSE if beside is None else beside)
    if len(fits) != 1:
        raise RequestError(f"The dense models follow one fit, not {len(fits)}.")
    answers.surface_of(fits[0])
    return fits[0]


def _require_granularity(fit: Fit | Frontier) -> Fit:
    if isinstance(fit, Fit) and "granularity" in fit.law.columns and Surface.of(fit.law, {"granularity": 1.0}):
        return fit
    raise RequestError(
        f"{answers.named(fit)} knows no granularity beside a size and data.",
        "A law that does: granular (published: krajewski2024_moe).",
    )

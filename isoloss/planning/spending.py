"""What a budget buys and what a loss costs, each at the best use of compute that a law knows of.

A law of size and data spends a budget at its best size on 6 N D = C, a law of compute as it stands.
Shapes: `b` problems solved together, `t` parameter sets, `p` parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isoloss.core.law import Law
from isoloss.planning import cost, roots
from isoloss.planning.iso_cost import best_sizes, best_sizes_along, has_closed_form
from isoloss.planning.surface import LOG_MOST, LOWER_IS_BETTER, Surface, columns_of

LEAST, MOST = 1e3, 1e45  # FLOP between which the compute that is needed is looked for
CLOSE = 1e-9  # of the logarithm of a loss; the compute for it is found a hundred times closer
AT_MINIMUM = 1e-10  # of the logarithm of a best size: at a minimum the loss hardly depends on it

Frontier = Callable[[np.ndarray, np.ndarray], np.ndarray]


def frontier(law: Law) -> Frontier | None:
    """The least output for each parameter set (b, p) and budget (b,), NaN where there is none; None for other laws."""
    if law.output.name not in LOWER_IS_BETTER:
        return None
    surface = Surface.of(law)
    if surface is not None:
        return lambda theta_bp, flops_b: _at_best_size(surface, theta_bp, flops_b)
    if len(law.columns) == 1 and law.columns[0] in cost.COUNTS:
        share = cost.COUNTS[law.columns[0]].of_budget
        return lambda theta_bp, flops_b: law.formula.value([share * flops_b], columns_of(theta_bp))
    return None


def least_loss(law: Law, theta_tp: np.ndarray, flops: float) -> np.ndarray:
    """The least output (t,) that each parameter set (t, p) reaches with one budget."""
    return least_losses(law, theta_tp, np.full(len(theta_tp), flops))


def least_losses(law: Law, theta_tp: np.ndarray, flops_t: np.ndarray) -> np.ndarray:
    """The least output (t,) that each parameter set (t, p) reaches with its own budget (t,)."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(_required(law)(theta_tp, flops_t), len(theta_tp))


def least_losses_along(law: Law, theta_tp: np.ndarray, flops_m: np.ndarray) -> np.ndarray:
    """The least output (t, m) that each parameter set (t, p) reaches with every budget (m,)."""
    surface = Surface.of(law)
    if surface is None:
        return np.stack([least_loss(law, theta_tp, C) for C in flops_m.tolist()], axis=1)
    columns = [theta_tp[:, j, None] for j in range(theta_tp.shape[1])]
    with np.errstate(all="ignore"):
        sizes_tm = best_sizes_along(law, theta_tp, flops_m)
        return surface.value(columns, sizes_tm, cost.partner(flops_m, sizes_tm))


def needed_flops(law: Law, theta_tp: np.ndarray, target_t: np.ndarray) -> np.ndarray:
    """The least compute (t,) that reaches each target (t,); either may be one for all.

    Infinite where even MOST is not enough, NaN where there is no frontier to ask.
    """
    least = _required(law)
    t = max(len(theta_tp), len(target_t))
    theta_tp, target_t = (np.resize(a, (t, *a.shape[1:])) if len(a) == 1 else a for a in (theta_tp, target_t))
    surface = Surface.of(law)
    if surface is None or has_closed_form(law):
        return _bisected(least, theta_tp, target_t)
    needed_t = _balanced(surface, theta_tp, target_t)
    with np.errstate(all="ignore"):
        reached_t = least(theta_tp, needed_t)
        open_t = np.flatnonzero(~(np.abs(np.log(reached_t / target_t)) < CLOSE))
    if len(open_t):
        needed_t[open_t] = _bisected(least, theta_tp[open_t], target_t[open_t])
    return needed_t


def _balanced(surface: Surface, theta_tp: np.ndarray, target_t: np.ndarray) -> np.ndarray:
    # The compute of the run to the target at which size and data are worth the same: the least, if there is one valley.
    columns = columns_of(theta_tp)

    def lopsided(log_sizes_t: np.ndarray) -> np.ndarray:
        tokens_t = surface.tokens_for(columns, np.exp(log_sizes_t), target_t)
        of_size, of_data = surface.slopes(columns, np.exp(log_sizes_t), tokens_t)
        return np.where(np.isfinite(tokens_t), np.log(of_size / of_data), np.inf)

    low_t = np.zeros(len(target_t))
    with np.errstate(all="ignore"):
        sizes_t = np.exp(roots.between(lopsided, low_t, low_t + LOG_MOST))
        return cost.total(sizes_t, surface.tokens_for(columns, sizes_t, target_t))


def _bisected(least: Frontier, theta_tp: np.ndarray, target_t: np.ndarray) -> np.ndarray:
    t = len(target_t)

    def gap(log_flops_t: np.ndarray) -> np.ndarray:
        over_t = np.log(np.broadcast_to(least(theta_tp, np.exp(log_flops_t)), t)) - np.log(target_t)
        return np.where(np.isnan(over_t), 1.0, over_t)  # too little to train anything

    low_t, high_t = np.full(t, np.log(LEAST)), np.full(t, np.log(MOST))
    with np.errstate(all="ignore"):
        last_t = np.broadcast_to(least(theta_tp, np.exp(high_t)), t)
        first_t = np.broadcast_to(least(theta_tp, np.exp(low_t)), t)
        found_t = np.exp(roots.between(gap, low_t, high_t, CLOSE / 100))
    found_t = np.where(first_t <= target_t, LEAST, found_t)
    needed_t = np.where(last_t <= target_t, found_t, np.inf)
    return np.where(np.isnan(last_t) | np.isnan(target_t), np.nan, needed_t)


def _required(law: Law) -> Frontier:
    found = frontier(law)
    assert found is not None, "only laws that tell a loss for a budget have a frontier"
    return found


def _at_best_size(surface: Surface, theta_bp: np.ndarray, flops_b: np.ndarray) -> np.ndarray:
    size_b = best_sizes(surface.law, theta_bp, flops_b, close=AT_MINIMUM)
    return surface.value(columns_of(theta_bp), size_b, cost.partner(flops_b, size_b))

"""D5: what would it cost if the plan were wrong?

Shapes: `s` draws, `m` budgets.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking.answers import LEVEL, asked, at, fitted, losses, size_of
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.planning import cost
from isoloss.planning.iso_cost import best_sizes

LOST = 0.1  # of the budget
SMALLER, POINTS = 1e-3, 61  # budgets at which a draw's own best loss is looked up, as a part of the one in question


@diagnosis("D5", "what would it cost if the plan were wrong?")
def regret(case: Case) -> Seen:
    """The best size is known badly and matters little: loss is flat about it, so even a wide interval costs little.

    Each draw of the fit is taken for the truth in turn: the plan's size is trained on its budget, and the loss compared
    with that of the draw's own best size, and with the smaller budget that would have reached it. Told is what the
    worst of 20 draws loses. Amber beyond a tenth of the budget; Hoffmann et al. 2022, Figure 3, show how flat valleys
    are.
    """
    fit, told = fitted(case), asked(case)
    draws_sp = fit.draws_sp[: len(told.size_t) - 1]
    if not len(draws_sp):
        return Unseen("draws: fit with draws=1000")
    size, tokens = float(told.size_t[0]), float(cost.partner(told.flops, told.size_t[0]))
    known_s = np.isfinite(told.size_t[1:])
    draws_sp, own_s = draws_sp[known_s], told.loss_t[1:][known_s]
    ours_s = losses(fit.law, draws_sp, size, tokens)
    over_s, spent_s = ours_s / own_s - 1, _wasted(case, draws_sp, ours_s, told.flops)
    over, wasted = (float(np.quantile(values_s, 0.95)) for values_s in (over_s, spent_s))
    lost = 1 - float(known_s.mean())
    ends = told.size
    sentence = (
        f"The best {size_of(fit.law)} {at(told.flops)} is {ends} at {LEVEL:.0%}; training {numbers.short(size)} "
        f"instead of what is truly best loses at most {over:.2%} of loss, or {wasted:.1%} of the compute, in 19 of 20 "
        "draws"
    )
    if wasted <= LOST and lost <= 0.05:
        return Fine(sentence)
    also = f"; {lost:.0%} of the draws have no best size at all" if lost > 0.05 else ""
    fix = "Add runs on either side of the best size at the largest budgets, which narrow it most."
    return [Finding("D5", "amber", f"{sentence}{also}.", wasted, fix)]


def _wasted(case: Case, draws_sp: np.ndarray, reached_s: np.ndarray, flops: float) -> np.ndarray:
    # The part of the budget that the draw's best size would not have needed for the same loss.
    budget_m = flops * np.geomspace(SMALLER, 1.0, POINTS)
    law, m = case.law if case.fit is None else case.fit.law, len(budget_m)
    theta_bp = np.repeat(draws_sp, m, axis=0)
    flops_b = np.tile(budget_m, len(draws_sp))
    size_b = best_sizes(law, theta_bp, flops_b)
    loss_sm = losses(law, theta_bp, size_b, cost.partner(flops_b, size_b)).reshape(-1, m)
    needed_s = [np.interp(-r, -loss_m, np.log(budget_m)) for r, loss_m in zip(reached_s, loss_sm, strict=True)]
    return 1 - np.exp(np.array(needed_s)) / flops

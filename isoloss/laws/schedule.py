"""Laws of the learning-rate schedule: the loss at a step from all learning rates up to it.

`multi_power` is for one drop of the rate in a row; `over` makes of it the law of whole schedules, to be fitted to rows
of steps and losses:

    curves = Schedules.of(runs)  # columns steps, lr, loss, and schedule: its name
    found = fit(curves.numbered(runs), law=over(curves))
    found.predict(curves.numbered(others))  # at other steps of these schedules
    replace(found, law=over(curves + planned)).predict(schedule_number=10, steps=70_000)

`annealing` has two inputs, which `annealing_sums` sums. Shapes: `n` steps, `m` asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from isoloss.core.law import Input, Law, law
from isoloss.core.quantities import (
    Amplitude,
    AnnealedArea,
    Array,
    Exponent,
    Floor,
    LearningRateAfter,
    LearningRateBefore,
    Loss,
    RateScale,
    RateSum,
    RateSumAfter,
    quantity,
)
from isoloss.laws._schedules import NUMBER, Schedules
from isoloss.laws._summed import Summed


@dataclass(frozen=True)
class OfDrops(Law):
    """A law of one drop of the rate, which can be bound to whole schedules: `schedules`, as `Schedules.to_json` text.

    Then its inputs are the step and the schedule's number, and it sums over all drops; a saved fit keeps the schedules.
    """

    def bind(self, **columns: str) -> Law:
        """`Law.bind`, and with `schedules` the law of the steps of those."""
        if "schedules" not in columns:
            return super().bind(**columns)
        inputs = (Input("t", quantity("steps")), Input("q", quantity(NUMBER)))
        single = self.formula.single if isinstance(self.formula, Summed) else self.formula
        summed = Summed.over(single, Schedules.from_json(columns.pop("schedules")))
        return replace(self, inputs=inputs, formula=summed).bind(**columns)

    @property
    def binding(self) -> dict[str, str]:
        bound = {"schedules": self.formula.schedules.to_json()} if isinstance(self.formula, Summed) else {}
        return {**super().binding, **bound}


@law(cite="tissue2024")
def annealing(S_1: RateSum, S_2: AnnealedArea, *, L_0: Floor, A: Amplitude, alpha: Exponent, C: Amplitude) -> Loss:
    """A power law in the sum of learning rates, less a gain in proportion to how far the rate has been annealed.

    S_1 sums the rates of all steps; S_2 sums, over the steps, the drops of the rate so far, each fading by a factor
    lambda a step: both from `annealing_sums`. At a constant rate S_2 = 0 and it is `power_floor` in S_1. One model, one
    batch size, any schedule. Tissue et al. 2024, main equation.
    """
    return L_0 + A * S_1**-alpha - C * S_2


@law(cite="luo2025", kind=OfDrops)
def multi_power(
    S_1: RateSum,
    eta_0: LearningRateBefore,
    eta_1: LearningRateAfter,
    S_a: RateSumAfter,
    *,
    L_0: Floor,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    C: RateScale,
    beta: Exponent,
    gamma: Exponent,
) -> Loss:
    """A power law in the sum of learning rates, less what a drop of the rate gains, itself a saturating power law.

    For a rate that drops once, from eta_0 to eta_1, S_a being the sum of the rates since; S_1 sums all, warm-up
    included. Drops add: bound to whole schedules (`over`) it sums theirs. Without a drop it is `power_floor` in S_1;
    for small C S_a it falls in line with S_a, as `annealing` does. Luo et al. 2025, main equation.
    """
    return L_0 + A * S_1**-alpha - gain(eta_0, eta_1, S_a, B, C, beta, gamma)


def gain(eta_0: Array, eta_1: Array, S_a: Array, B: Array, C: Array, beta: Array, gamma: Array) -> Array:
    """What the drop from rate eta_0 to eta_1 has lowered the loss by, S_a being the sum of rates since."""
    return B * (eta_0 - eta_1) * (1 - (C * eta_1**-gamma * S_a + 1) ** -beta)


def over(schedules: Schedules) -> Law:
    """The law of the steps of whole schedules: `multi_power` summed over all drops of the rate, rises below zero.

    Its inputs are `steps` and `schedule_number`, which `schedules.numbered` adds to a table. Drops that lie about
    equally far back are gathered, at their mean rate and sum: at the published constants no loss moves by more than
    1e-4. Beyond the end of its schedule a step has no loss (NaN). Warm-up counts, as in the authors' code, so their
    constants hold here: `replace(published("luo2025_mpl_25m"), law=over(curves))`. Luo et al. 2025, main equation.
    """
    return multi_power.bind(schedules=schedules.to_json())


def multi_power_curve(
    theta: Mapping[str, float], rates_n: np.ndarray, steps_m: np.ndarray, warmup: int = 0
) -> np.ndarray:
    """The losses (m,) at the given steps of a whole schedule of learning rates (n,), all but the first above zero.

    `theta` has the constants of `multi_power`. Rates that rise during the first `warmup` steps count in the sum alone,
    as in the paper; with `warmup` 0 each rise is a drop below zero, as in the code of the authors.
    Luo et al. 2025, main equation.
    """
    sum_n = np.cumsum(rates_n)
    sum_m = sum_n[steps_m]
    losses_m = theta["L_0"] + theta["A"] * sum_m ** -theta["alpha"]
    of_gain = {name: theta[name] for name in ("B", "C", "beta", "gamma")}
    for k in range(max(warmup, 1), len(rates_n)):
        if rates_n[k] != rates_n[k - 1]:
            since_m = np.maximum(sum_m - sum_n[k - 1], 0.0)
            losses_m -= np.where(steps_m >= k, gain(rates_n[k - 1], rates_n[k], since_m, **of_gain), 0.0)
    return losses_m


def annealing_sums(rates_n: np.ndarray, decay: float = 0.999) -> tuple[np.ndarray, np.ndarray]:
    """S_1 and S_2 of `annealing` at every step of a schedule of learning rates (n,), for one decay lambda.

    S_2 adds, over steps, a momentum of drops that fades by `decay` a step. Warm-up counts as a negative drop: pass the
    rates after it, or a constant peak in its place, for a law without it. Tissue et al. 2024, main equation.
    """
    drops_n = -np.diff(rates_n, prepend=rates_n[0])
    momentum, momentum_n = 0.0, np.empty(len(rates_n))
    for i, drop in enumerate(drops_n):
        momentum = decay * momentum + drop
        momentum_n[i] = momentum
    return np.cumsum(rates_n), np.cumsum(momentum_n)

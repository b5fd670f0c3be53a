"""What a fit answers to the question of a checked case: the best size for its compute, the exponent, the loss there.

Shapes: `p` parameters, `t` parameter sets: the best estimate and then the draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.checking.case import FAR, Case
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.planning import cost
from isoloss.planning.iso_cost import best_sizes, size_and_data

DRAWS = 300  # of a fit that are asked: more change no diagnosis
LEVEL = 0.9
MOVES = 0.1  # of a best size or an exponent: ten per cent is a rung of a ladder, or a tenth of a budget


@dataclass(frozen=True, eq=False)
class Answers:
    """At `flops`, for each parameter set (t,): the best size, its exponent a in N ~ C^a there, and the loss of it."""

    flops: float
    size_t: np.ndarray
    exponent_t: np.ndarray
    loss_t: np.ndarray

    @property
    def size(self) -> Estimate:
        return _estimate(self.size_t)

    @property
    def exponent(self) -> Estimate:
        return _estimate(self.exponent_t)

    @property
    def loss(self) -> Estimate:
        return _estimate(self.loss_t)


def fitted(case: Case) -> Fit:
    """The case's fit; RequestError where there is none."""
    if case.fit is None:
        raise RequestError(f"these runs carry no fit of {case.law.name}")
    return case.fit


def settled(case: Case) -> Fit:
    """The case's fit, if the runs fix its parameters; RequestError where they do not, for then nothing compares."""
    fit = fitted(case)
    if fit.status == "flat" or (fit.certificate and fit.certificate.flat):
        raise RequestError("the runs do not fix the law (see B2), so that there is nothing firm to compare with")
    return fit


def size_of(law: Law) -> str:
    """The column of model size of a law of size and tokens; RequestError for any other law."""
    sides = size_and_data(law)
    if sides is None:
        raise RequestError(f"the law {law.name} of {' and '.join(law.columns)} tells no best size for a budget")
    return law.columns[sides[0]]


def target(case: Case) -> float:
    """The compute in question, as the law counts it: as asked, else FAR times the largest 6 N D of the runs."""
    if case.asked is not None:
        return case.asked
    return FAR * float(cost.total(case.inputs[size_of(case.law)], case.inputs["tokens"]).max())


def answers(fit: Fit, flops: float) -> Answers:
    """What a fit of a law of size and tokens answers; sizes are NaN where there is no optimum."""
    size_of(fit.law)
    theta_tp = np.vstack([fit.theta_p, fit.draws_sp[:DRAWS]])
    t = len(theta_tp)
    size_t, above_t = (best_sizes(fit.law, theta_tp, np.full(t, c)) for c in (flops, flops * np.e))
    with np.errstate(all="ignore"):
        exponent_t = np.log(above_t / size_t)
        loss_t = losses(fit.law, theta_tp, size_t, cost.partner(flops, size_t))
    return Answers(flops, size_t, exponent_t, loss_t)


def asked(case: Case) -> Answers:
    """What the case's fit answers; RequestError where its law tells no best size, or this fit has none."""
    found = answers(fitted(case), target(case))
    if not np.isfinite(found.size_t[0]):
        raise RequestError(f"this fit has no best size for {numbers.short(found.flops)} FLOP")
    return found


def losses(law: Law, theta_tp: np.ndarray, size_t: Any, tokens_t: Any) -> np.ndarray:
    """The output of each parameter set (t,) at its own size and tokens, or all at the same."""
    pair = {law.columns.index("tokens"): tokens_t, law.columns.index(size_of(law)): size_t}
    with np.errstate(all="ignore"):
        value = law.formula.value([np.asarray(pair[i], float) for i in range(2)], list(theta_tp.T))
    return np.broadcast_to(value, (len(theta_tp),))


def taken(case: Case, keep_n: np.ndarray) -> tuple[Runs, dict[str, Any]]:
    """Some of the runs, and the settings that change with them."""
    weights = case.settings.get("weights")
    given = weights is not None and not isinstance(weights, str)
    return case.runs.take(keep_n), {"weights": np.asarray(weights)[keep_n]} if given else {}


def of_another_law(law: Law) -> dict[str, Any]:
    """The settings to refit another law with: what was said of the first one's parameters is no use to it."""
    return {"law": law, "inputs": {}, "hold": {}, "tie": (), "prior": {}}


def is_beyond(value: float, estimate: Estimate, moves: float) -> bool:
    """Whether another answer leaves an estimate's interval and lies further off its middle than a share `moves`."""
    moved = not abs(value / estimate.mid - 1) <= moves
    return moved and not (estimate.known and estimate.low <= value <= estimate.high)


def factor(one: float, other: float) -> float:
    """How many times larger one is than the other, or the other than the one: 1 or more."""
    return float(np.exp(abs(np.log(one / other))))


def at(flops: float) -> str:
    """The compute in words."""
    return f"at {numbers.short(flops)} FLOP"


def _estimate(values_t: np.ndarray) -> Estimate:
    kept_s = values_t[1:][np.isfinite(values_t[1:])]
    return Estimate.of(values_t[0], kept_s, LEVEL)

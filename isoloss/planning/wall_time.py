"""How long a training run takes: FLOP over what devices sustain, and the most devices that a batch can feed.

Ends of intervals are the ends of the assumptions taken together (see intervals.py): bounds, in a plan without a level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, intervals, literature
from isoloss.planning.hardware import Accelerator, accelerator
from isoloss.published import card

HOUR, DAY = 3600.0, 86400.0
BOUNDS = "ends of intervals are those of the assumptions together, the worst with the worst, not a probability"

UTILISATION = Estimate(0.40, 0.30, 0.50)
WHY_UTILISATION = (
    "model FLOP utilisation 0.40 (0.30 to 0.50), assumed: published runs of thousands of devices sustained 0.21 "
    "(GPT-3), 0.30 (MT-NLG), 0.33 (Gopher), 0.46 (PaLM; all Chowdhery et al. 2022, table 3), 0.38 to 0.43 "
    "(Llama 3 405B, 2024, table 4)"
)
SEQUENCE = 4096
BEYOND = "beyond the critical batch B_crit a run needs (1 + B / B_crit) / 2 times the tokens (McCandlish et al. 2018)"
EVEN = "utilisation does not fall with the number of devices, which it does in practice"
CRITICAL = ("cbs2024", "kaplan2020_B_crit")


@dataclass(frozen=True)
class Machine:
    """So many devices of one kind, what each sustains in FLOP/s of the model, and why that is believed."""

    accelerator: Accelerator
    devices: int
    rate: Estimate
    assumptions: tuple[str, ...] = ()

    def seconds(self, flops: float | Estimate) -> Estimate:
        """Wall time of a run of `flops` FLOP."""
        needed = flops if isinstance(flops, Estimate) else intervals.exact(flops)
        return intervals.over(intervals.times(needed, intervals.exact(1 / self.devices)), self.rate)

    def flops_in(self, seconds: float) -> Estimate:
        """FLOP that fit into `seconds` of wall time."""
        return intervals.times(intervals.exact(seconds * self.devices), self.rate)


def machine(
    accelerator_name: str,
    *,
    devices: Any = 1,
    utilisation: Any = None,
    tokens_per_second: Any = None,
    flops_per_token: Any = None,
    price: Any = None,
    power: Any = None,
    table: Any = None,
) -> Machine:
    """Devices of the accelerator of this name (see hardware.py) and what they sustain.

    Either at a `utilisation` of their dense peak (a number, "low:mid:high"; 0.30 to 0.50 where not given), or as
    measured: `tokens_per_second` of one device with a model of `flops_per_token` FLOP per token. `price` and `power`
    replace the table's. Raises RequestError for numbers that cannot be, UnknownNameError for an unknown accelerator.
    """
    kind = accelerator(accelerator_name, table=table, price=price, power=power)
    count = answers.whole(devices, "devices")
    if tokens_per_second is not None:
        return _measured(kind, count, tokens_per_second, utilisation, flops_per_token)
    share = UTILISATION if utilisation is None else intervals.read(utilisation, "utilisation")
    if share.high > 1:
        raise RequestError(
            f"A utilisation of {share.high:g} is more than the devices can do.", do="Give a share, such as 0.4."
        )
    why = WHY_UTILISATION if utilisation is None else f"model FLOP utilisation {share}, given by you"
    rate = intervals.times(share, intervals.exact(kind.need("flops")))
    return Machine(kind, count, rate, (*_chosen(kind), kind.stated("flops"), why, BOUNDS))


def _chosen(kind: Accelerator) -> tuple[str, ...]:
    return (kind.chosen,) if kind.chosen else ()


def _measured(kind: Accelerator, devices: int, speed: Any, utilisation: Any, flops_per_token: Any) -> Machine:
    if utilisation is not None:
        raise RequestError(
            "Both a utilisation and measured tokens per second were given, and either tells the speed.",
            do="Give one of them.",
        )
    if flops_per_token is None:
        raise RequestError(
            "Tokens per second tell a speed in FLOP/s only with the FLOP of one token.",
            "It is 6 N for the model that was measured, or its training_flops.",
            "Give flops_per_token, for example 6 * 7e9 for 7B parameters (or the run's tokens beside its FLOP).",
        )
    measured, each = intervals.read(speed, "tokens_per_second"), intervals.amount(flops_per_token, "flops_per_token")
    rate = intervals.times(measured, intervals.exact(each))
    peak = kind.flops
    if rate.mid > peak:  # a comparison with NaN is false: without a peak there is nothing to compare
        raise RequestError(
            f"{numbers.short(measured.mid)} tokens per second of one device are {rate.mid:.3g} FLOP/s, above the "
            f"peak of {kind.name}, {peak:.3g}.",
            do="Give tokens per second of one device, not of all, and the FLOP per token of the model measured.",
        )
    why = f"{measured} tokens per second and device as measured by you, {each:.4g} FLOP per token"
    return Machine(kind, devices, rate, (*_chosen(kind), why, BOUNDS))


def critical_batch(
    tokens: float, loss: float | None = None, given: Any = None
) -> tuple[Estimate, tuple[str, ...], tuple[Finding, ...]]:
    """The critical batch in tokens, where it comes from, and what is wrong with that.

    `given` is a number, an interval, or a Fit of a law whose output is `critical_batch` and whose inputs are tokens or
    the loss. Without it, the published laws that the inputs suffice for: the middle is their geometric mean, the ends
    are the least and the largest.
    """
    known = {"tokens": tokens, **({"loss": loss} if loss is not None else {})}
    if isinstance(given, Fit):
        return _by_fit(given, known)
    if given is not None:
        return intervals.read(given, "critical_batch"), ("critical batch given by you",), ()
    values = literature.asked(CRITICAL, known)
    mid = math.exp(sum(math.log(v) for v in values.values()) / len(values))
    said = ", ".join(f"{numbers.short(v)} by {key} (tier {card(key).tier})" for key, v in values.items())
    weak = tuple(f for key in values for f in literature.warnings(key, known))
    return Estimate(mid, min(values.values()), max(values.values())), (f"critical batch in tokens: {said}",), weak


def _by_fit(fit: Fit, known: dict[str, float]) -> tuple[Estimate, tuple[str, ...], tuple[Finding, ...]]:
    if fit.law.output.name != "critical_batch" or not set(fit.law.columns) <= set(known):
        raise RequestError(
            f"The law '{fit.law.name}' of {fit.law.output.name} tells no critical batch from {' and '.join(known)}.",
            do="Give a fit of critical_batch against tokens or loss (and the loss), or the batch as a number.",
        )
    inputs: dict[str, Any] = {name: known[name] for name in fit.law.columns}
    value = fit.predict(kind="mean", **inputs).estimate[0]
    return (value if value.known else intervals.exact(value.mid)), fit.stated(), fit.findings


def speed_up(
    flops: Any,
    tokens: Any,
    accelerator_name: str,
    *,
    sequence: int = SEQUENCE,
    replica: int = 1,
    loss: float | None = None,
    batch: Any = None,
    **how: Any,
) -> Plan:
    """Wall time against the number of devices, up to four times the critical batch: one option for each doubling.

    Data parallel: each copy of the model, on `replica` devices, takes at least one sequence of `sequence` tokens a
    step. Up to the critical batch more devices shorten the run; beyond it the run needs more tokens, (1 + B / B_crit)
    / 2 times as many as at B_crit (McCandlish et al. 2018, Eq. 2.11). `batch` gives the critical batch (see
    `critical_batch`), `how` goes to `machine`. Raises RequestError for numbers that cannot be.
    """
    flops, tokens = intervals.amount(flops, "flops"), intervals.amount(tokens, "tokens")
    one = machine(accelerator_name, flops_per_token=flops / tokens, **{**how, "devices": 1})
    critical, why, findings = critical_batch(tokens, loss, batch)
    most = critical.mid / sequence * replica
    doublings = range(1 + max(0, math.ceil(math.log2(max(1.0, 4 * most / replica)))))
    options = [_at_devices(one, flops, replica * 2**k, sequence, replica, critical) for k in doublings]
    feeds = (
        f"data parallel: {replica} device(s) take one sequence of {sequence} tokens or more a step, so that the "
        f"critical batch of {numbers.short(critical.mid)} tokens feeds {numbers.short(most)} devices"
    )
    goal = f"wall time of {numbers.short(flops)} FLOP on {one.accelerator.name}, by number of devices"
    said = (*one.assumptions, *why, feeds, BEYOND, EVEN)
    return Plan(goal, tuple(options), None, said, findings, ("days", "token_factor"))


def token_factor(batch: float, critical: Estimate) -> Estimate:
    """How many times the tokens of a run at the critical batch one at `batch` needs; 1 up to there."""
    return Estimate(*(max(1.0, (1 + batch / b) / 2) for b in (critical.mid, critical.high, critical.low)))


def _at_devices(one: Machine, flops: float, devices: int, sequence: int, replica: int, critical: Estimate) -> Option:
    smallest = devices / replica * sequence
    more = token_factor(smallest, critical)
    seconds = intervals.times(Machine(one.accelerator, devices, one.rate).seconds(flops), more)
    estimates = {
        "devices": intervals.exact(devices),
        "least_batch": intervals.exact(smallest),
        "days": intervals.times(seconds, intervals.exact(1 / DAY)),
        "token_factor": more,
    }
    return Option(estimates, f"{devices} devices")

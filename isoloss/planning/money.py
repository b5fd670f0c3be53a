"""What a run costs in hours, dollars and energy; and the other way, what so many dollars or hours can train."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from isoloss.core import numbers
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import intervals
from isoloss.planning.compute import compute
from isoloss.planning.energy import kilowatt_hours
from isoloss.planning.goals import (
    Count,
    Dollars,
    FamilyOfShapes,
    FlopsPerToken,
    Hardware,
    Hours,
    OnAccelerator,
    Price,
    TokensPerSecond,
    Utilisation,
)
from isoloss.planning.questions import question
from isoloss.planning.wall_time import DAY, HOUR, Machine, machine

BOUNDED = ("days", "hours", "device_hours", "dollars", "kwh")
ENDS = ("at the low end", "typical", "at the high end")


def bill(
    flops: Any,
    accelerator: str,
    *,
    devices: Any = 1,
    tokens: Any = None,
    utilisation: Any = None,
    tokens_per_second: Any = None,
    price: Any = None,
    power: Any = None,
    drawn: Any = None,
    pue: Any = None,
    table: Any = None,
) -> Plan:
    """Days, device hours, dollars and kWh of a training run of `flops` FLOP on `devices` accelerators.

    The speed is a `utilisation` of the dense peak (0.30 to 0.50 where not given), or measured `tokens_per_second` of
    one device with the run's `tokens`. `price` (dollars per device hour), `utilisation`, `drawn` (the share of board
    power that is drawn) and `pue` may be intervals "low:mid:high"; `power` is in watts of the board. Where no source
    gives a price or a power, dollars or kWh are left out, with a finding.
    Raises RequestError for numbers that cannot be or do not suffice, UnknownNameError for an unknown accelerator.
    """
    flops = intervals.amount(flops, "flops")
    per_token = flops / intervals.amount(tokens, "tokens") if tokens is not None else None
    used = machine(
        accelerator,
        devices=devices,
        utilisation=utilisation,
        tokens_per_second=tokens_per_second,
        flops_per_token=per_token,
        price=price,
        power=power,
        table=table,
    )
    seconds = used.seconds(flops)
    estimates = {"flops": intervals.exact(flops), "days": intervals.times(seconds, intervals.exact(1 / DAY))}
    spent, said, lacking = costs(used, seconds, drawn, pue)
    goal = f"cost of {numbers.short(flops)} FLOP on {used.devices} x {used.accelerator.name}"
    return Plan(goal, (Option({**estimates, **spent}),), None, (*used.assumptions, *said), lacking, BOUNDED)


def costs(
    used: Machine, seconds: Estimate, drawn: Any = None, pue: Any = None
) -> tuple[dict[str, Estimate], tuple[str, ...], tuple[Finding, ...]]:
    """Device hours, dollars and kWh of so many seconds on all devices, what they rest on, and what is left out."""
    hours = intervals.times(seconds, intervals.exact(used.devices / HOUR))
    estimates: dict[str, Estimate] = {"device_hours": hours}
    said: list[str] = []
    lacking = []
    if math.isnan(used.accelerator.price.mid):
        lacking.append(_lacks(used, "price", "dollars"))
    else:
        estimates["dollars"] = intervals.times(hours, used.accelerator.price)
        said.append(used.accelerator.stated("price"))
    if math.isnan(used.accelerator.power):
        lacking.append(_lacks(used, "power", "kwh"))
    else:
        estimates["kwh"], why = kilowatt_hours(used, seconds, drawn, pue)
        said += why
    return estimates, tuple(said), tuple(lacking)


def flops_for_dollars(dollars: Any, used: Machine) -> Estimate:
    """FLOP that `dollars` buy at the machine's price and speed; however many devices, the FLOP are the same."""
    hours = intervals.over(intervals.exact(intervals.amount(dollars, "dollars")), used.accelerator.need_price())
    return intervals.times(hours, intervals.exact(HOUR), used.rate)


def flops_for_hours(hours: Any, used: Machine) -> Estimate:
    """FLOP that all devices of the machine do in `hours` of wall time."""
    return used.flops_in(intervals.amount(hours, "hours") * HOUR)


@question
def dollars(
    fit: Fit | Frontier,
    level: float,
    *,
    dollars: Dollars,
    accelerator: OnAccelerator,
    price: Price = None,
    utilisation: Utilisation = None,
    tokens_per_second: TokensPerSecond = None,
    flops_per_token: FlopsPerToken = None,
    hardware: Hardware = None,
    family: FamilyOfShapes = None,
) -> Plan:
    """The best use of so many dollars on rented accelerators.

    Dollars buy FLOP at a price and a utilisation that are intervals: three options, for the FLOP at the low end, the
    typical and the high one, each planned as a budget of compute. Errors as in `bill` and in the question of compute.
    """
    used = machine(
        accelerator,
        utilisation=utilisation,
        tokens_per_second=tokens_per_second,
        flops_per_token=flops_per_token,
        price=price,
        table=hardware,
    )
    bought = flops_for_dollars(dollars, used)
    goal = f"best use of {numbers.short(intervals.amount(dollars, 'dollars'))} dollars on {used.accelerator.name}"
    return _planned(fit, level, bought, goal, (*used.assumptions, used.accelerator.stated("price")), family)


@question
def hours(
    fit: Fit | Frontier,
    level: float,
    *,
    hours: Hours,
    accelerator: OnAccelerator,
    count: Count,
    utilisation: Utilisation = None,
    tokens_per_second: TokensPerSecond = None,
    flops_per_token: FlopsPerToken = None,
    hardware: Hardware = None,
    family: FamilyOfShapes = None,
) -> Plan:
    """The best use of so many hours on so many accelerators.

    As for dollars, without a price. Errors as in `bill` and in the question of compute.
    """
    used = machine(
        accelerator,
        devices=count,
        utilisation=utilisation,
        tokens_per_second=tokens_per_second,
        flops_per_token=flops_per_token,
        table=hardware,
    )
    span = numbers.short(intervals.amount(hours, "hours"))
    goal = f"best use of {span} hours on {used.devices} x {used.accelerator.name}"
    return _planned(fit, level, flops_for_hours(hours, used), goal, used.assumptions, family)


def _lacks(used: Machine, number: str, answer: str) -> Finding:
    sentence = f"No source gives the {number} of {used.accelerator.name}, and it is not guessed: {answer} is left out."
    return Finding("M1", "note", sentence, None, f"Give {number}=..., or a table of your own (hardware=...).")


def _planned(
    fit: Fit | Frontier, level: float, bought: Estimate, goal: str, said: tuple[str, ...], family: Any
) -> Plan:
    ends = dict(zip(ENDS, (bought.low, bought.mid, bought.high), strict=True))
    known = {label: value for label, value in ends.items() if math.isfinite(value)}
    if len(set(known.values())) == 1:
        known = {"": bought.mid}
    made = compute(fit, level, flops=list(known.values()), family=family)
    options = [
        replace(option, label=f"{label}: {numbers.short(value)} FLOP" if label else "")
        for option, (label, value) in zip(made.options, known.items(), strict=True)
    ]
    return replace(made, goal=goal, options=tuple(options), assumptions=(*said, *made.assumptions))

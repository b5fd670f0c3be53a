"""A run on so many accelerators: hours, dollars, energy, the memory it needs, the fewest and the most that serve it.

Hours, dollars, kWh and the most devices have bounds of what is assumed (see intervals.py); sizes and losses keep the
intervals of the fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoloss.core import numbers
from isoloss.core.accounting import count as count_params
from isoloss.core.architecture import Architecture
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, intervals
from isoloss.planning.cheapest import cheapest
from isoloss.planning.compute import compute
from isoloss.planning.goals import (
    Context,
    Count,
    CriticalBatch,
    Drawn,
    Flops,
    Hardware,
    OnAccelerator,
    Power,
    Price,
    Pue,
    StyleOfShapes,
    TargetLoss,
    TokensPerSecond,
    Utilisation,
    Vocabulary,
)
from isoloss.planning.memory import USABLE, Recompute, footprint, optimizer_bytes, smallest
from isoloss.planning.money import BOUNDED, costs
from isoloss.planning.questions import question
from isoloss.planning.shape import nearest
from isoloss.planning.wall_time import BEYOND, EVEN, HOUR, SEQUENCE, Machine, critical_batch, machine, token_factor

SHARDED = 3  # ZeRO's stage
TENSORS = (1, 2, 4, 8)  # devices that share a layer: those of one host


@question
def on_accelerators(
    fit: Fit | Frontier,
    level: float,
    *,
    flops: Flops,
    accelerator: OnAccelerator,
    count: Count = None,
    price: Price = None,
    utilisation: Utilisation = None,
    tokens_per_second: TokensPerSecond = None,
    power: Power = None,
    drawn: Drawn = None,
    pue: Pue = None,
    style: StyleOfShapes = None,
    vocab: Vocabulary = None,
    context: Context = None,
    critical_batch: CriticalBatch = None,
    hardware: Hardware = None,
) -> Plan:
    """The best run of a budget on so many accelerators: hours, dollars, energy, memory.

    With the fewest devices that hold its training (ZeRO stage 3; `least_devices`) and the most that shorten it
    (`most_devices`: the critical batch, one sequence each). `count` may be a list, one option each; without it, the
    fewest that hold it. The memory is that of a shape of `style`, llama where not given. `tokens_per_second` are of one
    device with the planned model. What no source gives is left out, with a finding. Errors as in the question of
    compute and in `machine`.
    """
    budget = answers.number(flops, "budget", cost.total(1, 1))
    planned = compute(fit, level, flops=budget)
    how = {name: value for name, value in locals().items() if name in ASKED}
    return _run(planned, f"{numbers.short(budget)} training FLOP", how)


@question
def to_loss_on_accelerators(
    fit: Fit | Frontier,
    level: float,
    *,
    loss: TargetLoss,
    accelerator: OnAccelerator,
    count: Count = None,
    price: Price = None,
    utilisation: Utilisation = None,
    tokens_per_second: TokensPerSecond = None,
    power: Power = None,
    drawn: Drawn = None,
    pue: Pue = None,
    style: StyleOfShapes = None,
    vocab: Vocabulary = None,
    context: Context = None,
    critical_batch: CriticalBatch = None,
    hardware: Hardware = None,
) -> Plan:
    """The cheapest run to a loss on so many accelerators: hours, dollars, energy, memory.

    As for a budget; where the FLOP have an interval, its ends and those of the assumptions are taken together.
    """
    planned = cheapest(fit, level, loss=loss)
    how = {name: value for name, value in locals().items() if name in ASKED}
    return _run(planned, planned.goal, how)


ASKED = (
    *("accelerator", "count", "price", "utilisation", "tokens_per_second", "power", "drawn", "pue"),
    *("style", "vocab", "context", "critical_batch", "hardware"),
)


@dataclass(frozen=True)
class Held:
    """How the training of a shape is held by the fewest devices: `tensor` of them share each layer."""

    shape: Architecture
    devices: int
    tensor: int
    recompute: Recompute

    def bytes_at(self, devices: int) -> float:
        """Bytes on one of so many devices, in whole groups."""
        whole = max(1, devices // self.tensor) * self.tensor
        return footprint(self.shape, devices=whole, stage=SHARDED, tensor=self.tensor, recompute=self.recompute).total

    def stated(self) -> str:
        return (
            f"memory is that of {self.shape}: AdamW in mixed precision, ZeRO stage 3, {self.tensor} device(s) sharing "
            f"each layer, one sequence each, recomputation {self.recompute}, {USABLE:.0%} of the memory filled"
        )


def least_holding(shape: Architecture, accelerator: str, table: Any = None) -> Held | None:
    """The fewest devices that hold the training, layers shared by up to eight; None where no number does.

    Activations are recomputed in full only where nothing else fits. Raises RequestError where no source gives the
    accelerator's memory.
    """
    kinds: tuple[Recompute, ...] = ("selective", "full")
    for recompute in kinds:
        found = [
            Held(shape, devices, tensor, recompute)
            for tensor in TENSORS
            if shape.heads % tensor == 0
            and (
                devices := smallest(shape, accelerator, stage=SHARDED, tensor=tensor, recompute=recompute, table=table)
            )
        ]
        if found:
            return min(found, key=lambda held: (held.devices, held.tensor))
    return None


def _run(planned: Plan, goal: str, how: Mapping[str, Any]) -> Plan:
    best = planned.options[0]
    size = next((name for name in cost.SIZES if name in best.estimates), None)
    if size is None:
        raise RequestError(
            "The fit tells no size for this run, which its memory and its batch need.",
            do="Plan with a law of size and data; isoloss published lists some.",
        )
    flops, tokens = intervals.settled(best.flops), best.tokens.mid
    one = _one_device(how, flops.mid / tokens)
    held, lacking = _held(best[size].mid, size, one, how)
    loss = best["loss"].mid if "loss" in best.estimates else None
    critical, why, weak = critical_batch(tokens, loss, how["critical_batch"])
    sequence, tensor = (held.shape.context, held.tensor) if held else (SEQUENCE, 1)
    counts = _counts(how["count"], held)
    most = intervals.times(critical, intervals.exact(tensor / sequence))
    options, said, unpriced = [], (), ()
    for devices in counts:
        used = Machine(one.accelerator, devices, one.rate)
        more = token_factor(devices / tensor * sequence, critical)
        seconds = intervals.times(used.seconds(flops), more)
        spent, said, unpriced = costs(used, seconds, how["drawn"], how["pue"])
        estimates = {
            **best.estimates,
            "devices": intervals.exact(devices),
            "hours": intervals.times(seconds, intervals.exact(1 / HOUR)),
            **spent,
            **({"token_factor": more} if more.high > 1 else {}),
            **(_memory(held, devices) if held else {}),
            "critical_batch": critical,
            "most_devices": most,
        }
        options.append(Option(estimates, f"{devices} devices" if len(counts) > 1 else ""))
        lacking += _too_few(held, devices, one)
    feeds = (
        f"up to most_devices more devices shorten the run: {tensor} device(s) take one sequence of {sequence} a step"
    )
    assumptions = (*planned.assumptions, *one.assumptions, *_of_flops(best.flops), *said)
    assumptions += (*why, feeds, BEYOND, EVEN, *((held.stated(),) if held else ()))
    findings = (*planned.findings, *lacking, *unpriced, *weak)
    bounds = (*BOUNDED, "token_factor", "critical_batch", "most_devices")
    title = f"{goal} on {one.accelerator.name}"
    return Plan(title, tuple(options), planned.level, assumptions, findings, bounds)


def _one_device(how: Mapping[str, Any], flops_per_token: float) -> Machine:
    return machine(
        how["accelerator"],
        utilisation=how["utilisation"],
        tokens_per_second=how["tokens_per_second"],
        flops_per_token=flops_per_token,
        price=how["price"],
        power=how["power"],
        table=how["hardware"],
    )


def _held(size: float, counted: str, one: Machine, how: Mapping[str, Any]) -> tuple[Held | None, list[Finding]]:
    name = one.accelerator.name
    if math.isnan(one.accelerator.memory):
        return None, [Finding("M1", "note", f"No source gives the memory of {name}: what holds the run is left out.")]
    made_as = {"style": how["style"] or "llama", "vocab": how["vocab"], "context": how["context"]}
    try:
        shape = nearest(size, counted=counted, **made_as)
    except RequestError as reply:
        if how["style"] is not None:
            raise
        return None, [Finding("M2", "note", f"{reply.given} What holds the run is left out.", None, reply.do)]
    held = least_holding(shape, one.accelerator.key, how["hardware"])
    if held is None:
        fix = "Take less context, or an accelerator of more memory."
        return None, [Finding("M2", "amber", f"No number of {name} holds the training of {shape}.", None, fix)]
    return held, []


def _counts(count: Any, held: Held | None) -> list[int]:
    if count is None:
        return [held.devices if held else 1]
    listed = count if isinstance(count, list | tuple) else [count]
    return [answers.whole(one, "devices") for one in listed]


def _memory(held: Held, devices: int) -> dict[str, Estimate]:
    counts = count_params(held.shape)
    states = 4 * counts.params + optimizer_bytes(counts)  # weights and gradients in 16 bits
    told = {"state_bytes": states, "bytes_per_device": held.bytes_at(devices), "least_devices": held.devices}
    return {name: intervals.exact(float(value)) for name, value in told.items()}


def _too_few(held: Held | None, devices: int, one: Machine) -> list[Finding]:
    if held is None or devices >= held.devices:
        return []
    sentence = (
        f"{devices} x {one.accelerator.name} do not hold the run: it takes {held.devices}, of {held.tensor} that share "
        "each layer."
    )
    return [Finding("M3", "amber", sentence, float(held.devices), "Take more, or states moved to the host's memory.")]


def _of_flops(flops: Estimate) -> tuple[str, ...]:
    if flops.known and flops.low < flops.high:
        return ("bounds of hours, dollars and kWh take in the interval of the FLOP",)
    return ()

"""Dollars of a model in its life: training, reading and writing tokens, each at what an accelerator sustains there.

Training costs 6 N D FLOP; reading a token 2 N, at a utilisation of its own (Sardana et al. 2023, Eq. 6). Writing reads
every weight once a step, for all sequences that are written together: it takes the bytes of the weights over the
bandwidth, shared among them, or the FLOP's time where that is longer. All of it is proportional to N, so that served
tokens count like so many more or fewer of those in inference.py. Shapes: `t` parameter sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, intervals
from isoloss.planning.goals import (
    BandwidthShare,
    Hardware,
    OnAccelerator,
    Prefill,
    Price,
    Quality,
    Served,
    TargetLoss,
    Together,
    Utilisation,
    WeightBits,
    Written,
)
from isoloss.planning.inference import best_of_quality, cheapest_to, least_lifetime
from isoloss.planning.memory import USABLE
from isoloss.planning.questions import question
from isoloss.planning.surface import columns_of
from isoloss.planning.wall_time import HOUR, Machine, machine

PREFILL = Estimate(0.5, 0.3, 0.6)
TOGETHER = Estimate(16.0, 4.0, 64.0)
BANDWIDTH_SHARE = Estimate(0.6, 0.4, 0.8)
WRITTEN = 0.75
BITS = 16
LITTLE, MUCH = "cheapest if serving takes the least", "cheapest if serving takes the most"
TO_TRAIN = "cheapest to train"
BOUNDED = ("training_dollars", "serving_dollars", "dollars", "dollars_per_billion", "writing_utilisation")


@dataclass(frozen=True)
class Serving:
    """What serving takes on one device: seconds per token and parameter, at the ends of what is assumed."""

    seconds: Estimate
    writing_utilisation: Estimate
    weight_bytes: float
    assumptions: tuple[str, ...]


@question
def served_on(
    fit: Fit | Frontier,
    level: float,
    *,
    loss: TargetLoss,
    served: Served,
    accelerator: OnAccelerator,
    price: Price = None,
    utilisation: Utilisation = None,
    written: Written = None,
    prefill: Prefill = None,
    together: Together = None,
    bandwidth_share: BandwidthShare = None,
    weight_bits: WeightBits = None,
    hardware: Hardware = None,
) -> Plan:
    """The model of a loss that costs the fewest dollars to train and to serve.

    For each number of served tokens the cheapest in all, for the middle of what is assumed and for its ends, and the
    cheapest to train. Raises RequestError where the accelerator has no price, peak or bandwidth, for shares above 1,
    and where no compute reaches the loss.
    """
    target = answers.number(loss, "loss")
    found, outcome = cheapest_to(fit, target), answers.surface_of(fit).law.output.name
    how = {name: value for name, value in locals().items() if name in ASKED}
    return _served(fit, level, served, found, f"a {outcome} of {target:g}", how)


@question
def served_like_on(
    fit: Fit | Frontier,
    level: float,
    *,
    quality: Quality,
    served: Served,
    accelerator: OnAccelerator,
    price: Price = None,
    utilisation: Utilisation = None,
    written: Written = None,
    prefill: Prefill = None,
    together: Together = None,
    bandwidth_share: BandwidthShare = None,
    weight_bits: WeightBits = None,
    hardware: Hardware = None,
) -> Plan:
    """The model as good as the best one of a size that costs the fewest dollars to train and to serve."""
    size = answers.number(quality, "size")
    found = best_of_quality(fit, size)
    how = {name: value for name, value in locals().items() if name in ASKED}
    return _served(fit, level, served, found, f"the loss of {numbers.short(size)} at their best", how)


ASKED = (
    *("accelerator", "price", "utilisation", "written", "prefill", "together", "bandwidth_share", "weight_bits"),
    "hardware",
)


def serving(used: Machine, how: Mapping[str, Any]) -> Serving:
    """What serving takes on a machine, with what `how` gives in place of what is assumed; errors as in `served_on`."""
    peak, bandwidth = used.accelerator.need("flops"), used.accelerator.need("bandwidth")
    share = _share(how.get("written"), "written", intervals.exact(WRITTEN)).mid
    reads = _share(how.get("prefill"), "prefill", PREFILL)
    of_bandwidth = _share(how.get("bandwidth_share"), "bandwidth_share", BANDWIDTH_SHARE)
    at_once = intervals.read(TOGETHER if how.get("together") is None else how["together"], "together")
    weight_bytes = answers.number(how.get("weight_bits") or BITS, "number of bits") / 8
    reading = intervals.over(intervals.exact(cost.serving(1, 1) / peak), reads)
    streaming = intervals.over(intervals.exact(weight_bytes / bandwidth), intervals.times(of_bandwidth, at_once))
    writing = _longest(streaming, reading)
    seconds = Estimate(*((1 - share) * r + share * w for r, w in zip(_ends(reading), _ends(writing), strict=True)))
    utilisation = intervals.over(intervals.exact(cost.serving(1, 1) / peak), writing)
    given = {name for name, value in how.items() if value is not None}
    said = (
        f"{share:g} of the served tokens are written, the rest read" + _whose("written", given),
        f"reading sustains {reads} of the dense peak" + _whose("prefill", given),
        f"writing reads all weights once a step at {of_bandwidth} of the bandwidth" + _whose("bandwidth_share", given),
        f"{at_once} sequences are written together" + _whose("together", given),
        f"writing then sustains {utilisation} of the dense peak; Sardana et al. 2023 tell of about 0.01",
        f"weights of {8 * weight_bytes:g} bits; what fewer bits cost in loss is another question (bits)",
        "reading keys and values of the context is left out: it comes on top, more for long contexts",
        used.accelerator.stated("bandwidth"),
    )
    return Serving(seconds, utilisation, weight_bytes, said)


def _served(
    fit: Fit | Frontier,
    level: float,
    demand: Any,
    found: tuple[np.ndarray, np.ndarray],
    goal: str,
    how: Mapping[str, Any],
) -> Plan:
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    named = {"price": how["price"], "utilisation": how["utilisation"], "table": how["hardware"]}
    used = machine(how["accelerator"], **named)
    priced, price = serving(used, how), used.accelerator.need_price()
    theta_tp, (best_t, tokens_t) = answers.sets(fit), found
    loss_t = surface.value(columns_of(theta_tp), best_t, tokens_t)
    worth = intervals.times(priced.seconds, used.rate, intervals.exact(1 / cost.serving(1, 1)))
    options: list[Option] = []
    for tokens_served in answers.several(demand, "numbers of tokens"):
        for words, like in _cases(worth, tokens_served):
            whole_t = cost.total(best_t, tokens_t) + cost.serving(best_t, like)
            run = (best_t, tokens_t) if words == TO_TRAIN else least_lifetime(surface, theta_tp, best_t, tokens_t, like)
            saving_t = 1 - (cost.total(*run) + cost.serving(run[0], like)) / whole_t
            more = {fit.law.output.name: loss_t, "saving": saving_t, "data_ratio": run[1] / tokens_t}
            values = answers.run(surface, *run, **more)
            values |= _dollars(used, priced, price, (float(run[0][0]), float(run[1][0])), tokens_served)
            options.append(answers.option(values, level, f"{words}, {numbers.short(tokens_served)} tokens served"))
    said = (*answers.with_curve(fit, surface), *used.assumptions, used.accelerator.stated("price"), *priced.assumptions)
    whose = "dollars are those of the best estimate; sizes are best for the middle of what is assumed, or for its ends"
    ends = [np.array([option[name].mid for option in options]) for name in (surface.size_name, "tokens")]
    findings = (*fit.findings, *answers.reach(fit, surface, *ends), *answers.lost(best_t * tokens_t, "such run", "Q2"))
    title = f"fewest dollars of training and serving to {goal}, on {used.accelerator.name}"
    return Plan(title, tuple(options), level, (*said, whose), findings, BOUNDED)


def _cases(worth: Estimate, served: float) -> list[tuple[str, float]]:
    # What is asked for, with the tokens that cost as much to serve at training's rate as those served do.
    ends = {"cheapest": worth.mid, LITTLE: worth.low, MUCH: worth.high, TO_TRAIN: worth.mid}
    known = ends if worth.low < worth.high else {words: ends[words] for words in ("cheapest", TO_TRAIN)}
    return [(words, each * served) for words, each in known.items()]


def _dollars(
    used: Machine, priced: Serving, price: Estimate, run: tuple[float, float], served: float
) -> dict[str, Estimate | float]:
    size, tokens = run
    if not math.isfinite(size * tokens):
        return {}
    hourly = intervals.times(price, intervals.exact(1 / HOUR))
    training = intervals.times(used.seconds(cost.total(size, tokens)), hourly)
    serving_ = intervals.times(priced.seconds, intervals.exact(size * served), hourly)
    room = USABLE * used.accelerator.memory
    fewest = {} if math.isnan(room) else {"serving_devices": float(math.ceil(size * priced.weight_bytes / room))}
    return {
        "training_dollars": training,
        "serving_dollars": serving_,
        "dollars": Estimate(*(t + s for t, s in zip(_ends(training), _ends(serving_), strict=True))),
        "dollars_per_billion": intervals.times(serving_, intervals.exact(1e9 / served)),
        "writing_utilisation": priced.writing_utilisation,
        **fewest,
    }


def _share(given: Any, what: str, assumed: Estimate) -> Estimate:
    share = assumed if given is None else intervals.read(given, what)
    if share.high > 1:
        raise RequestError(f"{what} = {given} is no share.", do="Give a number above 0, at most 1.")
    return share


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.mid, estimate.low, estimate.high


def _longest(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(*(max(pair) for pair in zip(_ends(one), _ends(other), strict=True)))


def _whose(name: str, given: set[str]) -> str:
    return ", given by you" if name in given else ", assumed, without a source: measure it"

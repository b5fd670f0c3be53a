"""The memory of training: weights, gradients, optimizer state and activations, and the devices that hold them.

States in mixed precision after Rajbhandari et al. 2020 (ZeRO, arXiv:1910.02054, section 3.1), activations after
Korthikanti et al. 2022 (arXiv:2205.05198, section 4), itemised so that grouped queries and gated MLPs have theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from isoloss.core.accounting import Counts, Shape, count
from isoloss.core.architecture import Architecture
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.finding import Finding
from isoloss.core.plan import Option, Plan
from isoloss.planning import intervals
from isoloss.planning.hardware import accelerator as find_accelerator

Recompute = Literal["none", "selective", "full"]
Optimizer = Literal["adamw", "muon", "sgd"]

HALF, SINGLE = 2, 4  # bytes of a number in 16 and in 32 bits
USABLE = 0.9
STAGES = {
    0: "everything on every device",
    1: "optimizer state sharded",
    2: "optimizer state and gradients sharded",
    3: "optimizer state, gradients and weights sharded",
}


@dataclass(frozen=True)
class Footprint:
    """Bytes on one device."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


def optimizer_bytes(counts: Counts, optimizer: Optimizer = "adamw") -> float:
    """Bytes of optimizer state in 32 bits: a copy of the weights, and the moments.

    AdamW keeps two moments, 12 bytes a parameter in all (Rajbhandari et al. 2020). Muon keeps one for the matrices of
    the body and leaves the rest to AdamW (Liu et al. 2025, arXiv:2502.16982). SGD here has momentum: one.
    """
    if optimizer not in get_args(Optimizer):
        raise UnknownNameError("optimizer", optimizer, get_args(Optimizer))
    one_moment = {"adamw": 0.0, "muon": counts.attention + counts.mlp, "sgd": counts.params}[optimizer]
    return 3 * SINGLE * counts.params - SINGLE * one_moment


def layer_activation_bytes(shape: Architecture | Shape, recompute: Recompute = "none", sequences: int = 1) -> float:
    """Bytes of activations that one layer keeps for the backward pass, for so many sequences of the context's length.

    s b h (34 + 5 a s / h) for a plain layer (Korthikanti et al. 2022, Eq. 2; dropout included, 16-bit numbers); with
    "selective" recomputation, or attention that keeps no scores, 34 s b h (Eq. 6); with "full", its input, 2 s b h.
    """
    if recompute not in get_args(Recompute):
        raise UnknownNameError("kind of recomputation", recompute, get_args(Recompute))
    a = Architecture.of(shape)
    _require_decoder(a)
    places = a.context * sequences
    if recompute == "full":
        return HALF * places * a.width
    attention = HALF * (a.width + 2 * a.queries + 2 * a.keys) + a.width
    scores = 5 * a.heads * a.context if recompute == "none" else 0
    norms = 2 * HALF * a.width
    return places * (attention + scores + norms + _mlp_bytes(a))


def activation_bytes(shape: Architecture | Shape, recompute: Recompute = "none", sequences: int = 1) -> float:
    """Bytes of activations of the whole model: its layers, embedding, last norm and logits (section 4.3).

    With "full" recomputation one layer at a time has all of its activations as well.
    """
    a = Architecture.of(shape)
    kept = a.depth * layer_activation_bytes(a, recompute, sequences)
    again = layer_activation_bytes(a, "none", sequences) if recompute == "full" else 0
    ends = a.context * sequences * (5 * a.width + SINGLE * a.vocab)
    return kept + again + ends


def footprint(
    shape: Architecture | Shape,
    *,
    devices: int = 1,
    stage: int = 0,
    tensor: int = 1,
    sequences: int = 1,
    recompute: Recompute = "none",
    optimizer: Optimizer = "adamw",
    gradient_bytes: int = HALF,
) -> Footprint:
    """Bytes on one of `devices`: `tensor` of them share each layer, the others hold copies, sharded by ZeRO's `stage`.

    Weights in 16 bits, gradients in `gradient_bytes` each. Tensor parallelism divides activations too, with sequence
    parallelism (Korthikanti et al. 2022, Eq. 4). Raises RequestError for numbers that cannot be.
    """
    if stage not in STAGES:
        raise RequestError(f"ZeRO has no stage {stage}.", f"Stages: {_stages()}.", "Choose one of them.")
    if min(devices, tensor, sequences) < 1 or devices % tensor:
        raise RequestError(
            f"{devices} devices in groups of {tensor}, with {sequences} sequences a step, cannot be.",
            do="Give whole numbers from 1, the devices as a multiple of tensor.",
        )
    counts, copies = count(shape), devices // tensor
    part = [1 / tensor / (copies if stage >= from_stage else 1) for from_stage in (3, 2, 1)]
    return Footprint(
        HALF * counts.params * part[0],
        gradient_bytes * counts.params * part[1],
        optimizer_bytes(counts, optimizer) * part[2],
        activation_bytes(shape, recompute, sequences) / tensor,
    )


def smallest(
    shape: Architecture | Shape,
    accelerator: str,
    *,
    stage: int = 0,
    tensor: int = 1,
    usable: float = USABLE,
    memory: Any = None,
    table: Any = None,
    **how: Any,
) -> int | None:
    """The smallest number of devices that holds the training of `shape`, or None where no number does.

    `usable` is the share of a device's memory that a run may fill; `how` goes to `footprint`.
    """
    if not 0 < usable <= 1:
        raise RequestError(f"usable = {usable} is no share of the memory.", do="Give a number above 0, at most 1.")
    room = usable * find_accelerator(accelerator, table=table, memory=memory).need("memory")
    alone = footprint(shape, devices=tensor, stage=stage, tensor=tensor, **how)
    endless = footprint(shape, devices=tensor * 10**12, stage=stage, tensor=tensor, **how)
    if alone.total <= room:
        return tensor
    if endless.total > room:
        return None
    shared = alone.total - endless.total
    return tensor * math.ceil(shared / (room - endless.total) * (1 - 1e-9))


def holding(
    shape: Architecture | Shape,
    accelerator: str,
    *,
    tensor: int = 1,
    sequences: int = 1,
    recompute: Recompute = "none",
    optimizer: Optimizer = "adamw",
    gradient_bytes: int = HALF,
    usable: float = USABLE,
    memory: Any = None,
    table: Any = None,
) -> Plan:
    """The smallest number of devices that holds the training, one option for each of ZeRO's stages, with the bytes.

    Raises RequestError where no number of devices does at any stage, with what would; and as `footprint` does.
    """
    kind = find_accelerator(accelerator, table=table, memory=memory)
    how: dict[str, Any] = {
        "tensor": tensor,
        "sequences": sequences,
        "recompute": recompute,
        "optimizer": optimizer,
        "gradient_bytes": gradient_bytes,
    }
    options, lacking = [], []
    for stage, meaning in STAGES.items():
        devices = smallest(shape, accelerator, stage=stage, usable=usable, memory=memory, table=table, **how)
        if devices is None:
            lacking.append(Finding("M2", "note", f"ZeRO stage {stage} ({meaning}) holds it on no number of devices."))
            continue
        held = footprint(shape, devices=devices, stage=stage, **how)
        options.append(Option(_estimates(devices, held), f"ZeRO stage {stage}: {meaning}"))
    a = Architecture.of(shape)
    if not options:
        activations, room = activation_bytes(a, recompute, sequences) / tensor, usable * kind.memory
        raise RequestError(
            f"No number of {kind.name} holds the training of {a}: activations alone are {activations / 1e9:.3g} GB a "
            f"device, of {room / 1e9:.3g}.",
            do="Recompute them (recompute='selective' or 'full'), share layers (tensor=8), or take less context.",
        )
    said = (
        kind.stated("memory"),
        f"{usable:.0%} of it may be filled",
        f"16-bit weights, {8 * gradient_bytes}-bit gradients, {optimizer} with a 32-bit copy and moments "
        "(Rajbhandari et al. 2020)",
        f"{sequences} sequence(s) of {a.context} tokens a device, recomputation {recompute} "
        "(Korthikanti et al. 2022, dropout included)",
        f"{tensor} device(s) share each layer; buffers of communication and fragmentation are not counted",
    )
    return Plan(f"devices that hold the training of {a}", tuple(options), None, said, tuple(lacking))


def _mlp_bytes(a: Architecture) -> float:
    # Its input and dropout mask, and for each hidden unit: two numbers (before and after the activation), or four where
    # it is gated (gate, its activation, the other branch, their product). A routed token takes its active experts.
    each = 4 * HALF if a.gated else 2 * HALF
    dense = (a.depth - a.routed_layers) / a.depth * a.ff
    routed = a.routed_layers / a.depth * (a.active_experts + a.shared_experts) * a.expert_ff
    return HALF * a.width + a.width + each * (dense + routed)


def _estimates(devices: int, held: Footprint) -> dict[str, Any]:
    parts = {
        "devices": devices,
        "weight_bytes": held.weights,
        "gradient_bytes": held.gradients,
        "optimizer_bytes": held.optimizer,
        "activation_bytes": held.activations,
        "bytes_per_device": held.total,
    }
    return {name: intervals.exact(value) for name, value in parts.items()}


def _require_decoder(a: Architecture) -> None:
    if a.encoder_depth:
        raise RequestError(
            "The published count of activations is that of a decoder.",
            f"This architecture has an encoder: {a}.",
            "Count weights and optimizer state alone: count() and optimizer_bytes().",
        )


def _stages() -> str:
    return "; ".join(f"{stage}: {meaning}" for stage, meaning in STAGES.items())

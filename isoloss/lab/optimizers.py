"""Optimizers: one function each, named as in Spec.optimizer, from a model and its Spec to torch's kind of optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.shapes import Shape
from isoloss.core.spec import Spec
from isoloss.lab.models.blocks import LOOKED_UP
from isoloss.lab.muon import Muon
from isoloss.lab.parameterisation import scaling_of

Builder = Callable[[torch.nn.Module, Spec], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Builder] = {}

BESIDE_MUON = 0.008 / 0.02
WIDTH_OF_RATES = 768


def optimizer(name: str) -> Callable[[Builder], Builder]:
    """Register a function that makes the optimizer; the `lr` that it gives a group is that group's peak rate."""

    def register(function: Builder) -> Builder:
        OPTIMIZERS[name] = function
        return function

    return register


def optimizer_for(model: torch.nn.Module, spec: Spec) -> torch.optim.Optimizer:
    """Return the optimizer that `spec` names; raise UnknownNameError if there is none such."""
    if spec.optimizer not in OPTIMIZERS:
        raise UnknownNameError("optimizer", spec.optimizer, OPTIMIZERS)
    built = OPTIMIZERS[spec.optimizer](model, spec)
    for group in built.param_groups:
        group["peak"] = group["lr"]
    return built


def set_rate(built: torch.optim.Optimizer, share: float) -> None:
    """Let every group learn at this share of its peak rate."""
    for group in built.param_groups:
        group["lr"] = group["peak"] * share


@optimizer("adamw")
def adamw(model: torch.nn.Module, spec: Spec) -> torch.optim.Optimizer:
    """AdamW with weight decay on matrices alone: not on tables that are looked up, nor on norms.

    Rate, decay and eps are those of the Spec times what its parameterisation makes of them.
    """
    scaling = scaling_of(spec.parameterisation, spec.shape)
    by_setting: dict[tuple[float, float], list[Tensor]] = {}
    for name, weight in model.named_parameters():
        is_decayed, hidden = weight.ndim >= 2 and name not in LOOKED_UP, is_hidden(name, weight)
        rate = spec.lr * (scaling.hidden_rate if hidden else 1.0)
        decay = spec.weight_decay * (scaling.hidden_decay if hidden else 1.0) if is_decayed else 0.0
        by_setting.setdefault((decay, rate), []).append(weight)
    groups = [
        {"params": weights, "lr": rate, "weight_decay": decay}
        for (decay, rate), weights in sorted(by_setting.items(), key=lambda item: item[0], reverse=True)
    ]
    eps = spec.eps * scaling.eps
    return torch.optim.AdamW(groups, lr=spec.lr, betas=(spec.beta1, spec.beta2), eps=eps, fused=True)


@optimizer("muon")
def muon(model: torch.nn.Module, spec: Spec) -> torch.optim.Optimizer:
    """Muon on the matrices inside blocks, at the Spec's rate and decay; AdamW without decay on all else.

    The rate of the head stands to that of the matrices as in nanochat, 0.008 to 0.02 at width 768, and falls with the
    root of the width. The embedding learns as the head: nanochat's 0.3 suits a model that norms what the embedding
    gives, and costs this one 0.18 nats at 33k and 0.19 at 131k parameters (300k bytes of Python, one seed). Norms,
    which nanochat's model has not, learn as the head does at width 768.
    Raises RequestError for a parameterisation other than "standard", whose rules are for AdamW, and for models other
    than the decoder, for which no rates are known.
    """
    if spec.shape.kind != Shape.kind:
        raise RequestError(
            f"Muon's rates are known for decoders, and the model is of the kind '{spec.shape.kind}'.",
            do='Choose optimizer = "adamw".',
        )
    if spec.parameterisation != "standard":
        raise RequestError(
            f"Muon does not go with the parameterisation '{spec.parameterisation}'.",
            "Its rules are for AdamW; Muon's updates have a size of their own.",
            'Choose optimizer = "adamw" or parameterisation = "standard".',
        )
    matrices, pieces = [], []
    rest: list[dict[str, Any]] = []
    for name, weight in model.named_parameters():
        if is_hidden(name, weight):
            matrices.append(weight)
            pieces.append(3 if name.endswith("query_key_value.weight") else 1)
        else:
            rest.append({"params": [weight], "lr": spec.lr * _rate_beside_muon(weight), "weight_decay": 0.0})
    groups = [{"params": matrices, "lr": spec.lr, "weight_decay": spec.weight_decay, "pieces": pieces}, *rest]
    return Muon(groups, betas=(spec.beta1, spec.beta2), eps=spec.eps)


def is_hidden(name: str, weight: Tensor) -> bool:
    """Whether a weight is one or several matrices inside the model: no table, input or head, nor a vector."""
    return weight.ndim >= 2 and name not in LOOKED_UP and not name.startswith(("inputs.", "head."))


def _rate_beside_muon(weight: Tensor) -> float:
    return BESIDE_MUON * ((WIDTH_OF_RATES / weight.shape[1]) ** 0.5 if weight.ndim == 2 else 1.0)

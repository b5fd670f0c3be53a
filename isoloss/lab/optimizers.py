"""Optimizers: one function each, named as in Spec.optimizer, from a model and its Spec to torch's kind of optimizer."""

from __future__ import annotations

from collections.abc import Callable

import torch

from isoloss.core.errors import UnknownNameError
from isoloss.core.spec import Spec
from isoloss.lab.models.blocks import LOOKED_UP

Builder = Callable[[torch.nn.Module, Spec], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Builder] = {}


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
    """AdamW with weight decay on matrices alone: not on tables that are looked up, nor on norms."""
    decayed, free = [], []
    for name, weight in model.named_parameters():
        (decayed if weight.ndim >= 2 and name not in LOOKED_UP else free).append(weight)
    groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=spec.lr, betas=(spec.beta1, spec.beta2), eps=spec.eps, fused=True)

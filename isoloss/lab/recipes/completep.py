"""CompleteP (Dey et al. 2025): the default recipe with one base rate for all sizes, scaled inside the model."""

from __future__ import annotations

from typing import Any

from isoloss.lab.parameterisation import BASE
from isoloss.lab.recipes import wsd_adamw as default
from isoloss.lab.recipes.registry import Recipe, Sized, add

BASE_RATE = default.learning_rate(BASE)


def settings(run: Sized) -> dict[str, Any]:
    """All as in wsd-adamw, but the rate is that of the base shape at every size, and the model is told what to make of
    it: see parameterisation.py. At the base shape the two recipes train alike."""
    return default.settings(run) | {"lr": BASE_RATE, "parameterisation": "completep"}


completep = add(
    Recipe(
        name="completep",
        size="matmul_params",
        flops="isoloss",
        fit=default.wsd_adamw.fit,
        isoflop=default.wsd_adamw.isoflop,
        batch=lambda shape, tokens: default.batch_size(tokens),
        settings=settings,
    )
)

"""Kaplan et al. 2020: one long warm-up for all sizes, a rate for large models, the head and its cost not counted."""

from __future__ import annotations

import math
from typing import Any

from isoloss.core.accounting import count
from isoloss.lab.recipes.registry import Recipe, Sized, add

INTERCEPT, SLOPE = 0.003239, -0.0001395
SMALLER = 1024
BATCH = 512 * 1024 // SMALLER
WARMUP_STEPS = 3000


def learning_rate(body_params: float) -> float:
    """0.003239 - 0.0001395 ln N, N counted outside embeddings and head (Kaplan et al. 2020, appendix D.6)."""
    return INTERCEPT + SLOPE * math.log(body_params)


def settings(run: Sized) -> dict[str, Any]:
    """The protocol of Kaplan et al. 2020, section 2.2, its tokens divided by 1024 to suit models of 10k to 1M.

    The paper trains every size on batches of 512 sequences of 1024 tokens, with a warm-up of 3000 steps and then a
    cosine over 250,000 steps, and reads the loss on the way. Sizes and horizons here are about a thousandth of the
    smallest and largest there (5M to 900M in the reproduction of Porian et al. 2024), so a batch has 512 tokens and the
    warm-up stays 3000 steps: 1.5M tokens, longer than many runs, which end on the rise as they did there. Of a cosine
    over 250,000 steps, or 131M tokens, a run of 8M sees the first 6 percent, where it is within 1 percent of its peak:
    the rate is constant here. Adam without decay of the weights, as none is named; its second moment's 0.95 is that of
    the reproduction. The loss fitted is that of validation, as the paper's is of its test set; the reproduction took
    the smoothed training loss, which over one epoch differs by its noise.
    """
    return {
        "lr": float(f"{learning_rate(count(run.shape).body_params):.4g}"),
        "warmup_steps": WARMUP_STEPS,
        "cooldown_steps": 0,
        "schedule": "constant",
        "beta2": 0.95,
        "weight_decay": 0.0,
    }


kaplan = add(
    Recipe(
        name="kaplan",
        size="body_params",
        flops="kaplan",
        fit={"law": "kaplan", "inputs": {"N": "body_params"}, "objective": "squared_log"},
        isoflop={"method": "quadratic", "size": "body_params"},
        batch=lambda shape, tokens: BATCH,
        settings=settings,
    )
)

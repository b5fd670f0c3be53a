"""Porian et al. 2024: rate and batch tuned for each size, a warm-up as long as the model is large, no decay."""

from __future__ import annotations

from typing import Any

from isoloss.core.accounting import count
from isoloss.core.shapes import AnyShape
from isoloss.lab.recipes.registry import Recipe, Sized, add

REFERENCE = 108e6
RATE = 0.0047
RATE_EXPONENT = -1 / 3
SEQUENCES, SEQUENCE = 160, 2048
BATCH_EXPONENT = 2 / 3
SMALL_BATCH = 2**18
INDEPENDENT_DECAY = 1e-4


def learning_rate(shape: AnyShape) -> float:
    """0.0047 (N / 108e6)^(-1/3), N counted as matrix-product parameters, to four digits (figure 3 and its code)."""
    return float(f"{RATE * (count(shape).matmul_params / REFERENCE) ** RATE_EXPONENT:.4g}")


def batch_size(shape: AnyShape) -> float:
    """Tokens per step: 160 (N / 108e6)^(2/3) sequences of 2048 tokens (figure 3 and its code)."""
    return SEQUENCES * SEQUENCE * (count(shape).matmul_params / REFERENCE) ** BATCH_EXPONENT


def settings(run: Sized) -> dict[str, Any]:
    """The last step of the paper's five: tuned rate, batch and beta2, a warm-up of N tokens, then a constant rate.

    The warm-up is at most half the run. beta2 is 0.99 for batches below 2^18 tokens and 0.95 from there on (of the
    three swept, 0.95, 0.99 and 0.999). The decay of weights is the 1e-4 a step, whatever the rate, of Wortsman et al.
    2023: 1e-4 / lr in AdamW's terms. The rates were tuned from 5M to 901M; below it they are extrapolated, and next to
    the cliff at the smallest sizes.
    """
    rate = learning_rate(run.shape)
    return {
        "lr": rate,
        "warmup_steps": min(round(count(run.shape).matmul_params / run.batch), run.steps // 2),
        "cooldown_steps": 0,
        "schedule": "constant",
        "beta2": 0.99 if run.batch < SMALL_BATCH else 0.95,
        "weight_decay": float(f"{INDEPENDENT_DECAY / rate:.4g}"),
    }


porian = add(
    Recipe(
        name="porian",
        size="matmul_params",
        flops="isoloss",
        fit={"law": "chinchilla", "inputs": {"N": "matmul_params"}, "objective": "huber_log"},
        isoflop={"method": "akima", "size": "matmul_params"},
        batch=lambda shape, tokens: batch_size(shape),
        settings=settings,
    )
)

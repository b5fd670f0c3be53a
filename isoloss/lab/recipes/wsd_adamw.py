"""The default: AdamW, a rate that follows the size, a batch that follows the horizon, a plateau and a cooldown."""

from __future__ import annotations

from typing import Any

from isoloss.core.accounting import active_matmul_params
from isoloss.core.shapes import AnyShape
from isoloss.lab.recipes.registry import Recipe, Sized, add

RATE_AT_108M = 0.0047
RATE_EXPONENT = -1 / 3
CONSTANT_SHARE = 0.4
SHARE_OF_KIND = {"encoder_decoder": 0.2, "vit": 0.25}  # of the decoder's rate
BATCH_AT_1M = 1280
BATCH_EXPONENT = 0.383
WARMUP_SHARE = 0.1
LEAST_WARMUP = 20
COOLDOWN_SHARE = 0.2


def learning_rate(shape: AnyShape) -> float:
    """0.4 times 0.0047 (N / 108e6)^(-1/3), N counted as matrix-product parameters that a token touches, to four digits.

    The power law is that of Porian et al. 2024 (appendix on hyper-parameter tuning); it was tuned for rates that decay
    over the whole run, and a rate that stays constant wants about half (Haegele et al. 2024). The rest of the factor is
    measured on this model: at 33k, 164k and 819k parameters the factors 0.25 and 0.5 give losses within 0.02 to 0.04 of
    each other, and 1 costs up to 0.16. An encoder-decoder and a ViT want less: of 0.0015 to 0.05, copying texts and
    telling noisy patterns apart went best at 0.15 to 0.45 times the decoder's rate, at 10k to 80k parameters.
    """
    share = CONSTANT_SHARE * SHARE_OF_KIND.get(shape.kind, 1.0)
    ours = share * RATE_AT_108M * (active_matmul_params(shape) / 108e6) ** RATE_EXPONENT
    return float(f"{ours:.4g}")


def batch_size(tokens: int) -> float:
    """Tokens per step: 1280 (D / 1e6)^0.383, by the exponent of Bergsma et al. 2025, the same for every size."""
    return BATCH_AT_1M * (tokens / 1e6) ** BATCH_EXPONENT


def warmup_steps(shape: AnyShape, steps: int, batch: int) -> int:
    """Steps of min(N, D / 10) tokens (Porian et al. 2024), at least 20 where the run has that many to spare."""
    tokens = min(active_matmul_params(shape), WARMUP_SHARE * steps * batch)
    return min(max(LEAST_WARMUP, round(tokens / batch)), steps // 2)


def settings(run: Sized) -> dict[str, Any]:
    """Warm-up, a constant rate and a linear cooldown over the last fifth (Haegele et al. 2024, section 3)."""
    return {
        "lr": learning_rate(run.shape),
        "warmup_steps": warmup_steps(run.shape, run.steps, run.batch),
        "cooldown_steps": round(COOLDOWN_SHARE * run.steps),
    }


wsd_adamw = add(
    Recipe(
        name="wsd-adamw",
        size="matmul_params",
        flops="isoloss",
        fit={"law": "chinchilla", "inputs": {"N": "matmul_params"}, "objective": "huber_log"},
        isoflop={"method": "quadratic", "size": "matmul_params"},
        batch=lambda shape, tokens: batch_size(tokens),
        settings=settings,
    )
)

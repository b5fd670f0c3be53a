"""Hoffmann et al. 2022: a cosine as long as each run, one batch for all, all parameters counted and 6 N D."""

from __future__ import annotations

from typing import Any

from isoloss.core.accounting import count
from isoloss.core.shapes import AnyShape
from isoloss.lab.recipes.registry import Recipe, Sized, add

RATE, RATE_AT = 6e-4, 44e6
RATE_EXPONENT = -0.317
BATCH = 2048
WARMUP_SHARE = 0.01
LEAST_WARMUP = 20


def learning_rate(shape: AnyShape) -> float:
    """6e-4 (N / 44e6)^-0.317, N all parameters, to four digits.

    The line through the ends of the family that the paper's models belong to (Rae et al. 2021, table 1): 6e-4 at 44M
    and 1.2e-4 at 7.1B. Below 44M it is extrapolated: 0.002 at 1M.
    """
    return float(f"{RATE * (count(shape).params / RATE_AT) ** RATE_EXPONENT:.4g}")


def settings(run: Sized) -> dict[str, Any]:
    """A short warm-up and a cosine to a tenth of the peak at the end of each run (Hoffmann et al. 2022, section 3.1).

    The warm-up is a hundredth of the run, at least 20 steps: 1500 steps there, which is less than a hundredth of most
    runs. AdamW with betas 0.9 and 0.95 as Rae et al. 2021; decay 0.1 (Loshchilov and Hutter 2019, as the paper adopts
    it). The batch of 0.25M tokens that all models below 7B share is 2048 here: one for all as there.
    """
    return {
        "lr": learning_rate(run.shape),
        "warmup_steps": min(max(LEAST_WARMUP, round(WARMUP_SHARE * run.steps)), run.steps // 2),
        "cooldown_steps": 0,
        "schedule": "cosine",
        "beta2": 0.95,
    }


chinchilla = add(
    Recipe(
        name="chinchilla",
        size="params",
        flops="six_n",
        fit={"law": "chinchilla", "inputs": {"N": "params"}, "objective": "huber_log(delta=0.001)"},
        isoflop={"method": "quadratic", "size": "params"},
        batch=lambda shape, tokens: BATCH,
        settings=settings,
    )
)

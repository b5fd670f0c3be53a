"""nanochat (Karpathy 2025-2026): Muon and AdamW, a long cooldown, rate and decay that follow batch and horizon."""

from __future__ import annotations

import math
from typing import Any

from isoloss.lab.recipes.registry import Recipe, Sized, add

MATRIX_RATE = 0.02
DECAY = 0.28
BATCH_EXPONENT = 0.383
REFERENCE_BATCH, REFERENCE_TOKENS = 1280, 1e6
WARMUP_STEPS = 40
COOLDOWN_SHARE = 0.65


def batch_size(tokens: float) -> float:
    """Tokens per step: B_ref (D / D_ref)^0.383, the same for every size (Bergsma et al. 2025)."""
    return REFERENCE_BATCH * (tokens / REFERENCE_TOKENS) ** BATCH_EXPONENT


def settings(run: Sized) -> dict[str, Any]:
    """The rules of nanochat's base training, about another reference.

    There a model of depth 12 on 12 tokens a parameter, 1.3e9 in all, is the reference, with B_ref = 2^19 tokens. That
    law would give 1M tokens batches of 33k, which is 30 steps; so the reference here is 1280 tokens at 1M, as for the
    default recipe, and nanochat's rules go from there: the rate grows as sqrt(B / B_ref), the decay is 0.28
    sqrt(B / B_ref) D_ref / D, a warm-up of 40 steps and a linear cooldown over the last 65 percent (to zero; there to
    0.05 of the peak). `lr` is that of Muon's matrices, 0.02; embedding and head have rates in proportion (see
    optimizers.py). AdamW's betas 0.8 and 0.95 and eps 1e-10 are nanochat's. Its decay falls with a cosine and spares
    entries that would cross zero; here it is plain. Nothing is clipped there: the clip here is too high to bind.
    """
    grown = math.sqrt(run.batch / REFERENCE_BATCH)
    return {
        "lr": float(f"{MATRIX_RATE * grown:.4g}"),
        "warmup_steps": min(WARMUP_STEPS, run.steps // 4),
        "cooldown_steps": round(COOLDOWN_SHARE * run.steps),
        "beta1": 0.8,
        "beta2": 0.95,
        "eps": 1e-10,
        "weight_decay": float(f"{DECAY * grown * REFERENCE_TOKENS / run.tokens:.4g}"),
        "clip": 1e6,
        "optimizer": "muon",
    }


nanochat = add(
    Recipe(
        name="nanochat",
        size="matmul_params",
        flops="nanochat",
        fit={"law": "chinchilla", "inputs": {"N": "matmul_params"}, "objective": "huber_log"},
        isoflop={"method": "quadratic", "size": "matmul_params"},
        batch=lambda shape, tokens: batch_size(tokens),
        settings=settings,
    )
)

"""Recipes: the learning rate, batch and schedule that a size and a horizon get when nobody says otherwise.

A recipe decides what a ladder measures: a rate that suits large models alone makes small ones look worse than they are
and tilts the fitted exponents. So the rate follows the size, the batch follows the horizon and is the same for all
sizes at one horizon, and the warm-up is short beside both.
"""

from __future__ import annotations

from collections.abc import Callable

from isoloss.core.accounting import active_matmul_params
from isoloss.core.errors import UnknownNameError
from isoloss.core.shapes import AnyShape
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Source

Recipe = Callable[..., Spec]
RECIPES: dict[str, Recipe] = {}

RATE_AT_108M = 0.0047
RATE_EXPONENT = -1 / 3
CONSTANT_SHARE = 0.4
SHARE_OF_KIND = {"encoder_decoder": 0.2, "vit": 0.25}  # of the decoder's rate
BATCH_AT_1M = 1280
BATCH_EXPONENT = 0.383
WARMUP_SHARE = 0.1
LEAST_WARMUP = 20
COOLDOWN_SHARE = 0.2


def recipe(name: str) -> Callable[[Recipe], Recipe]:
    """Register a function that makes a Spec of a shape, a number of tokens, a corpus and a seed."""

    def register(function: Recipe) -> Recipe:
        RECIPES[name] = function
        return function

    return register


def find_recipe(name: str) -> Recipe:
    """Return the recipe called `name`, or raise UnknownNameError with near names."""
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return RECIPES[name]


@recipe("wsd-adamw")
def wsd_adamw(
    shape: AnyShape,
    tokens: int,
    corpus: Source,
    seed: int = 0,
    *,
    lr: float | None = None,
    batch: int | None = None,
    max_epochs: float = 1.0,
    split: str = "train",
    note: str = "",
) -> Spec:
    """Warm-up, constant rate and linear cooldown with AdamW; `tokens` are rounded to whole batches.

    `lr` and `batch` (tokens, rounded to whole sequences) replace the recipe's own.
    """
    batch = nearest(batch or batch_size(tokens), shape.context)
    steps = max(1, round(tokens / batch))
    return Spec(
        shape=shape,
        tokens=steps * batch,
        corpus=corpus.name,
        corpus_digest=corpus.digest,
        batch=batch,
        lr=learning_rate(shape) if lr is None else lr,
        warmup_steps=warmup_steps(shape, steps, batch),
        cooldown_steps=round(COOLDOWN_SHARE * steps),
        seed=seed,
        max_epochs=max_epochs,
        recipe="wsd-adamw",
        split=split,
        note=note,
    )


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


def nearest(value: float, unit: int) -> int:
    """Return the multiple of `unit` nearest to `value`, at least one."""
    return max(1, round(value / unit)) * unit

"""From a size and a horizon to a training recipe: batch, learning rate, steps, warm-up and cooldown, with the spread.

Published laws disagree by factors, so each is asked and told; Step Law decides, which was fitted to size and data
together on the most models. For models that this project trains, its own rules decide, which were measured on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoloss.core.accounting import BACKWARD_AND_FORWARD, Shape, training_flops
from isoloss.core.architecture import Architecture
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.plan import Option
from isoloss.planning import cost, intervals, literature
from isoloss.planning.compute import compute
from isoloss.planning.shape import Style, nearest, sizes
from isoloss.published import published

RATE_LAWS = ("steplaw2025_lr", "deepseek2024_lr", "porian2024_lr", "kaplan2020_lr", "moonlight2025")
BATCH_LAWS = ("steplaw2025_batch", "deepseek2024_batch", "porian2024_batch", "moonlight2025_batch")
OWN = "isoloss"
WARMUP_SHARE = 0.1
COOLDOWN_SHARE = 0.2
SCHEDULE = (
    "warm-up over as many tokens as parameters in matrix products, at most a tenth of the run (Porian et al. 2024)",
    "a constant rate, and a linear fall to zero over the last 20% (Hägele et al. 2024)",
)


@dataclass(frozen=True)
class Recipe:
    """A run to train: what, on how many tokens, and how; `lrs` and `batches` hold what each published law says.

    `batch` is in tokens, `flops` in FLOP of the whole run in this project's own count.
    """

    architecture: Architecture
    tokens: int
    batch: int
    steps: int
    lr: float
    warmup_steps: int
    cooldown_steps: int
    lrs: Mapping[str, float]
    batches: Mapping[str, float]
    findings: tuple[Finding, ...] = ()

    @property
    def flops(self) -> float:
        return training_flops(self.architecture) * self.tokens

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON: the architecture's numbers, its counts, and how to train it."""
        how = {
            name: getattr(self, name) for name in ("tokens", "batch", "steps", "lr", "warmup_steps", "cooldown_steps")
        }
        return {
            "schema": 1,
            "architecture": asdict(self.architecture),
            "counts": sizes(self.architecture),
            "flops": self.flops,
            **how,
            "spread": {"lr": dict(self.lrs), "batch": dict(self.batches)},
            "assumptions": list(SCHEDULE),
            "findings": [f.to_json() for f in self.findings],
        }


def cook(architecture: Architecture, tokens: Any, *, lr: Any = None, batch: Any = None) -> Recipe:
    """A recipe for training `architecture` on about `tokens` tokens (rounded to whole batches).

    `lr` and `batch` (tokens, rounded to whole sequences) replace those of the published laws.
    Raises RequestError for numbers that cannot be.
    """
    from isoloss.lab.recipes.wsd_adamw import batch_size, learning_rate

    wanted = intervals.amount(tokens, "tokens")
    inputs = _inputs(architecture, wanted)
    lrs, batches = literature.asked(RATE_LAWS, inputs), literature.asked(BATCH_LAWS, inputs)
    if is_trained_here(architecture):
        lrs = {OWN: learning_rate(_shape(architecture)), **lrs}
        batches = {OWN: batch_size(round(wanted)), **batches}
    chosen = intervals.amount(batch, "batch") if batch is not None else next(iter(batches.values()))
    sequences = max(1, round(chosen / architecture.context))
    size = sequences * architecture.context
    steps = max(1, round(wanted / size))
    warmup_tokens = min(inputs["matmul_params"], WARMUP_SHARE * steps * size)
    rate = intervals.amount(lr, "lr") if lr is not None else float(f"{next(iter(lrs.values())):.4g}")
    return Recipe(
        architecture=architecture,
        tokens=steps * size,
        batch=size,
        steps=steps,
        lr=rate,
        warmup_steps=min(round(warmup_tokens / size), steps // 2),
        cooldown_steps=round(COOLDOWN_SHARE * steps),
        lrs=lrs,
        batches=batches,
        findings=reach(inputs, [*_first(lrs, lr), *_first(batches, batch)]),
    )


def recipe_of(
    fit: Fit | Any,
    flops: Any,
    *,
    style: str | Style = "llama",
    vocab: Any = None,
    context: Any = None,
    lr: Any = None,
    batch: Any = None,
) -> Recipe:
    """The recipe of the best use of `flops` FLOP under `fit`: its best size made a shape of `style`, its tokens.

    The tokens are what the budget leaves at 6 N D for the shape's own size. Errors as in `nearest` and `compute`.
    """
    budget = intervals.amount(flops, "flops")
    best = compute(fit, 0.9, flops=budget).options[0]
    return recipe_for(best, budget, style=style, vocab=vocab, context=context, lr=lr, batch=batch)


def recipe_for(best: Option, budget: float, *, lr: Any = None, batch: Any = None, **made_as: Any) -> Recipe:
    """The recipe of a planned option's size, in a shape `made_as` (see `nearest`), with the tokens of the budget."""
    counted = next(name for name in cost.SIZES if name in best.estimates)
    architecture = nearest(best[counted].mid, counted=counted, **made_as)
    return cook(architecture, cost.partner(budget, sizes(architecture)[counted]), lr=lr, batch=batch)


def is_trained_here(a: Architecture) -> bool:
    """Whether `isoloss train` trains this architecture: plain attention and MLPs over bytes, heads of even width."""
    plain = (
        Architecture(a.width, a.depth, a.heads, Shape.vocab, a.context, a.ff, a.tied)
        if a.width % a.heads == 0
        else None
    )
    return a == plain and a.head_dim % 2 == 0


def _shape(a: Architecture) -> Shape:
    return Shape(a.width, a.depth, a.heads, a.vocab, a.context, a.ff, a.tied)


def _inputs(a: Architecture, tokens: float) -> dict[str, float]:
    per_token = BACKWARD_AND_FORWARD * 2 * (sizes(a)["active_params"] - sizes(a)["params"] + sizes(a)["body_params"])
    attention = BACKWARD_AND_FORWARD * 2 * 2 * a.depth * a.queries * a.context
    counts = sizes(a)
    return {
        **counts,
        "tokens": tokens,
        "flops": cost.total(counts["active_params"], tokens),
        "context_flops": (per_token + attention) * tokens,  # DeepSeek's M D: body and attention, no vocabulary
    }


def _first(said: Mapping[str, float], given: Any) -> list[str]:
    return [] if given is not None else list(said)[:1]


def reach(inputs: Mapping[str, float], deciding: list[str]) -> tuple[Finding, ...]:
    """How far the published laws that decide are taken beyond their data, each said once."""
    fits = [published(key) for key in deciding if key != OWN]
    found = [f for fit in fits for f in fit.reach({c: np.array([inputs[c]]) for c in fit.law.columns})]
    return tuple({f.sentence: f for f in found}.values())

"""From a size and a horizon to a training recipe: batch, learning rate, steps, warm-up and cooldown, with the spread.

Published laws disagree by factors, so each is asked and told; Step Law decides, which was fitted to size and data
together on the most models. For models that this project trains, its own rules decide, which were measured on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.accounting import BACKWARD_AND_FORWARD, Shape, training_flops
from isoloss.core.architecture import Architecture
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.lab.corpus import VOCAB
from isoloss.lab.recipe import batch_size, learning_rate
from isoloss.planning import cost, intervals, literature
from isoloss.planning.compute import compute
from isoloss.planning.iso_cost import size_and_data
from isoloss.planning.questions import question
from isoloss.planning.shape import VOCABULARY_LAWS, Style, distance, nearest, sizes
from isoloss.published import card, published

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
        findings=_reach(inputs, [*_first(lrs, lr), *_first(batches, batch)]),
    )


def recipe_of(
    fit: Fit | Any,
    flops: Any,
    *,
    style: str | Style = "llama",
    vocab: int | None = None,
    context: int = 4096,
    lr: Any = None,
    batch: Any = None,
) -> Recipe:
    """The recipe of the best use of `flops` FLOP under `fit`: its best size made a shape of `style`, its tokens.

    The tokens are what the budget leaves at 6 N D for the shape's own size. Errors as in `nearest` and `compute`.
    """
    budget = intervals.amount(flops, "flops")
    best = compute(fit, 0.9, flops=budget).options[0]
    return _of_size(best, budget, {"style": style, "vocab": vocab, "context": context}, lr, batch)


@question
def recipe(
    fit: Fit | Frontier,
    level: float,
    *,
    flops: Any,
    style: str,
    vocab: int | None = None,
    context: int = 4096,
    lr: Any = None,
    batch: Any = None,
) -> Plan:
    """A concrete model and recipe for a training budget: shape, counts, batch, rate, steps, and how far from the best.

    Styles: llama, gpt, lab. Errors as in `recipe_of`.
    """
    budget = intervals.amount(flops, "flops")
    planned = compute(fit, level, flops=budget)
    made = _of_size(planned.options[0], budget, {"style": style, "vocab": vocab, "context": context}, lr, batch)
    tells_loss = isinstance(fit, Fit) and size_and_data(fit.law) is not None
    off = distance(fit, made.architecture, budget, level) if isinstance(fit, Fit) and tells_loss else {}
    a = made.architecture
    whole = {"width": a.width, "depth": a.depth, "heads": a.heads, "kv_heads": a.kv_heads, "ff": a.ff, "vocab": a.vocab}
    whole |= {"context": a.context, **sizes(a), "tokens": made.tokens, "flops": made.flops, "steps": made.steps}
    whole |= {"warmup_steps": made.warmup_steps, "cooldown_steps": made.cooldown_steps}
    estimates = {name: intervals.exact(float(value)) for name, value in whole.items()}
    estimates |= {"batch": _spread(made.batch, made.batches), "lr": _spread(made.lr, made.lrs), **off}
    assumptions = (
        *planned.assumptions,
        f"the shape is {a}",
        f"the interval of batch spans {_told(made.batches)}",
        f"the interval of lr spans {_told(made.lrs)}",
        *SCHEDULE,
    )
    findings = [*planned.findings, *made.findings]
    if vocab is None:
        law = VOCABULARY_LAWS[0]
        assumptions = (*assumptions, f"the vocabulary is that of {law} (tier {card(law).tier}), to a multiple of 128")
        findings += _reach(sizes(a), [law])
    goal = f"recipe for {numbers.short(budget)} training FLOP"
    return Plan(goal, (Option(estimates),), level, assumptions, tuple(findings))


def is_trained_here(a: Architecture) -> bool:
    """Whether `isoloss train` trains this architecture: plain attention and MLPs over bytes, heads of even width."""
    plain = Architecture(a.width, a.depth, a.heads, VOCAB, a.context, a.ff, a.tied) if a.width % a.heads == 0 else None
    return a == plain and a.head_dim % 2 == 0


def _shape(a: Architecture) -> Shape:
    return Shape(a.width, a.depth, a.heads, a.vocab, a.context, a.ff, a.tied)


def _of_size(best: Option, budget: float, made_as: Mapping[str, Any], lr: Any, batch: Any) -> Recipe:
    counted = next(name for name in cost.SIZES if name in best.estimates)
    architecture = nearest(best[counted].mid, counted=counted, **made_as)
    return cook(architecture, cost.partner(budget, sizes(architecture)[counted]), lr=lr, batch=batch)


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


def _reach(inputs: Mapping[str, float], deciding: list[str]) -> tuple[Finding, ...]:
    # How far the laws that decide are taken beyond their data, each said once.
    fits = [published(key) for key in deciding if key != OWN]
    found = [f for fit in fits for f in fit.reach({c: np.array([inputs[c]]) for c in fit.law.columns})]
    return tuple({f.sentence: f for f in found}.values())


def _spread(chosen: float, said: Mapping[str, float]) -> Estimate:
    values = [chosen, *said.values()]
    return Estimate(float(chosen), float(min(values)), float(max(values)))


def _told(said: Mapping[str, float]) -> str:
    whose = {key: "this project's own rule" if key == OWN else f"{key} (tier {card(key).tier})" for key in said}
    return ", ".join(f"{value:.3g} by {whose[key]}" for key, value in said.items())

"""The question of a concrete model: a shape and a recipe for a budget, and the files that others read.

Published laws of batch and rate disagree by factors; the ends that are told for both span what they say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isoloss.core import numbers, storage
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, intervals
from isoloss.planning.compute import compute
from isoloss.planning.export import ladder_toml, llama_config
from isoloss.planning.goals import (
    Batch,
    ConfigFile,
    Context,
    Experts,
    Flops,
    LadderFile,
    Rate,
    StyleOfShapes,
    Vocabulary,
)
from isoloss.planning.iso_cost import size_and_data
from isoloss.planning.questions import question
from isoloss.planning.recipe import OWN, SCHEDULE, Recipe, reach, recipe_for
from isoloss.planning.shape import VOCABULARY_LAWS, Style, distance, find_style, sizes
from isoloss.planning.sparse import routed
from isoloss.published import card

OF_DENSE = "the laws of batch and rate are those of dense models, taken with all parameters of the routed one"


@question
def recipe(
    fit: Fit | Frontier,
    level: float,
    *,
    flops: Flops,
    style: StyleOfShapes,
    experts: Experts = None,
    vocab: Vocabulary = None,
    context: Context = None,
    lr: Rate = None,
    batch: Batch = None,
    write_config: ConfigFile = None,
    write_ladder: LadderFile = None,
) -> Plan:
    """A concrete model and recipe for a budget: shape, counts, batch, rate, steps.

    With the distance of the shape from the best size, where the fit tells a loss. A routed style needs a fit of routed
    models. `write_config` and `write_ladder` are files to write (see export.py). Raises RequestError where no shape
    comes near, a file's format cannot hold the shape, or the fit tells nothing of experts; OutputError for a file that
    cannot be written.
    """
    for path in (write_config, write_ladder):
        if path is not None:
            storage.check_writable(path)
    budget = answers.number(flops, "budget", cost.total(1, 1))
    chosen = _with_experts(find_style(style), experts)
    planned = _planned(fit, level, budget, chosen)
    made = recipe_for(planned.options[0], budget, style=chosen, vocab=vocab, context=context, lr=lr, batch=batch)
    options = (Option({**_numbers(made), **_off(fit, made, budget, level)}),)
    assumptions = (
        *planned.assumptions,
        f"the shape is {made.architecture}",
        f"the ends of batch span {_told(made.batches)}",
        f"the ends of lr span {_told(made.lrs)}",
        *SCHEDULE,
        *((OF_DENSE,) if chosen.experts > 1 else ()),
    )
    of_vocabulary, more = _vocabulary(made, settled=vocab is not None or chosen.vocab > 0)
    written = _write(made, write_config, write_ladder)
    goal = f"recipe for {numbers.short(budget)} training FLOP"
    findings = (*planned.findings, *made.findings, *more)
    return Plan(goal, options, level, (*assumptions, *of_vocabulary, *written), findings, ("batch", "lr"))


def _with_experts(style: Style, experts: Any) -> Style:
    return style if experts is None else replace(style, experts=answers.whole(experts, "experts"))


def _planned(fit: Fit | Frontier, level: float, budget: float, style: Style) -> Plan:
    if isinstance(fit, Fit) and "experts" in fit.law.columns:
        return routed(fit, level, flops=budget, experts=style.experts)
    if style.experts > 1:
        raise RequestError(
            f"{answers.named(fit)} is of dense models, and tells no best size of one of {style.experts} experts.",
            "Laws that do: joint_routed (published: ludziejewski2025).",
            "Plan with one of them, or ask for a dense style.",
        )
    return compute(fit, level, flops=budget)


def _numbers(made: Recipe) -> dict[str, Estimate]:
    a = made.architecture
    whole = {"width": a.width, "depth": a.depth, "heads": a.heads, "kv_heads": a.kv_heads, "ff": a.ff, "vocab": a.vocab}
    whole |= {"experts": a.experts} if a.experts > 1 else {}
    whole |= {"context": a.context, **sizes(a), "tokens": made.tokens, "flops": made.flops, "steps": made.steps}
    whole |= {"warmup_steps": made.warmup_steps, "cooldown_steps": made.cooldown_steps}
    estimates = {name: intervals.exact(float(value)) for name, value in whole.items()}
    return estimates | {"batch": _spread(made.batch, made.batches), "lr": _spread(made.lr, made.lrs)}


def _off(fit: Fit | Frontier, made: Recipe, budget: float, level: float) -> dict[str, Estimate]:
    tells_loss = isinstance(fit, Fit) and size_and_data(fit.law) is not None
    return distance(fit, made.architecture, budget, level) if isinstance(fit, Fit) and tells_loss else {}


def _vocabulary(made: Recipe, settled: bool) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    if settled:
        return (), ()
    law = VOCABULARY_LAWS[0]
    said = f"the vocabulary is that of {law} (tier {card(law).tier}), to a multiple of 128"
    return (said,), reach(sizes(made.architecture), [law])


def _write(made: Recipe, config: Any, ladder: Any) -> tuple[str, ...]:
    # Both texts are made before either file is, so that what cannot be written leaves nothing behind.
    texts = {}
    if config is not None:
        texts[str(config)] = json.dumps(llama_config(made.architecture), indent=2) + "\n"
    if ladder is not None:
        texts[str(ladder)] = ladder_toml(made)
    for path, text in texts.items():
        storage.write_text(path, text)
    return tuple(f"written to {path}" for path in texts)


def _spread(chosen: float, said: Mapping[str, float]) -> Estimate:
    values = [chosen, *said.values()]
    return Estimate(float(chosen), float(min(values)), float(max(values)))


def _told(said: Mapping[str, float]) -> str:
    whose = {key: "this project's own rule" if key == OWN else f"{key} (tier {card(key).tier})" for key in said}
    return ", ".join(f"{value:.3g} by {whose[key]}" for key, value in said.items())

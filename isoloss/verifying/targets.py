"""Which runs are predicted: Specs, the held-out runs of a ladder, or the best run for a budget.

Shapes: `m` sizes that are tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.accounting import training_flops
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.shapes import AnyShape
from isoloss.core.spec import Spec
from isoloss.lab import dials
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import check_repetition
from isoloss.lab.designs import HELD_OUT
from isoloss.lab.recipes import find_recipe
from isoloss.lab.running import chosen, specs_of
from isoloss.lab.table import foreseen

SIZED = ("width", "depth", "heads", "ff", "expert_ff", "encoder_depth")  # what follows from a dial
Target = str | Path | Spec | Iterable[Spec]


def targets(target: Target, split: str | None) -> tuple[Spec, ...]:
    """Return the runs that a ladder's path, one Spec or several stand for: of a ladder those labelled `split`.

    Raises RequestError where that leaves none, and what reading the ladder raises.
    """
    specs = specs_of(target)
    return chosen(specs, split if isinstance(target, str | Path) else None)


def best_for(fit: Fit, compute: Any, family: Sequence[Spec], seed: int = 0) -> Spec:
    """Return the run of least predicted loss for `compute` training FLOPs, in the family of the runs `family`.

    Every dial is tried for as many tokens as the budget lasts by this project's count of FLOPs, with the corpus,
    recipe, vocabulary and context of `family`. Raises RequestError where the best is the smallest or largest that can
    be trained: then the fit, or the corpus, tells no best size.
    """
    budget = numbers.parse(compute)
    if not 0 < budget < float("inf"):
        raise RequestError(f"A budget of {budget:g} FLOP trains nothing.", "", "Choose a positive number.")
    like = _alike(family)
    runs = [spec for dial in range(1, dials.LARGEST + 1) if (spec := _run(like, dial, budget, seed))]
    if len(runs) < 3:
        raise RequestError(
            f"No three sizes can be trained for {numbers.short(budget)} FLOP on the corpus '{like.corpus}'.",
            "A size needs a whole batch at least, and no more tokens than the corpus has.",
            "Choose another budget, or a larger corpus.",
        )
    loss_m = _losses(fit, runs)
    best = int(np.argmin(loss_m))
    if best in (0, len(runs) - 1):
        end, there = "smallest" if best == 0 else "largest", runs[best]
        raise RequestError(
            f"The fit puts the best run for {numbers.short(budget)} FLOP at the {end} size that can be trained, "
            f"{numbers.short(there.counts.params)} parameters on {numbers.short(there.tokens)} tokens.",
            f"Sizes tried: {len(runs)}, as far as the corpus '{like.corpus}' has tokens for them.",
            "Choose another budget, a larger corpus, or a law of size and data; or name the run itself.",
        )
    return runs[best]


def _alike(family: Sequence[Spec]) -> Spec:
    if not family:
        raise RequestError(
            "A budget alone names no run: corpus, recipe and family of sizes are not known.",
            "",
            "Name a ladder that has them (--ladder), or give the folder of runs that were fitted.",
        )
    kinds = {(spec.corpus_digest, spec.recipe, spec.shape.kind, *_unsized(spec.shape).items()) for spec in family}
    if len(kinds) > 1:
        raise RequestError(
            f"These runs are of {len(kinds)} kinds: they differ in corpus, recipe, kind, vocabulary or context.",
            "",
            "Name a ladder of one kind.",
        )
    return family[0]


def _run(like: Spec, dial: int, budget: float, seed: int) -> Spec | None:
    shape = dials.shape(dial, kind=like.shape.kind, **_unsized(like.shape))
    tokens = round(budget / training_flops(shape))
    if tokens < shape.context:
        return None
    corpus = load_corpus(like.corpus)
    made = find_recipe(like.recipe)(shape, tokens, corpus, seed, max_epochs=like.max_epochs, split=HELD_OUT)
    try:
        check_repetition(made, corpus)
    except RequestError:
        return None
    return made


def _unsized(shape: AnyShape) -> dict[str, Any]:
    # What a dial does not set.
    return {f.name: getattr(shape, f.name) for f in fields(shape) if f.name not in SIZED}


def _losses(fit: Fit, runs: Sequence[Spec]) -> np.ndarray:
    table = foreseen(runs[0])
    rows = [foreseen(run) for run in runs]
    whole = type(table)({name: np.concatenate([row[name] for row in rows]) for name in table.columns}, "sizes tried")
    without_draws = replace(fit, draws_sp=np.empty((0, len(fit.theta_p))))
    return np.asarray(without_draws.predict(whole, kind="mean").mid)

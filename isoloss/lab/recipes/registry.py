"""What a recipe is, how recipes are found by name, and the one way in which options replace what a recipe says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.errors import UnknownNameError
from isoloss.core.runs import Runs
from isoloss.core.shapes import AnyShape
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Source

ALIASES = {"default": "wsd-adamw"}
OPTIONS = (
    *("lr", "lr_scale", "batch", "warmup_steps", "cooldown_steps"),
    *("schedule", "decays", "ema", "max_epochs", "split", "note"),
)


@dataclass(frozen=True)
class Sized:
    """A run whose shape, batch (tokens) and number of steps are settled: what the rest of a recipe follows from."""

    shape: AnyShape
    batch: int
    steps: int

    @property
    def tokens(self) -> int:
        return self.batch * self.steps


@dataclass(frozen=True)
class Recipe:
    """How runs of any size and horizon are trained, and the accounting and fit that belong to them.

    `size` is the column that it counts models by and `flops` its convention, a key of FLOPS. `fit` holds settings for
    `isoloss.fit`, law included, and `isoflop` those for `isoloss.isoflop`; both are plain data. `batch` says the tokens
    of a step and `settings` all other fields of a Spec.
    """

    name: str
    size: str
    flops: str
    fit: Mapping[str, Any]
    isoflop: Mapping[str, Any]
    batch: Callable[[AnyShape, int], float]
    settings: Callable[[Sized], dict[str, Any]]

    def __call__(self, shape: AnyShape, tokens: int, corpus: Source, seed: int = 0, **options: Any) -> Spec:
        """Return the Spec of one run; `tokens` are rounded to whole batches.

        Options replace what the recipe says: `lr`, `batch` (tokens, rounded to whole sequences), `warmup_steps`,
        `cooldown_steps`, `schedule`, `decays`, `ema`, `max_epochs`, `split`, `note`; `lr_scale` multiplies the rate,
        the recipe's or the one given. One that is None is as if not given. A recipe's warm-up that is longer than the
        run is cut off with the run, at the rate reached by then.
        Raises UnknownNameError for an option that is none, RequestError for a run that cannot be.
        """
        given = _checked(options)
        scale, batch = given.pop("lr_scale", None), given.pop("batch", None)
        batch = nearest(batch or self.batch(shape, tokens), shape.context)
        steps = max(1, round(tokens / batch))
        said = self.settings(Sized(shape, batch, steps)) | given
        if "warmup_steps" not in given and said["warmup_steps"] > steps:
            said |= {"lr": said["lr"] * steps / said["warmup_steps"], "warmup_steps": steps}
        if scale is not None:
            said["lr"] = float(f"{said['lr'] * scale:.6g}")
        return Spec(
            shape=shape,
            tokens=steps * batch,
            corpus=corpus.name,
            corpus_digest=corpus.digest,
            batch=batch,
            seed=seed,
            recipe=self.name,
            **said,
        )

    def counted(self, runs: Runs) -> Runs:
        """Return a lab's table of runs with its compute counted as this recipe counts it."""
        return runs.with_columns(flops=FLOPS[self.flops](runs))


RECIPES: dict[str, Recipe] = {}

FLOPS: dict[str, Callable[[Runs], np.ndarray]] = {
    "isoloss": lambda runs: runs["flops"],
    "kaplan": lambda runs: 6 * runs["body_params"] * runs["tokens"],
    "six_n": lambda runs: 6 * runs["params"] * runs["tokens"],
    "nanochat": lambda runs: (6 * runs["matmul_params"] + 12 * _looked_at(runs)) * runs["tokens"],
}


def add(recipe: Recipe) -> Recipe:
    """Register a recipe under its name."""
    RECIPES[recipe.name] = recipe
    return recipe


def find_recipe(name: str) -> Recipe:
    """Return the recipe called `name`, "default" among them, or raise UnknownNameError with near names."""
    name = ALIASES.get(name, name)
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, [*RECIPES, *ALIASES])
    return RECIPES[name]


def nearest(value: float, unit: int) -> int:
    """Return the multiple of `unit` nearest to `value`, at least one."""
    return max(1, round(value / unit)) * unit


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in OPTIONS:
            raise UnknownNameError("option of a recipe", name, OPTIONS)
    return {name: value for name, value in options.items() if value is not None}


def _looked_at(runs: Runs) -> np.ndarray:
    return runs["depth"] * runs["width"] * runs["context"]

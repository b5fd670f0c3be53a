"""Ladders: a TOML file, or a call, that says which sizes, horizons and seeds to train, read into Specs.

schema = 1
corpus = "python"
[[runs]]                                    # every size at every horizon with every seed
dials = [2, 3, 4, 6]
budgets = [3e11, 1e12, 3e12]

Sizes are `dials` (see dials.py), `sizes` (matrix-product parameters; the nearest dial is taken) or `shapes`
({ width = 32, depth = 2, heads = 2 }), of a decoder or of another `kind`, which has keys of its own (see kinds.py).
Horizons are `tokens`, `budgets` (training FLOPs: each size is trained for as long as the budget lasts, an isoFLOP
curve) or `horizons` (tokens per parameter, all parameters counted). `seeds`, `lr`, `batch`, `max_epochs`, `ema` (steps
of memory of averaged weights) and the labels `split` ("test" holds runs out) and `note` may be added, and `recipe`,
`engine`, `name`, `dtype` (one for the whole ladder: precision must not vary along a law) and `judged_on` (further
corpora, on whose frozen windows the trained models are judged) on top.
`forks = true` lets all horizons of a size and seed share a trunk (trunks.py), `schedule` names another schedule than
the recipe's; "wsd-s" is one continuous run that cools down at every horizon.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from isoloss.core.accounting import count, training_flops
from isoloss.core.errors import FormatError, RequestError, UnknownNameError
from isoloss.core.shapes import AnyShape, Shape
from isoloss.core.spec import Spec
from isoloss.lab import dials, kinds
from isoloss.lab.corpus import Source, load_beside, load_corpus
from isoloss.lab.declared import check_table, integers, one_of, positives
from isoloss.lab.engine import DEFAULT, engine_for
from isoloss.lab.recipes import Recipe, find_recipe
from isoloss.lab.schedule import SCHEDULES

SCHEMA = 1
RECIPE = "wsd-adamw"
TOP = {
    "schema": int,
    "name": str,
    "corpus": str,
    "recipe": str,
    "engine": str,
    "dtype": str,
    "judged_on": list,
    "runs": list,
}
NEEDED_ON_TOP = ("schema", "corpus", "runs")
SIZES = ("shapes", "dials", "sizes")
HORIZONS = ("tokens", "budgets", "horizons")
OPTIONS = {"lr": float, "batch": int, "max_epochs": float, "split": str, "note": str}
SCHEDULING = {"forks": bool, "schedule": str, "ema": int}
LENGTHLESS = ("wsd", "wsd-s", "constant")  # schedules whose first rates are the same however long the run
GRID = {**dict.fromkeys((*SIZES, *HORIZONS, "seeds"), list), **OPTIONS, **SCHEDULING, **kinds.KEYS}
SHAPE = {"width": int, "depth": int, "heads": int, "context": int, "ff": int, "tied": bool}
NEEDED_IN_SHAPE = ("width", "depth", "heads")


def load_ladder(path: str | Path) -> tuple[Spec, ...]:
    """Return the runs that the ladder in the TOML file `path` asks for, each once, in its order.

    Raises FormatError for a file that is no ladder, UnknownNameError for keys and names that do not exist,
    RequestError for runs that cannot be.
    """
    return read_ladder(_read(Path(path)), str(path))


def engine_of(path: str | Path) -> str:
    """Return the engine that the ladder in the TOML file `path` asks for; errors as in `load_ladder`."""
    return _read(Path(path)).get("engine", DEFAULT)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FormatError(f"There is no file {path}.", "", "Name a ladder in TOML.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}.", "", "Name a ladder in TOML.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is no TOML: {error}.", "", "Correct it there.") from error


def declare(
    corpus: str = "python",
    *,
    recipe: str = RECIPE,
    engine: str = DEFAULT,
    judged_on: Sequence[str] = (),
    **grid: Any,
) -> tuple[Spec, ...]:
    """Return the runs of one grid: `declare(dials=[2, 3, 4], budgets=[1e12, 3e12], seeds=[0, 1])`.

    `grid` has the keys of a [[runs]] table, with the same errors.
    """
    top = {"schema": SCHEMA, "corpus": corpus, "recipe": recipe, "engine": engine, "judged_on": list(judged_on)}
    listed = {key: list(value) if isinstance(value, tuple | range) else value for key, value in grid.items()}
    return read_ladder({**top, "runs": [listed]})


def read_ladder(data: dict[str, Any], where: str = "ladder") -> tuple[Spec, ...]:
    """Return the runs of a ladder given as the dictionary that its TOML holds; errors as in `load_ladder`."""
    check_table(data, TOP, NEEDED_ON_TOP, where)
    if data["schema"] != SCHEMA:
        raise FormatError(f"{where} has schema {data['schema']}.", f"This version reads schema {SCHEMA}.")
    corpus = load_corpus(data["corpus"])
    recipe = data.get("recipe", RECIPE)
    find_recipe(recipe)
    engine_for(data.get("engine", DEFAULT))
    if not data["runs"]:
        raise FormatError(f"{where} asks for no runs.", "", "Add a table [[runs]].")
    specs = [
        spec
        for number, grid in enumerate(data["runs"], start=1)
        for spec in grid_of(grid, recipe, corpus, f"{where}, runs {number}")
    ]
    if "dtype" in data:
        specs = [replace(spec, dtype=data["dtype"]) for spec in specs]
    judged_on = _judged_on(data, corpus, where)
    return tuple({spec.id: replace(spec, judged_on=judged_on) for spec in specs}.values())


def _judged_on(data: dict[str, Any], corpus: Source, where: str) -> tuple[str, ...]:
    """Return the names of the further corpora that runs are judged on; raise unless all can be had."""
    names = data.get("judged_on", [])
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise FormatError(f"{where}: judged_on holds {wrong[0]!r}.", "", 'Name corpora, such as judged_on = ["prose"].')
    return tuple(load_beside(name, corpus).name for name in names)


def grid_of(grid: dict[str, Any], recipe: str, corpus: Source, where: str) -> list[Spec]:
    """Return every size of one [[runs]] table at every horizon with every seed."""
    check_table(grid, GRID, (), where)
    shapes, horizons = shapes_of(grid, corpus, where), horizons_of(grid, where)
    seeds = integers(grid, "seeds", 0, where) if "seeds" in grid else [0]
    options = {key: grid[key] for key in OPTIONS if key in grid}
    make = find_recipe(recipe)
    is_one_run = grid.get("schedule") == "wsd-s"
    column = sharing if grid.get("forks") or is_one_run else separate
    columns = {
        (shape, seed): scheduled(column(make, shape, [h(shape) for h in horizons], corpus, seed, options), grid, where)
        for shape, seed in product(shapes, seeds)
    }
    return [columns[shape, seed][place] for shape, place, seed in product(shapes, range(len(horizons)), seeds)]


def separate(
    make: Recipe, shape: AnyShape, horizons: Sequence[int], corpus: Source, seed: int, options: dict[str, Any]
) -> list[Spec]:
    """Return one size and seed at every horizon, each with the recipe's batch, rate and warm-up for it."""
    return [make(shape, tokens, corpus, seed, **options) for tokens in horizons]


def sharing(
    make: Recipe, shape: AnyShape, horizons: Sequence[int], corpus: Source, seed: int, options: dict[str, Any]
) -> list[Spec]:
    """Return one size and seed at every horizon such that all can share a trunk.

    All have the batch, the rate and whatever else the recipe gives to the geometric mean of the horizons, and the
    warm-up of the shortest; the cooldowns are the recipe's own for each.
    """
    middle = make(shape, round(geometric_mean(horizons)), corpus, seed, **options)
    alike = {**options, "batch": middle.batch, "lr": middle.lr}
    specs = separate(make, shape, horizons, corpus, seed, alike)
    warmup = min(specs, key=lambda spec: spec.tokens).warmup_steps
    return [
        replace(middle, tokens=spec.tokens, cooldown_steps=spec.cooldown_steps, warmup_steps=warmup) for spec in specs
    ]


def scheduled(specs: list[Spec], grid: dict[str, Any], where: str) -> list[Spec]:
    """Return the horizons of one size and seed with the schedule and averaging that a [[runs]] table asks for."""
    name = grid.get("schedule", specs[0].schedule)
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    if grid.get("forks") and name not in LENGTHLESS:
        raise RequestError(
            f"{where}: runs with the schedule '{name}' cannot share a trunk.",
            f"Its rates depend on the length of the run; those of {', '.join(LENGTHLESS)} do not.",
            "Leave forks out, or choose another schedule.",
        )
    if name == "wsd-s":
        specs = decaying(specs)
    elif name != specs[0].schedule:
        specs = [replace(spec, schedule=name, cooldown_steps=0) for spec in specs]
    return [replace(spec, ema=grid.get("ema", spec.ema)) for spec in specs]


def decaying(specs: list[Spec]) -> list[Spec]:
    """Return the horizons as one continuous run that cools down at each: every one is the beginning of the next.

    Horizons are rounded to multiples of as many batches as give all cooldowns exactly the same share of their runs.
    """
    longest = max(specs, key=lambda spec: spec.steps)
    cooled = Fraction(longest.cooldown_steps, longest.steps).limit_denominator(10)
    unit = cooled.denominator
    steps = [max(1, round(spec.steps / unit)) * unit for spec in specs]
    return [
        replace(
            spec,
            schedule="wsd-s",
            tokens=own * spec.batch,
            cooldown_steps=int(own * cooled),
            decays=tuple(spec.batch * other for other in sorted(set(steps)) if other < own),
        )
        for spec, own in zip(specs, steps, strict=True)
    ]


def shapes_of(grid: dict[str, Any], corpus: Source, where: str) -> list[AnyShape]:
    """Return the shapes that a [[runs]] table asks for, in one of three ways; decoders for the corpus's tokens."""
    way = one_of(grid, SIZES, where)
    if kinds.kind_of(grid, corpus, where) != Shape.kind:
        return kinds.shapes_of(grid, way, corpus, where)
    vocab = getattr(corpus, "vocab", Shape.vocab)
    if way == "dials":
        return [dials.shape(dial, vocab) for dial in integers(grid, "dials", 1, where)]
    if way == "sizes":
        return _nearest(grid, where, vocab)
    if not grid["shapes"]:
        raise FormatError(f"{where}: shapes is empty.", "", "Give at least one { width, depth, heads }.")
    return [shape_of(shape, f"{where}, shape {place}", vocab) for place, shape in enumerate(grid["shapes"], start=1)]


def horizons_of(grid: dict[str, Any], where: str) -> list[Callable[[AnyShape], int]]:
    """Return the horizons that a [[runs]] table asks for, each as the tokens that a shape is trained on."""
    way = one_of(grid, HORIZONS, where)
    if way == "tokens":
        return [lambda _, tokens=tokens: tokens for tokens in integers(grid, "tokens", 1, where)]
    if way == "budgets":
        return [lambda s, c=c: max(1, round(c / training_flops(s))) for c in positives(grid, "budgets", where)]
    return [lambda s, r=r: max(1, round(r * count(s).params)) for r in positives(grid, "horizons", where)]


def shape_of(shape: Any, where: str, vocab: int = Shape.vocab) -> Shape:
    """Return the Shape that a TOML table asks for."""
    check_table(shape, SHAPE, NEEDED_IN_SHAPE, where)
    try:
        return Shape(**shape, vocab=vocab)
    except RequestError as error:
        raise RequestError(f"{where}: {error.given}", error.exists, error.do) from None


def _nearest(grid: dict[str, Any], where: str, vocab: int) -> list[AnyShape]:
    found: dict[int, float] = {}
    for size in positives(grid, "sizes", where):
        dial = dials.nearest(size, vocab)
        if dial in found:
            raise RequestError(
                f"{where}: sizes {found[dial]:.4g} and {size:.4g} are both nearest to dial {dial}.",
                f"It has {count(dials.shape(dial, vocab)).matmul_params} matrix-product parameters.",
                "Leave one out, or give shapes.",
            )
        found[dial] = size
    return [dials.shape(dial, vocab) for dial in found]

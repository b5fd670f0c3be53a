"""Ladders: a TOML file, or a call, that says which sizes, horizons and seeds to train, read into Specs.

schema = 1
corpus = "python"
[[runs]]                                    # every size at every horizon with every seed
dials = [2, 3, 4, 6]
budgets = [3e11, 1e12, 3e12]

Sizes are `dials` (see dials.py), `sizes` (matrix-product parameters; the nearest dial is taken) or `shapes`
({ width = 32, depth = 2, heads = 2 }). Horizons are `tokens`, `budgets` (training FLOPs: each size is trained for
as long as the budget lasts, an isoFLOP curve) or `horizons` (tokens per parameter, all parameters counted).
`seeds`, `lr`, `batch`, `max_epochs` and the labels `split` ("test" holds runs out) and `note` may be added, and
`recipe`, `engine`, `dtype` (one for the whole ladder: precision must not vary along a law) and `name` on top.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from isoloss.core.accounting import Shape, count, training_flops
from isoloss.core.errors import FormatError, RequestError
from isoloss.core.spec import Spec
from isoloss.lab import dials
from isoloss.lab.corpus import Corpus, load_corpus
from isoloss.lab.declared import check_table, integers, one_of, positives
from isoloss.lab.engine import DEFAULT, engine_for
from isoloss.lab.recipe import find_recipe

SCHEMA = 1
RECIPE = "wsd-adamw"
TOP = {"schema": int, "name": str, "corpus": str, "recipe": str, "engine": str, "dtype": str, "runs": list}
NEEDED_ON_TOP = ("schema", "corpus", "runs")
SIZES = ("shapes", "dials", "sizes")
HORIZONS = ("tokens", "budgets", "horizons")
OPTIONS = {"lr": float, "batch": int, "max_epochs": float, "split": str, "note": str}
GRID = {**dict.fromkeys((*SIZES, *HORIZONS, "seeds"), list), **OPTIONS}
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


def declare(corpus: str = "python", *, recipe: str = RECIPE, engine: str = DEFAULT, **grid: Any) -> tuple[Spec, ...]:
    """Return the runs of one grid: `declare(dials=[2, 3, 4], budgets=[1e12, 3e12], seeds=[0, 1])`.

    `grid` has the keys of a [[runs]] table, with the same errors.
    """
    top = {"schema": SCHEMA, "corpus": corpus, "recipe": recipe, "engine": engine}
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
    return tuple({spec.id: spec for spec in specs}.values())


def grid_of(grid: dict[str, Any], recipe: str, corpus: Corpus, where: str) -> list[Spec]:
    """Return every size of one [[runs]] table at every horizon with every seed."""
    check_table(grid, GRID, (), where)
    shapes, horizons = shapes_of(grid, where), horizons_of(grid, where)
    seeds = integers(grid, "seeds", 0, where) if "seeds" in grid else [0]
    options = {key: grid[key] for key in OPTIONS if key in grid}
    make = find_recipe(recipe)
    return [
        make(shape, tokens_for(shape), corpus, seed, **options)
        for shape, tokens_for, seed in product(shapes, horizons, seeds)
    ]


def shapes_of(grid: dict[str, Any], where: str) -> list[Shape]:
    """Return the shapes that a [[runs]] table asks for, in one of three ways."""
    way = one_of(grid, SIZES, where)
    if way == "dials":
        return [dials.shape(dial) for dial in integers(grid, "dials", 1, where)]
    if way == "sizes":
        return _nearest(grid, where)
    if not grid["shapes"]:
        raise FormatError(f"{where}: shapes is empty.", "", "Give at least one { width, depth, heads }.")
    return [shape_of(shape, f"{where}, shape {place}") for place, shape in enumerate(grid["shapes"], start=1)]


def horizons_of(grid: dict[str, Any], where: str) -> list[Callable[[Shape], int]]:
    """Return the horizons that a [[runs]] table asks for, each as the tokens that a shape is trained on."""
    way = one_of(grid, HORIZONS, where)
    if way == "tokens":
        return [lambda _, tokens=tokens: tokens for tokens in integers(grid, "tokens", 1, where)]
    if way == "budgets":
        return [lambda s, c=c: max(1, round(c / training_flops(s))) for c in positives(grid, "budgets", where)]
    return [lambda s, r=r: max(1, round(r * count(s).params)) for r in positives(grid, "horizons", where)]


def shape_of(shape: Any, where: str) -> Shape:
    """Return the Shape that a TOML table asks for."""
    check_table(shape, SHAPE, NEEDED_IN_SHAPE, where)
    try:
        return Shape(**shape)
    except RequestError as error:
        raise RequestError(f"{where}: {error.given}", error.exists, error.do) from None


def _nearest(grid: dict[str, Any], where: str) -> list[Shape]:
    found: dict[int, float] = {}
    for size in positives(grid, "sizes", where):
        dial = dials.nearest(size)
        if dial in found:
            raise RequestError(
                f"{where}: sizes {found[dial]:.4g} and {size:.4g} are both nearest to dial {dial}.",
                f"It has {count(dials.shape(dial)).matmul_params} matrix-product parameters.",
                "Leave one out, or give shapes.",
            )
        found[dial] = size
    return [dials.shape(dial) for dial in found]

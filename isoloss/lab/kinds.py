"""Kinds of model in a ladder: the keys that a [[runs]] table has for each, read into shapes.

kind = "moe"              experts = [1, 4, 16], active_experts = 1, routing = "top_k" or "hash"
kind = "encoder_decoder"  encoder_depths = [1, 2, 4] (of the decoder: its dial's), context and source = 128
kind = "vit"              patch = 7 (a quarter of the image's side, where nothing is said)
kind = "mlp"

Lists are axes: each value with each size. What follows from the data (classes, features, image) is taken from there.
With `shapes` the same parts may be written in each shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import MISSING, fields
from itertools import product
from typing import Any

from isoloss.core.errors import FormatError, RequestError, UnknownNameError
from isoloss.core.shapes import KINDS, AnyShape, Shape
from isoloss.lab import dials
from isoloss.lab.corpus import Corpus, Examples, Pairs, Source
from isoloss.lab.declared import check_table, integers, positives
from isoloss.lab.suitable import check_kind, of_examples

KEYS: dict[str, type] = {
    "kind": str,
    "experts": list,
    "active_experts": int,
    "routing": str,
    "encoder_depths": list,
    "context": int,
    "source": int,
    "patch": int,
}
OF_KIND: dict[str, tuple[str, ...]] = {
    "decoder": (),
    "moe": ("experts", "active_experts", "routing"),
    "encoder_decoder": ("encoder_depths", "context", "source"),
    "vit": ("patch",),
    "mlp": (),
}
AXES = {"experts": "experts", "encoder_depths": "encoder_depth"}  # key, and the part of the shape that it varies
SET_BY_DIAL = ("width", "depth", "heads")
EXAMPLES = {"experts": "experts = [1, 4, 16]", "patch": "patch = 7"}
QUARTER = 4


def kind_of(grid: Mapping[str, Any], data: Source, where: str) -> str:
    """Return the kind that a [[runs]] table asks for; raise where it, its keys or the data do not go together."""
    kind = grid.get("kind", Shape.kind)
    if kind not in KINDS:
        raise UnknownNameError(f"kind of model in {where} called", str(kind), KINDS)
    for key in (key for key in KEYS if key in grid and key != "kind" and key not in OF_KIND[kind]):
        wanted = [name for name, keys in OF_KIND.items() if key in keys]
        raise FormatError(f"{where}: {key} is no key of kind = '{kind}'.", f"It is one of: {', '.join(wanted)}.")
    check_kind(kind, data)
    return kind


def shapes_of(grid: Mapping[str, Any], way: str, data: Source, where: str) -> list[AnyShape]:
    """Return the shapes of a [[runs]] table that has a `kind`, whose sizes are given in `way`: every size of each axis.

    Raises FormatError, UnknownNameError and RequestError, all of them saying where.
    """
    kind = kind_of(grid, data, where)
    try:
        varied = _options(grid, kind, data, where)
        if way == "dials":
            sizes = integers(dict(grid), "dials", 1, where)
            return [_at(dial, kind, options) for dial, options in product(sizes, varied)]
        if way == "sizes":
            found = dict.fromkeys(_nearest(size, kind, varied[0]) for size in positives(dict(grid), "sizes", where))
            return [_at(dial, kind, options) for dial, options in product(found, varied)]
        return [_written(shape, kind, options, where) for shape, options in product(grid["shapes"], varied)]
    except RequestError as error:
        raise RequestError(f"{where}: {error.given}", error.exists, error.do) from None


def _options(grid: Mapping[str, Any], kind: str, data: Source, where: str) -> list[dict[str, Any]]:
    # The parts of shapes that no dial sets: one dictionary for each point of the axes.
    fixed = {key: grid[key] for key in OF_KIND[kind] if key in grid and key not in AXES}
    fixed |= _of_data(kind, data, grid)
    axes = [key for key in OF_KIND[kind] if key in AXES and key in grid]
    values = product(*(integers(dict(grid), key, 1, where) for key in axes))
    return [{**fixed, **{AXES[key]: value for key, value in zip(axes, point, strict=True)}} for point in values]


def _of_data(kind: str, data: Source, grid: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(data, Corpus | Pairs):
        return {"vocab": data.vocab}
    assert isinstance(data, Examples)
    parts: dict[str, Any] = of_examples(kind, data)
    if kind == "vit" and "patch" not in grid and parts["image"] % QUARTER == 0:
        parts["patch"] = parts["image"] // QUARTER
    return parts


def _at(dial: int, kind: str, options: dict[str, Any]) -> AnyShape:
    _check_needed(kind, {*options, *SET_BY_DIAL})
    return dials.shape(dial, **{"kind": kind, **options})


def _nearest(size: float, kind: str, options: dict[str, Any]) -> int:
    _check_needed(kind, {*options, *SET_BY_DIAL})
    return dials.nearest(size, **{"kind": kind, **options})


def _written(shape: Any, kind: str, options: dict[str, Any], where: str) -> AnyShape:
    types = {"routing": str, "tied": bool}
    parts = {f.name: types.get(f.name, int) for f in fields(KINDS[kind])}
    check_table(shape, parts, (), f"{where}, a shape")
    _check_needed(kind, {*options, *shape})
    return KINDS[kind](**{**options, **shape})


def _check_needed(kind: str, given: Set[str]) -> None:
    lacking = [f.name for f in fields(KINDS[kind]) if f.default is MISSING and f.name not in given]
    if lacking:
        written = [EXAMPLES.get(name, f"{name} = ...") for name in lacking]
        raise RequestError(
            f"A model of the kind '{kind}' needs {', '.join(lacking)}.", do=f"Give {', '.join(written)}."
        )

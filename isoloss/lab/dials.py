"""Sizes from one number: the dial sets width, heads and depth together, so that a family of shapes has one way to grow.

Width is 16 x dial, in heads of 16; depth is pi/2 x sqrt(dial), rounded. Depth thus grows as the root of the width, and
the dials 2, 3, 4, 5, 6, 8, 10 are the shapes of the shipped ladder. The other kinds grow alike: a routed model is the
decoder of its dial with more experts, encoder and decoder have that depth each, a ViT and an MLP have that trunk.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from isoloss.core.accounting import count
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.shapes import KINDS, AnyShape, MoEShape, Shape

HEAD = 16
DEPTH = math.pi / 2
LARGEST = 512


@cache
def shape(dial: int, vocab: int = Shape.vocab, kind: str = Shape.kind, **options: Any) -> Any:
    """Return the shape of this kind at `dial`, an AnyShape; raise RequestError outside 1 to 512.

    `options` are parts of the shape that no dial sets: experts, classes, patch and so on. `vocab` is for kinds that
    have one.
    """
    if not 1 <= dial <= LARGEST:
        raise RequestError(f"There is no dial {dial}.", f"Dials go from 1 to {LARGEST}.", "Choose one of them.")
    if kind not in KINDS:
        raise UnknownNameError("kind of model", kind, KINDS)
    trunk = {"width": HEAD * dial, "depth": max(1, round(DEPTH * math.sqrt(dial))), "heads": dial, "vocab": vocab}
    parts = KINDS[kind].__dataclass_fields__
    return KINDS[kind](**{**{name: value for name, value in trunk.items() if name in parts}, **options})


def nearest(matmul_params: float, vocab: int = Shape.vocab, kind: str = Shape.kind, **options: Any) -> int:
    """Return the dial whose shape's count of matrix-product parameters is nearest, as a ratio.

    A routed model is measured by the dense one that it is built on, so that dials do not change with experts.
    Raises RequestError for a size that is more than twice beyond either end of the dials.
    """
    sizes = {dial: measure(shape(dial, vocab, kind, **options)) for dial in range(1, LARGEST + 1)}
    low, high = min(sizes.values()), max(sizes.values())
    if not low / 2 <= matmul_params <= high * 2:
        raise RequestError(
            f"No dial has about {matmul_params:.4g} matrix-product parameters.",
            f"Dials 1 to {LARGEST} have {low:.4g} to {high:.4g}.",
            "Choose a size between, or give shapes.",
        )
    return min(sizes, key=lambda dial: abs(math.log(sizes[dial] / matmul_params)))


def measure(found: AnyShape) -> float:
    """Return the matrix-product parameters by which a size is asked for."""
    return count(found.dense if isinstance(found, MoEShape) else found).matmul_params

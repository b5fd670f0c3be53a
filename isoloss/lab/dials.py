"""Sizes from one number: the dial sets width, heads and depth together, so that a family of shapes has one way to grow.

Width is 16 x dial, in heads of 16; depth is pi/2 x sqrt(dial), rounded. Depth thus grows as the root of the width, and
the dials 2, 3, 4, 5, 6, 8, 10 are the shapes of the shipped ladder.
"""

from __future__ import annotations

import math
from functools import cache

from isoloss.core.accounting import Shape, count
from isoloss.core.errors import RequestError

HEAD = 16
DEPTH = math.pi / 2
LARGEST = 512


@cache
def shape(dial: int, vocab: int = Shape.vocab) -> Shape:
    """Return the shape at `dial` for `vocab` tokens; raise RequestError outside 1 to 512."""
    if not 1 <= dial <= LARGEST:
        raise RequestError(f"There is no dial {dial}.", f"Dials go from 1 to {LARGEST}.", "Choose one of them.")
    return Shape(width=HEAD * dial, depth=max(1, round(DEPTH * math.sqrt(dial))), heads=dial, vocab=vocab)


def nearest(matmul_params: float, vocab: int = Shape.vocab) -> int:
    """Return the dial whose shape's count of matrix-product parameters is nearest, as a ratio.

    Raises RequestError for a size that is more than twice beyond either end of the dials.
    """
    sizes = {dial: count(shape(dial, vocab)).matmul_params for dial in range(1, LARGEST + 1)}
    low, high = min(sizes.values()), max(sizes.values())
    if not low / 2 <= matmul_params <= high * 2:
        raise RequestError(
            f"No dial has about {matmul_params:.4g} matrix-product parameters.",
            f"Dials 1 to {LARGEST} have {low:.4g} to {high:.4g}.",
            "Choose a size between, or give shapes.",
        )
    return min(sizes, key=lambda dial: abs(math.log(sizes[dial] / matmul_params)))

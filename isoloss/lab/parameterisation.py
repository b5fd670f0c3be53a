"""Parameterisations: how a model and its optimizer change with its size, so that what was set for one size suits all.

One function each, named as in Spec.parameterisation, from a shape to the factors that model.py and optimizers.py apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isoloss.core.errors import UnknownNameError
from isoloss.core.shapes import AnyShape, Shape

BASE = Shape(width=32, depth=2, heads=2)


@dataclass(frozen=True)
class Scaling:
    """Factors on the plain model and optimizer; all at their defaults change nothing.

    `branch` multiplies what a block adds to the stream, `logits` the logits; `attention` replaces 1 / sqrt(head_dim)
    as the factor on products of queries and keys. `hidden_rate` and `hidden_decay` multiply rate and decay of the
    matrices inside blocks, `eps` the eps of every weight.
    """

    branch: float = 1.0
    logits: float = 1.0
    attention: float | None = None
    hidden_rate: float = 1.0
    hidden_decay: float = 1.0
    eps: float = 1.0


Parameterisation = Callable[[Any], Scaling]
PARAMETERISATIONS: dict[str, Parameterisation] = {}
STANDARD = Scaling()


def parameterisation(name: str) -> Callable[[Parameterisation], Parameterisation]:
    """Register a function that returns the factors of a shape."""

    def register(function: Parameterisation) -> Parameterisation:
        PARAMETERISATIONS[name] = function
        return function

    return register


def scaling_of(name: str, shape: AnyShape) -> Scaling:
    """Return the factors of `shape` under the parameterisation `name`; raise UnknownNameError if there is none such."""
    if name not in PARAMETERISATIONS:
        raise UnknownNameError("parameterisation", name, PARAMETERISATIONS)
    return PARAMETERISATIONS[name](shape)


@parameterisation("standard")
def standard(shape: Shape) -> Scaling:
    """The plain model: a rate that suits one size does not suit another, so the recipe's rate follows the size."""
    return STANDARD


@parameterisation("completep")
def completep(shape: Shape) -> Scaling:
    """CompleteP with alpha = 1 (Dey et al. 2025, arXiv 2505.01618, table 1), about a base of width 32 and depth 2.

    With m_d = width / 32 and m_L = depth / 2: branches x 1 / m_L, logits x 1 / m_d, and inside the blocks the rate
    x 1 / m_d and the decay x m_d; eps x 1 / (m_d m_L); embedding, head and norms keep the base rate. Attention divides
    products of queries and keys by head_dim instead of its root, equal to it at the base's heads of 16. At the base
    shape nothing differs from "standard".

    The variance of matrices inside blocks at the start is sigma^2 / m_d with sigma^2 = 1 / 32, which is the 1 / width
    that the plain model has anyway. Branch outputs and the head start at zero here instead, as the rules allow: they
    speak of how variances scale, and zero does. What blocks write then comes from updates alone, so that nothing moves
    but the head in the first step, and matrices that read the stream only from the third: check coordinates after more
    steps than that. Queries and keys are normed, so that the size of their matrix does not matter, only its rate
    relative to its size: 1 / m_d is relative to entries of m_d^(-1/2), an update of full rank in size for all widths.
    """
    width, depth = shape.width / BASE.width, shape.depth / BASE.depth
    return Scaling(
        branch=1 / depth,
        logits=1 / width,
        attention=math.sqrt(BASE.head_dim) / shape.head_dim,
        hidden_rate=1 / width,
        hidden_decay=width,
        eps=1 / (width * depth),
    )

"""C2: losses with a bump along size that Chinchilla's law has not, and losses without."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, residuals
from isoloss.core.figure import Figure


def wrong() -> Example:
    runs = grid(10, 6)
    bump_n = 0.03 * np.exp(-(np.log(runs["params"] / 1e8) ** 2))
    return Example(runs.with_columns(loss=runs["loss"] * (1 + bump_n)))


def right() -> Example:
    return Example(grid(10, 6))


def picture() -> Figure:
    return residuals(wrong(), "params", "A bump in what the law leaves over")

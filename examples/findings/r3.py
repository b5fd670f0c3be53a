"""R3: two runs that went wrong, and none."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, residuals
from isoloss.core.figure import Figure

WRONG = (9, 26)


def wrong() -> Example:
    runs = grid(6, 8)
    worse_n = np.ones(len(runs))
    worse_n[list(WRONG)] = 1.06
    return Example(runs.with_columns(loss=runs["loss"] * worse_n))


def right() -> Example:
    return Example(grid(6, 8))


def picture() -> Figure:
    return residuals(wrong(), "params", "Two runs far off the law", WRONG)

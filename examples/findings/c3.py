"""C3: one run in eight badly tuned, mostly the large ones, so that squares and Huber's function part; and none."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure

BAD = (28, 34, 40, 41, 46, 47)


def wrong() -> Example:
    runs = grid(6, 8)
    worse_n = np.ones(len(runs))
    worse_n[list(BAD)] = 1.08
    return Example(runs.with_columns(loss=runs["loss"] * worse_n))


def right() -> Example:
    return Example(grid(6, 8))


def picture() -> Figure:
    return scattered(wrong().runs, "params", "loss", "Runs that squares listen to, and Huber's function does not", BAD)

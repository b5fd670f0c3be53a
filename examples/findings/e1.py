"""E1: losses with one digit after the point, and with all of them."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def wrong() -> Example:
    runs = grid()
    return Example(runs.with_columns(loss=np.round(runs["loss"], 1)))


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    return scattered(wrong().runs, "tokens", "loss", "Losses in steps of 0.1", range(36))

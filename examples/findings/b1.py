"""B1: two thirds of a decade of sizes, and two decades."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered, sweep
from isoloss.core.figure import Figure


def wrong() -> Example:
    params, tokens = np.meshgrid(np.geomspace(1e8, 5e8, 6), np.geomspace(5e8, 5e10, 6))
    return Example(sweep(params.ravel(), tokens.ravel()))


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    return scattered(wrong().runs, "params", "loss", "Runs over less than a decade of sizes")

"""B4: one run alone at the large end, somewhat unlucky, under squares; and a sweep without it."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, loss, scattered
from isoloss.core.figure import Figure
from isoloss.core.runs import Runs

HOW = {"draws": 200, "objective": "squared_log"}


def wrong() -> Example:
    runs = grid(4, 4)
    params, tokens = np.array([2e10]), np.array([2e10])
    return Example(
        runs + Runs({"params": params, "tokens": tokens, "loss": 1.04 * loss(params, tokens, 0.0)}), settings=HOW
    )


def right() -> Example:
    return Example(grid(8, 8), settings=HOW)


def picture() -> Figure:
    runs = wrong().runs
    return scattered(runs, "params", "loss", "One run decides the fit", [len(runs) - 1])

"""D3: losses whose fall slows beyond the smaller budgets, and losses that go on as they began."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def wrong() -> Example:
    runs = grid(8, 8)
    beyond_n = np.maximum(np.log10(6 * runs["params"] * runs["tokens"] / 1e19), 0.0)
    return Example(runs.with_columns(loss=runs["loss"] * (1 + 0.04 * beyond_n)))


def right() -> Example:
    return Example(grid(8, 8))


def picture() -> Figure:
    runs = wrong().runs.complete(["flops"])
    beyond = np.flatnonzero(runs["flops"] > 1e19).tolist()
    return scattered(runs, "flops", "loss", "A law that slows beyond 1e19 FLOP", beyond)

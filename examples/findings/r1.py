"""R1: a third of the rows pasted twice, and seeds that differ."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def wrong() -> Example:
    return Example(grid() + grid().take(slice(0, 12)))


def right() -> Example:
    return Example(grid(seed=0).with_columns(seed=0) + grid(seed=1).with_columns(seed=1).take(slice(0, 12)))


def picture() -> Figure:
    return scattered(wrong().runs, "tokens", "loss", "Twelve rows of the two shortest lengths stand twice", range(12))

"""C1: losses that head for a floor below zero, and losses with one."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def wrong() -> Example:
    runs = grid()
    return Example(runs.with_columns(loss=runs["loss"] - 2.2))


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    return scattered(wrong().runs, "tokens", "loss", "Losses that head below zero: the floor ends at its bound")

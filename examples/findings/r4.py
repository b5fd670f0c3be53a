"""R4: sizes in millions beside tokens as counts, and both as counts."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def wrong() -> Example:
    runs = grid()
    return Example(runs.with_columns(params=runs["params"] / 1e6))


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    return scattered(wrong().runs, "params", "tokens", "Models of ten to a thousand parameters", range(36))

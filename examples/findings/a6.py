"""A6: 5B unique tokens for runs of up to 50B, and enough of them."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure

UNIQUE = 5e9


def wrong() -> Example:
    runs = grid(unique_tokens=UNIQUE)
    epochs = np.maximum(runs["tokens"] / UNIQUE, 1.0)
    return Example(runs.with_columns(loss=runs["loss"] * (1 + 0.01 * (epochs - 1))))


def right() -> Example:
    return Example(grid(unique_tokens=1e11))


def picture() -> Figure:
    runs = wrong().runs
    again = [int(i) for i in np.flatnonzero(runs["tokens"] > UNIQUE)]
    return scattered(runs, "tokens", "loss", "5B unique tokens, seen up to ten times", again)

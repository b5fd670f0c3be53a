"""R2: a run that no longer learns, one that jumped and one that crashed, and runs that all finished."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure

GUESSING, JUMPED, CRASHED = 20, 28, 33
VOCAB = 32_000


def wrong() -> Example:
    runs = grid(vocab=VOCAB)
    loss, status = np.array(runs["loss"]), ["finished"] * 36
    loss[GUESSING], loss[JUMPED], loss[CRASHED] = np.log(VOCAB), 1.3 * loss[JUMPED], np.nan
    status[CRASHED] = "crashed"
    return Example(runs.with_columns(loss=loss, status=status))


def right() -> Example:
    return Example(grid(vocab=VOCAB, status="finished"))


def picture() -> Figure:
    return scattered(wrong().runs, "tokens", "loss", "One run guesses and one jumped", [GUESSING, JUMPED])

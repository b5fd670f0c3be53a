"""A4: a warm-up of 400M tokens for all lengths, and one of a fiftieth of each."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure

WARMUP = 4e8
COST = 0.1  # how much higher the loss of a run stands that is all warm-up


def wrong() -> Example:
    runs = grid(warmup_tokens=WARMUP)
    return Example(runs.with_columns(loss=runs["loss"] * (1 + COST * WARMUP / runs["tokens"])))


def right() -> Example:
    runs = grid()
    return Example(runs.with_columns(warmup_tokens=np.minimum(runs["params"], 0.02 * runs["tokens"])))


def picture() -> Figure:
    runs = wrong().runs
    long = [int(i) for i in np.flatnonzero(0.1 * runs["tokens"] < WARMUP)]
    return scattered(runs, "tokens", "loss", "A warm-up of 400M tokens, above a tenth of the short runs", long)

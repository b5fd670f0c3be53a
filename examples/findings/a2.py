"""A2: every third model's losses in bits, and all of them in nats."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def _in_bits() -> np.ndarray:
    return np.arange(36) % 6 % 3 == 2


def wrong() -> Example:
    runs = grid(group=np.where(_in_bits(), "second log", "first log"))
    return Example(runs.with_columns(loss=runs["loss"] / np.where(_in_bits(), np.log(2), 1.0)))


def right() -> Example:
    return Example(grid(eval_set="c4", tokenizer="gpt2"))


def picture() -> Figure:
    marked = [int(i) for i in np.flatnonzero(_in_bits())]
    return scattered(wrong().runs, "tokens", "loss", "Losses of one log are in bits", marked)

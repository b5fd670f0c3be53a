"""A3: checkpoints from inside long cosines, and runs that were planned to end where they were measured."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered, sweep
from isoloss.core.figure import Figure
from isoloss.core.runs import Runs

STILL_TO_DECAY = 0.06  # how much higher the loss stands at the start of a schedule


def _checkpoints() -> Runs:
    share, sizes = np.linspace(0.1, 1.0, 6), np.geomspace(1e7, 1e9, 10)
    params, portion = (part.ravel() for part in np.meshgrid(sizes, share))
    runs = sweep(params, 5e10 * portion, schedule="cosine", portion=portion)
    names = [f"cosine-{numbers:.0f}M" for numbers in params / 1e6]
    return runs.with_columns(loss=runs["loss"] * (1 + STILL_TO_DECAY * (1 - portion)), run=names)


def _finished() -> Runs:
    runs = sweep(np.full(4, 1e7), 5e10 * np.linspace(0.1, 1.0, 6)[:4], seed=1, schedule="cosine", portion=1.0)
    return runs.with_columns(run=[f"short-{i}" for i in range(4)])


def wrong() -> Example:
    return Example(_checkpoints() + _finished())


def right() -> Example:
    return Example(grid(schedule="cosine", portion=1.0))


def picture() -> Figure:
    runs = wrong().runs
    inside = [int(i) for i in np.flatnonzero(np.asarray(runs["portion"], float) < 1)]
    return scattered(runs, "tokens", "loss", "Rows from inside cosines of 50B tokens", inside)

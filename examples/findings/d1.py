"""D1: a grid without repeats, and one with three seeds of some of its cheap runs."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, scattered, sweep
from isoloss.core.figure import Figure


def wrong() -> Example:
    return Example(grid())


def right() -> Example:
    again = [sweep(np.geomspace(1e7, 1e9, 6)[:3], np.full(3, 5e8), seed=seed) for seed in (1, 2)]
    seeded = [runs.with_columns(seed=seed) for seed, runs in zip((0, 1, 2), (grid(), *again), strict=True)]
    return Example(seeded[0] + seeded[1] + seeded[2])


def picture() -> Figure:
    runs = right().runs
    again = [int(i) for i in np.flatnonzero(np.asarray(runs["seed"], int) > 0)]
    return scattered(runs, "params", "loss", "Three cheap designs, each with two more seeds", again)

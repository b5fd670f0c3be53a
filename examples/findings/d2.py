"""D2: checkpoints of twelve trainings drawn as if each were a run, and drawn by training."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, scattered, sweep
from isoloss.core.figure import Figure
from isoloss.core.runs import Runs

LUCK = 0.01  # what all checkpoints of one training share


def _checkpoints() -> Runs:
    params, tokens = (part.ravel() for part in np.meshgrid(np.geomspace(1e7, 1e9, 12), np.geomspace(1e9, 5e10, 8)))
    training = np.tile(np.arange(12), 8)
    shared = LUCK * np.random.default_rng(1).standard_normal(12)
    runs = sweep(params, tokens, scatter=0.001, schedule="constant")
    return runs.with_columns(loss=runs["loss"] * np.exp(shared[training]), run=[f"run-{i}" for i in training])


def wrong() -> Example:
    return Example(_checkpoints(), settings={"draws": 200, "cluster": False})


def right() -> Example:
    return Example(_checkpoints())


def picture() -> Figure:
    runs = _checkpoints()
    one = [int(i) for i in np.flatnonzero(runs["run"] == "run-5")]
    return scattered(runs, "tokens", "loss", "Eight rows of one training among those of eleven others", one)

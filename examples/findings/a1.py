"""A1: embeddings that outweigh the smallest models, and ones that are a fiftieth of every model."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, sweep
from isoloss.core.figure import Axis, Figure, Panel, Points

VOCABULARY = 6e4  # parameters of embeddings over the cube root of those of the body: about 50,000 words


def wrong() -> Example:
    body, tokens = (grid_n.ravel() for grid_n in np.meshgrid(np.geomspace(5e6, 5e8, 6), np.geomspace(5e8, 5e10, 6)))
    return Example(sweep(body + VOCABULARY * np.cbrt(body), tokens, body_params=body))


def right() -> Example:
    runs = grid()
    return Example(runs.with_columns(body_params=0.98 * runs["params"]))


def picture() -> Figure:
    runs = wrong().runs
    marks = (
        Points(x=runs["params"], y=runs["loss"], label="params"),
        Points(x=runs["body_params"], y=runs["loss"], label="body_params", role="held-out"),
    )
    panel = Panel(Axis("params", words="model size, by two counts"), Axis("loss"), marks)
    return Figure("The same runs by two counts of their size", (panel,))

"""R5: models below 30M parameters that bend away from the law of the others, and models that do not."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, grid, residuals
from isoloss.core.figure import Figure

ONSET = 3e7


def wrong() -> Example:
    runs = grid(12, 6, 0.003)
    below_n = np.maximum(np.log(ONSET / runs["params"]), 0.0)
    return Example(runs.with_columns(loss=runs["loss"] * (1 + 0.05 * below_n)))


def right() -> Example:
    return Example(grid(12, 6, 0.003))


def picture() -> Figure:
    example = wrong()
    is_small_n = example.runs["params"] < ONSET
    small, large = np.flatnonzero(is_small_n).tolist(), np.flatnonzero(~is_small_n).tolist()
    return residuals(example, "params", "Small models that bend away from the law of the others", small, large)

"""R6: a ladder whose fifth model is worse than its fourth, and one that falls all the way."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, ray, scattered
from isoloss.core.figure import Figure

WORSE = 1.16


def wrong() -> Example:
    runs = ray()
    return Example(runs.with_columns(loss=runs["loss"] * np.where(np.arange(8) == 4, WORSE, 1.0)))


def right() -> Example:
    return Example(ray())


def picture() -> Figure:
    return scattered(wrong().runs, "params", "loss", "The fifth model is worse than the fourth", [4])

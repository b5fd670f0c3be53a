"""C4: losses of Kaplan's law, and losses of Chinchilla's."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, residuals, under_kaplan
from isoloss.core.figure import Figure


def wrong() -> Example:
    return Example(under_kaplan(grid(8, 8)))


def right() -> Example:
    return Example(grid(8, 8))


def picture() -> Figure:
    return residuals(wrong(), "params", "What Chinchilla's law leaves over of losses made by Kaplan's")

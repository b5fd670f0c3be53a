"""C5: runs so small and short that the floor is far below them, and runs that come near it."""

from __future__ import annotations

import numpy as np

import isoloss as il
from examples.findings._sweeps import Example, grid, sweep
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Role


def wrong() -> Example:
    params, tokens = np.meshgrid(np.geomspace(1e6, 3e7, 5), np.geomspace(1e7, 3e8, 5))
    return Example(sweep(params.ravel(), tokens.ravel(), 0.02))


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    lines: list[Mark] = []
    pair: tuple[tuple[Example, str, Role], ...] = (
        (wrong(), "far above the floor", "held-out"),
        (right(), "near the floor", "law"),
    )
    for example, label, role in pair:
        told = il.profile(example.runs, parameter="E", draws=0)
        shown_m = told.rise_m <= 3 * told.threshold
        lines.append(Line(label, role, x=told.value_m[shown_m], y=told.rise_m[shown_m] / told.threshold))
    lines.append(Line("the 90% threshold", "guide", x=np.array([0.0, 3.0]), y=np.ones(2)))
    x = Axis("loss", "linear", words="floor E of the loss")
    panel = Panel(x, Axis("ratio", "linear", words="rise of the objective over its threshold"), tuple(lines))
    return Figure("How much worse the best fit gets as its floor is moved", (panel,))

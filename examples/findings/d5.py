"""D5: twelve runs that scatter by 3%, and thirty-six that scatter by half a per cent."""

from __future__ import annotations

import numpy as np

import isoloss as il
from examples.findings._sweeps import Example, grid
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Role

FLOPS = 3e21


def wrong() -> Example:
    return Example(grid(4, 3, scatter=0.03))


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    size_m = np.geomspace(1e8, 3e10, 60)
    lines: list[Mark] = []
    pair: tuple[tuple[Example, str, Role], ...] = (
        (wrong(), "few runs that scatter", "held-out"),
        (right(), "many that do not", "law"),
    )
    for example, label, role in pair:
        fit = il.fit(example.runs, draws=12)
        loss_sm = fit.law.value(np.array([size_m, FLOPS / (6 * size_m)]), fit.draws_sp)
        lines += [Line(label, role, x=size_m, y=loss_m / loss_m.min()) for loss_m in loss_sm]
    y = Axis("ratio", "linear", words="loss over the least", span=(1.0, 1.1))
    return Figure("Valleys of twelve draws at 3e21 FLOP", (Panel(Axis("params"), y, tuple(lines)),))

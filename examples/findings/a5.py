"""A5: one learning rate for all sizes and a batch that shrinks to fit the memory, and both as they should go."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid
from isoloss.core.figure import Axis, Figure, Panel, Points


def wrong() -> Example:
    runs = grid()
    return Example(runs.with_columns(lr=3e-4, batch=5e5 * (runs["params"] / 1e7) ** -0.5))


def right() -> Example:
    runs = grid()
    lr = 0.0047 * (runs["params"] / 1.08e8) ** (-1 / 3)
    return Example(runs.with_columns(lr=lr, batch=5e5 * (runs["tokens"] / 1e10) ** 0.383))


def picture() -> Figure:
    panels = []
    for name in ("lr", "batch"):
        marks = (
            Points(x=right().runs["params"], y=right().runs[name], label="suited to each run"),
            Points(x=wrong().runs["params"], y=wrong().runs[name], label="the runs in question", role="optimum"),
        )
        panels.append(Panel(x=Axis("params"), y=Axis(name), marks=marks))
    return Figure(title="One learning rate for all, and a batch that falls with size", panels=tuple(panels))

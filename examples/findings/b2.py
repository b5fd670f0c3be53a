"""B2: every run with 20 tokens a parameter, and sizes and horizons crossed."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, ray
from isoloss.core.figure import Axis, Figure, Panel, Points


def wrong() -> Example:
    return Example(ray())


def right() -> Example:
    return Example(grid())


def picture() -> Figure:
    crossed, ray_only = right().runs, wrong().runs
    marks = (
        Points(x=crossed["params"], y=crossed["tokens"], label="size and data crossed"),
        Points(x=ray_only["params"], y=ray_only["tokens"], label="one ray", role="optimum"),
    )
    return Figure("Runs on one ray, D = 20 N, and runs off it", (Panel(Axis("params"), Axis("tokens"), marks),))

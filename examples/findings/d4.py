"""D4: a question ten thousand times beyond the runs, and one four times beyond."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure, Line

FAR, NEAR = 3e24, 1.2e21


def wrong() -> Example:
    return Example(grid(), settings={"draws": 200, "flops": FAR})


def right() -> Example:
    return Example(grid(), settings={"draws": 200, "flops": NEAR})


def picture() -> Figure:
    runs = right().runs.complete(["flops"])
    ends = (runs["loss"].min(), runs["loss"].max())
    asked = [Line(x=[flops, flops], y=ends, label="a question", role="guide") for flops in (NEAR, FAR)]  # type: ignore[arg-type]
    return scattered(runs, "flops", "loss", "Runs, and two questions", (), *asked)

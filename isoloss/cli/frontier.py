"""What `isoloss isoflop` and `isoloss envelope` share: a frontier is fitted, kept, shown, and planned with at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli.options import Fitting
from isoloss.cli.output import leave, show
from isoloss.cli.source import fit_from, noun_in
from isoloss.core import storage
from isoloss.core.estimate import check_level
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier

Budgets = Annotated[list[str] | None, typer.Option("--flops", help="Training compute to plan for: 1e24; repeatable.")]
Size = Annotated[str | None, typer.Option("--size", help="The count of model size, where there are several.")]
FrontierFile = Annotated[
    Path | None, typer.Option("--save", help="Write the frontier, draws and all, to this JSON file.")
]


def plannable(source: str, how: Fitting) -> Fit | Frontier:
    """A saved frontier, or whatever else the source names: a saved fit, a table of runs, a published key."""
    path = Path(source)
    if noun_in(path) == "frontier":
        return Frontier.load(path)
    return fit_from(source, how)


def answer(
    fitted: Callable[[], Frontier],
    flops: list[str] | None,
    level: float,
    save: Path | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Fit, save and show a frontier; with budgets, the plan for these beneath it."""
    from isoloss.planning import plan

    check_level(level)
    if save:
        storage.check_writable(save)
    frontier = fitted()
    planned = plan(frontier, flops=flops, level=level) if flops else None
    if save:
        frontier.save(save)
    content = {**frontier.summary(level), **({"plan": planned.to_json()} if planned else {})}
    text = str(frontier) if planned is None else f"{frontier}\n{planned}"
    show(text, content, as_json)
    leave(frontier.findings, strict)

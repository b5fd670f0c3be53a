"""`isoloss envelope`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.frontier import Budgets, FrontierFile, Size, answer
from isoloss.cli.source import runs_from


@command
def envelope(
    *,
    runs: o.RunsFile,
    flops: Budgets = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="The column that tells training runs apart; repeatable.")
    ] = None,
    size: Size = None,
    column: o.Columns = None,
    where: o.Where = None,
    draws: o.Draws = 1000,
    seed: o.Seed = 0,
    level: o.Level = 0.9,
    save: FrontierFile = None,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
) -> None:
    """Chinchilla's approach 1: the best size at each compute from training curves, and at budgets to come."""
    from isoloss.fitting import envelope as approach

    answer(
        lambda: approach.envelope(runs_from(runs, column, where), run=run, size=size, draws=draws, seed=seed),
        flops,
        level,
        save,
        as_json,
        strict,
    )

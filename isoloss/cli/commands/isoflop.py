"""`isoloss isoflop`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.frontier import Budgets, FrontierFile, Size, answer
from isoloss.cli.source import runs_from


@command
def isoflop(
    *,
    runs: o.RunsFile,
    flops: Budgets = None,
    method: Annotated[
        str, typer.Option("--method", help="The curve of each budget: quadratic, cubic or akima.")
    ] = "quadratic",
    reach: Annotated[
        float, typer.Option("--reach", help="The factor of size around a minimum that its curve goes through.")
    ] = 8.0,
    budget: Annotated[str | None, typer.Option("--budget", help="The column that tells budgets apart.")] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Without that column: how near compute lies within a budget.")
    ] = 0.1,
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
    """Chinchilla's approach 2: the best size of each budget from isoFLOP profiles, and at budgets to come."""
    from isoloss.fitting import isoflop as approach

    answer(
        lambda: approach.isoflop(
            runs_from(runs, column, where),
            method=method,
            reach=reach,
            budget=budget,
            tolerance=tolerance,
            size=size,
            draws=draws,
            seed=seed,
        ),
        flops,
        level,
        save,
        as_json,
        strict,
    )

"""`isoloss compare` and `isoloss backtest`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import progress, show
from isoloss.cli.source import fit_from, noun_in, pairs, runs_from, settings
from isoloss.core.errors import RequestError
from isoloss.core.estimate import check_level

Cuts = Annotated[int, typer.Option("--cuts", min=1, help="At how many places the larger runs are hidden.")]


@command
def compare(
    *,
    runs: o.RunsFile,
    among: Annotated[
        list[str] | None, typer.Option("--among", metavar="LAW", help="Only these laws; repeatable.")
    ] = None,
    cuts: Cuts = 5,
    bind: o.Bind = None,
    column: o.Columns = None,
    where: o.Where = None,
    objective: o.Objective = "huber_log",
    seed: o.Seed = 0,
    as_json: o.AsJson = False,
) -> None:
    """Rank laws by how well they predict the larger runs from the smaller ones."""
    from isoloss.comparing import compare as rank

    table, inputs = runs_from(runs, column, where), pairs(bind, "--input")
    ranked = rank(
        table, among, cuts=cuts, inputs=inputs, objective=objective, seed=seed, progress=_told("fits below cuts")
    )
    show(ranked, ranked.to_json(), as_json)


@command
def backtest(
    *,
    source: o.Source,
    runs: Annotated[
        str | None, typer.Option("--runs", metavar="RUNS", help="Where RUNS|FIT is a saved fit: the runs behind it.")
    ] = None,
    cuts: Cuts = 5,
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
) -> None:
    """Hide the larger runs, fit the smaller, predict: what the law would have said of what is now known."""
    from isoloss.comparing import backtest as test

    check_level(level)
    if runs is None and noun_in(Path(source)) == "fit":
        raise RequestError("A saved fit does not carry its runs.", do="Name their table: --runs RUNS.")
    if runs is None:
        tested = test(runs_from(source, how.column, how.where), law=how.law, cuts=cuts, level=level, **settings(how))
    else:
        tested = test(fit_from(source, how), runs_from(runs, how.column, how.where), cuts=cuts, level=level)
    show(tested, tested.to_json(), as_json)


def _told(what: str) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        progress(f"{done} of {total} {what}")

    return tell

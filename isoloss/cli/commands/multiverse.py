"""`isoloss multiverse`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import show
from isoloss.cli.source import runs_from, settings


@command
def multiverse(
    *,
    runs: o.RunsFile,
    flops: Annotated[str, typer.Option("--flops", help="Compute of the run that is planned.")],
    laws: Annotated[
        list[str] | None, typer.Option("--rival", metavar="LAW", help="Only these other laws; repeatable.")
    ] = None,
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
) -> None:
    """Answer one question under each law, objective, count of size and kind of draws, and say how far they disagree."""
    from isoloss.checking.multiverse import DRAWS
    from isoloss.checking.multiverse import multiverse as answer

    given = settings(how)
    draws = min(given.pop("draws"), DRAWS)
    table = runs_from(runs, how.column, how.where)
    found = answer(table, how.law, flops=flops, laws=laws, level=level, draws=draws, **given)
    show(found, found.to_json(), as_json)

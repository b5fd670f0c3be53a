"""`isoloss check`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import leave, show
from isoloss.cli.source import runs_from, settings


@command
def check(
    *,
    runs: o.RunsFile,
    flops: Annotated[
        str | None, typer.Option("--flops", help="Compute of the run that is planned; 10 times the largest, if none.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="CODE", help="Only this; repeatable.")] = None,
    how: o.Fitting,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
) -> None:
    """Say what is wrong with runs and with a fit to them, what is fine, and what could not be looked at."""
    from isoloss.checking import check as examine

    found = examine(
        runs_from(runs, how.column, how.where), how.law, flops=flops, only=tuple(only or ()), **settings(how)
    )
    show(found, found.to_json(), as_json)
    leave(found.findings, strict)

"""`isoloss plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.frontier import plannable
from isoloss.cli.output import leave, show
from isoloss.core.estimate import check_level


@command
def plan(
    *,
    source: o.Source,
    flops: Annotated[
        list[str] | None, typer.Option("--flops", help="Training compute to spend: 1e24; repeatable.")
    ] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="Tell the size in every count, for shapes of vocab=50257,aspect=64.")
    ] = None,
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
) -> None:
    """Given a budget: how large a model, on how much data, to what loss."""
    from isoloss.planning import plan as answer

    check_level(level)
    fitted = plannable(source, how)
    planned = answer(fitted, flops=flops, family=family, level=level)
    show(planned, planned.to_json(), as_json)
    leave([*fitted.findings, *planned.findings], strict)

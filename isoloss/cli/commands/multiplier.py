"""`isoloss multiplier`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import leave, show
from isoloss.cli.source import fit_from
from isoloss.core.estimate import check_level
from isoloss.core.fit import Fit

One = Annotated[str, typer.Argument(metavar="FIT|KEY", help="A saved fit, FILE#GROUP of saved groups, or a key.")]
Other = Annotated[str, typer.Argument(metavar="FIT|KEY", help="What it is compared with.")]


@command
def multiplier(
    *,
    one: One,
    other: Other,
    flops: Annotated[list[str], typer.Option("--flops", help="Training compute of the first: 1e21; repeatable.")],
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
) -> None:
    """How many times the compute the second fit needs to reach the loss of the first."""
    from isoloss.planning import multiplier as compared

    check_level(level)
    found = compared(_named(one, how), _named(other, how), flops=flops, level=level)
    show(found, found.to_json(), as_json)
    leave(found.findings, strict)


def _named(source: str, how: o.Fitting) -> Fit | str:
    from isoloss.published import keys

    return source if source in keys() else fit_from(source, how)

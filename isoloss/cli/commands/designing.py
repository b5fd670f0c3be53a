"""`isoloss design`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.commands.training import LawName, Noise, Target, Truth
from isoloss.cli.output import show
from isoloss.core import storage


@command
def design(
    flops: Annotated[str | None, typer.Option("--flops", help="Training compute for the whole ladder: 1e13.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Instead: CPU minutes of this machine for the whole ladder.")
    ] = None,
    target: Target = None,
    smallest: Annotated[
        str | None, typer.Option("--smallest", help="The smallest size, in matrix-product parameters: 10k.")
    ] = None,
    largest: Annotated[str | None, typer.Option("--largest", help="The largest size: 1M.")] = None,
    corpus: Annotated[str, typer.Option("--corpus", help="The corpus to train on.")] = "python",
    law: LawName = "chinchilla",
    truth: Truth = None,
    noise: Noise = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write the ladder to this TOML file.")] = None,
    as_json: o.AsJson = False,
) -> None:
    """Propose the ladder that, within a budget, will know the loss at the target best, by simulated sweeps."""
    from isoloss.cli.source import fit_from
    from isoloss.designing import design as propose

    if to:
        storage.check_writable(to)
    made = propose(
        flops,
        minutes=minutes,
        target=target,
        sizes=(smallest or "10k", largest or "14M") if smallest or largest else None,
        corpus=corpus,
        law=law,
        truth=fit_from(truth, o.Fitting()) if truth else None,
        noise=noise,
    )
    if to:
        made.write(to)
    following = f"Next: isoloss train {to}" if to else "Write it to a file with --to ladder.toml."
    show(f"{made}\n{following}", made.to_json(), as_json)

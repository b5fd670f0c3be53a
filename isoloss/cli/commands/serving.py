"""`isoloss serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli.app import command
from isoloss.cli.output import progress


@command
def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes any that is free.")] = 8471,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Allow an address that other machines can reach. There are no passwords.")
    ] = False,
) -> None:
    """Open the explorer: a page on this machine where you drop runs, drag the budget and watch the plan move."""
    from isoloss.web.serving import serve as start

    start(host, port, anywhere=anywhere, say=progress)

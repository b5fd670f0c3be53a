"""`isoloss probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import show
from isoloss.core.errors import UnknownNameError

CHECKS = ("coordinates", "basin", "both")


@command
def probe(
    check: Annotated[str, typer.Argument(metavar="[CHECK]", help="coordinates, basin, or both.")] = "both",
    recipe: Annotated[
        str, typer.Option("--recipe", help="The recipe to check: default, completep, nanochat.")
    ] = "default",
    corpus: Annotated[str, typer.Option("--corpus", help="The text to train on.")] = "python",
    dial: Annotated[
        list[int] | None, typer.Option("--dial", min=1, help="A size of the basin, by dial: 2 and 4.")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Tokens of each run of the basin.")] = 300_000,
    factor: Annotated[
        list[float] | None, typer.Option("--factor", help="A factor on the recipe's rate: 0.25, 0.5, 1, 2 and 4.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds of each run of the basin.")] = 1,
    out: Annotated[Path, typer.Option("--out", help="The folder that keeps the basin's runs.")] = Path("probe"),
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Training processes; default: one a core.")
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """Check a recipe before a ladder: does what it says for one size carry over to another?

    The coordinate check trains a few steps at several widths and depths and compares how far activations move. The
    basin trains two sizes at rates around the recipe's own, and says which is best and what the recipe's rate costs.
    """
    from isoloss.lab import dials
    from isoloss.lab.probes.basin import FACTORS, lr_basin
    from isoloss.lab.probes.coordinates import coordinate_check

    if check not in CHECKS:
        raise UnknownNameError("check of a recipe", check, CHECKS)
    coordinates = coordinate_check(recipe, corpus) if check != "basin" else ()
    basins = None
    if check != "coordinates":
        shapes = [dials.shape(d) for d in dial or (2, 4)]
        basins = lr_basin(
            *(recipe, corpus),
            shapes=shapes,
            tokens=tokens,
            factors=factor or FACTORS,
            seeds=range(seeds),
            out=out,
            workers=workers,
        )
    text = "\n\n".join(str(found) for found in (*coordinates, basins) if found is not None)
    content = {
        "schema": 1,
        "coordinates": [found.to_json() for found in coordinates],
        "basin": basins.to_json() if basins else None,
    }
    show(text, content, as_json)

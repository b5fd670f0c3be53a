"""`isoloss runs`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import progress, show
from isoloss.core import numbers

if TYPE_CHECKING:
    from isoloss.lab.index import Row

COLUMNS = ("id", "params", "tokens", "seed", "status", "step", "loss", "flags")


@command
def runs(
    folder: Annotated[Path, typer.Argument(help="A folder that `isoloss train` writes into.")] = Path("runs"),
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the folder's index anew first.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """List the runs in a folder, however they stand, and what is odd about those that have ended."""
    from isoloss.lab import flags, listing
    from isoloss.lab import rebuild as rebuilt
    from isoloss.lab.index import ended

    listed = rebuilt(folder) if rebuild else listing(folder)
    found = flags(ended(folder, listed.rows))
    for note in listed.notes:
        progress(f"isoloss: {note}")
    codes = {row.id: sorted({flag.code for flag in found if flag.id == row.id}) for row in listed.rows}
    lines = _table([COLUMNS, *(_cells(row, codes[row.id]) for row in listed.rows)])
    counts = ", ".join(f"{count} {status}" for status, count in listed.counts.items())
    text = "\n".join(
        [*lines, f"{len(listed.rows)} runs in {folder}{f': {counts}' if counts else ''}.", *map(str, found)]
    )
    rows = [{**asdict(row), "flags": codes[row.id]} for row in listed.rows]
    told = {"schema": 1, "folder": str(folder), "counts": listed.counts, "runs": rows}
    show(text, {**told, "flags": [flag.to_json() for flag in found], "notes": list(listed.notes)}, as_json)


def _cells(row: Row, codes: list[str]) -> tuple[str, ...]:
    why = f" ({row.why})" if row.why and row.status not in ("done", "diverged") else ""
    size, tokens = (numbers.short(n) if n is not None else "" for n in (row.params, row.tokens))
    loss = "" if row.loss is None else f"{row.loss:.4f}"
    seed, step = "" if row.seed is None else str(row.seed), f"{row.step}/{row.steps}" if row.steps else ""
    return (
        row.id,
        size,
        tokens,
        seed,
        f"{row.status}{why}{' test' if row.split == 'test' else ''}",
        step,
        loss,
        " ".join(codes),
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

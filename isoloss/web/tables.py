"""What was understood of a table, column by column, and the visitor's corrections of it.

Shapes: `n` rows of the file, in its order; a row keeps its number through everything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss import loaders, samples
from isoloss.core.errors import ColumnError, IsolossError, UnknownNameError
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs
from isoloss.core.split import is_held_out
from isoloss.loaders import cells
from isoloss.loaders.columns import understand
from isoloss.loaders.frames import in_memory
from isoloss.loaders.table import is_missing
from isoloss.web.schemas import Choice
from isoloss.web.security import reply
from isoloss.web.sessions import LADDER, Stored

HOW = ("its own name", "its symbol", "a usual name for it")
SHOWN = 60  # characters of a cell


def ladder() -> Stored:
    """The embedded ladder, as if it had been uploaded."""
    return Stored(LADDER, "the embedded ladder", in_memory(samples.ladder()), 0)


def runs_of(stored: Stored, choices: Mapping[str, Choice]) -> Runs:
    """The runs of a table, read as the visitor chose: columns left out, bound to other quantities, scaled.

    Raises UnknownNameError for a column or a quantity that does not exist, ColumnError for two columns of one
    quantity, and what reading raises.
    """
    for column in choices:
        if column not in stored.table.columns:
            raise UnknownNameError("column of this table", column, stored.table.columns)
    bound = [choice.quantity for choice in choices.values() if choice.quantity and not choice.drop]
    for quantity in bound:
        if quantity not in QUANTITIES:
            raise UnknownNameError("quantity", quantity, QUANTITIES, "The list: isoloss laws, and each column's menu.")
        if bound.count(quantity) > 1:
            raise ColumnError(f"Two columns are chosen to be {quantity}.", do="Choose one of them.")
    named: dict[str, Any] = {}
    for column, raw in stored.table.columns.items():
        choice = choices.get(column, Choice())
        if not choice.drop:
            name, values = _chosen(column, raw, choice, bound)
            named[name] = values
    if not named:
        raise ColumnError("Every column is left out.", do="Keep those of size, data and loss.")
    source = stored.name if stored.id != LADDER else samples.ladder().source
    try:
        read = loaders.read(named)
    except IsolossError as error:
        error.given = error.given.replace(" of columns", f" of {stored.name}")
        raise
    notes = samples.ladder().notes if stored.id == LADDER else stored.table.notes
    return replace(read, source=source, notes=(*notes, *read.notes))


def _chosen(column: str, raw: Any, choice: Choice, bound: list[str]) -> tuple[str, Any]:
    if choice.label:
        return f"file_{column}", raw
    if not choice.quantity:
        rule = understand(column)
        if choice.times is None or rule is None:
            return (f"file_{column}" if column in bound else column), raw
        return rule.quantity, _scaled(column, raw, choice.times)
    rule = understand(column)
    own = rule.scale if rule and rule.quantity == choice.quantity else 1.0
    times = own if choice.times is None else choice.times
    return choice.quantity, raw if times == 1.0 else _scaled(column, raw, times)


def _scaled(column: str, raw: Any, times: float) -> Any:
    numbers_n, wrong_n = cells.numbers(raw, times)
    if wrong_n.any():
        wrong = int(np.flatnonzero(wrong_n)[0])
        raise ColumnError(
            f"Column '{column}' holds '{str(raw[wrong])[:40]}' in row {wrong + 1}, which is no number.",
            do="Mend the cell, or keep the column as a label.",
        )
    return numbers_n


def view(stored: Stored, choices: Mapping[str, Choice]) -> dict[str, Any]:
    """The table as the page shows it: each column with what it is taken for, every row, the notes, or the error."""
    error, notes, held_n = None, (), np.zeros(len(stored.table), bool)
    try:
        runs = runs_of(stored, choices)
        notes, held_n = runs.notes, is_held_out(runs)
    except IsolossError as raised:
        error = reply(raised)
    return {
        "id": stored.id,
        "name": stored.name,
        "rows": len(stored.table),
        "columns": [_column(name, raw, choices.get(name, Choice())) for name, raw in stored.table.columns.items()],
        "held_out": np.flatnonzero(held_n).tolist(),
        "notes": list(notes),
        "error": error,
    }


def _column(name: str, raw: Any, choice: Choice) -> dict[str, Any]:
    rule = understand(name)
    taken = choice.quantity or (rule.quantity if rule and not choice.label else "")
    own = rule.scale if rule and rule.quantity == taken else 1.0
    times = own if choice.times is None else choice.times
    numbers_n, wrong_n = cells.numbers(raw)
    known_n = numbers_n[np.isfinite(numbers_n)] * times
    quantity = QUANTITIES.get(taken)
    return {
        "name": name,
        "quantity": "" if choice.drop else taken,
        "times": times,
        "how": _how(rule, choice),
        "dropped": choice.drop,
        "unit": quantity.unit if quantity else "",
        "meaning": quantity.meaning if quantity else "",
        "missing": sum(map(is_missing, raw)),
        "not_numbers": int(wrong_n.sum()),
        "low": _finite(known_n.min()) if len(known_n) else None,
        "high": _finite(known_n.max()) if len(known_n) else None,
        "cells": [None if is_missing(cell) else str(cell)[:SHOWN] for cell in raw],
    }


def _how(rule: Any, choice: Choice) -> str:
    if choice.drop:
        return "left out, as you chose"
    if choice.label:
        return "a label, as you chose"
    if choice.quantity or choice.times is not None:
        return "as you chose"
    return HOW[rule.rank] if rule else "a label"


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None

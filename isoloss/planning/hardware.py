"""Accelerators: what each can do and what an hour of it costs, every number with its source; a number may be missing.

The table is `hardware.toml` beside this file; a user's own table of the same shape takes its place.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from isoloss.core import numbers
from isoloss.core.errors import FormatError, RequestError, UnknownNameError
from isoloss.core.estimate import Estimate
from isoloss.planning import intervals

SCHEMA = 1
NUMBERS = {"flops": "FLOP/s", "memory": "bytes", "bandwidth": "bytes/s", "power": "W"}
ENDS = {"low", "typical", "high"}
KEYS = {*NUMBERS, "name", "also", "precision", "price", "datasheet", "sources"}
MAKERS = ("nvidia", "geforce", "amd", "instinct", "google", "intel", "aws")
YOURS = "given by you"
UNPRICED = Estimate(math.nan)


@dataclass(frozen=True)
class Accelerator:
    """One device as it is rented; a number that no source gives is NaN.

    `flops` are FLOP/s of dense matrix products in 16 bits (`precision`) with sums in 32, `memory` bytes, `bandwidth`
    bytes per second, `power` watts of the board, `price` dollars per device hour as low, typical, high. `sources` tells
    for each number the address and date it comes from. `also` are other names it answers to; `chosen` says so where it
    was found by one that leaves others to choose from.
    """

    key: str
    name: str
    precision: str = ""
    flops: float = math.nan
    memory: float = math.nan
    bandwidth: float = math.nan
    power: float = math.nan
    price: Estimate = UNPRICED
    datasheet: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    chosen: str = ""

    def need(self, number: str) -> float:
        """One of flops, memory, bandwidth, power; raises RequestError where no source gives it."""
        value = getattr(self, number)
        if math.isnan(value):
            raise self._missing(number)
        return value

    def need_price(self) -> Estimate:
        """Dollars per device hour; raises RequestError where no offer was found."""
        if math.isnan(self.price.mid):
            raise self._missing("price")
        return self.price

    def stated(self, number: str) -> str:
        """One number with its source, in words: 'H100: 989.4e12 FLOP/s (address, date)'."""
        if number == "price":
            said = f"{self.need_price()} dollars an hour"
        else:
            said = f"{self.need(number):.4g} {NUMBERS[number]}"
        dense = f", dense {self.precision}" if number == "flops" and self.precision else ""
        return f"{self.name}: {said}{dense} ({self.sources.get(number, 'no source given')})"

    def _missing(self, number: str) -> RequestError:
        has = [name for name in NUMBERS if not math.isnan(getattr(self, name))]
        has += [] if math.isnan(self.price.mid) else ["price"]
        return RequestError(
            f"No source gives the {number} of {self.name}, and it is not guessed.",
            f"Known of it: {', '.join(has) or 'nothing'}.",
            "Give measured tokens_per_second, or a table of your own."
            if number == "flops"
            else f"Give {number}=..., or a table of your own (hardware=...).",
        )


def accelerator(name: str, *, table: Any = None, **given: Any) -> Accelerator:
    """The accelerator called `name`, with single numbers replaced by those `given` (price, flops, memory, power, ...).

    Case, spaces, dashes and the maker's name are no matter; "H100" is the variant that is rented most, and `chosen` of
    the answer says so. A price may be an interval: price="2:3:5". `table` is the path of a table in the shape of
    hardware.toml.
    Raises UnknownNameError with near names, RequestError for a number that cannot be, FormatError for a table that is
    none.
    """
    made = _named(name, accelerators(table))
    for key, value in given.items():
        if value is None:
            continue
        if key not in (*NUMBERS, "price"):
            raise UnknownNameError("number of an accelerator", key, (*NUMBERS, "price"))
        interval = intervals.read(value, key)
        own = {key: interval if key == "price" else interval.mid, "sources": {**made.sources, key: YOURS}}
        made = replace(made, **own)
    return made


def accelerators(table: Any = None) -> Mapping[str, Accelerator]:
    """All accelerators of the shipped table, or of the user's `table` in its place; errors as in `accelerator`."""
    return _shipped() if table is None else _of_file(Path(table))


def _named(name: str, known: Mapping[str, Accelerator]) -> Accelerator:
    wanted = _plain(name)
    for kind in known.values():
        if wanted == _plain(kind.key):
            return kind
    near = [kind.key for kind in known.values() if wanted and wanted in _plain(kind.key)]
    for kind in known.values():
        if wanted in map(_plain, kind.also):
            others = [key for key in near if key != kind.key]
            instead = f"; {', '.join(others)} may be named instead" if others else ""
            return replace(kind, chosen=f"'{name}' is taken as {kind.name} ({kind.key}){instead}")
    several = f"All with '{name}' in their names: {', '.join(near)}. " if near else ""
    own = f"{several}`isoloss hardware` lists all; for any other, give a table of your own: hardware=FILE."
    raise UnknownNameError("accelerator", name, near or known, own)


def _plain(name: str) -> str:
    letters = "".join(c for c in str(name).lower() if c.isalnum())
    for maker in MAKERS:
        letters = letters.removeprefix(maker)
    return letters


@cache
def _shipped() -> Mapping[str, Accelerator]:
    text = files("isoloss.planning").joinpath("hardware.toml").read_text(encoding="utf-8")
    return _read(tomllib.loads(text), "hardware.toml")


def _of_file(path: Path) -> Mapping[str, Accelerator]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"Cannot read {path}: {error.strerror}.", do="Name a table in TOML.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is no TOML: {error}.", do="Correct it there.") from None
    return _read(data, str(path))


def _read(data: Mapping[str, Any], where: str) -> Mapping[str, Accelerator]:
    tables = data.get("accelerators")
    if data.get("schema") != SCHEMA or not isinstance(tables, dict) or not tables:
        raise FormatError(
            f"{where} is no table of accelerators of schema {SCHEMA}.",
            do='It starts with schema = 1 and holds tables like [accelerators.mine] with name = "mine", flops = 1e14.',
        )
    sources = {key: _source(s) for key, s in _table(data, "sources", where).items()}
    return {key: _accelerator(key, table, sources, where) for key, table in tables.items()}


def _table(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise FormatError(f"{where}: {key} = {table!r} is no table.", do="Correct it there.")
    return table


def _source(table: Any) -> str:
    if not isinstance(table, dict):
        return str(table)
    note = f"; {table['note']}" if "note" in table else ""
    return f"{table.get('address', 'no address')}, {table.get('date', 'no date')}{note}"


def _accelerator(key: str, table: Any, sources: Mapping[str, str], where: str) -> Accelerator:
    wrong = set(table) - KEYS if isinstance(table, dict) else {repr(table)}
    if wrong or not isinstance(table.get("name"), str):
        raise FormatError(
            f"{where}, {key}: {'unknown ' + ', '.join(sorted(wrong)) if wrong else 'a name is missing'}.",
            f"Keys: {', '.join(sorted(KEYS))}.",
        )
    named = {n: table[n] for n in NUMBERS if n in table}
    for number, value in named.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise FormatError(f"{where}, {key}: {number} = {value!r} is not a number above 0.", do="Correct it there.")
    return Accelerator(
        key,
        table["name"],
        table.get("precision", ""),
        also=_other_names(table, f"{where}, {key}"),
        price=_price(table["price"], f"{where}, {key}") if "price" in table else UNPRICED,
        datasheet=table.get("datasheet", ""),
        sources=_cited(table, sources, where),
        **named,
    )


def _other_names(table: Mapping[str, Any], where: str) -> tuple[str, ...]:
    also = table.get("also", [])
    if not (isinstance(also, list) and all(isinstance(name, str) for name in also)):
        raise FormatError(f"{where}: also = {also!r} is no list of names.", do='Write also = ["h100"].')
    return tuple(also)


def _price(given: Any, where: str) -> Estimate:
    if not isinstance(given, dict):
        return intervals.read(given, f"{where}: price")
    if set(given) - ENDS or "typical" not in given:
        raise FormatError(f"{where}: price = {given}.", do="Write price = { low = 2, typical = 3, high = 5 }.")
    low, mid, high = (numbers.parse(given[end]) if end in given else math.nan for end in ("low", "typical", "high"))
    made = Estimate(mid, low, high)
    return intervals.read(made, f"{where}: price")


def _cited(table: Mapping[str, Any], sources: Mapping[str, str], where: str) -> Mapping[str, str]:
    cited, named = {}, _table(table, "sources", where)
    for number in (*NUMBERS, "price"):
        if number in table:
            keys = named.get(number, [])
            keys = [keys] if isinstance(keys, str) else keys
            cited[number] = " and ".join(sources.get(k, k) for k in keys) or where
    return cited

"""The record of a run as a row of a table: which cell stands where in it, for the lab and for whoever reads its folder.

A record is the JSON object that the lab writes when a run has ended. Those of earlier versions lack what came since;
such a cell is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isoloss.core.accounting import sizes
from isoloss.core.errors import FormatError
from isoloss.core.shapes import shape_from_json

Record = Mapping[str, Any]
Cell = Callable[[Record], Any]

CONVENTIONS = {  # counts of compute, by their names in accounting.LEDGER
    "body_flops": "kaplan",
    "context_flops": "deepseek",
    "six_n_flops": "six_n",
    "palm_flops": "palm",
    "chinchilla_flops": "chinchilla",
}
CLASSIFIERS = ("vit", "mlp")
ELSEWHERE = ("loss", "loss_se", "bits_per_byte")  # what is told of a further corpus


def _flops_by(convention: str) -> Cell:
    return lambda r: _number(r, "flops_per_token", convention) * r["tokens"]


def _number(record: Record, *path: str) -> float:
    found: Any = record
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return math.nan if found is None else float(found)


def _part(name: str) -> Cell:
    return lambda r: getattr(shape_from_json(r["spec"]["shape"]), name, math.nan)


CELLS: dict[str, Cell] = {
    "params": lambda r: r["counts"]["params"],
    "body_params": lambda r: r["counts"]["body_params"],
    "matmul_params": lambda r: r["counts"]["matmul_params"],
    "tokens": lambda r: r["tokens"],
    "unique_tokens": lambda r: r["unique_tokens"],
    "flops": lambda r: r["flops"],
    **{name: _flops_by(convention) for name, convention in CONVENTIONS.items()},
    "loss": lambda r: r["loss"],
    "loss_se": lambda r: r["loss_se"],
    "bits_per_byte": lambda r: math.nan if r["bits_per_byte"] is None else r["bits_per_byte"],
    "batch": lambda r: r["spec"]["batch"],
    "steps": lambda r: r["steps"],
    "lr": lambda r: r["spec"]["lr"],
    **{name: _part(name) for name in ("width", "depth", "heads", "context", "vocab")},
    "seconds": lambda r: r["seconds"],
    "cpu_seconds": lambda r: _number(r, "cpu_seconds"),
    "tokens_per_cpu_second": lambda r: _number(r, "tokens_per_cpu_second"),
    "peak_memory": lambda r: _number(r, "usage", "peak_memory"),
    "energy": lambda r: _number(r, "usage", "energy"),
    "noise_scale": lambda r: _number(r, "noise_scale"),
    "seed": lambda r: r["spec"]["seed"],
    "split": lambda r: r["spec"]["split"],
    "id": lambda r: r["id"],
    "status": lambda r: r["status"],
}
OF_CLASSIFIERS: dict[str, Cell] = {
    "error": lambda r: _number(r, "extras", "error_rate"),
    "samples": lambda r: r["tokens"] / _part("context")(r),
    "unique_samples": lambda r: r["unique_tokens"] / _part("context")(r),
}
TRAINED = {"loss", "loss_se", "bits_per_byte", "status"}
TRAINED |= {"seconds", "cpu_seconds", "tokens_per_cpu_second", "peak_memory", "energy", "noise_scale"}
BEFOREHAND = tuple(name for name in CELLS if name not in TRAINED)


def cells(records: Sequence[Record], places: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the cells of each record by their column's name; a column that no record tells is left out.

    Kinds of model other than the decoder have columns of their own, and so have further corpora that runs were judged
    on; a run without them lacks these cells. `places` say where each record was found. Raises FormatError, which says
    so, for a record without what all have.
    """
    where = places or [f"Record {record.get('id')}" for record in records]
    found = list(zip(records, where, strict=True))
    shared = [{name: _cell(name, cell, *one) for name, cell in CELLS.items()} for one in found]
    kinds = {kind_of(record) for record in records}
    rows = [
        {**row, **{name: _cell(name, cell, *one) for name, cell in _own(kinds, one[0]).items()}, **_elsewhere(one[0])}
        for row, one in zip(shared, found, strict=True)
    ]
    told = {name for row in rows for name, cell in row.items() if not _is_missing(cell)}
    return [{name: cell for name, cell in row.items() if name in told} for row in rows]


def kind_of(record: Record) -> str:
    """Return the kind of model that a record is of; those of decoders say none."""
    return record["spec"]["shape"].get("kind", "decoder")


def _own(kinds: set[str], record: Record) -> dict[str, Cell]:
    # A decoder beside routed models is one of one expert; decoders alone have no such columns.
    if kinds == {"decoder"}:
        return {}
    kind = kind_of(record)
    own: dict[str, Cell] = {"kind": kind_of}
    if kind != "decoder" or "moe" in kinds:
        counted = sizes(shape_from_json(record["spec"]["shape"]))
        own |= {name: lambda _, value=value: value for name, value in counted.items()}
    return own | (OF_CLASSIFIERS if kind in CLASSIFIERS else {})


def _elsewhere(record: Record) -> dict[str, Any]:
    # The losses on further corpora, such as loss_on_prose.
    offsets = record.get("offsets") or {}
    return {f"{what}_on_{name}": _number(offsets, name, what) for name in offsets for what in ELSEWHERE}


def _cell(name: str, cell: Cell, record: Record, place: str) -> Any:
    try:
        return cell(record)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FormatError(
            f"{place} does not say '{name}'.", do="Delete that run's folder and train it again."
        ) from None


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))

"""Records as a table: one row per run that was trained to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isoloss.core.errors import DataError
from isoloss.core.runs import Runs

Record = dict[str, Any]

COLUMNS: dict[str, Callable[[Record], Any]] = {
    "params": lambda r: r["counts"]["params"],
    "body_params": lambda r: r["counts"]["body_params"],
    "matmul_params": lambda r: r["counts"]["matmul_params"],
    "tokens": lambda r: r["tokens"],
    "unique_tokens": lambda r: r["unique_tokens"],
    "flops": lambda r: r["flops"],
    "loss": lambda r: r["loss"],
    "loss_se": lambda r: r["loss_se"],
    "bits_per_byte": lambda r: r["bits_per_byte"],
    "batch": lambda r: r["spec"]["batch"],
    "steps": lambda r: r["steps"],
    "lr": lambda r: r["spec"]["lr"],
    "width": lambda r: r["spec"]["shape"]["width"],
    "depth": lambda r: r["spec"]["shape"]["depth"],
    "heads": lambda r: r["spec"]["shape"]["heads"],
    "context": lambda r: r["spec"]["shape"]["context"],
    "vocab": lambda r: r["spec"]["shape"]["vocab"],
    "seconds": lambda r: r["seconds"],
    "seed": lambda r: r["spec"]["seed"],
    "split": lambda r: r["spec"]["split"],
    "id": lambda r: r["id"],
    "status": lambda r: r["status"],
}


def table(records: Sequence[Record], source: str = "runs trained by isoloss") -> Runs:
    """Return the runs that were trained to their end, by split, size, horizon and seed, as a table.

    Runs that diverged have no loss: they are left out, and a note says how many. Raises DataError if none is left.
    """
    done = sorted((r for r in records if r["status"] == "done"), key=_place)
    if not done:
        raise DataError(f"None of {len(records)} runs was trained to its end.", "", "Train them, then read them again.")
    columns = {name: np.array([value(r) for r in done]) for name, value in COLUMNS.items()}
    return Runs({**columns, **_elsewhere(done)}, source, _notes(records, done))


def _elsewhere(done: Sequence[Record]) -> dict[str, np.ndarray]:
    """The losses on further corpora, a column each, such as loss_on_prose; NaN for runs not judged on one."""
    names = dict.fromkeys(name for r in done for name in r.get("offsets", {}))
    return {
        f"{what}_on_{name}": np.array([r.get("offsets", {}).get(name, {}).get(what, np.nan) for r in done])
        for name in names
        for what in ("loss", "loss_se", "bits_per_byte")
    }


def _place(record: Record) -> tuple[Any, ...]:
    spec = record["spec"]
    return spec["split"] != "train", record["counts"]["matmul_params"], record["tokens"], spec["seed"]


def _notes(records: Sequence[Record], done: Sequence[Record]) -> tuple[str, ...]:
    corpora = sorted({f"{r['corpus']['name']} {r['corpus']['digest'][:12]}" for r in done})
    left_out = len(records) - len(done)
    return (
        "training FLOP counted per matrix product, attention causal, lookups zero",
        f"corpus {', '.join(corpora)}; losses on its frozen validation windows",
        "loss_se is the error from the finite validation set, which all runs share; seeds differ by more besides",
        *([f"{left_out} diverged runs left out"] if left_out else []),
    )

"""Records as a table: one row per run that was trained to its end, or one per point of its averaged weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from isoloss.core.errors import DataError, UnknownNameError
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

POINTS = ("final", "averaged")
AVERAGED = "averaged weights on the way, not runs that cooled down at their horizon: not to be fitted with such runs"


def table(records: Sequence[Record], source: str = "runs trained by isoloss", points: str = "final") -> Runs:
    """Return the runs that were trained to their end, by split, size, horizon and seed, as a table.

    Runs that diverged have no loss: they are left out, and a note says how many. `points="averaged"` gives, instead of
    the runs, what their averaged weights (Spec.ema) had reached at each look and at the end; the column `points` says
    so, and such a table cannot be joined with one of runs. Raises DataError if nothing is left, UnknownNameError for
    other points.
    """
    if points not in POINTS:
        raise UnknownNameError("kind of points", points, POINTS)
    done = sorted((r for r in records if r["status"] == "done"), key=_place)
    if not done:
        raise DataError(f"None of {len(records)} runs was trained to its end.", "", "Train them, then read them again.")
    rows = done if points == "final" else [row for record in done for row in _averaged(record)]
    if not rows:
        raise DataError(f"None of {len(done)} runs kept averaged weights.", "", "Train with ema, the steps of memory.")
    columns = {name: np.array([value(r) for r in rows]) for name, value in COLUMNS.items()}
    if points == "final":
        return Runs(columns, source, _notes(records, done))
    columns["points"] = np.full(len(rows), points)
    return Runs(columns, source, (*_notes(records, done), AVERAGED))


def _averaged(record: Record) -> Iterator[Record]:
    """Yield for each point of the averaged weights a record of the run as far as it was then."""
    for point in record.get("averaged", ()):
        seen = point["tokens"] / record["tokens"]
        yield {
            **record,
            "tokens": point["tokens"],
            "steps": point["step"],
            "flops": record["flops"] * seen,
            "loss": point["loss"],
            "loss_se": point["loss_se"],
            "bits_per_byte": record["bits_per_byte"] * point["loss"] / record["loss"],
            "seconds": record["seconds"] * seen,
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

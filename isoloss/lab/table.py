"""Records as a table: a row per trained run, or per point of its averaged weights; and a run's row beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from isoloss.core.accounting import ledger
from isoloss.core.errors import DataError, UnknownNameError
from isoloss.core.run_record import BEFOREHAND, CELLS, cells, kind_of
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.lab.conventions import OF_KIND
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import usable_tokens

Record = dict[str, Any]

POINTS = ("final", "averaged")
AVERAGED = "averaged weights on the way, not runs that cooled down at their horizon: not to be fitted with such runs"


def table(records: Sequence[Record], source: str = "runs trained by isoloss", points: str = "final") -> Runs:
    """Return the runs that were trained to their end, by split, size, horizon and seed, as a table.

    Runs of other kinds than the decoder have columns of their own besides (core/run_record.py), which are missing where
    a run is of a kind without them. Runs that diverged have no loss: they are left out, and a note says how many.
    `points="averaged"` gives, instead of the runs, what their averaged weights (Spec.ema) had reached at each look and
    at the end; the column `points` says so, and such a table cannot be joined with one of runs. Raises DataError if
    nothing is left, UnknownNameError for other points.
    """
    if points not in POINTS:
        raise UnknownNameError("kind of points", points, POINTS)
    done = sorted((r for r in records if r["status"] == "done"), key=_place)
    if not done:
        raise DataError(f"None of {len(records)} runs was trained to its end.", "", "Train them, then read them again.")
    rows = done if points == "final" else [row for record in done for row in _averaged(record)]
    if not rows:
        raise DataError(f"None of {len(done)} runs kept averaged weights.", "", "Train with ema, the steps of memory.")
    columns = _columns(cells(rows))
    if points == "final":
        return Runs(columns, source, _notes(records, done))
    columns["points"] = np.full(len(rows), points)
    return Runs(columns, source, (*_notes(records, done), AVERAGED))


def _columns(row_n: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for row in row_n for name in row)
    return {name: np.array([row.get(name, np.nan) for row in row_n]) for name in names}


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
            "bits_per_byte": record["bits_per_byte"] and record["bits_per_byte"] * point["loss"] / record["loss"],
            "seconds": record["seconds"] * seen,
        }


def foreseen(spec: Spec) -> Runs:
    """Return the row that `spec` will have in the table, but for what only training it tells; needs its corpus."""
    corpus = load_corpus(spec.corpus)
    asked = {
        "id": spec.id,
        "spec": spec.to_json(),
        "counts": {name: getattr(spec.counts, name) for name in ("params", "body_params", "matmul_params")},
        "flops": spec.flops,
        "flops_per_token": ledger(spec.shape),
        "tokens": spec.tokens,
        "steps": spec.steps,
        "unique_tokens": usable_tokens(spec, corpus),
    }
    columns = {name: np.array([CELLS[name](asked)]) for name in BEFOREHAND}
    return Runs(columns, f"run {spec.id}, before it is trained")


def _place(record: Record) -> tuple[Any, ...]:
    spec = record["spec"]
    return spec["split"] != "train", record["counts"]["matmul_params"], record["tokens"], spec["seed"]


def _notes(records: Sequence[Record], done: Sequence[Record]) -> tuple[str, ...]:
    corpora = sorted({f"{r['corpus']['name']} {r['corpus']['digest'][:12]}" for r in done})
    left_out = len(records) - len(done)
    counted = {"decoder": ("training FLOP counted per matrix product, attention causal, lookups zero",)}
    told = [counted.get(kind) or _counted(kind) for kind in dict.fromkeys(map(kind_of, done))]
    return (
        *(note for notes in told for note in notes),
        f"corpus {', '.join(corpora)}; losses on its frozen validation windows",
        "loss_se is the error from the finite validation set, which all runs share; seeds differ by more besides",
        *([f"{left_out} diverged runs left out"] if left_out else []),
    )


def _counted(kind: str) -> tuple[str, ...]:
    said = OF_KIND[kind]
    return tuple(f"{kind}: {what} = {said[what]}" for what in ("token", "loss", "attention") if what in said)

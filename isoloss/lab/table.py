"""Records as a table: one row per run that was trained to its end; and what a Spec tells of its row beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isoloss.core.accounting import ledger
from isoloss.core.errors import DataError
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import windows

Record = dict[str, Any]

CONVENTIONS = {  # counts of compute, by their names in accounting.LEDGER
    "body_flops": "kaplan",
    "context_flops": "deepseek",
    "six_n_flops": "six_n",
    "palm_flops": "palm",
    "chinchilla_flops": "chinchilla",
}


def _counted(convention: str) -> Callable[[Record], float]:
    return lambda r: _number(r, "flops_per_token", convention) * r["tokens"]


def _number(record: Record, *path: str) -> float:
    # Records of earlier versions lack what was measured or named since.
    found: Any = record
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return math.nan if found is None else float(found)


COLUMNS: dict[str, Callable[[Record], Any]] = {
    "params": lambda r: r["counts"]["params"],
    "body_params": lambda r: r["counts"]["body_params"],
    "matmul_params": lambda r: r["counts"]["matmul_params"],
    "tokens": lambda r: r["tokens"],
    "unique_tokens": lambda r: r["unique_tokens"],
    "flops": lambda r: r["flops"],
    **{name: _counted(convention) for name, convention in CONVENTIONS.items()},
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


TRAINED = {"loss", "loss_se", "bits_per_byte", "status"}
TRAINED |= {"seconds", "cpu_seconds", "tokens_per_cpu_second", "peak_memory", "energy", "noise_scale"}
BEFOREHAND = tuple(name for name in COLUMNS if name not in TRAINED)


def table(records: Sequence[Record], source: str = "runs trained by isoloss") -> Runs:
    """Return the runs that were trained to their end, by split, size, horizon and seed, as a table.

    Runs that diverged have no loss: they are left out, and a note says how many. Raises DataError if none is left.
    """
    done = sorted((r for r in records if r["status"] == "done"), key=_place)
    if not done:
        raise DataError(f"None of {len(records)} runs was trained to its end.", "", "Train them, then read them again.")
    columns = {name: np.array([value(r) for r in done]) for name, value in COLUMNS.items()}
    return Runs(columns, source, _notes(records, done))


def foreseen(spec: Spec) -> Runs:
    """Return the row that `spec` will have in the table, but for what only training it tells; needs its corpus."""
    corpus = load_corpus(spec.corpus)
    context = spec.shape.context
    asked = {
        "id": spec.id,
        "spec": spec.to_json(),
        "counts": {name: getattr(spec.counts, name) for name in ("params", "body_params", "matmul_params")},
        "flops": spec.flops,
        "flops_per_token": ledger(spec.shape),
        "tokens": spec.tokens,
        "steps": spec.steps,
        "unique_tokens": windows(corpus.train_t, context) * context,
    }
    columns = {name: np.array([COLUMNS[name](asked)]) for name in BEFOREHAND}
    return Runs(columns, f"run {spec.id}, before it is trained")


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

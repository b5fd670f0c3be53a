"""Records as a table: a row per trained run, or per point of its averaged weights; and a run's row beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from isoloss.core.accounting import ledger, sizes
from isoloss.core.errors import DataError, UnknownNameError
from isoloss.core.runs import Runs
from isoloss.core.shapes import shape_from_json
from isoloss.core.spec import Spec
from isoloss.lab.conventions import OF_KIND
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import usable_tokens

Record = dict[str, Any]

CONVENTIONS = {  # counts of compute, by their names in accounting.LEDGER
    "body_flops": "kaplan",
    "context_flops": "deepseek",
    "six_n_flops": "six_n",
    "palm_flops": "palm",
    "chinchilla_flops": "chinchilla",
}


def _flops_by(convention: str) -> Callable[[Record], float]:
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
    **{name: _flops_by(convention) for name, convention in CONVENTIONS.items()},
    "loss": lambda r: r["loss"],
    "loss_se": lambda r: r["loss_se"],
    "bits_per_byte": lambda r: np.nan if r["bits_per_byte"] is None else r["bits_per_byte"],
    "batch": lambda r: r["spec"]["batch"],
    "steps": lambda r: r["steps"],
    "lr": lambda r: r["spec"]["lr"],
    "width": lambda r: _part(r, "width"),
    "depth": lambda r: _part(r, "depth"),
    "heads": lambda r: _part(r, "heads"),
    "context": lambda r: _part(r, "context"),
    "vocab": lambda r: _part(r, "vocab"),
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

POINTS = ("final", "averaged")
AVERAGED = "averaged weights on the way, not runs that cooled down at their horizon: not to be fitted with such runs"

OF_CLASSIFIERS: dict[str, Callable[[Record], Any]] = {
    "error": lambda r: r.get("extras", {}).get("error_rate", np.nan),
    "samples": lambda r: r["tokens"] / _part(r, "context"),
    "unique_samples": lambda r: r["unique_tokens"] / _part(r, "context"),
}
CLASSIFIERS = ("vit", "mlp")

TRAINED = {"loss", "loss_se", "bits_per_byte", "status"}
TRAINED |= {"seconds", "cpu_seconds", "tokens_per_cpu_second", "peak_memory", "energy", "noise_scale"}
BEFOREHAND = tuple(name for name in COLUMNS if name not in TRAINED)


def table(records: Sequence[Record], source: str = "runs trained by isoloss", points: str = "final") -> Runs:
    """Return the runs that were trained to their end, by split, size, horizon and seed, as a table.

    Runs of other kinds than the decoder have columns of their own besides (see `columns_of`), which are missing where a
    run is of a kind without them. Runs that diverged have no loss: they are left out, and a note says how many.
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
    columns = {name: np.array([value(r) for r in rows]) for name, value in COLUMNS.items()}
    columns = {name: values for name, values in columns.items() if not _is_empty(values)} | columns_of(rows)
    if points == "final":
        return Runs({**columns, **_elsewhere(done)}, source, _notes(records, done))
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
            "bits_per_byte": record["bits_per_byte"] and record["bits_per_byte"] * point["loss"] / record["loss"],
            "seconds": record["seconds"] * seen,
        }


def columns_of(done: Sequence[Record]) -> dict[str, np.ndarray]:
    """Return the columns that runs of other kinds than the decoder have, beside those that all have.

    A decoder beside routed models is one of one expert; a table of decoders alone has no such columns.
    """
    kinds = [kind_of(r) for r in done]
    if set(kinds) == {"decoder"}:
        return {}
    plain = {"decoder"} if "moe" not in kinds else set()
    own = [{} if k in plain else sizes(shape_from_json(r["spec"]["shape"])) for r, k in _with(done)]
    columns = {name: np.array([sizes_n.get(name, np.nan) for sizes_n in own]) for sizes_n in own for name in sizes_n}
    if any(kind in CLASSIFIERS for kind in kinds):
        for name, value in OF_CLASSIFIERS.items():
            columns[name] = np.array([value(r) if k in CLASSIFIERS else np.nan for r, k in _with(done)])
    return {"kind": np.array(kinds), **columns}


def kind_of(record: Record) -> str:
    """Return the kind of model that a record is of; those of decoders say none."""
    return record["spec"]["shape"].get("kind", "decoder")


def _with(done: Sequence[Record]) -> list[tuple[Record, str]]:
    return [(record, kind_of(record)) for record in done]


def _part(record: Record, name: str) -> Any:
    return getattr(shape_from_json(record["spec"]["shape"]), name, np.nan)


def _is_empty(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(np.isnan(values).all())


def _elsewhere(done: Sequence[Record]) -> dict[str, np.ndarray]:
    """The losses on further corpora, a column each, such as loss_on_prose; NaN for runs not judged on one."""
    names = dict.fromkeys(name for r in done for name in r.get("offsets", {}))
    return {
        f"{what}_on_{name}": np.array([r.get("offsets", {}).get(name, {}).get(what, np.nan) for r in done])
        for name in names
        for what in ("loss", "loss_se", "bits_per_byte")
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
    columns = {name: np.array([COLUMNS[name](asked)]) for name in BEFOREHAND}
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

"""Reads the folder that `isoloss train` leaves: one folder a run, and in it the record of a run that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isoloss.core.errors import FormatError
from isoloss.core.run_record import cells
from isoloss.loaders.cells import numbers
from isoloss.loaders.json_text import Broken, decode
from isoloss.loaders.table import Table, from_records
from isoloss.loaders.text import whole

READS = "a folder of runs trained by isoloss (ID/record.json)"


def recognises(path: Path, head: bytes) -> bool:
    """Say whether this folder, or `runs` in it, holds records of runs."""
    return path.is_dir() and bool(_records(path))


def load(path: Path) -> Table:
    """Read the records of runs that were trained to their end; others are left out, and a note says how many."""
    files = _records(path)
    records = [_record(file) for file in files]
    done = [(file, record) for file, record in zip(files, records, strict=True) if record.get("status") == "done"]
    if not done:
        raise FormatError(
            f"None of the {len(records)} runs in {path} was trained to its end.", do="Train them, then read them again."
        )
    told = sorted(cells([record for _, record in done], [str(file) for file, _ in done]), key=_order)
    return from_records(told, [f"run {run['id']}" for run in told], _notes(records, len(done)))


def _order(run: dict[str, Any]) -> tuple[Any, ...]:
    sizes_2, _ = numbers([run["params"], run["tokens"]])
    return run["split"] != "train", *sizes_2.tolist(), str(run["seed"]), str(run["id"])


def _records(path: Path) -> list[Path]:
    return sorted(path.glob("*/record.json")) or sorted(path.glob("runs/*/record.json"))


def _record(file: Path) -> dict[str, Any]:
    try:
        record = decode(whole(file))
    except Broken as error:
        raise FormatError(
            f"{file} is not whole JSON: {error}.",
            "Records are written whole or not at all, so it was changed afterwards.",
            "Delete that run's folder and train it again.",
        ) from None
    if not isinstance(record, dict) or record.get("schema") != 1:
        raise FormatError(f"{file} is no record of a run of schema 1.", do="Take it out of the folder.")
    return record


def _notes(records: list[dict[str, Any]], done: int) -> tuple[str, ...]:
    corpora = [record["corpus"] for record in records if isinstance(record.get("corpus"), dict)]
    names = sorted({f"{corpus.get('name')} {str(corpus.get('digest'))[:12]}" for corpus in corpora})
    left_out = len(records) - done
    return (
        "training FLOP counted per matrix product, attention causal, lookups zero",
        f"corpus {', '.join(names)}; losses on its frozen validation windows",
        *([f"{left_out} of {len(records)} runs left out: they did not end well"] if left_out else []),
    )

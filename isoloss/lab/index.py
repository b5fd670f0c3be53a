"""The index of a run folder: one row a run in OUT/index.sqlite, for lists that read no other file.

It is never the truth. A row holds the signature of the files that it was made from; whenever runs are listed, rows
whose files have changed are made anew, so that an index that is old, lacking or damaged gives the same list as a fresh
one. Several processes may do so at once: each writes in one short transaction.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from isoloss.core.errors import IsolossError, OutputError
from isoloss.core.spec import Spec
from isoloss.lab.store import ENDED, Record, Status, last_point, read_record, status_of

NAME = "index.sqlite"
PATIENCE = 30.0  # seconds to wait for another writer
WATCHED = ("spec.json", "status.json", "record.json")
MAY_CHANGE = ("running", "queued")  # what a lock decides, which leaves no trace in the watched files


@dataclass(frozen=True)
class Row:
    """One run in a list: `step` of `steps` done; `train_loss` is the last of the curve, `loss` None until the end."""

    id: str
    status: str
    why: str
    split: str = ""
    params: int | None = None
    matmul_params: int | None = None
    tokens: int | None = None
    flops: float | None = None
    seed: int | None = None
    step: int = 0
    steps: int | None = None
    train_loss: float | None = None
    loss: float | None = None
    bits_per_byte: float | None = None


@dataclass(frozen=True)
class Listing:
    """The runs in a folder, by split, size, horizon and seed; `notes` say what was wrong with the index."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many runs there are of each status."""
        statuses = [row.status for row in self.rows]
        return {status: statuses.count(status) for status in sorted(set(statuses))}


COLUMNS = tuple(field.name for field in fields(Row))
TABLE = f"runs ({', '.join(COLUMNS)}, signature TEXT NOT NULL, PRIMARY KEY (id))"


def listing(folder: str | Path) -> Listing:
    """Return the runs in `folder`, however they stand, and bring its index up to date.

    An index that is damaged is made anew, and where there can be none the runs' own files are read; a note says so.
    Raises OutputError if there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OutputError(
            f"There is no folder {folder}.", "", "Train into it first, or name the folder given as --out."
        )
    try:
        rows, notes = _synced(folder), ()
    except (sqlite3.Error, OSError) as error:
        rows, notes = _in_spite_of(error, folder)
    return Listing(tuple(sorted(rows, key=_place)), notes)


def rebuild(folder: str | Path) -> Listing:
    """Make the index anew from the runs' folders alone and return what it lists."""
    _drop(Path(folder))
    return listing(folder)


def ended(folder: Path, rows: Iterable[Row]) -> list[Record]:
    """Return the records of those of `rows` that have ended."""
    return [read_record(folder / row.id / "record.json") for row in rows if row.status in ENDED]


def row_of(folder: Path) -> Row:
    """Return the row of the run in `folder`, read from its files; a file that cannot be read makes it failed."""
    try:
        spec, status = Spec.from_json(json.loads((folder / "spec.json").read_text("utf-8"))), status_of(folder)
        record = read_record(folder / "record.json") if (folder / "record.json").exists() else None
        return _row(spec, status, _ended(record) if record else _under_way(folder))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, IsolossError) as error:
        why = error.given if isinstance(error, IsolossError) else f"{folder} cannot be read: {error!r}"
        return Row(folder.name, "failed", why)


def _row(spec: Spec, status: Status, progress: dict[str, Any]) -> Row:
    counts = spec.counts
    return Row(
        id=spec.id,
        status=status.status,
        why=status.why,
        split=spec.split,
        params=int(counts.params),
        matmul_params=int(counts.matmul_params),
        tokens=spec.tokens,
        flops=spec.flops,
        seed=spec.seed,
        steps=spec.steps,
        **progress,
    )


def _ended(record: Record) -> dict[str, Any]:
    return {"step": record["steps_done"], **{name: record[name] for name in ("train_loss", "loss", "bits_per_byte")}}


def _under_way(folder: Path) -> dict[str, Any]:
    point = last_point(folder)
    return {"step": point.get("step", 0), "train_loss": point.get("train_loss")}


def _runs(folder: Path) -> list[Path]:
    return sorted({path.parent for name in ("spec.json", "record.json") for path in folder.glob(f"*/{name}")})


def _place(row: Row) -> tuple[Any, ...]:
    return row.split != "train", row.matmul_params or 0, row.tokens or 0, row.seed or 0, row.id


def _signature(run: Path) -> str:
    """Return what tells whether a run's files have changed: their times and sizes."""
    stats = []
    for name in WATCHED:
        with contextlib.suppress(FileNotFoundError):
            stat = (run / name).stat()
            stats.append(f"{name} {stat.st_mtime_ns} {stat.st_size}")
    return "; ".join(stats)


def _synced(folder: Path) -> list[Row]:
    """Make the rows of runs that have changed, drop those of runs that are gone, and return all."""
    signatures = {run.name: _signature(run) for run in _runs(folder)}
    with _opened(folder / NAME) as database:
        known = {row[0]: row[1:] for row in database.execute("SELECT id, signature, status FROM runs")}
        changed = [name for name, signature in signatures.items() if _is_old(known.get(name), signature)]
        rows = [(*astuple(row_of(folder / name)), signatures[name]) for name in changed]
        gone = [(name,) for name in known if name not in signatures]
        if rows or gone:
            with database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany("DELETE FROM runs WHERE id = ?", gone)
                database.executemany(f"INSERT OR REPLACE INTO runs VALUES ({'?, ' * len(COLUMNS)}?)", rows)
        return [Row(*row) for row in database.execute(f"SELECT {', '.join(COLUMNS)} FROM runs")]


def _is_old(known: tuple[str, str] | None, signature: str) -> bool:
    return known is None or known[0] != signature or known[1] in MAY_CHANGE


def _in_spite_of(error: Exception, folder: Path) -> tuple[list[Row], tuple[str, ...]]:
    """Return the rows, from a new index if the old one is at fault, else from the runs' files; and what was wrong."""
    if not isinstance(error, sqlite3.OperationalError | OSError):  # these blame the disk, a lock or a right
        try:
            _drop(folder)
            return _synced(folder), (f"the index was damaged ({error}) and was made anew",)
        except (sqlite3.Error, OSError) as again:
            error = again
    rows = [row_of(run) for run in _runs(folder)]
    return rows, (f"the index cannot be used ({error}); the runs' own files were read",)


def _drop(folder: Path) -> None:
    for name in (NAME, f"{NAME}-journal"):
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(path, timeout=PATIENCE)
    try:
        database.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")
        made_as = database.execute("SELECT sql FROM sqlite_master WHERE name = 'runs'").fetchone()[0]
        if made_as != f"CREATE TABLE {TABLE}":
            raise sqlite3.DatabaseError("it has other columns")
        yield database
    finally:
        database.close()

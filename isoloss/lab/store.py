"""The run folder: one folder a run, named by the hash of what is trained; every file but one is written whole.

    OUT/ID/spec.json       what was asked for, written first
    OUT/ID/status.json     queued, running, done, diverged or failed, and why
    OUT/ID/metrics.jsonl   the loss curve, appended while the run goes on
    OUT/ID/checkpoint      where a run that is long or was interrupted goes on; gone when it has ended
    OUT/ID/record.json     the whole result, written once, at the end
    OUT/ID/lock            held by the process that trains the run
    OUT/trunks/            states that several runs begin from (trunks.py); gone when none of them needs them
    OUT/index.sqlite       a summary for listing (index.py), made again whenever it is lacking

The record is the truth: a run that has one is never trained again, and one without goes on from its checkpoint, or
from its start. Status and index are there to be looked at and decide nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.core.errors import FormatError, OutputError
from isoloss.core.spec import Spec
from isoloss.lab.locks import Hold, held, holder

Record = dict[str, Any]
ENDED = ("done", "diverged")


@dataclass(frozen=True)
class Keeping:
    """How often a checkpoint is written, in seconds, and whether those that a longer run could go on from stay."""

    every: float = 60.0  # runs shorter than this pay nothing
    keep: bool = False


@dataclass(frozen=True)
class Status:
    """How far a run is: `status` is queued, running, done, diverged or failed, `why` says it in words."""

    status: str
    why: str = ""


def is_recorded(out: Path, spec: Spec) -> bool:
    """Say whether this run has ended and its record is there, whether it succeeded or diverged."""
    return (out / spec.id / "record.json").exists()


def missing(out: Path, specs: Iterable[Spec]) -> list[Spec]:
    """Return the runs that have no record yet, each once, in the given order."""
    wanted = {spec.id: spec for spec in specs}
    return [spec for spec in wanted.values() if not is_recorded(out, spec)]


def queue(out: Path, specs: Iterable[Spec]) -> None:
    """Make the folders of runs that are to be trained; raise OutputError if they cannot be written."""
    for spec in specs:
        with writing(out / spec.id):
            if not (out / spec.id / "status.json").exists():
                _open_folder(out / spec.id, spec)
                write_status(out / spec.id, Status("queued"))


@contextlib.contextmanager
def begun(out: Path, spec: Spec) -> Iterator[Hold]:
    """Hold the run's folder against other processes while it is trained.

    Raises HeldError if another process holds it, OutputError if it cannot be written.
    """
    folder = out / spec.id
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / "lock") as hold:
            _open_folder(folder, spec)
            _sweep(folder)
            yield hold


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system says against writing into `folder` into an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"The run folder {folder} cannot be written: {error.strerror or error}.",
            "What was there before is as it was; the same command goes on from it.",
            "Make room, or choose another folder with --out.",
        ) from error


def _open_folder(folder: Path, spec: Spec) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "spec.json").exists():
        write_json(folder / "spec.json", spec.to_json())


def _sweep(folder: Path) -> None:
    """Drop the drafts that a process which was killed left; those of locks are other processes'."""
    for draft in folder.glob("*.part"):
        if not draft.name.startswith("lock."):
            draft.unlink(missing_ok=True)


def append_metrics(folder: Path, point: dict[str, Any]) -> None:
    """Add one point to the run's loss curve."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(point) + "\n")


def rewrite_metrics(folder: Path, curve: Iterable[dict[str, Any]]) -> None:
    """Let the loss curve be these points: what was written after the checkpoint that is gone back to is dropped."""
    write_whole(folder / "metrics.jsonl", "".join(json.dumps(point) + "\n" for point in curve).encode())


def last_point(folder: Path) -> dict[str, Any]:
    """Return the last whole point of the run's loss curve; an empty one where there is none."""
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().split(b"\n")[:-1]
        return json.loads(lines[-1]) if lines else {}
    except (OSError, ValueError):
        return {}


def status_of(folder: Path) -> Status:
    """Return the status of the run in `folder`: by its record, then by its lock, then by what was written down."""
    if (folder / "record.json").exists():
        record = read_record(folder / "record.json")
        return Status(record["status"], record["why"])
    if by := holder(folder / "lock"):
        return Status("running", by)
    try:
        written = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        status = Status(written["status"], written["why"])
    except (OSError, ValueError, KeyError, TypeError):
        return Status("queued")
    return Status("queued", "cut off") if status.status in ("running", *ENDED) else status


def write_status(folder: Path, status: Status) -> None:
    """Write down how far the run is, if the disk allows: nothing depends on it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    content = {"schema": 1, "id": folder.name, "status": status.status, "why": status.why, "time": now}
    with contextlib.suppress(OSError):
        write_json(folder / "status.json", content)


def note_failure(out: Path, spec: Spec, why: str) -> None:
    """Write down that a process failed on this run, unless another is at it; the reply itself goes to the caller."""
    with contextlib.suppress(OSError, OutputError), held(out / spec.id / "lock"):
        if not is_recorded(out, spec):
            write_status(out / spec.id, Status("failed", why))


def write_json(path: Path, data: Any) -> None:
    """Write `data` to `path` whole or not at all."""
    write_whole(path, (json.dumps(data, indent=1) + "\n").encode())


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write the parts, one after the other, to `path`; what was there stays until all is written."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_header(path: Path) -> dict[str, Any]:
    """Return what a file of states says of itself in its first line; an empty dictionary where it says nothing."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(1 << 20))
    except (OSError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}


def load_records(folder: str | Path) -> list[Record]:
    """Return the records of all runs that have ended in `folder`, in the order of their ids.

    Raises OutputError if there is no such folder, FormatError if a record cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OutputError(
            f"There is no folder {folder}.", "", "Train into it first, or name the folder given as --out."
        )
    return [read_record(path) for path in sorted(folder.glob("*/record.json"))]


def read_record(path: Path) -> Record:
    """Return the record in the file `path`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(
            f"{path} is no record of a run: {error}.",
            "Records are written whole or not at all, so it was changed afterwards.",
            "Delete the folder and train the run again.",
        ) from error

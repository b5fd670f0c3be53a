"""The log of predictions and scores: each line holds the hash of the one before, so that a later change shows.

    OUT/predictions/log.jsonl     one entry a line, in the order in which they were made
    OUT/predictions/ID.json       what one prediction says; ID is the hash of its content

An entry that is edited, removed or moved no longer fits its neighbours, and is named. Who writes the whole log anew,
with new hashes, is not found out by the log itself: only by a head, the hash of the last entry, that was made public.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.core.errors import DataError, OutputError
from isoloss.lab.locks import HeldError, held
from isoloss.lab.store import write_whole

FOLDER = "predictions"
LOG = "log.jsonl"
ORIGIN = "0" * 64
PREDICTIONS = ("prediction", "later", "retrospective")
ID_DIGITS = 16
PATIENCE = 60.0  # seconds to wait for another writer
POLL = 0.05


class BrokenLogError(DataError):
    """A log of predictions that was changed after it was written; `faults` say where."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            f"{path} was changed after it was written: " + "; ".join(fault.sentence for fault in faults),
            "Nothing was added to it.",
            "Bring it back from a copy, or verify in another folder (--out).",
        )


@dataclass(frozen=True)
class Fault:
    """What was done to a log after it was written: a code, and a sentence that names the entry."""

    code: str
    sentence: str

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "sentence": self.sentence}


@dataclass(frozen=True)
class Entry:
    """One line: its number from 1, the hash of the line before, what kind it is and what it says."""

    number: int
    before: str
    kind: str
    content: Mapping[str, Any]
    hash: str

    @property
    def id(self) -> str:
        """The name of a prediction: the hash of what it says."""
        return digest(self.content)[:ID_DIGITS]

    @property
    def run(self) -> str:
        return str(self.content.get("run", ""))

    @property
    def own_hash(self) -> str:
        """The hash that this line should have."""
        return digest([self.number, self.before, self.kind, self.content])

    def __str__(self) -> str:
        return f"entry {self.number} ({self.kind} of run {self.run})"


@dataclass(frozen=True)
class Log:
    """The entries of a log in the order of its lines, and the lines (from 1) that hold none."""

    folder: Path
    entries: tuple[Entry, ...]
    damaged: tuple[int, ...] = ()

    @property
    def head(self) -> str:
        """The hash of the last entry: it stands for all that is in the log."""
        return self.entries[-1].hash if self.entries else ORIGIN

    def first(self, run: str) -> Entry | None:
        """The prediction that counts for a run: the first, however many came later."""
        return next((e for e in self.entries if e.run == run and e.kind in PREDICTIONS), None)

    def last(self, run: str) -> Entry | None:
        """The latest prediction of a run."""
        return next((e for e in reversed(self.entries) if e.run == run and e.kind in PREDICTIONS), None)

    def score(self, prediction: str) -> Entry | None:
        """The score of a prediction, if it has one."""
        scores = (e for e in self.entries if e.kind == "score")
        return next((e for e in scores if e.content.get("prediction") == prediction), None)


def read_log(out: Path) -> Log:
    """Return the log of predictions of the run folder `out`; an empty one where there is none."""
    folder = out / FOLDER
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return Log(folder, ())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / LOG} cannot be read: {error}.") from error
    read = [_entry(line) for line in lines]
    damaged = tuple(place for place, entry in enumerate(read, start=1) if entry is None)
    return Log(folder, tuple(entry for entry in read if entry), damaged)


@contextlib.contextmanager
def writing_to(out: Path) -> Iterator[Log]:
    """Hold the log against other processes and return it as it stands, its lost copies written again.

    Raises BrokenLogError for one that was changed, OutputError where it cannot be written or another process keeps it.
    """
    folder = out / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _in_turn(folder / "lock"):
            log = read_log(out)
            if found := faults_of_chain(log):
                raise BrokenLogError(folder / LOG, found)
            for entry in log.entries:
                if entry.kind in PREDICTIONS and not _copy(folder, entry).exists():
                    _write_copy(folder, entry)
            yield log
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}.", "", "Choose another.") from error


def add(log: Log, kind: str, content: Mapping[str, Any]) -> Log:
    """Write one more entry, whole or not at all, and return the log with it; `log` is one that `writing_to` gave."""
    number = log.entries[-1].number + 1 if log.entries else 1
    unsigned = Entry(number, log.head, kind, content, "")
    entry = Entry(number, log.head, kind, content, unsigned.own_hash)
    longer = Log(log.folder, (*log.entries, entry))
    write_whole(log.folder / LOG, "".join(f"{_line(e)}\n" for e in longer.entries).encode())
    if kind in PREDICTIONS:
        _write_copy(log.folder, entry)
    return longer


def faults(log: Log, head: str | None = None) -> tuple[Fault, ...]:
    """Return what was changed in a log, its copies and, by a published `head` (or its first digits), as a whole."""
    found = [*faults_of_chain(log), *_faults_of_copies(log)]
    if head is not None and not any(e.hash.startswith(head.lower()) for e in log.entries):
        found.append(Fault("head", f"no entry has the published head {head}: the log was cut or written anew"))
    return tuple(found)


def faults_of_chain(log: Log) -> list[Fault]:
    """Return what the hashes and numbers of the lines alone tell."""
    found = [Fault("damaged", f"line {place} is no entry any more") for place in log.damaged]
    numbers = [e.number for e in log.entries]
    found += [Fault("edited", f"{e} was edited") for e in log.entries if e.own_hash != e.hash]
    found += [Fault("reordered", f"{e} stands out of order") for e in _out_of_order(log.entries)]
    absent = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    if len(absent) > len(log.damaged):
        found += [Fault("removed", f"entry {number} was removed") for number in absent]
    return found or _misfits(log.entries)


def digest(content: Any) -> str:
    """Return the SHA-256 of JSON values, independent of the order of keys."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def canonical(content: Any) -> str:
    """Return JSON that is the same for the same values; raise ValueError for NaN, which JSON has not."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _out_of_order(entries: Sequence[Entry]) -> list[Entry]:
    return [later for earlier, later in itertools.pairwise(entries) if later.number <= earlier.number]


def _misfits(entries: Sequence[Entry]) -> list[Fault]:
    # Each line is whole and in its place, and yet one was made anew: the next still holds the hash it had.
    before = ORIGIN
    found = []
    for entry in entries:
        if entry.before != before:
            found.append(
                Fault("rewritten", f"entry {entry.number - 1} was written anew: {entry} holds another hash of it")
            )
        before = entry.hash
    return found


def _faults_of_copies(log: Log) -> list[Fault]:
    made = {e.id: e for e in log.entries if e.kind in PREDICTIONS}
    found = []
    for id, entry in made.items():
        path = _copy(log.folder, entry)
        if not path.exists():
            found.append(Fault("missing", f"{FOLDER}/{id}.json is gone; the log still holds what it said"))
        elif path.read_bytes() != _copy_text(entry):
            found.append(Fault("copy", f"{FOLDER}/{id}.json was edited; the log still holds what it said"))
    for path in sorted(log.folder.glob("*.json")):
        if path.stem not in made:
            found.append(Fault("removed", f"the entry of {FOLDER}/{path.name} is not in the log any more"))
    return found


def _entry(line: str) -> Entry | None:
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
    whole = isinstance(entry.number, int) and isinstance(entry.content, dict)
    return entry if whole and all(isinstance(v, str) for v in (entry.before, entry.kind, entry.hash)) else None


def _line(entry: Entry) -> str:
    return canonical(vars(entry))


def _copy(folder: Path, entry: Entry) -> Path:
    return folder / f"{entry.id}.json"


def _copy_text(entry: Entry) -> bytes:
    return (json.dumps({"id": entry.id, "kind": entry.kind, **entry.content}, indent=1, sort_keys=True) + "\n").encode()


def _write_copy(folder: Path, entry: Entry) -> None:
    write_whole(_copy(folder, entry), _copy_text(entry))


@contextlib.contextmanager
def _in_turn(path: Path) -> Iterator[None]:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(held(path))
                entered = stack.pop_all()
            break
        except HeldError as error:
            if time.monotonic() > end:
                raise OutputError(
                    f"Another process has been writing {path.parent} for a minute.", "", "Wait for it to end."
                ) from error
            time.sleep(POLL)
    with entered:
        yield

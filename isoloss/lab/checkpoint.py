"""Checkpoints: a run that was cut off goes on from one as if it had not been, to the last bit.

A checkpoint is one line of JSON, which says what follows and gives its SHA-256, and then the state as torch writes it.
One that is cut short, damaged, or made by other code or on another processor is not used, and that is said.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoloss.core.errors import FormatError
from isoloss.core.spec import Spec
from isoloss.lab.record import environment, source_digest
from isoloss.lab.store import Keeping, rewrite_metrics, write_whole
from isoloss.lab.trainer import Course

SCHEMA = 1
SAME = ("torch", "numpy", "machine", "cpu", "threads", "dtype")  # what must be alike for the bits to be


class Stopped(Exception):
    """The run was asked to stop, and is kept."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step


class FolderKeeper:
    """Keeps one run in its folder; `stop` says after each step whether to stop, `tell` hears how the run began."""

    def __init__(
        self,
        folder: Path,
        spec: Spec,
        keeping: Keeping,
        stop: Callable[[], bool],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self.path, self.spec, self.keeping, self.stop, self.tell = folder / "checkpoint", spec, keeping, stop, tell
        self.kept = time.monotonic()

    def bring_back(self, course: Course) -> None:
        """Put the run where its checkpoint is, if it has a good one, and its loss curve with it."""
        if self.path.exists():
            try:
                course.restore(read_checkpoint(self.path, self.spec))
                self.tell({"event": "resumed", "step": course.outcome.steps_done})
            except FormatError as error:
                self.path.unlink()
                self.tell({"event": "restarted", "why": error.given})
        rewrite_metrics(self.path.parent, course.outcome.curve)

    def look(self, course: Course) -> None:
        """Write a checkpoint if it is time, and raise Stopped if the run is to stop."""
        stop = self.stop()
        if stop or time.monotonic() - self.kept >= self.keeping.every or self._is_last(course):
            write_checkpoint(self.path, self.spec, course)
            self.kept = time.monotonic()
        if stop:
            raise Stopped(course.outcome.steps_done)

    def end(self) -> None:
        """Drop the checkpoint of a run that has ended, unless it was asked for."""
        if not self.keeping.keep:
            self.path.unlink(missing_ok=True)

    def _is_last(self, course: Course) -> bool:
        return self.keeping.keep and course.outcome.steps_done == self.spec.steps


def write_checkpoint(path: Path, spec: Spec, course: Course) -> None:
    """Write the run as it stands after its last step; raise OSError if it cannot be, with the old checkpoint intact."""
    import torch

    buffer = io.BytesIO()
    torch.save(course.state(), buffer)
    state = buffer.getbuffer()
    header = {
        "schema": SCHEMA,
        "id": spec.id,
        "step": course.outcome.steps_done,
        "made_with": made_with(),
        "bytes": len(state),
        "sha256": hashlib.sha256(state).hexdigest(),
    }
    write_whole(path, json.dumps(header).encode() + b"\n", state)


def read_checkpoint(path: Path, spec: Spec) -> dict[str, Any]:
    """Return the state in the checkpoint `path`, for Course.restore; raise FormatError where it cannot be trusted."""
    import torch

    line, _, state = path.read_bytes().partition(b"\n")
    header = _header(line)
    if header.get("schema") != SCHEMA or header.get("id") != spec.id:
        raise FormatError("the checkpoint is not one of this run")
    if len(state) != header.get("bytes"):
        raise FormatError(f"the checkpoint was cut short: {len(state)} of {header.get('bytes')} bytes")
    if hashlib.sha256(state).hexdigest() != header.get("sha256"):
        raise FormatError("the checkpoint is damaged: its checksum is wrong")
    if header.get("made_with") != made_with():
        raise FormatError(f"the checkpoint was made with {_difference(header.get('made_with') or {})}")
    return torch.load(io.BytesIO(state), weights_only=True)


def made_with() -> dict[str, Any]:
    """Return all that decides the bits of a run beside its Spec: code, versions, processor."""
    known = environment()
    return {"source_digest": source_digest(), **{name: known[name] for name in SAME}}


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise FormatError("the checkpoint is damaged: it does not say what it holds")
    return header


def _difference(then: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {then.get(name)}, not {now}" for name, now in made_with().items() if then.get(name) != now
    )

"""Checkpoints: a run that was cut off goes on from one as if it had not been, to the last bit.

A checkpoint is one line of JSON, which says what follows and gives its SHA-256, and then the state as torch writes it.
One that is cut short, damaged, or made by other code or on another processor is not used, and that is said. The states
that a trunk leaves for its forks (trunks.py) are written and read in the same way.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from isoloss.core.errors import FormatError
from isoloss.core.spec import Spec
from isoloss.lab.record import environment, source_digest
from isoloss.lab.store import write_whole
from isoloss.lab.trainer import Course

SCHEMA = 2
SAME = ("torch", "numpy", "machine", "cpu", "threads", "dtype")  # what must be alike for the bits to be


def write_checkpoint(path: Path, spec: Spec, course: Course) -> None:
    """Write the run as it stands after its last step; raise OSError if it cannot be, with the old checkpoint intact."""
    write_state(path, {"id": spec.id}, course)


def read_checkpoint(path: Path, spec: Spec) -> dict[str, Any]:
    """Return the state in the checkpoint `path`, for Course.restore; raise FormatError where it cannot be trusted."""
    return read_state(path, {"id": spec.id}, "the checkpoint")


def write_state(path: Path, about: dict[str, Any], course: Course) -> None:
    """Write the state of `course`, whole or not at all, under a header that says what it is `about`."""
    import torch

    buffer = io.BytesIO()
    torch.save(course.state(), buffer)
    state = buffer.getbuffer()
    header = {
        "schema": SCHEMA,
        **about,
        "step": course.outcome.steps_done,
        "made_with": made_with(),
        "bytes": len(state),
        "sha256": hashlib.sha256(state).hexdigest(),
    }
    write_whole(path, json.dumps(header).encode() + b"\n", state)


def read_state(path: Path, about: dict[str, Any], what: str) -> dict[str, Any]:
    """Return the state in `path`; raise FormatError where it is not `about` this, not whole, or made elsewhere."""
    import torch

    line, _, state = path.read_bytes().partition(b"\n")
    header = _header(line, what)
    if header.get("schema") != SCHEMA or any(header.get(name) != value for name, value in about.items()):
        raise FormatError(f"{what} is not one of this run")
    if len(state) != header.get("bytes"):
        raise FormatError(f"{what} was cut short: {len(state)} of {header.get('bytes')} bytes")
    if hashlib.sha256(state).hexdigest() != header.get("sha256"):
        raise FormatError(f"{what} is damaged: its checksum is wrong")
    if header.get("made_with") != made_with():
        raise FormatError(f"{what} was made with {_difference(header.get('made_with') or {})}")
    return torch.load(io.BytesIO(state), weights_only=True)


def made_with() -> dict[str, Any]:
    """Return all that decides the bits of a run beside its Spec: code, versions, processor."""
    known = environment()
    return {"source_digest": source_digest(), **{name: known[name] for name in SAME}}


def _header(line: bytes, what: str) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise FormatError(f"{what} is damaged: it does not say what it holds")
    return header


def _difference(then: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {then.get(name)}, not {now}" for name, now in made_with().items() if then.get(name) != now
    )

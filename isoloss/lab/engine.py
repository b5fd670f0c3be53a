"""Engines: where a ladder is trained. One file each in engines/, chosen by name; the run folder is common to all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from isoloss.core.errors import TrainingError, UnknownNameError
from isoloss.core.spec import Spec
from isoloss.lab.store import Keeping

Event = dict[str, Any]
Listener = Callable[[Event], None]
ENGINES: dict[str, Engine] = {}
DEFAULT = "cpu"


@dataclass(frozen=True)
class Job:
    """Where runs are to be recorded, how many at a time, who hears of them, and how checkpoints are kept.

    `workers` is a number of processes, of runs trained together, or of parts of one model: each engine says which, and
    chooses where it is None.
    """

    out: Path
    listen: Listener
    workers: int | None = None
    keeping: Keeping = field(default_factory=Keeping)


class Engine(Protocol):
    """A way to train runs that lack a record.

    `check` raises an IsolossError, before anything is spent or written, where these runs cannot be trained so here.
    `train` records every run in the job's folder, tells its events (started, point, ended, refused, ...) and raises
    TrainingError at the end if some could not be trained, KeyboardInterrupt as it comes.
    """

    def check(self, specs: Sequence[Spec]) -> None: ...

    def train(self, specs: Sequence[Spec], job: Job) -> None: ...


Kind = TypeVar("Kind", bound=Engine)


def engine(name: str) -> Callable[[type[Kind]], type[Kind]]:
    """Register a class as the engine called `name`."""

    def register(kind: type[Kind]) -> type[Kind]:
        ENGINES[name] = kind()
        return kind

    return register


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines."""
    from isoloss.core.discover import modules

    modules("isoloss.lab.engines")
    return tuple(sorted(ENGINES))


def engine_for(name: str) -> Engine:
    """Return the engine called `name`; raise UnknownNameError if there is none such."""
    if name not in engine_names():
        raise UnknownNameError("engine", name, ENGINES)
    return ENGINES[name]


def raise_for(failed: Mapping[str, str], asked: int) -> None:
    """Raise TrainingError if some of the runs asked for failed: `failed` says why, by id."""
    if failed:
        raise TrainingError(
            f"{len(failed)} of {asked} runs could not be trained.",
            "\n  ".join(f"{spec_id}: {why}" for spec_id, why in failed.items()),
            "The others are recorded; the same command trains only what is lacking.",
        )


def cores() -> int:
    """Return how many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

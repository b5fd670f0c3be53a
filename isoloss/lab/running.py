"""train(): from Specs, or a ladder, to a table of runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from isoloss.core.errors import OutputError, RequestError
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import check_repetition
from isoloss.lab.engine import DEFAULT, Job, engine_for
from isoloss.lab.extra import require_torch
from isoloss.lab.flags import flags
from isoloss.lab.index import listing
from isoloss.lab.ladder import engine_of, load_ladder
from isoloss.lab.progress import progress_for, say_flags
from isoloss.lab.store import Keeping, missing, queue, read_record
from isoloss.lab.table import table
from isoloss.lab.trunks import tidy, want


def train(
    runs: str | Path | Spec | Iterable[Spec],
    out: str | Path = "runs",
    *,
    engine: str | None = None,
    workers: int | None = None,
    split: str | None = None,
    checkpoint_every: float = 60.0,
    keep_checkpoints: bool = False,
) -> Runs:
    """Train `runs` and return them as a table, one row per run.

    `runs` are Specs, or the path of a ladder in TOML. Each run gets a folder in `out`; a run that is recorded there
    already is not trained again, and one that was cut off goes on from its checkpoint, to the same numbers bit for bit.
    Runs that are alike but for their length and cooldown train the steps that they have in common once (trunks.py),
    with the same result as separate runs.
    `engine` says where: "cpu" (the ladder's own, or this), in `workers` processes of one thread each, as many as there
    are cores; "cuda", small runs of one shape together on a GPU; "ray", one run a core of a cluster; "fsdp", one model
    at a time in so many parts. Several calls may train into one folder, and each waits for the runs that another is at.
    `split` trains only the runs with this label. A run that is longer than `checkpoint_every` seconds is kept that
    often; `keep_checkpoints` leaves one of its end, and one that a longer run could branch off from.
    What is odd about the runs that were trained is said on stderr (see `flags`).
    Raises MissingExtraError without torch, RequestError for runs that cannot be, or not on this engine,
    UnknownNameError for an engine that is none and TrainingError for runs that failed, after all others have ended.
    An interrupt ends all work; what has ended is there, what was under way is kept.
    """
    keeping = Keeping(checked(checkpoint_every), keep_checkpoints)
    specs = chosen(specs_of(runs), split)
    require_torch()
    check_all(specs)
    way = engine_for(engine or (engine_of(runs) if isinstance(runs, str | Path) else DEFAULT))
    way.check(specs)
    out = prepared(Path(out))
    if todo := missing(out, specs):
        queue(out, todo)
        want(out, todo)
        with indexed(out), progress_for(todo) as progress:
            way.train(todo, Job(out, progress, workers, keeping))
    tidy(out)
    records = [read_record(out / spec_id / "record.json") for spec_id in dict.fromkeys(spec.id for spec in specs)]
    if todo:
        say_flags(flags(records))
    return table(records, source=str(out))


def checked(seconds: float) -> float:
    """Return the time between checkpoints; raise RequestError if there is none such."""
    if not seconds >= 0:
        raise RequestError(f"A checkpoint cannot be written every {seconds} seconds.", "", "Choose 0 or more.")
    return seconds


@contextlib.contextmanager
def indexed(out: Path) -> Iterator[None]:
    """Bring the folder's index up to date before and after."""
    listing(out)
    try:
        yield
    finally:
        listing(out)


def specs_of(runs: str | Path | Spec | Iterable[Spec]) -> tuple[Spec, ...]:
    """Return the Specs that a ladder's path, one Spec or several stand for."""
    if isinstance(runs, Spec):
        return (runs,)
    return load_ladder(runs) if isinstance(runs, str | Path) else tuple(runs)


def chosen(specs: Sequence[Spec], split: str | None) -> tuple[Spec, ...]:
    """Return the runs labelled `split`, or all; raise RequestError if that leaves none."""
    kept = tuple(spec for spec in specs if split in (None, spec.split))
    if not kept:
        splits = ", ".join(sorted({spec.split for spec in specs}))
        raise RequestError(
            "There are no runs to train." if not specs else f"No run is labelled split = '{split}'.",
            f"Labels: {splits}." if splits else "",
            "Name another split, or leave it out to train all runs.",
        )
    return kept


def check_all(specs: Sequence[Spec]) -> None:
    """Raise RequestError if one of the runs would repeat its corpus unasked."""
    for spec in specs:
        check_repetition(spec, load_corpus(spec.corpus))


def prepared(out: Path) -> Path:
    """Return `out`, made if it was not there; raise OutputError if it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {out} cannot be made: {error.strerror}.", "", "Choose another.") from error
    return out

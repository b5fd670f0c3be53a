"""One training process: reads Specs from its input, one JSON object a line, and says on its output how they go."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from isoloss.core.errors import IsolossError
from isoloss.core.spec import Spec
from isoloss.lab.corpus import load_corpus
from isoloss.lab.keeper import FolderKeeper, Stopped
from isoloss.lab.locks import HeldError
from isoloss.lab.record import environment, record_of, source_digest
from isoloss.lab.store import (
    Keeping,
    Record,
    Status,
    append_metrics,
    begun,
    is_recorded,
    read_record,
    write_json,
    write_status,
)
from isoloss.lab.trainer import Here, Outcome, Place, train_run

Listener = Callable[[dict[str, Any]], None]

ENDED_BY_SIGNAL = 128 + signal.SIGTERM


class Stop:
    """Whether this process was asked to end: by a signal, or because its parent is gone."""

    def __init__(self) -> None:
        self.asked, self.training, self.parent = False, False, os.getppid()

    def hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if not self.training:
            raise SystemExit(ENDED_BY_SIGNAL)

    def __call__(self) -> bool:
        return self.asked or os.getppid() != self.parent


def main(out: str, keeping: Keeping) -> None:
    """Train what comes in, until the input ends or a signal comes; a run that is stopped is kept."""
    import torch

    stop = Stop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, which ends its workers
    signal.signal(signal.SIGTERM, stop.hear)
    torch.set_num_threads(1)
    environment()
    source_digest()  # taken now: of the code that trains, not of what the files say later
    for line in sys.stdin:
        spec = Spec.from_json(json.loads(line))
        stop.training = True
        tell = partial(say, spec.id)
        tell(answer(Path(out), spec, keeping, stop, tell))
        stop.training = False
        if stop():
            raise SystemExit(ENDED_BY_SIGNAL)


def answer(
    out: Path, spec: Spec, keeping: Keeping, stop: Callable[[], bool], tell: Listener, place: Place | None = None
) -> dict[str, Any]:
    """Train one run and return the event that says how it ended."""
    try:
        record = train_to(out, spec, keeping, stop, tell, place)
    except HeldError as error:
        return {"event": "busy", "error": error.given}
    except Stopped as stopped:
        if not stop():
            return {"event": "busy", "error": "another process took it for dead and goes on with it"}
        return {"event": "stopped", "step": stopped.step}
    except IsolossError as error:
        return {"event": "refused", "error": str(error)}
    return {"event": "ended", "status": record["status"], "loss": record["loss"]}


def train_to(
    out: Path, spec: Spec, keeping: Keeping, stop: Callable[[], bool], tell: Listener, place: Place | None = None
) -> Record:
    """Train one run, from its checkpoint if it has one, write its folder and return its record.

    Raises HeldError if another process trains it, Stopped if `stop` said so, OutputError if its folder cannot be
    written, and what train_run raises.
    """
    with begun(out, spec) as hold:
        folder = out / spec.id
        if is_recorded(out, spec):  # by another process, since it was asked for
            return read_record(folder / "record.json")
        keeper = FolderKeeper(folder, spec, keeping, lambda: hold.lost or stop(), tell)
        try:
            write_status(folder, Status("running"))
            record = _recorded(folder, spec, keeper, tell, place or Here())
        except Stopped as stopped:
            write_status(folder, Status("queued", str(stopped)))
            raise
        except (IsolossError, OSError) as error:
            write_status(folder, Status("failed", str(error)))
            raise
        write_status(folder, Status(record["status"], record["why"]))
        keeper.end()
    return record


def _recorded(folder: Path, spec: Spec, keeper: FolderKeeper, tell: Listener, place: Place) -> Record:
    """Train the run and write its record."""

    def watch(point: dict[str, Any]) -> None:
        tell({"event": "point", **point})
        append_metrics(folder, point)

    corpus = load_corpus(spec.corpus)
    outcome = train_run(spec, corpus, watch, keeper, place)
    record = {**record_of(spec, corpus, outcome), **_spent(spec, outcome), **place.about()}
    write_json(folder / "record.json", record)
    return record


def _spent(spec: Spec, outcome: Outcome) -> Record:
    """Return what the run did itself, and where it went on from what was there; `flops` is that of the whole run."""
    averaged = {"averaged": outcome.averaged} if spec.ema else {}
    return {
        "flops_spent": spec.flops * outcome.steps_spent / spec.steps,
        "tokens_per_cpu_second": outcome.steps_spent * spec.batch / max(outcome.cpu_seconds, 1e-9),
        "forked_from": outcome.forked_from,
        "resumed_at": outcome.resumed_at,
        **averaged,
    }


def say(spec_id: str, event: dict[str, Any]) -> None:
    """Write one event; where the parent is gone nobody hears it, and Stop ends the run after its step."""
    try:
        print(json.dumps({**event, "id": spec_id}), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.argv[1], Keeping(**json.loads(sys.argv[2])))

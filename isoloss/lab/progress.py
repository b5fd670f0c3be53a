"""Progress on stderr: bars in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from isoloss.core.spec import Spec
from isoloss.lab.flags import Flag
from isoloss.lab.trunks import shares_left

PLAIN_EVERY = 30.0  # seconds
NEWS = {
    "resumed": "goes on from its checkpoint at step {step}",
    "restarted": "does not go on from its checkpoint, for {why}",
    "forked": "goes on from step {step} of its trunk",
    "unforked": "does not go on from step {step} of its trunk, for {why}",
    "busy": "left for later: {error}",
    "stopped": "stopped and kept at step {step}",
}


class PlainProgress:
    """One line for each run that ends, and one on all at most every half minute."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs = {spec.id: spec for spec in specs}
        left = shares_left(specs)
        self.inherited = {spec.id: spec.flops * (1 - left[spec.id]) for spec in specs}  # done by trunks, or before
        self.done_flops, self.ended = dict(self.inherited), 0
        self.started = self.said = time.monotonic()

    def __enter__(self) -> PlainProgress:
        flops = sum(spec.flops - self.inherited[spec.id] for spec in self.specs.values())
        self.say(f"training {len(self.specs)} runs, {flops:.3g} FLOP")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def __call__(self, event: dict[str, Any]) -> None:
        spec = self.specs[event["id"]]
        if event["event"] == "point":
            self.done_flops[spec.id] = spec.flops * event["tokens"] / spec.tokens
        elif event["event"] in NEWS:
            self.say(f"{describe(spec)}: {NEWS[event['event']].format(**event)}")
            if event["event"] in ("resumed", "forked"):
                self.done_flops[spec.id] = spec.flops * event["step"] / spec.steps
                self.inherited[spec.id] = self.done_flops[spec.id]
        elif event["event"] in ("ended", "refused"):
            self.done_flops[spec.id] = spec.flops
            if event.get("elsewhere"):
                self.inherited[spec.id] = spec.flops
            self.ended += 1
            self.say(f"{describe(spec)}: {outcome(event)}   [{self.ended} of {len(self.specs)}, {self.left()}]")
        if time.monotonic() - self.said > PLAIN_EVERY:
            self.say(f"{self.ended} of {len(self.specs)} runs, {self.left()}")

    def left(self) -> str:
        return time_left(self.done_flops, self.specs, time.monotonic() - self.started, sum(self.inherited.values()))

    def say(self, text: str) -> None:
        self.said = time.monotonic()
        print(text, file=sys.stderr, flush=True)


class BarProgress:
    """A bar for the whole and one for each run that goes on: steps, loss, time left."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.specs = {spec.id: spec for spec in specs}
        self.done_flops = dict.fromkeys(self.specs, 0.0)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.whole = self.progress.add_task("all runs", total=len(self.specs), loss="")
        self.tasks: dict[str, Any] = {}

    def __enter__(self) -> BarProgress:
        self.progress.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        spec = self.specs[event["id"]]
        if event["event"] == "started":
            self.tasks[spec.id] = self.progress.add_task(describe(spec), total=spec.steps, loss="")
        elif event["event"] == "point":
            loss = f"loss {event['train_loss']:.3f}"
            self.progress.update(self.tasks[spec.id], completed=event["step"], loss=loss)
        elif event["event"] in NEWS:
            self.progress.console.print(f"{describe(spec)}: {NEWS[event['event']].format(**event)}")
            if event["event"] in ("busy", "stopped"):
                self.drop(spec)
        elif event["event"] in ("ended", "refused"):
            self.drop(spec)
            self.progress.console.print(f"{describe(spec)}: {outcome(event)}")
            self.progress.advance(self.whole)

    def drop(self, spec: Spec) -> None:
        if spec.id in self.tasks:
            self.progress.remove_task(self.tasks.pop(spec.id))


def progress_for(specs: Sequence[Spec]) -> PlainProgress | BarProgress:
    """Return what shows the progress of these runs: bars where stderr is a terminal, lines elsewhere."""
    return BarProgress(specs) if sys.stderr.isatty() else PlainProgress(specs)


def say_flags(flags: Iterable[Flag]) -> None:
    """Say on stderr what is odd about runs that have ended, a line each."""
    for flag in flags:
        print(flag, file=sys.stderr, flush=True)


def describe(spec: Spec) -> str:
    """Return a run in a few words."""
    shape = spec.shape
    return f"d{shape.width} L{shape.depth} {spec.tokens / 1e6:.2f}M tokens seed {spec.seed}"


def outcome(event: dict[str, Any]) -> str:
    """Return how a run ended, in a few words."""
    if event["event"] == "refused":
        return f"not trained: {event['error']}"
    return f"loss {event['loss']:.4f}" if event["status"] == "done" else event["status"]


def time_left(done_flops: dict[str, float], specs: dict[str, Spec], elapsed: float, inherited: float = 0.0) -> str:
    """Return the time that the rest needs at the pace so far, in FLOPs; what was inherited was not done in it."""
    done, whole = sum(done_flops.values()), sum(spec.flops for spec in specs.values())
    paced = done - inherited
    return f"{elapsed * (whole - done) / paced / 60:.1f} min left" if paced > 0 else "time left not known yet"

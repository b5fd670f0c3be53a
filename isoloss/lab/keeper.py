"""Keeps a run in its folder while it is trained: brings it back, keeps it now and then, leaves what its forks need."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoloss.core.errors import FormatError
from isoloss.core.spec import Spec
from isoloss.lab.checkpoint import read_checkpoint, write_checkpoint
from isoloss.lab.store import Keeping, rewrite_metrics
from isoloss.lab.trainer import Course
from isoloss.lab.trunkstates import TrunkFolder


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
        self.trunk = TrunkFolder(folder.parent, spec)
        self.leaves, self.looks = self.trunk.wanted(keeping)

    def bring_back(self, course: Course) -> None:
        """Put the run where its checkpoint is, or a trunk that it shares, if there is a good one."""
        course.look_at = course.look_at | self.looks
        if not self._resumed(course):
            self.trunk.begin(course, self.tell)
        rewrite_metrics(self.path.parent, course.outcome.curve)

    def look(self, course: Course) -> None:
        """Keep what is to be kept after this step, and raise Stopped if the run is to stop."""
        if course.outcome.steps_done in self.leaves:
            self.trunk.leave(course, self.keeping, self.tell)
        stop = self.stop()
        if stop or time.monotonic() - self.kept >= self.keeping.every or self._is_last(course):
            write_checkpoint(self.path, self.spec, course)
            self.kept = time.monotonic()
        if stop:
            raise Stopped(course.outcome.steps_done)

    def end(self) -> None:
        """Drop what a run that has ended needs no more: its checkpoint, unless asked for, and states of its trunk."""
        if not self.keeping.keep:
            self.path.unlink(missing_ok=True)
        self.trunk.tidy()

    def _resumed(self, course: Course) -> bool:
        if not self.path.exists():
            return False
        try:
            course.restore(read_checkpoint(self.path, self.spec))
        except FormatError as error:
            self.path.unlink()
            self.tell({"event": "restarted", "why": error.given})
            return False
        self.tell({"event": "resumed", "step": course.outcome.steps_done})
        return True

    def _is_last(self, course: Course) -> bool:
        return self.keeping.keep and course.outcome.steps_done == self.spec.steps

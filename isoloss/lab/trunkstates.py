"""The states of a trunk: left by the run that is trained first, taken up by those that branch off from it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isoloss.core.errors import FormatError
from isoloss.core.spec import Spec
from isoloss.lab.checkpoint import read_state, write_state
from isoloss.lab.curve import looks_of
from isoloss.lab.store import Keeping, read_header
from isoloss.lab.trainer import Course
from isoloss.lab.trunks import asides, digest_of, kept_step, places, state_path, tidy, trunk_key, wanting

Teller = Callable[[dict[str, Any]], None]


class TrunkFolder:
    """What one run leaves in the folder of its trunk, and finds there."""

    def __init__(self, out: Path, spec: Spec) -> None:
        self.out, self.spec, self.key = out, spec, trunk_key(spec)

    def wanted(self, keeping: Keeping) -> tuple[set[int], set[int]]:
        """Return the steps at which to leave a state, and those at which to look for the runs that will go on."""
        forks = {fork.id: fork for fork in wanting(self.out, self.key)}
        steps = asides(self.spec, forks.values())
        looks = {look for fork_id, step in steps.items() for look in looks_of(forks[fork_id]) if look <= step}
        return set(steps.values()) | ({kept_step(self.spec)} if keeping.keep else set()), looks

    def begin(self, course: Course, tell: Teller) -> None:
        """Put a run that begins where the last good state of its trunk is; where there is none, say why."""
        for step in places(self.out, self.spec):
            state = self._good(step, tell)
            if state and self._looked(course, state, step):
                return self._go_on(course, state, step, tell)
        return None

    def leave(self, course: Course, keeping: Keeping, tell: Teller) -> None:
        """Leave the state after this step, unless it stands already or the folder was dropped as no longer needed."""
        step = course.outcome.steps_done
        path = state_path(self.out, self.spec, step)
        about = {"trunk": self.key, "rates": digest_of(self.spec, step), "left_by": self.spec.id, "kept": keeping.keep}
        if read_header(path).get("rates") != about["rates"] or keeping.keep:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                write_state(path, about, course)
        tell({"event": "left", "step": step})

    def tidy(self) -> None:
        """Drop what no run needs any longer."""
        tidy(self.out, [self.key])

    def _good(self, step: int, tell: Teller) -> dict[str, Any] | None:
        path, rates = state_path(self.out, self.spec, step), digest_of(self.spec, step)
        header = read_header(path)
        if header.get("rates", rates) != rates:
            return None  # of runs that had cooled down before
        try:
            about = {"trunk": self.key, "step": step, "rates": rates}
            return {**read_state(path, about, "the state left there"), "left_by": header["left_by"]}
        except FileNotFoundError:
            return None  # dropped since, by the last run that needed it
        except FormatError as error:
            path.unlink(missing_ok=True)
            tell({"event": "unforked", "step": step, "why": error.given})
            return None

    def _looked(self, course: Course, state: dict[str, Any], step: int) -> bool:
        """Whether the state has all looks that the run, and those that will go on from it, take before it."""
        return all(look in state["looks"] for look in course.look_at if look <= step)

    def _go_on(self, course: Course, state: dict[str, Any], step: int, tell: Teller) -> None:
        if state["left_by"] == self.spec.id:
            course.restore(state)
            tell({"event": "resumed", "step": step})
        else:
            course.branch(state, {"trunk": self.key, "step": step, "left_by": state["left_by"]})
            tell({"event": "forked", "step": step, "trunk": self.key})

"""The points of a run's loss curve and the steps at which it is looked at: functions of its length alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isoloss.core.spec import Spec
from isoloss.lab.schedule import rate

POINTS = 100  # of the loss curve that a record keeps
LOOKS = (0.25, 0.5, 0.75)  # shares of the run after which the validation loss is looked at

Point = dict[str, Any]


def looks_of(spec: Spec) -> set[int]:
    """Return the numbers of steps done at which the run's validation loss is looked at."""
    return {max(1, round(part * spec.steps)) for part in LOOKS}


def curve_of(spec: Spec, losses: Sequence[float]) -> list[Point]:
    """Return the run's loss curve as far as the `losses` of its steps go."""
    return [point_of(spec, done, losses) for done in range(1, len(losses) + 1) if is_point(spec, done)]


def is_point(spec: Spec, done: int) -> bool:
    """Say whether the curve has a point after so many steps done."""
    return done % _every(spec) == 0 or done == spec.steps


def point_of(spec: Spec, done: int, losses: Sequence[float]) -> Point:
    """Return the point after so many steps done: the mean training loss of the steps since the point before."""
    since = losses[(done - 1) // _every(spec) * _every(spec) : done]
    loss = sum(since) / len(since)
    return {"step": done, "tokens": done * spec.batch, "train_loss": loss, "lr": rate(spec, done - 1)}


def _every(spec: Spec) -> int:
    return max(1, spec.steps // POINTS)

"""The learning rate over a run, as a share of its peak: one function a schedule, named as in Spec.schedule."""

from __future__ import annotations

from collections.abc import Callable

from isoloss.core.errors import UnknownNameError
from isoloss.core.spec import Spec

Schedule = Callable[[Spec, int], float]
SCHEDULES: dict[str, Schedule] = {}


def schedule(name: str) -> Callable[[Schedule], Schedule]:
    """Register a function that returns the share of the peak rate after the warm-up, at a step counted from 0."""

    def register(function: Schedule) -> Schedule:
        SCHEDULES[name] = function
        return function

    return register


def share(spec: Spec, step: int) -> float:
    """Return the rate of step `step`, counted from 0, as a share of the peak.

    Raises UnknownNameError where the Spec's schedule is none that exists.
    """
    if spec.schedule not in SCHEDULES:
        raise UnknownNameError("schedule", spec.schedule, SCHEDULES)
    rising = (step + 1) / spec.warmup_steps if spec.warmup_steps else 1.0
    return min(rising, SCHEDULES[spec.schedule](spec, step))


def rate(spec: Spec, step: int) -> float:
    """Return the learning rate of step `step`, counted from 0."""
    return spec.lr * share(spec, step)


@schedule("wsd")
def wsd(spec: Spec, step: int) -> float:
    """A plateau and a cooldown (Haegele et al. 2024, section 3), falling linearly (Bergsma et al. 2025)."""
    falling = (spec.steps - step) / spec.cooldown_steps if spec.cooldown_steps else 1.0
    return min(1.0, falling)

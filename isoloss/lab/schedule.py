"""The learning rate over a run, as a share of its peak: one function a schedule, named as in Spec.schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

from isoloss.core.errors import UnknownNameError
from isoloss.core.spec import Spec

Schedule = Callable[[Spec, int], float]
SCHEDULES: dict[str, Schedule] = {}

FLOOR = 0.1  # of the peak, where the cosine ends


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


@schedule("wsd-s")
def wsd_s(spec: Spec, step: int) -> float:
    """A plateau broken by cooldowns, one that ends at each of `decays`, and the last (Wen et al. 2024, WSD-S).

    Each cooldown takes the same share of the steps that were done by its end, so that where the shares are equal the
    run that ends at one decay is, step for step, the beginning of those that go on.
    """
    end = next(end for end in (*(tokens // spec.batch for tokens in spec.decays), spec.steps) if end > step)
    falling = (2 * spec.cooldown_steps * end + spec.steps) // (2 * spec.steps)  # rounded, without floats
    return min(1.0, (end - step) / falling) if falling else 1.0


@schedule("cosine")
def cosine(spec: Spec, step: int) -> float:
    """Half a cosine from the peak to a tenth of it, over the steps after the warm-up (Hoffmann et al. 2022)."""
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * (1 - _left(spec, step)))) / 2


@schedule("linear")
def linear(spec: Spec, step: int) -> float:
    """A straight fall from the end of the warm-up to zero (Bergsma et al. 2025, "D2Z")."""
    return _left(spec, step)


@schedule("constant")
def constant(spec: Spec, step: int) -> float:
    """The peak until the end, as in the tuned runs without decay of Porian et al. 2024."""
    return 1.0


def _left(spec: Spec, step: int) -> float:
    """Return the share of the steps after the warm-up that is still to be done."""
    return min(1.0, (spec.steps - step) / max(1, spec.steps - spec.warmup_steps))

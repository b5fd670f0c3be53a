"""Intervals of positive numbers that are assumptions rather than draws: read, multiplied and divided end by end.

The ends of a product are the products of the ends, the worst with the worst: a bound on what the assumptions allow
together, not a probability. An end that is not known (NaN) stays unknown.
"""

from __future__ import annotations

import math
from typing import Any

from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.planning import answers
from isoloss.planning.answers import exact as exact


def read(given: Any, what: str) -> Estimate:
    """The interval that a number, "2.5", "low:typical:high", three numbers or an Estimate stands for.

    Raises RequestError for anything else, for a value that is not positive, and for ends out of order.
    """
    if isinstance(given, Estimate):
        made = given
    else:
        parts = given.split(":") if isinstance(given, str) else given
        values = [answers.parsed(v) for v in (parts if isinstance(parts, list | tuple) else [parts])]
        if len(values) not in (1, 3):
            raise RequestError(
                f"{what} = {given!r} is no interval.", do="Give one number, or three as low:typical:high."
            )
        low, mid, high = values if len(values) == 3 else values * 3
        made = Estimate(mid, low, high)
    known = [v for v in (made.low, made.mid, made.high) if not math.isnan(v)]
    if not math.isfinite(made.mid) or known[0] <= 0 or known != sorted(known) or math.inf in known:
        raise RequestError(
            f"{what} = {given if isinstance(given, str) else made} is no interval of positive numbers.",
            do="Give one number above 0, or three, rising, as low:typical:high.",
        )
    return made


def amount(given: Any, what: str) -> float:
    """A number above 0, as written; raises RequestError for any other."""
    value = answers.parsed(given)
    if not 0 < value < math.inf:
        raise RequestError(f"{what} = {given} is no amount.", do=f"Give {what} as a number above 0.")
    return value


def settled(estimate: Estimate) -> Estimate:
    """The estimate, taken as exact where it has no ends."""
    return estimate if estimate.known else exact(estimate.mid)


def times(*factors: Estimate) -> Estimate:
    """The product of positive intervals, end by end."""
    return Estimate(*(math.prod(getattr(f, end) for f in factors) for end in ("mid", "low", "high")))


def over(upper: Estimate, lower: Estimate) -> Estimate:
    """The quotient of positive intervals: its low end is the upper's low over the lower's high."""
    return Estimate(upper.mid / lower.mid, upper.low / lower.high, upper.high / lower.low)

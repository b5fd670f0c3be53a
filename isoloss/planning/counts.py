"""A plan's sizes in every count of parameters, for a family of shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from isoloss.core.estimate import Estimate
from isoloss.core.family import COUNTS, Family
from isoloss.core.plan import Plan


def in_every_count(planned: Plan, family: Family | None) -> Plan:
    """The plan with its size told in all counts that the family converts; as it is without a family."""
    if family is None:
        return planned
    options = [replace(option, estimates=_counted(option.estimates, family)) for option in planned.options]
    stated = f"counts of parameters converted for shapes of {family}"
    return replace(planned, options=tuple(options), assumptions=(*planned.assumptions, stated))


def _counted(estimates: Mapping[str, Estimate], family: Family) -> Mapping[str, Estimate]:
    known = next((name for name in estimates if name in COUNTS), None)
    if known is None:
        return estimates
    size = estimates[known]
    ends = (size.mid, size.low, size.high)
    others = {
        name: Estimate(*(float(family.convert(v, known, name)) if np.isfinite(v) else v for v in ends))
        for name in COUNTS
        if name != known
    }
    return {known: size, **others, **{n: e for n, e in estimates.items() if n != known}}

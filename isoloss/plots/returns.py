"""What more brings: twice or ten times the compute, the parameters or the data, from the best run of a budget."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core.estimate import Estimate
from isoloss.core.figure import Axis, Figure, Mark, Panel, Points
from isoloss.core.fit import Fit
from isoloss.core.plan import Plan
from isoloss.core.runs import Runs
from isoloss.planning import plan
from isoloss.plots import _curves, _data, plot
from isoloss.plots._curves import Look, curve
from isoloss.plots._needs import check_size_and_data

TIMES = (1.25, 1.6, 2.0, 3.0, 4.5, 7.0, 10.0)
MARKED = (2.0, 10.0)
ASIDE = 1.025  # how far bars at one multiple stand from each other
WAYS = ("the compute, spent best", "the parameters", "the data", "both")
SAID = ("more compute, spent best", "more parameters alone", "more data alone", "more of both alike")


@plot("What does more bring?", check=check_size_and_data)
def returns(runs: Runs | None, fit: Fit, *, flops: float | None = None, level: float = 0.9) -> Figure:
    """Loss against the multiple of each resource, from the best run of `flops` (that of ten times the largest run)."""
    budget = flops if flops is not None else _default(runs, fit)
    told = plan(fit, flops=budget, times=list(TIMES), level=level)
    times = np.array([1.0, *TIMES])
    marks: list[Mark] = []
    for i, (way, said) in enumerate(zip(WAYS, SAID, strict=True)):
        gain = _along(told, way)
        marks += curve(times, gain, np.zeros(len(times), bool), Look(said, series=i))
        at = np.isin(times, MARKED)
        bars: dict[str, Any] = {"low": gain.low[at], "high": gain.high[at]} if gain.known else {}
        beside = ASIDE ** (i - (len(WAYS) - 1) / 2)
        marks.append(Points(said, "run", True, beside * times[at], gain.mid[at], **bars, series=i))
    y = Axis(fit.law.output.name, "linear", words=f"{fit.law.output.name} taken off", unit="%")
    x = Axis("multiple", words="resource, as a multiple of the best run's", unit="times")
    notes = (
        f"From the best run of {_data.budget_in_words(fit, budget)}, a {fit.law.output.name} of "
        f"{told.options[0][fit.law.output.name]}: the rest held, but for compute, which is spent best anew.",
        "Bars, side by side: twice and ten times.",
        _curves.interval_note(fit, level),
    )
    return Figure(returns.title, (Panel(x, y, tuple(marks)),), notes, "returns")


def _default(runs: Runs | None, fit: Fit) -> float:
    if runs is not None:
        return _data.budget(_data.table(runs, fit), None)
    return 10 * fit.data.ranges.get(_data.flops_of(fit), (0.0, 1e21))[1]


def _along(told: Plan, way: str) -> Estimate:
    # By how much each multiple of one resource lowers the loss, in per cent, from the run itself on.
    gains = [o["gain"] for o in told.options[1:] if o.label.endswith(f"times {way}")]
    return Estimate(*(100 * np.array([0.0, *(getattr(g, end) for g in gains)]) for end in ("mid", "low", "high")))

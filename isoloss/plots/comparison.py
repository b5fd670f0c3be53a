"""Laws side by side: how far each missed larger runs, how often its intervals held, and its share in a blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoloss.core.comparison import Comparison
from isoloss.core.estimate import Estimate
from isoloss.core.figure import Axis, Figure, Line, Panel
from isoloss.plots import _dots, plot

MOST = 12
STATED = 90.0  # per cent: the level of the intervals that `coverage` counts


@plot("Which law predicts larger runs best?")
def comparison(found: Comparison) -> Figure:
    """The error of predictions beyond cuts, the share of runs in 90% intervals, and the weight, best law first."""
    rivals = found.rivals[:MOST]
    names = [rival.label for rival in rivals]
    error = _panel("error", "error of predictions", names, [100 * r.error for r in rivals])
    coverage = _panel("coverage", "runs inside 90% intervals", names, [100 * r.coverage for r in rivals], (0.0, 105.0))
    stated = Line("what the intervals promise", "guide", True, np.full(2, STATED), np.array([-0.6, len(names) - 0.4]))
    coverage = replace(coverage, marks=(stated, *coverage.marks))
    weight = _panel("coverage", "share in the blend", names, [100 * r.weight for r in rivals], (-2.0, 105.0))
    return Figure(comparison.title, (error, *map(_unnamed, (coverage, weight))), _notes(found), "comparison")


def _panel(
    quantity: str, words: str, names: Sequence[str], values: Sequence[float], span: tuple[float, float] | None = None
) -> Panel:
    estimates = [Estimate(float(v)) for v in values]
    scale = "linear" if span else _dots.scale_of(estimates)
    axis = Axis(quantity, "log" if scale == "log" else "linear", words=words, unit="%", span=span)
    return _dots.dots(axis, names, estimates)


def _unnamed(panel: Panel) -> Panel:
    # The names stand beside the first panel.
    return replace(panel, y=replace(panel.y, names=("",) * len(panel.y.names)))


def _notes(found: Comparison) -> tuple[str, ...]:
    left = len(found.rivals) - MOST
    return (
        f"Each law was fitted below {len(found.cuts)} cuts of {found.measure} and predicted the runs above; further "
        "runs count more.",
        *((f"{left} laws that did worse are not shown.",) if left > 0 else ()),
        *(f"Without {law}: {why}" for law, why in found.excluded.items()),
    )

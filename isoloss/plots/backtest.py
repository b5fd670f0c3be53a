"""What would have been predicted beside what was reached, and how error and coverage go with the distance.

Shapes: `r` predictions, over all cuts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core.backtest import Backtest
from isoloss.core.figure import Axis, Band, Figure, Line, Mark, Panel, Points, Role
from isoloss.plots import plot

BINS = 4
LEAST = 4  # predictions behind a share


@plot("Would it have predicted the larger runs?")
def backtest(test: Backtest) -> Figure:
    """Predicted against reached; the miss, and the share of runs inside their intervals, against the distance."""
    panels = (_reached(test), _missed(test), _covered(test))
    notes = (
        f"{len(test.mid_r)} predictions of '{test.law}' from {len(test.at_c)} cuts by {test.measure}; bars and "
        f"shading: {test.level:.0%} intervals of one new run.",
        f"Inside over all cuts: {test.coverage:.0%}.",
        f"Shares are of predictions in {BINS} parts by distance; their bars are 90% intervals of a share of so many.",
    )
    return Figure(backtest.title, panels, notes, "backtest")


def _parts(test: Backtest) -> list[tuple[Role, str, np.ndarray]]:
    return [("run", "inside its interval", test.inside_r), ("held-out", "outside", ~test.inside_r)]


def _reached(test: Backtest) -> Panel:
    seen = np.concatenate([test.reached_r, test.mid_r])
    ends = np.array([seen.min(), seen.max()])
    marks: list[Mark] = [Line("predicted as reached", "guide", True, ends, ends)]
    for role, label, part_r in _parts(test):
        if part_r.any():
            known = np.isfinite(test.low_r).all()
            bars: dict[str, Any] = {"low": test.low_r[part_r], "high": test.high_r[part_r]} if known else {}
            marks.append(Points(label, role, False, test.reached_r[part_r], test.mid_r[part_r], **bars))
    span = (float(ends[0] / (ends[1] / ends[0]) ** 0.15), float(ends[1] * (ends[1] / ends[0]) ** 0.15))
    return Panel(Axis("loss", words="reached", span=span), Axis("loss", words="predicted", span=span), tuple(marks))


def _missed(test: Backtest) -> Panel:
    order_r = np.argsort(test.distance_r, kind="stable")
    x_r = test.distance_r[order_r]
    low_r, high_r = (100 * (end / test.mid_r - 1)[order_r] for end in (test.low_r, test.high_r))
    marks: list[Mark] = [Line("", "guide", True, np.array([0.0, float(x_r.max())]), np.zeros(2))]
    for role, label, part_r in _parts(test):
        if part_r.any():
            marks.append(Points(label, role, False, test.distance_r[part_r], -100 * test.miss_r[part_r]))
    if np.isfinite(low_r).all():
        wide = f"median {test.level:.0%} interval"
        at, below, above = (_binned(x_r, values) for values in (x_r, low_r, high_r))
        marks.insert(0, Band(wide, "law", False, at, below, above))
    widest = 1.1 * max(float(np.abs(100 * test.miss_r).max()), 1e-6)
    y = Axis("loss", "linear", words="reached / predicted − 1", unit="%", span=(-widest, widest))
    return Panel(Axis("distance", "linear"), y, tuple(marks))


def _covered(test: Backtest) -> Panel:
    from scipy.stats import beta

    groups = _groups(test.distance_r)
    x = np.array([test.distance_r[g].mean() for g in groups])
    inside = np.array([test.inside_r[g].sum() for g in groups])
    n = np.array([len(g) for g in groups])
    low, high = beta.ppf(0.05, inside + 0.5, n - inside + 0.5), beta.ppf(0.95, inside + 0.5, n - inside + 0.5)
    share = 100 * inside / n
    marks = (
        Line(
            "what they promise",
            "guide",
            True,
            np.array([0.0, float(test.distance_r.max())]),
            np.full(2, 100 * test.level),
        ),
        Points("share inside", "optimum", False, x, share, np.minimum(100 * low, share), np.maximum(100 * high, share)),
    )
    y = Axis("coverage", "linear", words="runs inside their interval", unit="%", span=(0.0, 104.0))
    return Panel(Axis("distance", "linear"), y, marks)


def _groups(distance_r: np.ndarray) -> list[np.ndarray]:
    parts = min(BINS, max(len(distance_r) // LEAST, 1))
    return np.array_split(np.argsort(distance_r, kind="stable"), parts)


def _binned(x_r: np.ndarray, values_r: np.ndarray) -> np.ndarray:
    # Medians of a few neighbours at a time, in order of distance.
    parts = min(2 * BINS, max(len(x_r) // LEAST, 2))
    return np.array([np.median(part) for part in np.array_split(values_r, parts)])

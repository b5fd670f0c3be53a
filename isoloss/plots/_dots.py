"""Dots with intervals beside names: what pictures of several things without a scale of their own share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.core.estimate import Estimate
from isoloss.core.figure import Axis, Line, Mark, Panel, Points

DECADES = 0.7  # values that span more stand on a logarithmic axis


def names_axis(names: Sequence[str], words: str = "") -> Axis:
    """An upright axis of names, the first on top."""
    return Axis("choice", "linear", words=words, names=tuple(names))


def dots(x: Axis, names: Sequence[str], estimates: Sequence[Estimate]) -> Panel:
    """A panel with one dot a name, and its interval where that is known; an estimate that is not there is left out."""
    mid, low, high = (np.array([getattr(e, end) for e in estimates], float) for end in ("mid", "low", "high"))
    rows = np.flatnonzero(np.isfinite(mid))
    marks: list[Mark] = []
    if np.isfinite(low[rows]).any():
        ends = np.stack([low, high, np.full(len(mid), np.nan)], axis=-1)[rows].ravel()
        marks.append(Line(x=np.where(np.isfinite(ends), ends, np.nan), y=np.repeat(rows.astype(float), 3), series=0))
    marks.append(Points(x=mid[rows], y=rows.astype(float), series=0))
    return Panel(x, names_axis(names), tuple(marks))


def scale_of(estimates: Sequence[Estimate]) -> str:
    """'log' for values above zero that span much, else 'linear'."""
    values = np.array([v for e in estimates for v in (e.mid, e.low, e.high) if np.isfinite(v)])
    wide = len(values) > 0 and values.min() > 0 and np.log10(values.max() / values.min()) > DECADES
    return "log" if wide else "linear"

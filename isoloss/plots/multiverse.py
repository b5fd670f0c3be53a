"""The answers of a multiverse: best size against loss, one point a choice, with both intervals."""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Points, Role
from isoloss.core.multiverse import Multiverse, Universe
from isoloss.plots import plot

WORDS = {
    "law": "another law",
    "objective": "another objective",
    "count": "another count of size",
    "draws": "other draws",
}


@plot("How far do the choices move the plan?")
def multiverse(made: Multiverse) -> Figure:
    """One point a choice that has an answer; the choice that was asked for stands out."""
    asked, *others = made.universes
    marks: list[Mark] = []
    for i, (kind, words) in enumerate(WORDS.items()):
        chosen = [u for u in others if u.kind == kind and np.isfinite(u.size.mid)]
        marks += _points(chosen, words, "run", i) if chosen else []
    marks += _points([asked], f"as asked: {asked.name}", "optimum")
    panel = Panel(
        Axis(made.size, words="best model size"), Axis(made.output, words="loss of the best size"), tuple(marks)
    )
    title = f"{numbers.short(made.flops)} FLOP: the plan under every choice"
    notes = (f"Bars: {made.level:.0%} intervals.", *made.assumptions)
    return Figure(title, (panel,), notes, "multiverse")


def _points(chosen: list[Universe], label: str, role: Role, series: int | None = None) -> list[Mark]:
    size, loss = ([getattr(u, name) for u in chosen] for name in ("size", "loss"))
    x, y = (np.array([e.mid for e in estimates]) for estimates in (size, loss))
    low, high = (np.array([getattr(e, end) for e in loss]) for end in ("low", "high"))
    ends = np.array([[e.low, e.high, np.nan] for e in size]).ravel()
    about = {"choice": [u.name for u in chosen]}
    bars = [Line(x=ends, y=np.repeat(y, 3), label=label, role=role, series=series)] if np.isfinite(ends).any() else []
    return [*bars, Points(x=x, y=y, low=low, high=high, label=label, role=role, about=about, series=series)]

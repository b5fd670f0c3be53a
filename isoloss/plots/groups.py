"""The same law fitted to several groups: each parameter with its interval, group by group."""

from __future__ import annotations

from dataclasses import replace

from isoloss.core.figure import Axis, Figure, Panel
from isoloss.core.groups import Groups
from isoloss.plots import _dots, plot

MOST = 6  # parameters
ACROSS = 3


@plot("Do the groups differ?")
def groups(found: Groups, *, level: float = 0.9) -> Figure:
    """One panel a parameter, one dot a group with its interval."""
    first = next(iter(found.values()))
    shown = first.law.names[:MOST]
    panels = tuple(_panel(found, name, level, i % ACROSS == 0) for i, name in enumerate(shown))
    left = first.law.names[MOST:]
    notes = (
        f"Bars: {level:.0%} intervals of the law '{first.law.name}'." if len(first.draws_sp) else "There are no draws.",
        *((f"Shared by all groups: {', '.join(found.share)}.",) if found.share else ()),
        *((f"Not shown: {', '.join(left)}.",) if left else ()),
    )
    return Figure(groups.title, panels, notes, "groups", ACROSS if len(panels) > ACROSS else 0)


def _panel(found: Groups, name: str, level: float, named: bool) -> Panel:
    estimates = [fit.interval(name, level) for fit in found.values()]
    scale = "log" if _dots.scale_of(estimates) == "log" else "linear"
    panel = _dots.dots(Axis("parameter", scale, words=name), list(found), estimates)
    return panel if named else replace(panel, y=replace(panel.y, names=("",) * len(panel.y.names)))

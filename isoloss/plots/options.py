"""A plan's options side by side: every quantity that they share, with its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.figure import Axis, Figure, Panel
from isoloss.core.figure_style import scientific
from isoloss.core.plan import Plan
from isoloss.core.quantities import QUANTITIES
from isoloss.plots import _dots, plot

MOST = 4  # quantities
OPTIONS = 16


def _check(told: Plan) -> None:
    if not _shared(told):
        raise RequestError(
            "The options of this plan have no quantity in common that is finite.", f"Its goal: {told.goal}."
        )


@plot("What are the options?", check=_check)
def options(told: Plan) -> Figure:
    """One panel a quantity, one dot an option."""
    names, shared = _labels(told), _shared(told)
    panels = [_panel(told, name, names) for name in shared[:MOST]]
    ends = "" if told.level is None else f"Bars: {told.level:.0%} intervals. "
    left = (f"Not shown: {', '.join(shared[MOST:])}.",) if len(shared) > MOST else ()
    more = len(told.options) - OPTIONS
    cut = (f"{more} further options are not shown.",) if more > 0 else ()
    notes = (f"{ends}The goal: {told.goal}.", *left, *cut)
    unnamed = [replace(p, y=replace(p.y, names=("",) * len(names))) for p in panels[1:]]
    return Figure(options.title, (panels[0], *unnamed), notes, "options")


def _labels(told: Plan) -> list[str]:
    # What tells options apart: their labels, or else the first quantity.
    def first(i: int) -> str:
        option = told.options[i]
        if "flops" in option.estimates:
            return f"{scientific(option['flops'].mid)} FLOP"
        return str(next(iter(option.estimates.values()))).partition(" (")[0]

    return [o.label or first(i) for i, o in enumerate(told.options[:OPTIONS])]


def _shared(told: Plan) -> list[str]:
    # Quantities of every option, those in doubt first.
    shown = told.options[:OPTIONS]
    if not shown:
        return []
    common = [n for n in shown[0].estimates if all(n in o.estimates and np.isfinite(o[n].mid) for o in shown)]
    return sorted(common, key=lambda n: all(o[n].low == o[n].high for o in shown))


def _panel(told: Plan, name: str, names: list[str]) -> Panel:
    estimates = [o[name] for o in told.options[:OPTIONS]]
    scale = "log" if _dots.scale_of(estimates) == "log" else "linear"
    axis = Axis(name, scale) if name in QUANTITIES else Axis("estimate", scale, words=name.replace("_", " "))
    return _dots.dots(axis, names, estimates)

"""The report: one HTML page that holds all it needs and asks no other host for anything."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from isoloss import plots
from isoloss.checking import check
from isoloss.comparing import Outcome, holdout
from isoloss.core import numbers, storage
from isoloss.core.checkup import Checkup
from isoloss.core.errors import RequestError
from isoloss.core.estimate import check_level
from isoloss.core.figure import Figure
from isoloss.core.figure_style import scientific
from isoloss.core.fit import Fit
from isoloss.core.html import policy
from isoloss.core.plan import Option, Plan
from isoloss.core.runs import Runs
from isoloss.core.split import held_out, training
from isoloss.planning import cost, plan
from isoloss.planning.cost import SIZES
from isoloss.reporting import markup, sections

PICTURES = ("compute", "isoflop", "contours", "residuals")
LESS, MORE = 0.1, 10.0  # the budgets planned for beside the one in question, in its multiples


@dataclass(frozen=True, eq=False)
class Content:
    """Everything that a report says, before it is put into words; constants of the literature have no `checkup`."""

    runs: Runs
    fit: Fit
    flops: float
    level: float
    to: Path
    plan: Plan
    around: tuple[Option, ...]
    outcomes: tuple[Outcome, ...]
    figures: tuple[Figure, ...]
    checkup: Checkup | None


def report(runs: Runs, fit: Fit, *, to: Any, flops: Any = None, level: float = 0.9) -> Path:
    """Write a page that answers what to train for a budget, how sure that is, and why; returns its path.

    `runs` are all runs, those held out included (column `split` = 'test'); `fit` is of a law of size and data, fitted
    to the others or taken from the literature. `flops` is the budget in FLOP ("1e18" will do), ten times that of the
    largest run where not given; `level` is that of every interval.
    Raises OutputError before any work where `to` cannot be written, RequestError for a law without size and data,
    ColumnError or CellError for runs that lack what the law needs.
    """
    storage.check_writable(to)
    check_level(level)
    budget = target_budget(runs) if flops is None else numbers.parse(flops)
    storage.write_text(to, render(gather(runs, fit, Path(to), budget, level)))
    return Path(to)


def target_budget(runs: Runs) -> float:
    """Ten times the largest budget 6 N D among the runs, held-out ones included, in FLOP."""
    size = next((s for s in SIZES if s in runs), SIZES[0])
    complete = runs.complete([size, "tokens"])
    if not len(complete):
        raise RequestError("There are no runs to report on.", f"From: {runs.source}.")
    return 10 * float(cost.total(complete[size], complete["tokens"]).max())


def gather(runs: Runs, fit: Fit, to: Path, flops: float, level: float) -> Content:
    """Ask every question whose answer the report holds."""
    asked, less, more = (plan(fit, flops=flops * times, level=level) for times in (1.0, LESS, MORE))
    figures = tuple(plots.find(name)(runs, fit, flops=flops, level=level) for name in PICTURES)
    return Content(
        runs,
        fit,
        flops,
        level,
        to,
        asked,
        (less.options[0], asked.options[0], more.options[0]),
        holdout(fit, held_out(runs), level),
        figures,
        _examined(runs, fit, flops),
    )


def _examined(runs: Runs, fit: Fit, flops: float) -> Checkup | None:
    if fit.origin:
        return None
    return check(training(runs), fit.law, flops=flops, fit=fit, objective=fit.objective[0])


def render(content: Content) -> str:
    """The whole page as text."""
    from plotly.offline import get_plotlyjs

    scripts = (get_plotlyjs(), _part("page.js"))
    return Template(_part("page.html")).substitute(
        policy=policy(scripts),
        title=markup.joined(f"isoloss: what to train for {scientific(content.flops)} FLOP"),
        style=_part("page.css"),
        body=sections.body(content),
        figures=markup.data([_drawn(figure) for figure in content.figures], "figures"),
        plotly=scripts[0],
        script=scripts[1],
    )


def _part(name: str) -> str:
    return resources.files("isoloss.reporting").joinpath(name).read_text(encoding="utf-8")


def _drawn(figure: Figure) -> dict[str, Any]:
    panels = figure.split()
    themes = {theme: [p.to_plotly(theme).to_plotly_json() for p in panels] for theme in ("light", "dark")}
    return {"name": figure.name, **themes}

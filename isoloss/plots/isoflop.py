"""Loss against model size at fixed budgets: where the valley lies, how flat it is, and how it moves."""

from __future__ import annotations

import numpy as np

from isoloss.core.figure import Axis, Band, Figure, Line, Mark, Panel, Points
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.planning import cost
from isoloss.plots import _data, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import check_size_and_data

NEAR = 0.15  # how far a run's budget may lie from a curve's to be drawn on it, as a fraction
MOST = 4  # budgets within the data


@plot("Which size is best for a budget?", check=check_size_and_data)
def isoflop(runs: Runs, fit: Fit, *, flops: float | None = None, level: float = 0.9) -> Figure:
    """Curves of loss over size at several budgets and at the budget in question, with the runs that lie near each."""
    table = _data.table(runs, fit)
    flops = _data.budget(table, flops)
    budgets = [*_budgets(table.fitted), flops]
    best = _data.frontier(fit, np.array(budgets), level)
    marks: list[Mark] = []
    for i, budget in enumerate(budgets):
        near = table.take(np.abs(np.log(table.flops_n / budget)) <= np.log1p(NEAR))
        valley = float(best.size.mid[i])
        shown = np.array([valley / 6, valley * 6, *near.size_n])
        size_m = grid(float(shown.min()) / 1.2, float(shown.max()) * 1.2)
        marks += [*_curve(fit, budget, size_m, table.fitted, level), *_points(fit, near, budget)]
    marks += _minima(best, level)
    colour = Axis(_data.flops_of(fit), span=(min(budgets), 3 * max(budgets[:-1])))  # told apart within the data
    panel = Panel(_data.size_axis(fit), Axis(fit.law.output.name, span=_span(marks)), tuple(marks), colour)
    return Figure(isoflop.title, (panel,), _notes(fit, level), "isoflop")


def _budgets(table: _data.Table) -> list[float]:
    """At most MOST budgets spread over the data, at least a factor 2 apart, each where many sizes were run near it."""
    flops_n = table.flops_n
    near_nn = np.abs(np.log(flops_n[:, None] / flops_n)) <= np.log1p(NEAR)
    sizes_n = np.array([len(np.unique(table.size_n[near])) for near in near_nn])
    part_n = np.digitize(flops_n, np.geomspace(flops_n.min(), flops_n.max(), MOST + 1)[1:-1])
    chosen: list[float] = []
    for part in range(MOST):
        members = np.flatnonzero((part_n == part) & (sizes_n >= min(2, sizes_n.max())))
        if len(members):
            most = members[np.argmax(sizes_n[members])]
            budget = float(np.exp(np.log(flops_n[near_nn[most]]).mean()))
            if not chosen or budget >= 2 * chosen[-1]:
                chosen.append(budget)
    return chosen


def _curve(fit: Fit, budget: float, size_m: np.ndarray, fitted: _data.Table, level: float) -> list[Mark]:
    tokens_m = cost.partner(budget, size_m)
    told = fit.predict(level=level, kind="mean", **_data.inputs(fit, size_m, tokens_m))
    within_m = _data.covered(fitted, size_m, tokens_m)
    return curve(size_m, told.estimate, within_m, Look(_label(fit, budget), value=budget))


def _label(fit: Fit, budget: float) -> str:
    return _data.budget_in_words(fit, budget, digits=2)


def _points(fit: Fit, near: _data.Table, budget: float) -> list[Mark]:
    marks: list[Mark] = []
    for role, label, part in near.parts():
        named, value = (label, None) if role == "held-out" else (_label(fit, budget), budget)
        marks.append(Points(named, role, role == "held-out", part.size_n, part.loss_n, value=value, about=part.about()))
    return marks


def _minima(best: _data.Frontier, level: float) -> list[Mark]:
    label = f"best size ({level:.0%} interval)" if best.size.known else "best size"
    points = Points(label, "optimum", False, best.size.mid, best.loss.mid)
    if not best.size.known:
        return [points]
    ends = np.stack([best.size.low, best.size.high, np.full(len(best.flops_m), np.nan)], axis=-1).ravel()
    return [points, Line(label, "optimum", False, ends, np.repeat(best.loss.mid, 3))]


def _span(marks: list[Mark]) -> tuple[float, float]:
    """The losses worth seeing: from below the lowest to somewhat above the highest run or valley."""
    tops = [m.y for m in marks if isinstance(m, Points)]
    bottoms = [m.low if isinstance(m, Band) else m.y for m in marks if isinstance(m, Band | Line | Points)]
    low, high = np.nanmin(np.concatenate(bottoms)), np.nanmax(np.concatenate(tops))
    return float(low / (high / low) ** 0.06), float(high * (high / low) ** 0.12)


def _notes(fit: Fit, level: float) -> tuple[str, ...]:
    interval = f"Shaded: the {level:.0%} interval of each curve." if len(fit.draws_sp) else "No interval: no draws."
    return (
        "Each curve spends one budget: tokens D = C / 6N.",
        interval,
        f"Points are runs whose budget lies within {NEAR:.0%} of a curve's. Dashed: beyond the sizes, tokens or "
        "budgets of the fitted runs.",
    )

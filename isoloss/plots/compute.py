"""Loss against compute: what was measured, what the law promises for every budget, and how it did beyond its data."""

from __future__ import annotations

import numpy as np

from isoloss.core.figure import Axis, Figure, Mark, Panel, Points, Region
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.plots import _data, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import check_size_and_data


@plot("What loss does a budget buy?", check=check_size_and_data)
def compute(runs: Runs, fit: Fit, *, flops: float | None = None, level: float = 0.9) -> Figure:
    """Runs in the plane of compute and loss, with the law's efficient frontier and the held-out runs marked apart."""
    table = _data.table(runs, fit)
    flops = _data.budget(table, flops)
    edge = float(table.fitted.flops_n.max())
    top = max(30 * edge, 3 * flops, 2 * float(table.flops_n.max()))
    marks = (
        Region("beyond the data", "beyond", x=(edge, None)),
        *_frontier(fit, table.fitted, float(table.flops_n.min()), top, level),
        _runs(table.fitted),
        *_held_out(table.tested, fit, level),
        *_target(fit, flops, level),
    )
    panel = Panel(Axis(_data.flops_of(fit)), Axis(fit.law.output.name), marks, _data.size_axis(fit))
    return Figure(compute.title, (panel,), _notes(fit, table, edge), "compute")


def _frontier(fit: Fit, fitted: _data.Table, low: float, top: float, level: float) -> list[Mark]:
    best = _data.frontier(fit, grid(low, top, float(fitted.flops_n.max()), points=90), level)
    within = _data.covered(fitted, best.size.mid, best.tokens.mid)
    interval = f"{level:.0%} interval of {'one run there' if len(fit.residuals_n) else 'the curve'}"
    look = Look("the law's best for each budget", "the law's best, beyond the runs", interval)
    return curve(best.flops_m, best.loss, within, look)


def _runs(table: _data.Table) -> Points:
    return Points("runs fitted", "run", False, table.flops_n, table.loss_n, values=table.size_n, about=table.about())


def _held_out(table: _data.Table, fit: Fit, level: float) -> list[Mark]:
    if not len(table):
        return []
    told = fit.predict(level=level, **_data.inputs(fit, table.size_n, table.tokens_n))
    bars = {"low": told.low, "high": told.high} if told.estimate.known else {}
    words = f"predicted for them ({level:.0%} interval of one run)" if bars else "predicted for them"
    predicted = Points(words, "law", True, table.flops_n, told.estimate.mid, **bars)
    reached = Points("held-out runs", "held-out", True, table.flops_n, table.loss_n, about=table.about())
    return [predicted, reached]


def _target(fit: Fit, flops: float, level: float) -> list[Mark]:
    best = _data.frontier(fit, np.array([flops]), level)
    bars = {"low": best.loss.low, "high": best.loss.high} if best.loss.known else {}
    return [
        Points(
            f"the plan for {_data.budget_in_words(fit, flops)}", "optimum", True, best.flops_m, best.loss.mid, **bars
        )
    ]


def _notes(fit: Fit, table: _data.Table, edge: float) -> tuple[str, ...]:
    notes = [
        "Training FLOP = 6 N D for runs and frontier alike.",
        f"The law's best is the least loss over all sizes at each budget. It is dashed where its size, its tokens or "
        f"its budget (above {_data.budget_in_words(fit, edge)}) lies beyond the fitted runs.",
        *_counted_otherwise(fit, table),
    ]
    if len(table.tested):
        notes.append(f"{len(table.tested)} held-out runs took no part in the fit.")
    if not len(fit.draws_sp):
        notes.append("No interval is drawn: this fit carries no draws.")
    return tuple(notes)


def _counted_otherwise(fit: Fit, table: _data.Table) -> list[str]:
    name = _data.flops_of(fit)
    if name not in table.runs:
        return []
    ratio = float(np.nanmedian(table.runs[name] / table.flops_n))
    return [f"The runs' own count of FLOP is {ratio:.2f} times 6 N D (median)."] if abs(ratio - 1) > 0.02 else []

"""What each noun shows of itself: a title, facts, tables, notes and findings, before they become HTML or colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.comparison import Comparison
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import STATUS_MEANING, Fit
from isoloss.core.plan import Plan
from isoloss.core.prediction import Prediction
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs

LEVEL = 0.9
ROWS, COLUMNS, CELL = 10, 8, 40
BESIDE = 4  # options that stand side by side


@dataclass(frozen=True)
class Table:
    """A heading, and rows of words as long as it; the first cell of a row names it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Sheet:
    """A title, lines of facts, a table, and what it all rests on; `text` in place of a table is set as it stands."""

    title: str
    facts: Sequence[str] = ()
    table: Table | None = None
    text: str = ""
    notes: Sequence[str] = ()
    findings: Sequence[Finding] = ()


@singledispatch
def of(noun: Any) -> Sheet:
    """The sheet of any noun: what it prints, its first line as the title."""
    title, _, text = str(noun).partition("\n")
    return Sheet(title, text=text)


@of.register
def _(runs: Runs) -> Sheet:
    shown, left = list(runs.columns)[:COLUMNS], list(runs.columns)[COLUMNS:]
    rows = [[str(i + 1), *(_cell(name, runs[name][i]) for name in shown)] for i in range(min(ROWS, len(runs)))]
    facts = [f"{len(runs) - ROWS} more runs"] if len(runs) > ROWS else []
    facts += [f"further columns: {', '.join(left)}"] if left else []
    return Sheet(f"{len(runs)} runs of {runs.source}", facts, Table(["", *map(_headed, shown)], rows), notes=runs.notes)


@of.register
def _(fit: Fit) -> Sheet:
    known = len(fit.draws_sp) > 0
    told = [(name, fit.interval(name, LEVEL)) for name in fit.law.names]
    rows = [[name, *_told(e, known), "held" if name in fit.fixed else ""] for name, e in told]
    head = ["parameter", "estimate", *([f"{LEVEL:.0%} interval"] if known else []), ""]
    facts = [f"status {fit.status}: {STATUS_MEANING[fit.status]}"]
    if fit.objective[0]:
        facts.append(f"objective {fit.objective[0]} = {fit.objective[1]:.8g}")
    facts += [f"scatter of one run {fit.scatter:.2%}"] if math.isfinite(fit.scatter) else []
    title = f"{fit.law.name}: {fit.origin or f'{fit.data.n} runs of {fit.data.source}'}"
    return Sheet(title, facts, Table(head, rows), notes=fit.assumptions, findings=fit.findings)


@of.register
def _(plan: Plan) -> Sheet:
    title = plan.goal if plan.level is None else f"{plan.goal} ({plan.level:.0%} intervals)"
    facts = [f"bounds of what is assumed, and no quantiles: {', '.join(plan.bounds)}"] if plan.bounds else []
    return Sheet(title, facts, _options(plan), notes=plan.assumptions, findings=plan.findings)


@of.register
def _(comparison: Comparison) -> Sheet:
    head = ["law", "parameters", "error", "bias", "crps", "in 90%", "dAICc", "dBIC", "loo", "share"]
    least = min(r.aicc for r in comparison.rivals), min(r.bic for r in comparison.rivals)
    rows = [
        [
            *(r.label, str(r.parameters), f"{r.error:.2%}", f"{r.bias:+.2%}", f"{r.crps:.2%}", f"{r.coverage:.0%}"),
            *(f"{r.aicc - least[0]:.0f}", f"{r.bic - least[1]:.0f}", f"{r.loo:.2%}", f"{r.weight:.0%}"),
        ]
        for r in comparison.rivals
    ]
    at = ", ".join(numbers.short(cut) for cut in comparison.cuts)
    facts = [f"fitted below, predicted above {comparison.measure} = {at}"]
    without = [f"without {law}: {why}" for law, why in comparison.excluded.items()]
    title = f"{comparison.n} runs of {comparison.source}"
    return Sheet(title, facts, Table(head, rows), notes=[*comparison.assumptions, *without])


@of.register
def _(prediction: Prediction) -> Sheet:
    head = [*map(_headed, prediction.inputs), _headed(prediction.quantity)]
    rows = [
        [*(numbers.short(float(v[i])) for v in prediction.inputs.values()), str(prediction.estimate[i])]
        for i in range(min(ROWS, len(prediction.estimate)))
    ]
    left = len(prediction.estimate) - ROWS
    what = "a new run" if prediction.kind == "run" else "the mean curve"
    title = f"{prediction.quantity} ({prediction.level:.0%} interval of {what})"
    facts = [f"{left} more points"] if left > 0 else []
    return Sheet(title, facts, Table(head, rows), notes=prediction.assumptions, findings=prediction.findings)


def _options(plan: Plan) -> Table:
    # A column an option where there are few, else a row an option.
    names = list(dict.fromkeys(name for option in plan.options for name in option.estimates))
    labels = [
        option.label or (f"option {i}" if plan.options[1:] else "estimate") for i, option in enumerate(plan.options, 1)
    ]
    cells = [[str(option.estimates.get(name, "")) for name in names] for option in plan.options]
    if len(plan.options) <= BESIDE:
        headed = [_headed(name).replace("\n", " ") for name in names]
        return Table(["quantity", *labels], [[name, *told] for name, *told in zip(headed, *cells, strict=True)])
    return Table(["option", *map(_headed, names)], [[label, *told] for label, told in zip(labels, cells, strict=True)])


def _told(estimate: Estimate, known: bool) -> Iterable[str]:
    mid, _, interval = str(estimate).partition(" (")
    return (mid, interval.rstrip(")")) if known else (mid,)


def _headed(name: str) -> str:
    unit = QUANTITIES[name].unit if name in QUANTITIES else "1"
    return name if unit == "1" else f"{name}\n({unit})"


def _cell(name: str, value: Any) -> str:
    if name in QUANTITIES or isinstance(value, float | np.floating):
        return numbers.short(float(value), 4)
    words = str(value)
    return words if len(words) <= CELL else f"{words[: CELL - 3]}..."

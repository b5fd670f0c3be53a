"""What the pictures share: the runs in a law's own columns, and the efficient frontier from the planner.

Shapes: `n` runs, `m` budgets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.estimate import Estimate
from isoloss.core.figure import Axis, Role
from isoloss.core.figure_style import scientific
from isoloss.core.fit import Fit
from isoloss.core.quantities import quantity
from isoloss.core.runs import Runs
from isoloss.core.split import is_held_out
from isoloss.planning import cost, plan
from isoloss.planning.cost import SIZES, count_of_compute
from isoloss.plots._curves import check_fitted


@dataclass(frozen=True, eq=False)
class Table:
    """Runs as a law of size and data sees them, with compute counted as 6 N D: every array is (n,)."""

    runs: Runs
    size_n: np.ndarray
    tokens_n: np.ndarray
    flops_n: np.ndarray
    loss_n: np.ndarray
    held_out_n: np.ndarray

    def take(self, rows: Any) -> Table:
        """The rows of a mask."""
        arrays = (self.size_n, self.tokens_n, self.flops_n, self.loss_n, self.held_out_n)
        return Table(self.runs.take(rows), *(a[rows] for a in arrays))

    def __len__(self) -> int:
        return len(self.loss_n)

    @property
    def fitted(self) -> Table:
        """The runs that are not held out."""
        return self.take(~self.held_out_n)

    @property
    def tested(self) -> Table:
        """The held-out runs."""
        return self.take(self.held_out_n)

    def parts(self) -> Iterator[tuple[Role, str, Table]]:
        """The fitted and the held-out runs, each with its role and its label, where there are any."""
        if len(self.fitted):
            yield "run", "runs fitted", self.fitted
        if len(self.tested):
            yield "held-out", "held-out runs", self.tested

    def about(self) -> dict[str, Sequence[Any]]:
        """What a marker says when pointed at: the run's name, where it has one, its size and its data."""
        name = self.runs.named_by
        named: dict[str, Sequence[Any]] = {name: [str(v) for v in self.runs[name]]} if name else {}
        sizes = [numbers.short(float(v)) for v in self.size_n]
        return named | {"N": sizes, "D": [numbers.short(float(v)) for v in self.tokens_n]}


def size_of(fit: Fit) -> str:
    """The quantity by which the law counts model size."""
    return next(s for s in SIZES if s in fit.law.columns)


def flops_of(fit: Fit) -> str:
    """The quantity by which compute is counted as 6 N D, N being the law's own size."""
    return count_of_compute(size_of(fit))


def table(runs: Runs, fit: Fit) -> Table:
    """The runs in the law's columns; those with `split` = 'test' are held out. Raises ColumnError, DesignError."""
    complete = runs.complete([*fit.law.columns, fit.law.output.name])
    size_n, tokens_n = complete[size_of(fit)], complete["tokens"]
    held_out_n = is_held_out(complete)
    check_fitted(complete)
    loss_n = complete[fit.law.output.name]
    return Table(complete, size_n, tokens_n, cost.total(size_n, tokens_n), loss_n, held_out_n)


def size_axis(fit: Fit, span: tuple[float, float] | None = None) -> Axis:
    """An axis of model size, by the law's own count."""
    return Axis(size_of(fit), words=f"model size {quantity(size_of(fit)).symbol}", span=span)


def budget(table: Table, flops: float | None) -> float:
    """The budget in question in FLOP: the one that is given, else ten times the largest of the runs."""
    return 10 * float(table.flops_n.max()) if flops is None else flops


def budget_in_words(fit: Fit, flops: float, digits: int = 3) -> str:
    """'3×10¹⁴ FLOP'."""
    return f"{scientific(flops, digits)} {quantity(flops_of(fit)).unit}"


def inputs(fit: Fit, size: Any, tokens: Any) -> Mapping[str, Any]:
    """Named columns for `Fit.predict`."""
    return {size_of(fit): size, "tokens": tokens}


@dataclass(frozen=True, eq=False)
class Frontier:
    """The best use of each budget: estimates of size, data and loss, arrays (m,)."""

    flops_m: np.ndarray
    size: Estimate
    tokens: Estimate
    loss: Estimate


def frontier(fit: Fit, flops_m: np.ndarray, level: float) -> Frontier:
    """The planner's answer for each of m budgets in FLOP."""
    options = plan(fit, flops=[float(c) for c in flops_m], level=level).options

    def gathered(name: str) -> Estimate:
        return Estimate(*(np.array([getattr(o[name], end) for o in options], float) for end in ("mid", "low", "high")))

    return Frontier(flops_m, gathered(size_of(fit)), gathered("tokens"), gathered(fit.law.output.name))


def covered(fitted: Table, size_m: Any, tokens_m: Any) -> np.ndarray:
    """Whether points lie within the sizes, the tokens and the budgets of the fitted runs: a mask (m,)."""
    flops_m = cost.total(size_m, tokens_m)
    within = (flops_m <= (1 + 1e-9) * fitted.flops_n.max()) & (flops_m >= (1 - 1e-9) * fitted.flops_n.min())
    for value_m, seen_n in ((size_m, fitted.size_n), (tokens_m, fitted.tokens_n)):
        within &= (value_m >= seen_n.min()) & (value_m <= seen_n.max())
    return within

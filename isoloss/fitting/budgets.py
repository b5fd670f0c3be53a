"""Sorts runs into isoFLOP budgets: by a column that labels them, or by how near their compute lies.

Shapes: `n` runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.runs import Runs

SIZES = ("params", "body_params", "matmul_params", "active_params")
LABELS = ("budget", "isoflop", "C_label", "flops_label", "flops_budget")
SETTINGS = ("lr", "batch")  # what is tuned for a size: of runs that differ in these alone, the best one counts
LEAST_SIZES = 3  # a valley needs a bottom and two sides


@dataclass(frozen=True)
class Sweep:
    """The columns that isoFLOP profiles and envelopes need, by role, with the names they had."""

    runs: Runs
    size: str
    compute: str
    output: str

    @property
    def size_n(self) -> np.ndarray:
        return self.runs[self.size]

    @property
    def flops_n(self) -> np.ndarray:
        return self.runs[self.compute]

    @property
    def tokens_n(self) -> np.ndarray:
        return self.runs["tokens"]

    @property
    def loss_n(self) -> np.ndarray:
        return self.runs[self.output]


@dataclass(frozen=True, eq=False)
class Budget:
    """The runs (row numbers) of one budget, in order of size; `flops` is the middle of their compute, in logarithms."""

    flops: float
    rows_n: np.ndarray

    def __str__(self) -> str:
        return f"{numbers.short(self.flops)} FLOP"


def sweep(runs: Runs, size: str | None, output: str) -> Sweep:
    """The runs with size, tokens, compute and output present; what follows from other columns is derived.

    Raises RequestError for a size that is none, ColumnError or CellError for what is missing, DesignError where the
    output has no logarithm.
    """
    if size is not None and size not in SIZES:
        raise RequestError(f"'{size}' is no count of a model's size.", f"Counts: {', '.join(SIZES)}.")
    chosen = size or next((name for name in SIZES if name in runs), "params")
    compute = "body_flops" if chosen == "body_params" else "flops"
    table = runs.complete([chosen, compute, "tokens", output])
    rows = np.flatnonzero(table[output] <= 0)
    if len(rows):
        raise DesignError(
            f"{output} is {table[output][rows[0]]:g} in run {rows[0] + 1}, which has no logarithm.",
            f"From: {runs.source}.",
            "Leave that run out.",
        )
    return Sweep(table, chosen, compute, output)


def by_budget(table: Sweep, label: str | None, tolerance: float) -> tuple[list[Budget], tuple[str, ...]]:
    """The budgets, least first, and how they were told apart, in sentences.

    With `label`, a column, runs of one value share a budget; otherwise budgets are found where most runs lie within
    `tolerance` of a common compute. Raises DesignError where fewer than two budgets hold three sizes.
    """
    if not 0 < tolerance < 1:
        raise RequestError(f"tolerance={tolerance} is not between 0 and 1.", do="For 10% either way, tolerance=0.1.")
    known = label or next((name for name in LABELS if name in table.runs), None)
    groups = _labelled(table, known) if known else _near(table, tolerance)
    budgets = [_budget(table, rows_n) for rows_n in groups if _sizes(table, rows_n) >= LEAST_SIZES]
    if len(budgets) < 2:
        raise DesignError(
            f"{len(budgets) or 'No'} budget{'' if len(budgets) == 1 else 's'} of these {len(table.runs)} runs "
            f"hold{'s' if len(budgets) == 1 else ''} {LEAST_SIZES} sizes or more, and a profile needs them.",
            f"Budgets were told apart by {f'the column {known}' if known else f'compute within {tolerance:.0%}'}. "
            f"From: {table.runs.source}.",
            "Name the column that holds the budget (budget=...), widen tolerance=..., or fit a law of size and data.",
        )
    told = f"budgets told apart by the column '{known}'" if known else f"a budget is compute within {tolerance:.0%}"
    kept = sum(len(budget.rows_n) for budget in budgets)
    left = len(table.runs) - kept
    alone = (f"{left} of {len(table.runs)} runs belong to no budget of {LEAST_SIZES} sizes and are left out",)
    return sorted(budgets, key=lambda b: b.flops), (told, *(alone if left else ()))


def tuned(table: Sweep, budgets: list[Budget]) -> tuple[list[Budget], tuple[str, ...]]:
    """The budgets with the best run alone of each size that was run at several settings, and how many that left out."""
    kept = [Budget(budget.flops, _best_settings(table, budget.rows_n)) for budget in budgets]
    lost = sum(len(b.rows_n) for b in budgets) - sum(len(b.rows_n) for b in kept)
    if not lost:
        return budgets, ()
    return kept, (f"of runs of one size and budget at several settings the best counts: {lost} runs left out",)


def _labelled(table: Sweep, label: str) -> list[np.ndarray]:
    words_n = np.array([str(v) for v in table.runs[label]])
    return [np.flatnonzero(words_n == word) for word in np.unique(words_n)]


def _near(table: Sweep, tolerance: float) -> list[np.ndarray]:
    # Greedily: the window of compute that holds most runs is a budget, then again among the runs left.
    order_n = np.argsort(table.flops_n, kind="stable")
    log_n, width = np.log(table.flops_n[order_n]), 2 * np.log1p(tolerance)
    groups = []
    while len(log_n):
        end_n = np.searchsorted(log_n, log_n + width, side="right")
        first = int(np.argmax(end_n - np.arange(len(log_n))))
        inside = slice(first, int(end_n[first]))
        groups.append(order_n[inside])
        log_n, order_n = np.delete(log_n, inside), np.delete(order_n, inside)
    return groups


def _budget(table: Sweep, rows_n: np.ndarray) -> Budget:
    flops = float(np.sqrt(table.flops_n[rows_n].min()) * np.sqrt(table.flops_n[rows_n].max()))
    return Budget(flops, rows_n[np.lexsort((table.loss_n[rows_n], table.size_n[rows_n]))])


def _sizes(table: Sweep, rows_n: np.ndarray) -> int:
    return len(np.unique(table.size_n[rows_n]))


def _best_settings(table: Sweep, rows_n: np.ndarray) -> np.ndarray:
    # Rows come in order of size and then of loss, so the first of a size is its best.
    names = [name for name in SETTINGS if name in table.runs]
    is_kept_n = np.ones(len(rows_n), bool)
    for size in np.unique(table.size_n[rows_n]):
        same = np.flatnonzero(table.size_n[rows_n] == size)
        if any(len(np.unique(table.runs[name][rows_n[same]])) > 1 for name in names):
            is_kept_n[same[1:]] = False
    return rows_n[is_kept_n]

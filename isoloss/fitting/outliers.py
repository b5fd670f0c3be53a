"""Which runs lie so far off their isoFLOP profile that they must not shape it.

Shapes: `n` runs, `d` coefficients of the curve.
"""

from __future__ import annotations

import numpy as np

from isoloss.core.finding import Finding
from isoloss.core.runs import Runs
from isoloss.fitting.isoflop_grid import Grid
from isoloss.fitting.profiles import LEAST

FAR_OFF = 8.0  # robust standard deviations
ROUNDS, STEPS = 4, 30
NAMED = 5


def outliers(grid: Grid, level_n: np.ndarray) -> tuple[np.ndarray, list[Finding]]:
    """Which runs (n,) are over FAR_OFF robust standard deviations off their profile, and the finding that names them.

    Profiles of least absolute residuals tell; the deviation is pooled over budgets. A budget keeps the sizes that its
    curve needs.
    """
    is_out_n, off_n = np.zeros(len(level_n), bool), np.zeros(len(level_n))
    for _ in range(ROUNDS):
        rows_n, rest_n, spare = _residuals(grid, level_n, is_out_n)
        deviation = 1.4826 * float(np.median(np.abs(rest_n))) * np.sqrt(len(rest_n) / max(spare, 1))
        found = rows_n[np.abs(rest_n) > FAR_OFF * deviation] if deviation > 0 else rows_n[:0]
        found = _sparing(grid, is_out_n, found)
        if not len(found):
            break
        off_n[rows_n] = rest_n
        is_out_n[found] = True
    return is_out_n, _finding(grid.table.runs, np.flatnonzero(is_out_n), off_n)


def _residuals(grid: Grid, level_n: np.ndarray, is_out_n: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    rows, rests, spare = [], [], 0
    degree = 3 if grid.method == "cubic" else 2
    for budget, curve in zip(grid.budgets, grid.profiles(level_n, is_out_n), strict=True):
        rows.append(budget.rows_n[curve.used_n])
        rests.append(_least_absolute(curve.x_n, level_n[rows[-1]], min(degree, len(np.unique(curve.x_n)) - 1)))
        spare += max(len(curve.x_n) - degree - 1, 0)
    return np.concatenate(rows), np.concatenate(rests), spare


def _least_absolute(x_n: np.ndarray, y_n: np.ndarray, degree: int) -> np.ndarray:
    basis_nd = np.vander(x_n - x_n.mean(), degree + 1)
    weight_n = np.ones(len(x_n))
    rest_n = y_n
    for _ in range(STEPS):
        root_n = np.sqrt(weight_n)
        rest_n = y_n - basis_nd @ np.linalg.lstsq(basis_nd * root_n[:, None], y_n * root_n, rcond=None)[0]
        weight_n = 1.0 / np.maximum(np.abs(rest_n), 1e-6)
    return rest_n


def _sparing(grid: Grid, is_out_n: np.ndarray, found: np.ndarray) -> np.ndarray:
    kept = []
    for budget in grid.budgets:
        mine = np.intersect1d(budget.rows_n, found)
        left = budget.rows_n[~is_out_n[budget.rows_n] & ~np.isin(budget.rows_n, mine)]
        if len(np.unique(grid.table.size_n[left])) >= LEAST[grid.method]:
            kept.append(mine)
    return np.concatenate(kept) if kept else found[:0]


def _finding(runs: Runs, rows: np.ndarray, off_n: np.ndarray) -> list[Finding]:
    if not len(rows):
        return []
    worst = rows[np.argsort(-np.abs(off_n[rows]), kind="stable")][:NAMED]
    told = ", ".join(f"{runs_name(runs, int(i))} by {np.expm1(off_n[i]):+.1%}" for i in worst)
    more = f" and {len(rows) - len(worst)} more" if len(rows) > len(worst) else ""
    subject = "One run is" if len(rows) == 1 else f"{len(rows)} runs are"
    sentence = (
        f"{subject} far off the profile of {'its' if len(rows) == 1 else 'their'} budget and left out: {told}{more}."
    )
    return [Finding("B4", "amber", sentence, float(len(rows)), "Look at their training curves.")]


def runs_name(runs: Runs, row: int) -> str:
    """What a run is called: by its name, where the table names runs, else by its row, counted from 1."""
    name = runs.named_by or next((n for n in ("run_id",) if n in runs), None)
    return f"run {runs[name][row]}" if name else f"row {row + 1}"

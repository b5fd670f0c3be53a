"""The runs of an isoFLOP sweep by budget: from a table of log losses to profiles, to their minima, to draws of both.

Shapes: `n` runs, `b` budgets, `t` the best estimate and then the draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.fitting import profiles
from isoloss.fitting.budgets import Budget, Sweep
from isoloss.fitting.frontier_fits import Points
from isoloss.fitting.frontier_lines import line
from isoloss.fitting.profiles import Profile

ACCOUNTING = 1e-3  # how far C may be from 6 N D, relatively, and still count as it


@dataclass(frozen=True, eq=False)
class Grid:
    """The runs by budget and how a budget's minimum is found: all that a table of losses needs to become optima."""

    table: Sweep
    budgets: list[Budget]
    method: str
    reach: float

    def levelled(self, log_loss_n: np.ndarray) -> np.ndarray:
        """Log losses moved to their budget's compute along the line through the budgets' lowest losses."""
        moved_n = log_loss_n.copy()
        at_b = np.array([np.log(b.flops) for b in self.budgets])
        lowest_b = np.array([log_loss_n[b.rows_n].min() for b in self.budgets])
        slope = float(line(at_b, lowest_b[:, None], np.ones(len(at_b)))[1, 0])
        for budget, at in zip(self.budgets, at_b, strict=True):
            moved_n[budget.rows_n] += slope * (at - np.log(self.table.flops_n[budget.rows_n]))
        return moved_n

    def profiles(self, level_n: np.ndarray, is_out_n: np.ndarray) -> list[Profile]:
        """One curve a budget, through its levelled log losses."""
        return [
            profiles.profile(
                np.log(self.table.size_n[b.rows_n]), level_n[b.rows_n], self.method, self.reach, is_out_n[b.rows_n]
            )
            for b in self.budgets
        ]

    def points(self, curves: list[Profile], levels: list[np.ndarray]) -> Points:
        """The minima of the curves through draws of their levelled log losses, one (t, n) a budget."""
        x_b = np.array([np.log(b.flops) for b in self.budgets])
        found = [curve.minima(y_tn) for curve, y_tn in zip(curves, levels, strict=True)]
        size_bt, loss_bt = (np.stack(part) for part in zip(*found, strict=True))
        spent_bt = np.stack(
            [_accounted(self.table, b, c, x) for b, c, x in zip(self.budgets, curves, size_bt, strict=True)]
        )
        tokens_bt = x_b[:, None] - np.log(FLOP_PER_PARAM_AND_TOKEN) - size_bt + spent_bt
        return Points(x_b, size_bt, tokens_bt, loss_bt, np.array([curve.grain for curve in curves]))

    def best(self, curves: list[Profile]) -> list[np.ndarray]:
        """The levelled log losses of each curve's runs, as one set (1, n)."""
        return [(c.smooth_n + c.residual_n)[None] for c in curves]

    def used(self, curves: list[Profile]) -> np.ndarray:
        """Which runs (n,) the curves go through."""
        is_used_n = np.zeros(len(self.table.runs), bool)
        for budget, curve in zip(self.budgets, curves, strict=True):
            is_used_n[budget.rows_n[curve.used_n]] = True
        return is_used_n

    def only(self, is_kept_b: np.ndarray) -> Grid:
        """The same with some budgets only."""
        return replace(self, budgets=[b for b, kept in zip(self.budgets, is_kept_b, strict=True) if kept])


def errors(curves: list[Profile]) -> np.ndarray:
    """Residuals of all curves at the size they had before a curve was drawn through them, around zero."""
    free = [c.leverage_n < 1 - 1e-9 for c in curves]
    parts = [c.residual_n[f] / np.sqrt(1 - c.leverage_n[f]) for c, f in zip(curves, free, strict=True)]
    error_n = np.concatenate(parts)
    return error_n - error_n.mean() if len(error_n) else np.zeros(1)


def drawn(curves: list[Profile], error_n: np.ndarray, noise: float | None, draws: int, seed: int) -> list[np.ndarray]:
    """Levelled log losses of each curve's runs, (t, n): as they are, then with errors, or normal noise, drawn anew."""
    rng = np.random.default_rng(seed)

    def shaken(shape: tuple[int, int]) -> np.ndarray:
        return rng.choice(error_n, shape) if noise is None else noise * rng.standard_normal(shape)

    return [
        np.concatenate([(c.smooth_n + c.residual_n)[None], _centre(c) + shaken((draws, len(c.x_n)))]) for c in curves
    ]


def _centre(curve: Profile) -> np.ndarray:
    # An interpolation is drawn about the losses themselves, a smooth curve about the curve.
    return curve.smooth_n + curve.residual_n if curve.method == "akima" else curve.smooth_n


def _accounted(table: Sweep, budget: Budget, curve: Profile, x_t: np.ndarray) -> np.ndarray:
    # log (6 N D / C) at log sizes x: zero where compute is 6 N D, else a parabola through the profile's runs.
    rows_n = budget.rows_n[curve.used_n]
    share_n = np.log(FLOP_PER_PARAM_AND_TOKEN * table.size_n[rows_n] * table.tokens_n[rows_n] / table.flops_n[rows_n])
    if np.abs(share_n).max() < ACCOUNTING:
        return np.zeros_like(x_t)
    return np.polyval(np.polyfit(curve.x_n, share_n, 2), x_t)

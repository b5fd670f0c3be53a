"""isoflop(): Chinchilla's approach 2, power laws through the lowest points of isoFLOP profiles.

Hoffmann et al. 2022, section 3.2. Shapes: `n` runs, `b` budgets, `s` draws, `t` the best estimate and then the draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import gravest_first
from isoloss.core.fit import Data
from isoloss.core.frontier import Frontier, Optimum
from isoloss.fitting import checks, grid_bias, profiles
from isoloss.fitting import isoflop_findings as said
from isoloss.fitting.budgets import by_budget, sweep, tuned
from isoloss.fitting.frontier_fits import Points, Weights, fits
from isoloss.fitting.frontier_lines import line
from isoloss.fitting.isoflop_grid import Grid, drawn, errors
from isoloss.fitting.outliers import outliers
from isoloss.fitting.profiles import Profile
from isoloss.fitting.rows import as_runs

REACH = 8.0
TOLERANCE = 0.1
FAR = 100.0  # how far beyond the largest budget the bias is told, unless asked otherwise
WEIGHING_DRAWS, WEIGHING_SEED = 200, 20220329  # the draws that weigh the budgets are always the same
LESS_BIAS = "Centre the sizes of every budget on its optimum, narrow reach=..., or fit a law of size and data."


def isoflop(
    runs: Any,
    *,
    method: str = "quadratic",
    reach: float = REACH,
    budget: str | None = None,
    tolerance: float = TOLERANCE,
    size: str | None = None,
    output: str = "loss",
    noise: float | None = None,
    draws: int = 1000,
    seed: int = 0,
    flops: Any = None,
) -> Frontier:
    """Fit Chinchilla's approach 2: the best size of each compute budget, and power laws through these.

    `runs` is a `Runs` table, a path or a data frame with sizes, losses, and tokens or compute. Budgets are the values
    of the column `budget`, or compute that lies within `tolerance` of a common one. For each budget a curve of log
    loss against log size: `method` is "quadratic" (the paper's; here through the runs within a factor `reach` of the
    minimum alone, where the valley is nearly a parabola: least error on simulated sweeps), "cubic", or "akima", an
    interpolation. Only minima between sizes count; a budget without one is left out and named. Runs more than eight
    robust standard deviations off their profile are left out and named.
    Draws are a bootstrap of noise: the profiles' residuals, pooled over budgets, are drawn onto the curves; with
    `noise`, normal noise of that relative size instead (that of repeated seeds). The bias that the procedure has on
    these very runs is simulated and told at `flops` (100 times the largest budget, unless given); draws leave it out.
    `size` and `output` name the columns, where there are several.

    Raises DesignError where fewer than two budgets have a minimum, UnknownNameError (method), RequestError (reach,
    tolerance, noise, draws or seed that cannot be), ColumnError or CellError (missing or unreadable numbers).
    Source: Hoffmann et al. 2022, section 3.2; noise bootstrap as Porian et al. 2024.
    """
    _check(method, reach, noise, draws, seed)
    given = as_runs(runs)
    table = sweep(given, size, output)
    budgets, told = by_budget(table, budget, tolerance)
    budgets, chosen = tuned(table, budgets)
    grid = Grid(table, budgets, method, reach)
    level_n = grid.levelled(np.log(table.loss_n))
    is_out_n, odd = outliers(grid, level_n)

    curves = grid.profiles(level_n, is_out_n)
    inside_b = np.isfinite(grid.points(curves, grid.best(curves)).size_bt[:, 0])
    edges = said.edge_findings(grid, curves, inside_b)
    said.require_two(grid, inside_b, edges)
    kept, curves_kept = grid.only(inside_b), [c for c, kept in zip(curves, inside_b, strict=True) if kept]

    error_n = errors(curves_kept)
    weights = Weights.of(kept.points(curves_kept, drawn(curves_kept, error_n, noise, WEIGHING_DRAWS, WEIGHING_SEED)))
    points = kept.points(curves_kept, drawn(curves_kept, error_n, noise, draws, seed))
    moved = points.strayed(weights.size, weights.loss, np.random.default_rng([seed, 1]))
    parts = fits(moved, weights, table, Data.of(table.runs, given), error_n, seed)

    target = numbers.parse(flops) if flops is not None else FAR * kept.budgets[-1].flops
    bias = grid_bias.bias(table, kept.used(curves_kept), _procedure(kept, is_out_n, weights), target)
    return Frontier(
        approach="isoflop",
        method=f"{method} profiles",
        size=parts[0],
        tokens=parts[1],
        loss=parts[2],
        optima=_optima(grid, curves, inside_b, points),
        findings=gravest_first(
            [
                *edges,
                *odd,
                *said.hardly(kept, points),
                *said.few(kept),
                grid_bias.bias_finding(bias, parts[0], LESS_BIAS),
            ]
        ),
        assumptions=(
            *table.runs.notes,
            *told,
            *chosen,
            *said.levelling(grid),
            f"profiles of log loss through the runs within a factor {reach:g} of the lowest point",
            said.noise_stated(noise, len(error_n)),
            *said.covers_stated(method),
            said.law_stated(weights.has_floor, table.output),
            *said.accounting_stated(kept),
        ),
        bias=bias,
    )


def _check(method: str, reach: float, noise: float | None, draws: int, seed: int) -> None:
    checks.check_request(draws, seed)
    profiles.check_method(method)
    if not reach > 1:
        raise RequestError(
            f"reach={reach:g} is not above 1.", do="It is a factor of size: reach=8; reach=inf takes all."
        )
    if noise is not None and not 0 < noise < 1:
        raise RequestError(
            f"noise={noise:g} is not between 0 and 1.", do="It is the relative scatter of the loss: noise=0.003."
        )


def _procedure(grid: Grid, is_out_n: np.ndarray, weights: Weights) -> grid_bias.Procedure:
    def run(log_loss_n: np.ndarray) -> tuple[float, float]:
        curves = grid.profiles(grid.levelled(log_loss_n), is_out_n)
        points = grid.points(curves, grid.best(curves))
        intercept, slope = line(points.x_b, points.size_bt, weights.size.weight_b)[:, 0]
        return float(intercept), float(slope)

    return run


def _optima(grid: Grid, curves: list[Profile], inside_b: np.ndarray, points: Points) -> tuple[Optimum, ...]:
    def estimate(log_t: np.ndarray) -> Estimate:
        with np.errstate(all="ignore"):
            return Estimate.of(float(np.exp(log_t[0])), np.exp(log_t[1:]), 0.9)

    nothing, place = Estimate(float("nan")), iter(range(len(points.x_b)))
    made = []
    for budget, curve, inside in zip(grid.budgets, curves, inside_b, strict=True):
        runs = len(curve.used_n)
        if not inside:
            made.append(Optimum(budget.flops, runs, nothing, nothing, nothing, said.edge(grid, budget, curve)))
            continue
        b = next(place)
        size, tokens, loss = (estimate(log_bt[b]) for log_bt in (points.size_bt, points.tokens_bt, points.loss_bt))
        made.append(Optimum(budget.flops, runs, size, tokens, loss))
    return tuple(made)

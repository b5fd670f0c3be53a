"""What an isoFLOP fit tells beside its numbers: budgets without a minimum, those hardly bracketed, and what is assumed.

Shapes: `b` budgets.
"""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.finding import Finding
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.fitting import profiles
from isoloss.fitting.budgets import Budget
from isoloss.fitting.frontier_fits import Points
from isoloss.fitting.isoflop_grid import ACCOUNTING, Grid
from isoloss.fitting.profiles import Profile

COVERS = {
    "cubic": "90% intervals of the exponent through cubics held it in 80% to 92% of simulated sweeps",
    "akima": "90% intervals of the exponent through interpolations held it in 75% to 99% of simulated sweeps",
}
HARDLY = 0.05  # the share of draws without a minimum from which on a budget is hardly bracketed


def edge(grid: Grid, budget: Budget, curve: Profile) -> str:
    """Why a budget without an inside minimum does not count, with the edge it falls towards."""
    sizes_n = grid.table.size_n[budget.rows_n[curve.used_n]]
    end = profiles.edge(curve.x_n, curve.smooth_n + curve.residual_n)
    at = numbers.short(float(sizes_n.min() if end == "smallest" else sizes_n.max()))
    return f"no minimum between its sizes: the profile falls towards the {end}, {at}"


def edge_findings(grid: Grid, curves: list[Profile], inside_b: np.ndarray) -> list[Finding]:
    """B3, amber, for each budget that has no minimum between its sizes."""
    found = []
    for budget, curve, inside in zip(grid.budgets, curves, inside_b, strict=True):
        if not inside:
            why = edge(grid, budget, curve)
            which = "smaller" if "smallest" in why else "larger"
            sentence = f"The budget of {budget} has {why}; it is left out."
            found.append(Finding("B3", "amber", sentence, budget.flops, f"Add {which} models at that budget."))
    return found


def require_two(grid: Grid, inside_b: np.ndarray, edges: list[Finding]) -> None:
    """DesignError where fewer than two budgets have a minimum between their sizes."""
    if inside_b.sum() < 2:
        raise DesignError(
            f"{int(inside_b.sum()) or 'None'} of {len(grid.budgets)} budgets show{'s' if inside_b.sum() == 1 else ''} "
            "a lowest point between two sizes, and a power law needs two.",
            " ".join(f.sentence for f in edges),
            "Add models on the side that is missing, or fit a law of size and data: isoloss.fit(runs).",
        )


def hardly(grid: Grid, points: Points) -> list[Finding]:
    """B3, amber: the budgets of which many draws have no minimum between the sizes."""
    lost_b = np.isnan(points.draws.size_bt).mean(axis=1) if points.size_bt.shape[1] > 1 else np.zeros(len(points.x_b))
    barely = np.flatnonzero(lost_b > HARDLY)
    if not len(barely):
        return []
    told = ", ".join(f"{numbers.short(grid.budgets[b].flops)} FLOP ({lost_b[b]:.0%})" for b in barely)
    sentence = (
        f"Hardly bracketed: draws of these budgets have no minimum between the sizes and do not count there: {told}."
    )
    return [Finding("B3", "amber", sentence, float(lost_b.max()), "Add models beyond the optimum on both sides.")]


def few(grid: Grid) -> list[Finding]:
    """B3, amber: two budgets alone."""
    if len(grid.budgets) > 2:
        return []
    sentence = "Only two budgets have an optimum: nothing shows whether a power law holds between them."
    return [Finding("B3", "amber", sentence, 2.0, "Add a third budget.")]


def levelling(grid: Grid) -> tuple[str, ...]:
    """That losses were moved to a common compute, and from how far, where they were."""
    flops_n = grid.table.flops_n
    most = max(float(np.abs(np.log(flops_n[b.rows_n] / b.flops)).max()) for b in grid.budgets)
    if most < ACCOUNTING:
        return ()
    return (f"losses moved along the trend of the lowest ones to their budget's compute, from at most {most:.1%} away",)


def noise_stated(noise: float | None, n: int) -> str:
    """What the draws are of."""
    if noise is not None:
        return f"draws are of normal noise of {noise:.2%} in the loss, and of what the power laws leave over"
    return f"draws are of the profiles' {n} residuals, pooled over budgets, and of what the power laws leave over"


def covers_stated(method: str) -> tuple[str, ...]:
    """That the intervals of a kind of curve do not hold what they promise, as measured."""
    return (COVERS[method],) if method in COVERS else ()


def law_stated(has_floor: bool, output: str) -> str:
    """Which law the optimal losses follow."""
    if has_floor:
        return f"the optimal {output} follows a power law with a floor"
    return f"the optimal {output} follows a plain power law: these budgets show no floor"


def accounting_stated(grid: Grid) -> tuple[str, ...]:
    """That compute is not 6 N D, where it is not."""
    rows_n = np.concatenate([b.rows_n for b in grid.budgets])
    table = grid.table
    share_n = FLOP_PER_PARAM_AND_TOKEN * table.size_n[rows_n] * table.tokens_n[rows_n] / table.flops_n[rows_n]
    if np.abs(share_n - 1).max() < 10 * ACCOUNTING:
        return ()
    return (f"tokens by the runs' own count of compute, of which 6 N D is {share_n.min():.2f} to {share_n.max():.2f}",)

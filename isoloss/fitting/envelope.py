"""envelope(): Chinchilla's approach 1, power laws through the lowest of all training curves at each compute.

Hoffmann et al. 2022, section 3.1. Shapes: `n` checkpoints, `r` training runs, `m` values of compute,
`t` the best estimate and then the draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding, gravest_first
from isoloss.core.fit import Data
from isoloss.core.frontier import Frontier, Optimum
from isoloss.fitting import checks, grid_bias
from isoloss.fitting.budgets import Sweep, sweep
from isoloss.fitting.frontier_fits import Points, Weights, fits
from isoloss.fitting.frontier_lines import line
from isoloss.fitting.rows import as_runs

RUN_NAMES = ("run", "name", "id", "run_id")
POINTS = 150  # values of compute at which the curves are compared
LEAST_SIZES = 4
FAR = 100.0  # how far beyond the last optimum the bias is told, unless asked otherwise
LESS_BIAS = "Where single runs scatter, the luckiest wins: fit a law of size and data, or add sizes at both ends."
WEIGHING_DRAWS, WEIGHING_SEED = 200, 20220329


@dataclass(frozen=True, eq=False)
class Curves:
    """Training curves at common values of compute x_m: log loss and log tokens (r, m), NaN where a curve is not."""

    x_m: np.ndarray
    size_r: np.ndarray
    loss_rm: np.ndarray
    tokens_rm: np.ndarray

    def winners(self, present_r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The run of least loss at each compute (m,), and where that counts: the longest stretch of compute on which
        smaller and larger runs were there to beat it. A whole stretch, for to choose by size would flatten the law."""
        has_rm = np.isfinite(self.loss_rm) & present_r[:, None]
        best_m = np.where(has_rm, self.loss_rm, np.inf).argmin(axis=0)
        size_rm = np.broadcast_to(self.size_r[:, None], has_rm.shape)
        least_m, most_m = np.where(has_rm, size_rm, np.inf).min(axis=0), np.where(has_rm, size_rm, -np.inf).max(axis=0)
        return best_m, _longest((least_m < self.size_r[best_m]) & (self.size_r[best_m] < most_m))

    def along(self, best_m: np.ndarray, inside_m: np.ndarray) -> np.ndarray:
        """Log size, log tokens and log loss (3, m) of the winners; NaN where they do not count."""
        m = np.arange(len(self.x_m))
        found_3m = np.stack([np.log(self.size_r[best_m]), self.tokens_rm[best_m, m], self.loss_rm[best_m, m]])
        return np.where(inside_m, found_3m, np.nan)


def _longest(is_true_m: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_true_m, [False]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    kept_m = np.zeros(len(is_true_m), bool)
    if len(starts):
        i = int(np.argmax(ends - starts))
        kept_m[starts[i] : ends[i]] = True
    return kept_m


def envelope(
    runs: Any,
    *,
    run: str | Sequence[str] | None = None,
    size: str | None = None,
    output: str = "loss",
    draws: int = 1000,
    seed: int = 0,
    flops: Any = None,
) -> Frontier:
    """Fit Chinchilla's approach 1: which run has the least loss at each compute, and power laws through these.

    `runs` is a `Runs` table, a path or a data frame of checkpoints: several rows for each training run. Rows of one
    run share the values of the column (or columns) `run`; unless given, its name (`run`, `name`, `id`, `run_id`), or
    else its size. Each curve of log loss is interpolated between its checkpoints at 150 log-spaced values of compute.
    That stretch of compute counts over which the best run is neither the smallest nor the largest that has been
    there. Draws are a bootstrap over whole training runs. The bias that the procedure has on these very runs is
    simulated and told at `flops` (100 times the last optimum, unless given); draws leave it out.

    Raises DesignError where there are no curves, too few sizes, or no compute at which a middle size wins; ColumnError
    or CellError (missing or unreadable numbers); RequestError (draws or seed below zero).
    Source: Hoffmann et al. 2022, section 3.1.
    """
    checks.check_request(draws, seed)
    given = as_runs(runs)
    table = sweep(given, size, output)
    member_n, told = _members(table, run)
    _check_curves(table, member_n, told)
    curves = _curves(table, member_n, np.log(table.loss_n))
    best_m, inside_m = curves.winners(np.ones(len(curves.size_r), bool))
    _check_inside(table, inside_m)
    kept = _only(curves, inside_m)

    weights = Weights.equal(_points(kept, _resampled(kept, WEIGHING_DRAWS, WEIGHING_SEED)))
    points = _points(kept, _resampled(kept, draws, seed))
    parts = fits(points, weights, table, Data.of(table.runs, given), np.empty(0), seed)
    target = numbers.parse(flops) if flops is not None else FAR * float(np.exp(kept.x_m[-1]))
    bias = grid_bias.bias(table, np.ones(len(table.runs), bool), _procedure(table, member_n), target, member_n)
    return Frontier(
        approach="envelope",
        method=f"{len(curves.size_r)} training curves of {len(np.unique(curves.size_r))} sizes",
        size=parts[0],
        tokens=parts[1],
        loss=parts[2],
        optima=_optima(curves, best_m, inside_m),
        findings=gravest_first(
            [
                *_edges(table, curves, inside_m),
                grid_bias.bias_finding(bias, parts[0], LESS_BIAS),
            ]
        ),
        assumptions=(
            *table.runs.notes,
            told,
            "every checkpoint counts as a finished run of its length; under a schedule that decays later, early "
            "checkpoints lie too high and small models seem too good",
            "losses between checkpoints are interpolated in logarithms",
            "draws are of whole training runs with replacement",
            f"the optimal {output} follows a {'power law with a floor' if weights.has_floor else 'plain power law'}",
        ),
        bias=bias,
    )


def _members(table: Sweep, run: str | Sequence[str] | None) -> tuple[np.ndarray, str]:
    # The number of each checkpoint's training run (n,), and how runs were told apart.
    known = next((name for name in RUN_NAMES if name in table.runs), None)
    named = known if run is None else run
    columns = [named] if isinstance(named, str) else list(named or [])
    if not columns:
        return np.unique(table.size_n, return_inverse=True)[1], "checkpoints of one size belong to one training run"
    words = np.array(["\x1f".join(str(table.runs[c][i]) for c in columns) for i in range(len(table.runs))])
    return np.unique(words, return_inverse=True)[1], f"training runs told apart by {', '.join(columns)}"


def _check_curves(table: Sweep, member_n: np.ndarray, told: str) -> None:
    counts = np.bincount(member_n)
    curves = np.flatnonzero(counts >= 2)
    labels = [name for name in table.runs.columns if table.runs[name].dtype.kind not in "f"]
    if len(curves) < len(counts) / 2:
        raise DesignError(
            f"These are no training curves: {len(counts) - len(curves)} of {len(counts)} runs have one row only.",
            f"The envelope needs several checkpoints of each run; here {told}. From: {table.runs.source}.",
            (f"Name the column that tells runs apart: run=...; there are {', '.join(labels)}. " if labels else "")
            + "For one row a run use isoloss.isoflop(runs), or isoloss.fit(runs).",
        )
    sizes = len(np.unique(table.size_n[np.isin(member_n, curves)]))
    if sizes < LEAST_SIZES:
        raise DesignError(
            f"The training curves are of {sizes} sizes, and an envelope needs {LEAST_SIZES} or more.",
            f"There {told}. From: {table.runs.source}.",
            "Add curves of other sizes.",
        )


def _check_inside(table: Sweep, inside_m: np.ndarray) -> None:
    if inside_m.sum() < 2:
        raise DesignError(
            "At no compute does a run of middle size win: the best one is always the smallest or the largest there.",
            f"From: {table.runs.source}.",
            "Train smaller models for longer, or larger ones, so that curves cross.",
        )


def _curves(table: Sweep, member_n: np.ndarray, log_loss_n: np.ndarray) -> Curves:
    log_flops_n, log_tokens_n = np.log(table.flops_n), np.log(table.tokens_n)
    x_m = np.linspace(log_flops_n.min(), log_flops_n.max(), POINTS)
    members = np.flatnonzero(np.bincount(member_n) >= 2)
    losses, tokens, sizes = [], [], []
    for member in members:
        rows = np.flatnonzero(member_n == member)
        rows = rows[np.argsort(log_flops_n[rows], kind="stable")]
        at_n, first = np.unique(log_flops_n[rows], return_index=True)
        mean_n = np.add.reduceat(log_loss_n[rows], first) / np.diff([*first, len(rows)])
        losses.append(np.interp(x_m, at_n, mean_n, left=np.nan, right=np.nan))
        tokens.append(np.interp(x_m, at_n, log_tokens_n[rows][first], left=np.nan, right=np.nan))
        sizes.append(table.size_n[rows[0]])
    return Curves(x_m, np.array(sizes), np.array(losses), np.array(tokens))


def _only(curves: Curves, inside_m: np.ndarray) -> Curves:
    return Curves(curves.x_m[inside_m], curves.size_r, curves.loss_rm[:, inside_m], curves.tokens_rm[:, inside_m])


def _resampled(curves: Curves, draws: int, seed: int) -> np.ndarray:
    # All runs first, then which runs are in each draw (t, r).
    r = len(curves.size_r)
    drawn_sr = np.zeros((draws, r), bool)
    drawn_sr[np.arange(draws)[:, None], np.random.default_rng(seed).integers(r, size=(draws, r))] = True
    return np.concatenate([np.ones((1, r), bool), drawn_sr])


def _points(curves: Curves, present_tr: np.ndarray) -> Points:
    found_3mt = np.stack([curves.along(*curves.winners(present_r)) for present_r in present_tr], axis=-1)
    size_mt, tokens_mt, loss_mt = found_3mt
    return Points(curves.x_m, size_mt, tokens_mt, loss_mt)


def _procedure(table: Sweep, member_n: np.ndarray) -> grid_bias.Procedure:
    def run(log_loss_n: np.ndarray) -> tuple[float, float]:
        curves = _curves(table, member_n, log_loss_n)
        points = _points(curves, np.ones((1, len(curves.size_r)), bool))
        intercept, slope = line(points.x_b, points.size_bt, np.ones(len(points.x_b)))[:, 0]
        return float(intercept), float(slope)

    return run


def _optima(curves: Curves, best_m: np.ndarray, inside_m: np.ndarray) -> tuple[Optimum, ...]:
    # One for each stretch of compute with one winner, at its middle.
    ends = np.flatnonzero(np.diff(best_m) != 0) + 1
    made = []
    for stretch in np.split(np.arange(len(best_m)), ends):
        m = int(stretch[len(stretch) // 2])
        if inside_m[stretch].any():
            m = int(stretch[inside_m[stretch]][int(inside_m[stretch].sum()) // 2])
            size, tokens, loss = np.exp(curves.along(best_m, inside_m)[:, m])
            flops = float(np.exp(curves.x_m[m]))
            made.append(Optimum(flops, 1, Estimate(float(size)), Estimate(float(tokens)), Estimate(float(loss))))
    return tuple(made)


def _edges(table: Sweep, curves: Curves, inside_m: np.ndarray) -> list[Finding]:
    out_m = ~inside_m
    if not out_m.any():
        return []
    low, high = (numbers.short(float(np.exp(v))) for v in (curves.x_m[inside_m].min(), curves.x_m[inside_m].max()))
    sentence = (
        f"Optima count from {low} to {high} FLOP; outside these, at {out_m.mean():.0%} of the values of compute, the "
        f"best run is at times the smallest or the largest there, and the best {table.size} may lie beyond."
    )
    return [Finding("B3", "note", sentence, float(out_m.mean()))]

"""Where runs are cut into smaller ones, that are fitted, and larger ones, that are predicted.

Shapes: `n` runs, `c` cuts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from isoloss.core.calibration import Measure, decades
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.runs import Runs

APART = 0.08  # decades within which budgets count as one
FEW_LEVELS = 14  # up to so many budgets, cuts are between them
FEWEST, LEAST_SHARE = 8, 0.3  # of the runs, that are fitted below the first cut
SEEN = 600  # more runs below a cut than this are thinned evenly: a back-test is of the law, not of its last digit


@dataclass(frozen=True, eq=False)
class Cut:
    """Runs `below`, the largest of measure `at`, and all those `above` with how many decades further they stand."""

    at: float
    below: Runs
    above: Runs
    distance_m: np.ndarray


def cut(runs: Runs, measure: Measure, cuts: int | Iterable[float]) -> tuple[Cut, ...]:
    """Cut complete runs at so many places (the last ones that are apart), or at the values of the measure given.

    Runs that tell their own compute are cut by it, so that budgets stay whole; distances are of the measure, which a
    law's inputs tell. Where no input is a count, nothing is larger: every so many-th run is hidden in turn.
    Raises DesignError where the runs leave no place, RequestError for values that leave no runs on a side.
    """
    if not measure.grows and isinstance(cuts, int):
        return _folds(runs, measure, cuts)
    by = Measure(("flops",)) if _tells_compute(runs, measure) else measure
    size_n = by.of(runs)
    chosen = _places(size_n, cuts) if isinstance(cuts, int) else sorted(float(at) for at in cuts)
    if not chosen:
        raise DesignError(
            f"{len(runs)} runs leave no place to hide the larger and fit the smaller.",
            f"Their {by} goes from {size_n.min():.3g} to {size_n.max():.3g}. From: {runs.source}.",
            "Give runs at more budgets or sizes.",
        )
    return tuple(_cut(runs, size_n, at, by, measure) for at in chosen)


def _folds(runs: Runs, measure: Measure, folds: int) -> tuple[Cut, ...]:
    # Sorted by content, so that the answer does not know the rows' order.
    order_n = np.lexsort([runs[c] for c in runs.columns if runs[c].dtype.kind == "f"])
    fold_n = np.empty(len(runs), int)
    fold_n[order_n] = np.arange(len(runs)) % folds
    largest = float(measure.of(runs).max())
    return tuple(
        Cut(largest, runs.take(fold_n != f), runs.take(fold_n == f), np.zeros(int((fold_n == f).sum())))
        for f in range(min(folds, len(runs)))
    )


def _tells_compute(runs: Runs, measure: Measure) -> bool:
    return len(measure.columns) > 1 and "flops" in runs and bool(np.isfinite(runs["flops"]).all())


def _cut(runs: Runs, size_n: np.ndarray, at: float, by: Measure, measure: Measure) -> Cut:
    below = size_n <= at
    if below.all() or not below.any():
        raise RequestError(
            f"A cut at {by} = {at:g} leaves all {len(runs)} runs on one side.",
            f"They go from {size_n.min():.3g} to {size_n.max():.3g}.",
        )
    far_n = measure.of(runs)
    largest = float(far_n[below].max())
    distance_m = decades(far_n[~below], largest)
    return Cut(largest, _thinned(runs.take(below), size_n[below]), runs.take(~below), distance_m)


def _places(size_n: np.ndarray, wanted: int) -> list[float]:
    log_n = np.log10(np.maximum(size_n, 1e-3 * size_n.max()))
    level_n = np.round((log_n - log_n.max()) / APART)
    levels = np.unique(level_n)
    if len(levels) <= FEW_LEVELS:
        ends = [float(size_n[level_n == level].max()) for level in levels[:-1]]
    else:
        shares = 1.0 - LEAST_SHARE * 2 + np.arange(wanted) * 0.5 / max(wanted - 1, 1)
        ends = list(dict.fromkeys(float(np.quantile(size_n, s, method="lower")) for s in shares))
    enough = max(FEWEST, LEAST_SHARE * len(size_n))
    return [at for at in ends if (size_n <= at).sum() >= enough and (size_n > at).any()][-wanted:]


def _thinned(runs: Runs, size_n: np.ndarray) -> Runs:
    if len(runs) <= SEEN:
        return runs
    return runs.take(np.argsort(size_n, kind="stable")[np.linspace(0, len(runs) - 1, SEEN).astype(int)])

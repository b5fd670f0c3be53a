"""Holds every run against smaller and shorter ones: how far its loss lies above the lowest of them, and whose that is.

Shapes: `n` runs, `s` different sizes, `t` different lengths.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import pointing, repetition, unfinished
from isoloss.checking.case import Case

MOST_CELLS = 20_000_000  # of a table of sizes by lengths
NONE = np.iinfo(np.int32).max


@pointing.once
def comparable(case: Case) -> np.ndarray:
    """What the runs reached (n,), NaN where something else is known to spoil it: unfinished, or repeated data."""
    reached_n = pointing.output(case)
    if reached_n is None or case.law.output.name not in pointing.FALLING:
        return np.full(len(case.runs), np.nan)
    epochs_n, _ = repetition.epochs(case)
    is_worn_n = np.zeros(len(reached_n), bool) if epochs_n is None else epochs_n > repetition.WORN
    return np.where(unfinished.inside(case) | is_worn_n, np.nan, reached_n)


def above(case: Case, reached_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far (n,) each loss, in logarithms, lies above the lowest of smaller and shorter runs, and whose row that is.

    Smaller and shorter is: no larger and no longer, less in one of the two, and of one kind. -inf where there is none.
    """
    most_n, whose_n = np.full(len(reached_n), -np.inf), np.full(len(reached_n), -1)
    size, length = pointing.size(case), next((name for name in ("tokens", "steps") if name in case.runs), None)
    with np.errstate(all="ignore"):
        log_n = np.log(reached_n)
    kind_n = pointing.kind(case)
    for kind in np.unique(kind_n):
        rows = np.flatnonzero((kind_n == kind) & np.isfinite(log_n))
        rows = rows[np.argsort(log_n[rows], kind="stable")]
        size_m, length_m = (_ranks(case, name, rows) for name in (size, length))
        beaten_m = _lowest(size_m, length_m)
        has_m = beaten_m < NONE
        whose_n[rows[has_m]] = rows[beaten_m[has_m]]
        most_n[rows[has_m]] = log_n[rows[has_m]] - log_n[whose_n[rows[has_m]]]
    return most_n, whose_n


def _ranks(case: Case, name: str | None, rows: np.ndarray) -> np.ndarray:
    return np.unique(case.runs[name][rows], return_inverse=True)[1] if name else np.zeros(len(rows), int)


def _lowest(size_m: np.ndarray, length_m: np.ndarray) -> np.ndarray:
    # For runs in order of loss, m of them: the first that is smaller and shorter, or NONE.
    s, t = (int(rank_m.max(initial=0)) + 1 for rank_m in (size_m, length_m))
    if s * t > MOST_CELLS:
        return np.full(len(size_m), NONE)
    first_st = np.full((s + 1, t + 1), NONE, np.int32)
    np.minimum.at(first_st, (size_m + 1, length_m + 1), np.arange(len(size_m), dtype=np.int32))
    first_st = np.minimum.accumulate(np.minimum.accumulate(first_st, axis=0), axis=1)
    return np.minimum(first_st[size_m, length_m + 1], first_st[size_m + 1, length_m])

"""Runs as the solver takes them: sorted, so that the answer does not know their order, and numbered by what they share.

Shapes: `n` runs, `k` inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.law import Law
from isoloss.core.runs import Runs

CHECKPOINTED = ("run", "run_id", "id")  # columns that name a run, of which a table may hold several rows
LEAST_CLUSTERS = 8


@dataclass(frozen=True, eq=False)
class Rows:
    """Complete runs in the order of their content: inputs (k, n), outputs, and numbers for clusters, strata, groups.

    `clusters` and `strata` are the columns that these come from, empty where every row stands for itself.
    """

    runs: Runs
    x_kn: np.ndarray
    y_n: np.ndarray
    weight_n: np.ndarray | None
    cluster_n: np.ndarray
    stratum_n: np.ndarray
    groups: dict[str, slice]
    clusters: str = ""
    strata: str = ""
    findings: tuple[Finding, ...] = ()


def arrange(
    law: Law,
    runs: Runs,
    *,
    weight_n: np.ndarray | None = None,
    by: str | None = None,
    cluster: str | bool | None = None,
    strata: str | None = None,
) -> Rows:
    """Sort and number complete runs; clusters are those named, or found, or none if `cluster` is False.

    Raises ColumnError for a column that is missing, RequestError for groups of one.
    """
    n = len(runs)
    group_n, labels = _codes(runs, by) if by else (np.zeros(n, int), [""])
    stratum_n = _codes(runs, strata)[0] if strata else np.zeros(n, int)
    column, findings = (cluster, ()) if isinstance(cluster, str) else _found(law, runs) if cluster is None else ("", ())
    cluster_n = _codes(runs, column)[0] if column else np.arange(n)
    x_kn, y_n = np.array([runs[c] for c in law.columns]), np.array(runs[law.output.name])
    keys = (cluster_n,) if column else ()
    weights = () if weight_n is None else (weight_n,)
    order_n = np.lexsort((*keys, *weights, y_n, *x_kn[::-1], group_n))
    counts = np.bincount(group_n, minlength=len(labels))
    ends = np.concatenate([[0], np.cumsum(counts)])
    return Rows(
        runs.take(order_n),
        x_kn[:, order_n],
        y_n[order_n],
        None if weight_n is None else weight_n[order_n],
        _together(cluster_n[order_n], group_n[order_n]) if column else np.arange(n),
        _together(stratum_n[order_n], group_n[order_n]),
        {label: slice(int(a), int(b)) for label, a, b in zip(labels, ends[:-1], ends[1:], strict=True)},
        column,
        strata or "",
        findings,
    )


def grouped(runs: Runs, by: str | None) -> dict[str, Runs]:
    """The runs of each group, in the order of the groups' names; all under "" where there are no groups."""
    if not by:
        return {"": runs}
    return {label: runs.where(**{by: label}) for label in _codes(runs, by)[1]}


def _found(law: Law, runs: Runs) -> tuple[str, tuple[Finding, ...]]:
    # Several rows of one run, of one size, are checkpoints of one training; their scatter is not independent.
    n = len(runs)
    for column in CHECKPOINTED:
        if column not in runs:
            continue
        code_n, labels = _codes(runs, column)
        if len(labels) == n or not _same_size(runs, code_n):
            continue
        if len(labels) >= max(LEAST_CLUSTERS, len(law.parameters) + 1):
            return column, ()
        sentence = (
            f"Column '{column}' says that the {n} rows come from only {len(labels)} runs: too few to draw by run, "
            "so rows are drawn, and the intervals are too narrow."
        )
        return "", (Finding("D2", "amber", sentence, float(len(labels)), "Add runs; rows of one run say little more."),)
    return "", ()


def _same_size(runs: Runs, code_n: np.ndarray) -> bool:
    sizes = [c for c in ("params", "body_params", "matmul_params", "active_params") if c in runs]
    if not sizes:
        return True
    size_n, count_c = runs[sizes[0]], np.bincount(code_n)
    return bool(np.allclose(np.bincount(code_n, size_n)[code_n] / count_c[code_n], size_n, rtol=1e-6, equal_nan=True))


def _codes(runs: Runs, column: str) -> tuple[np.ndarray, list[str]]:
    labels, code_n = np.unique(np.array([str(v) for v in runs[column]]), return_inverse=True)
    if len(labels) == 1 and len(runs) > 1:
        raise RequestError(
            f"All {len(runs)} runs have the same {column}, '{labels[0]}'.", do="Name a column that tells them apart."
        )
    return code_n, labels.tolist()


def _together(code_n: np.ndarray, group_n: np.ndarray) -> np.ndarray:
    return np.unique(code_n * (int(group_n.max()) + 1) + group_n, return_inverse=True)[1]

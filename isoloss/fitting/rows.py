"""Runs as the solver takes them: sorted, so that the answer does not know their order, and numbered by what they share.

Shapes: `n` runs, `k` inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    def count_clusters(self, group: slice = slice(None)) -> int:
        """How many clusters there are in a group, or in all; 0 where every row stands for itself."""
        return len(np.unique(self.cluster_n[group])) if self.clusters else 0


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

    Raises ColumnError for a column that is missing, RequestError for one that is the same for all runs, and for
    clusters that belong to several strata.
    """
    n = len(runs)
    group_n, labels = _told_apart(runs, by) if by else (np.zeros(n, int), [""])
    stratum_n = _told_apart(runs, strata)[0] if strata else np.zeros(n, int)
    column, findings = _clusters(law, runs, group_n, cluster)
    cluster_n = _codes(runs, column)[0] if column else np.arange(n)
    if column and strata:
        _check_within(runs, column, strata)
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


def as_runs(runs: Any) -> Runs:
    """A table as it is, or read from a path or a data frame."""
    if isinstance(runs, Runs):
        return runs
    from isoloss.loaders import read

    return read(runs)


def grouped(runs: Runs, by: str | None) -> dict[str, Runs]:
    """The runs of each group, in the order of the groups' names; all under "" where there are no groups."""
    if not by:
        return {"": runs}
    code_n, labels = _told_apart(runs, by)
    return {label: runs.take(code_n == code) for code, label in enumerate(labels)}


def _clusters(law: Law, runs: Runs, group_n: np.ndarray, cluster: str | bool | None) -> tuple[str, tuple[Finding, ...]]:
    # The column whose clusters are drawn, and what to know of it.
    if isinstance(cluster, str):
        few = _fewest(_told_apart(runs, cluster)[0], group_n)
        return cluster, _too_few(law, cluster, few, "the intervals of draws by cluster are rough, and too narrow")
    column = checkpointed(runs)
    if column and cluster is False:
        return "", (_alone(column),)
    few = _fewest(_codes(runs, column)[0], group_n) if column else 0
    findings = _too_few(law, column, few, "rows are drawn instead, and the intervals are too narrow") if column else ()
    return ("" if findings else column), findings


def checkpointed(runs: Runs) -> str:
    """The column that names runs of which several rows, all of one size, are checkpoints; empty if there is none."""
    for column in CHECKPOINTED:
        if column in runs:
            code_n, labels = _codes(runs, column)
            if len(labels) < len(runs) and _same_size(runs, code_n):
                return column
    return ""


def _alone(column: str) -> Finding:
    sentence = (
        f"Column '{column}' says that several rows come from one run, and they are drawn as if they did not: "
        "the intervals are too narrow."
    )
    return Finding("D2", "amber", sentence, None, "Leave cluster as it is, so that rows of one run are drawn together.")


def _fewest(code_n: np.ndarray, group_n: np.ndarray) -> int:
    return min(len(np.unique(code_n[group_n == group])) for group in np.unique(group_n))


def _too_few(law: Law, column: str, few: int, so: str) -> tuple[Finding, ...]:
    if few >= max(LEAST_CLUSTERS, len(law.parameters) + 1):
        return ()
    counted = "1 cluster" if few == 1 else f"{few} clusters"
    sentence = f"By column '{column}' the rows of a fit come from only {counted}, too few to draw: {so}."
    return (Finding("D2", "amber", sentence, float(few), "Add runs; rows of one run say little more."),)


def _check_within(runs: Runs, cluster: str, strata: str) -> None:
    pairs = set(zip(map(str, runs[cluster]), map(str, runs[strata]), strict=True))
    seen: set[str] = set()
    for label, _ in sorted(pairs):
        if label in seen:
            raise RequestError(
                f"{cluster} '{label}' belongs to several strata of {strata}, so it cannot be drawn within one.",
                do="Name strata that hold whole clusters, or draw rows: cluster=False.",
            )
        seen.add(label)


def _same_size(runs: Runs, code_n: np.ndarray) -> bool:
    sizes = [c for c in ("params", "body_params", "matmul_params", "active_params") if c in runs]
    if not sizes:
        return True
    size_n, count_c = runs[sizes[0]], np.bincount(code_n)
    return bool(np.allclose(np.bincount(code_n, size_n)[code_n] / count_c[code_n], size_n, rtol=1e-6, equal_nan=True))


def _told_apart(runs: Runs, column: str) -> tuple[np.ndarray, list[str]]:
    code_n, labels = _codes(runs, column)
    if len(labels) == 1:
        raise RequestError(
            f"All {len(runs)} runs have the same {column}, '{labels[0]}'.", do="Name a column that tells them apart."
        )
    return code_n, labels


def _codes(runs: Runs, column: str) -> tuple[np.ndarray, list[str]]:
    labels, code_n = np.unique(np.array([str(v) for v in runs[column]]), return_inverse=True)
    return code_n, labels.tolist()


def _together(code_n: np.ndarray, group_n: np.ndarray) -> np.ndarray:
    return np.unique(code_n * (int(group_n.max()) + 1) + group_n, return_inverse=True)[1]

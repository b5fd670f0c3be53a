"""C2: do the residuals follow a pattern?

Shapes: `n` runs, `z` terms of a trend.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.checking.leftovers import Leftovers, Trend, leftovers, powers
from isoloss.core.finding import Finding
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs
from isoloss.planning.iso_cost import size_and_data

CHANCE, SHARE = 0.01, 0.05  # of a trend that counts: at most this likely over all axes, and this much of the squares
UNEVEN, UNEVEN_CHANCE = 2.0, 1e-3  # times the scatter of one third of the runs is that of the other
LABELS, EACH = 12, 3  # groups of a column that are compared, at most, and their runs, at least
NAMES = ("run", "name", "id", "run_id", "split", "status")
END = 0.1  # of the runs, whose trend is told


@diagnosis("C2", "do the residuals follow a pattern?", quick=True)
def patterns(case: Case) -> Seen:
    """What a law leaves over should be noise: a trend in it goes on beyond the data, where the law is asked.

    Residuals are regressed on polynomials of fifth degree in the logarithms of each input, of their product and their
    ratio, and on the groups of each label column, after everything that the law's own parameters could take up is taken
    out (an F test; Davidson and MacKinnon 2004, chapter 6, call it the Gauss-Newton regression). A trend counts where
    chance makes one as strong over all axes together less than once in 100, and where it holds 5% of the residuals'
    squares. Rows of one run count as one. Scatter that changes twofold between the smaller and the larger third of the
    runs, and outliers that squares let pull, are told as well.
    """
    left, axes = leftovers(case), _axes(case)
    trends = {name: left.trend(terms_nz) for name, terms_nz in axes.items()}
    counts = {name: min(1.0, trend.chance * len(trends)) for name, trend in trends.items()}
    strong = [n for n, trend in trends.items() if counts[n] < CHANCE and trend.share > SHARE]
    found = [f for f in case.found("C2") if f.severity != "note"]
    if strong:
        found.append(_trend(case, left, min(strong, key=lambda n: trends[n].chance), trends, strong))
    found += _uneven(case, left)
    if found:
        return found
    if not trends:
        return Fine("there is no axis along which residuals could follow a pattern")
    nearest = min(counts, key=lambda name: counts[name])
    return Fine(
        f"no trend along {', '.join(trends)}: the strongest, {nearest}, is as likely as {counts[nearest]:.2g} by chance"
    )


def _axes(case: Case) -> dict[str, np.ndarray]:
    table, columns = case.table, case.law.columns
    values = {c: table[c] for c in columns if QUANTITIES[c].unit != "1" and (table[c] > 0).all()}
    sides = size_and_data(case.law)
    if sides and len(values) == 2:
        size_n, tokens_n = (table[columns[i]] for i in sides)
        values |= {"compute": size_n * tokens_n, "tokens per parameter": tokens_n / size_n}
    axes = {name: powers(values_n) for name, values_n in values.items()}
    axes |= {name: terms for name in table.columns if (terms := _groups(table, name)) is not None}
    return {name: terms for name, terms in axes.items() if terms.shape[1]}


def _groups(table: Runs, name: str) -> np.ndarray | None:
    column_n = table[name]
    if column_n.dtype.kind not in "OUSb" or name in NAMES:
        return None
    labels, group_n, size_g = np.unique(column_n.astype(str), return_inverse=True, return_counts=True)
    large = np.flatnonzero(size_g >= EACH)
    if len(labels) < 2 or len(large) < 2 or len(labels) > LABELS:
        return None
    return (group_n[:, None] == large).astype(float)


def _trend(case: Case, left: Leftovers, name: str, trends: dict[str, Trend], strong: list[str]) -> Finding:
    trend = trends[name]
    others = [n for n in strong if n != name]
    also = f", and along {', '.join(others)}" if others else ""
    sentence = (
        f"The residuals follow {name}{also}: {_told(case, name, trend)}; chance makes a trend as strong in "
        f"{_one_in(trend.chance * len(trends))}, and it holds {trend.share:.0%} of their squares."
    )
    is_label = name in case.table and name not in QUANTITIES
    fix = (
        f"Fit each group by itself (by='{name}'), or leave out those that are not like the run in question."
        if is_label
        else 'Compare laws (isoloss.compare), or fit law="auto"; small runs that bend away are looked for by R5.'
    )
    return Finding("C2", "amber", sentence, trend.share, fix)


def _told(case: Case, name: str, trend: Trend) -> str:
    table = case.table
    if name in table and name not in QUANTITIES:
        groups = {str(g): float(np.mean(trend.value_n[table[name] == g])) for g in dict.fromkeys(table[name])}
        low, high = min(groups, key=lambda g: groups[g]), max(groups, key=lambda g: groups[g])
        return f"runs of {low} lie {groups[low]:+.2%} off the law, those of {high} {groups[high]:+.2%}"
    sides = size_and_data(case.law)
    pair = [table[case.law.columns[i]] for i in sides] if sides else []
    along_n = table[name] if name in table else pair[0] * pair[1] if name == "compute" else pair[1] / pair[0]
    order, few = np.argsort(along_n, kind="stable"), max(1, int(END * len(along_n)))
    thirds = np.array_split(order[few:-few], 3)
    low, *between, high = (
        float(np.mean(trend.value_n[rows])) for rows in (order[:few], *thirds, order[-few:]) if len(rows)
    )
    told = " then ".join(f"{value:+.2%}" for value in between)
    return f"from least to most they lie {low:+.2%}, then {told}, at last {high:+.2%} off the law"


def _one_in(chance: float) -> str:
    return f"1 of {1 / max(chance, 1e-12):.2g} tables"


def _uneven(case: Case, left: Leftovers) -> list[Finding]:
    # Ranks of the sizes of residuals against ranks of the runs' own size: Spearman's test.
    if case.fit is None or case.fit.noise.columns or case.settings.get("weights") is not None:
        return []
    columns = [case.table[c] for c in case.law.columns if QUANTITIES[c].unit != "1" and (case.table[c] > 0).all()]
    if not columns or left.independent < 3 * EACH:
        return []
    size_n, off_n = np.sum(np.log(columns), axis=0), np.abs(left.off_n)
    rank_n, off_rank_n = (np.argsort(np.argsort(v, kind="stable")).astype(float) for v in (size_n, off_n))
    together = float(np.corrcoef(rank_n, off_rank_n)[0, 1])
    chance = math.erfc(abs(together) * math.sqrt(left.independent - 1) / math.sqrt(2))
    third = len(size_n) // 3
    small, large = (float(np.median(off_n[rows])) for rows in (rank_n < third, rank_n >= len(size_n) - third))
    ratio = small / max(large, 1e-300)
    if chance > UNEVEN_CHANCE or 1 / UNEVEN < ratio < UNEVEN:
        return []
    which, times = ("smaller", ratio) if ratio > 1 else ("larger", 1 / ratio)
    sentence = (
        f"The {which} third of the runs scatters {times:.1f} times as much as the other end, and all count the same."
    )
    fix = 'Fit with weights="scale", which lets runs count by their scatter.'
    return [Finding("C2", "amber", sentence, times, fix)]

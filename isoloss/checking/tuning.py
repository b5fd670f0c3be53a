"""A5: were the learning rate and the batch suited to each size and length?

Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoloss.checking import labels, pointing, rungs
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.core.text import listed
from isoloss.fitting.rows import checkpointed

WIDE = 4.0  # how many times sizes differ before one learning rate cannot suit them all
RATE_POWER, BATCH_POWER = -1 / 3, 0.383  # of the best rate in N (Porian 2024) and of the best batch in D (Bergsma 2025)
LONG = 100.0  # how many times lengths differ before one batch cannot suit them all
AGAINST = -0.7  # a correlation of logarithms
SLIGHT = 0.1
LEAST_RATES = 3
LEAST_ROWS = 6
WORSE = 0.005  # how far above the best of its design a run is badly tuned, in logarithms


@diagnosis("A5", "were learning rate and batch suited to each run?", quick=True)
def tuning(case: Case) -> Seen:
    """A setting that suits one size puts the others above the law, and what is left of tuning passes for scale.

    The best learning rate falls with size, about as N^(-1/3): one rate for sizes that differ by more than 4 times is
    amber, unless a parametrization transfers it. Tuning per size moved N_opt ~ C^a from a = 0.57 to 0.50 (both Porian
    et al. 2024, arXiv 2406.19146). The best batch grows with the tokens, about as D^0.38, and hardly depends on N
    (Bergsma et al. 2025, arXiv 2505.13738): a batch that falls where runs grow (correlation of logarithms below -0.7)
    is amber, and one batch for lengths that differ by more than 100 times. Where several rates were tried, the best one
    must lie inside them, at most designs of a size, and the others are no runs to fit: a part of the loss as small as
    0.5% counts.
    """
    if not {"lr", "batch"} & {*case.runs.columns} and not labels.columns(case.runs, "tuning", "best"):
        return Unseen("no column tells the learning rate or the batch (lr, batch)")
    found = _called(case)
    if not checkpointed(case.runs):
        found += [*_one_rate(case), *_batch(case), *_swept(case)]
    return found or Fine(_fine(case))


def _called(case: Case) -> list[Finding]:
    found = []
    for name in labels.columns(case.runs, "tuning"):
        word_n = labels.words(case.runs, name)
        base = np.flatnonzero(labels.is_any(word_n, labels.UNTUNED))
        if not len(base):
            continue
        sentence = f"Column '{name}' calls the settings of {len(base)} of {len(word_n)} runs '{word_n[base[0]]}'."
        rest = f'Fit each alone, by="{name}". ' if len(base) < len(word_n) else ""
        fix = f"{rest}Try half and twice the learning rate at the smallest and the largest size{_trial(case)}."
        found.append(Finding("A5", "amber", sentence, len(base) / len(word_n), fix))
    return found


def _one_rate(case: Case) -> list[Finding]:
    rate = _only(case, "lr")
    if rate is None or pointing.size(case) is None or _transferred(case):
        return []
    size_n = case.runs[str(pointing.size(case))]
    low, high = float(np.nanmin(size_n)), float(np.nanmax(size_n))
    if high / low <= WIDE:
        return []
    sentence = (
        f"All sizes, {numbers.short(low)} to {numbers.short(high)}, have the learning rate {rate:g}; the best one "
        f"falls about {(high / low) ** -RATE_POWER:.2g} times over that span (as N^(-1/3), Porian et al. 2024)."
    )
    fix = f"Try half and twice the rate at the smallest and the largest size{_trial(case)}."
    return [Finding("A5", "amber", sentence, high / low, fix)]


def _batch(case: Case) -> list[Finding]:
    if "batch" not in case.runs or "tokens" not in case.runs:
        return []
    tokens_n, batch = case.runs["tokens"], _only(case, "batch")
    long = float(np.nanmax(tokens_n) / np.nanmin(tokens_n))
    if batch is not None:
        if long < LONG:
            return []
        sentence = (
            f"All runs have the batch {numbers.short(batch)}, though their tokens differ {numbers.short(long)} times; "
            f"the best batch grows about {long**BATCH_POWER:.2g} times over that span (as D^0.38, Bergsma et al. 2025)."
        )
        fix = "Let the batch grow with the tokens, or show at the shortest length that half the batch is no better."
        return [Finding("A5", "amber", sentence, long, fix)]
    with_tokens = _correlation(case.runs["batch"], tokens_n)
    with_size = _correlation(case.runs["batch"], case.runs[str(pointing.size(case))]) if pointing.size(case) else 0.0
    if with_tokens > AGAINST and not (with_size < AGAINST and with_tokens < SLIGHT):
        return []
    grows, r = ("tokens", with_tokens) if with_tokens <= AGAINST else ("size", with_size)
    most, least = float(np.nanmax(case.runs["batch"])), float(np.nanmin(case.runs["batch"]))
    ends = f"{numbers.short(most)} to {numbers.short(least)}"
    sentence = f"The batch falls from {ends} as {grows} grow{'' if grows == 'tokens' else 's'} (correlation {r:.2f})."
    fix = "Choose the batch by the tokens of a run, as D^0.38, alike for all sizes; what memory takes, accumulate."
    return [Finding("A5", "amber", sentence, r, fix)]


def _swept(case: Case) -> list[Finding]:
    reached_n = rungs.comparable(case)
    if "lr" not in case.runs or pointing.size(case) is None:
        return []
    length = [case.runs[name] for name in ("tokens", "flops", "steps") if name in case.runs][:1]
    code_n = pointing.numbered(len(reached_n), [pointing.kind(case), case.runs[str(pointing.size(case))], *length])
    settings = [case.runs[name] for name in ("lr", "batch") if name in case.runs]
    setting_n = pointing.numbered(len(reached_n), [code_n, *settings])
    if setting_n.max(initial=0) == code_n.max(initial=0):
        return []
    return [*_at_edges(case, reached_n, code_n), *_worse(case, _best(reached_n, setting_n), _best(reached_n, code_n))]


def _at_edges(case: Case, reached_n: np.ndarray, code_n: np.ndarray) -> list[Finding]:
    rate_n, size_n = case.runs["lr"], case.runs[str(pointing.size(case))]
    where: dict[float, list[tuple[int, float]]] = {}
    swept: dict[float, int] = {}
    for rows in _tried(rate_n, reached_n, code_n):
        best, rates = int(rows[reached_n[rows].argmin()]), sorted({*rate_n[rows].tolist()})
        size = float(size_n[best])
        swept[size] = swept.get(size, 0) + 1
        if rate_n[best] in (rates[0], rates[-1]):
            further = rates[0] ** 2 / rates[1] if rate_n[best] == rates[0] else rates[-1] ** 2 / rates[-2]
            where.setdefault(size, []).append((best, float(further)))
    sizes = sorted(size for size, at in where.items() if len(at) > swept[size] / 2)
    if not sizes:
        return []
    first, further = where[sizes[0]][0]
    at = [row for size in sizes for row, _ in where[size]]
    told = listed([numbers.short(s) for s in sizes])
    sentence = (
        f"At {len(sizes)} of {len(swept)} sizes where rates were tried ({told}) the best one is the last of them, "
        f"as in {pointing.run(case, first)}: {rate_n[first]:g}."
    )
    fix = f"Try one further, {further:.2g} there: {len(at)} runs{pointing.cost(case, at)}."
    return [Finding("A5", "amber", sentence, len(sizes) / len(swept), fix)]


def _tried(rate_n: np.ndarray, reached_n: np.ndarray, code_n: np.ndarray) -> Iterator[np.ndarray]:
    # The rows of each design at which three rates or more were tried.
    order_n = np.argsort(code_n, kind="stable")
    order_n = order_n[np.isfinite(reached_n[order_n])]
    count_c = np.bincount(code_n[order_n])
    end_c = np.cumsum(count_c)
    for code in np.flatnonzero(count_c >= LEAST_RATES):
        rows = order_n[end_c[code] - count_c[code] : end_c[code]]
        if len({*rate_n[rows].tolist()}) >= LEAST_RATES:
            yield rows


def _worse(case: Case, setting_n: np.ndarray, best_n: np.ndarray) -> list[Finding]:
    # How far the best run of each setting, over its seeds, lies above the best of its design.
    with np.errstate(all="ignore"):
        above_n = np.log(setting_n) - np.log(best_n)
    worse = np.flatnonzero(above_n > WORSE)
    if len(worse) < 0.05 * len(above_n):
        return []
    sentence = (
        f"{len(worse)} of {len(above_n)} runs have the size and length of a better one with other settings, and lie "
        f"{pointing.share(float(np.median(above_n[worse])))} above it (the median)."
    )
    flags = labels.columns(case.runs, "best")
    way = f": --where {flags[0]}=True" if flags else f" ({len(above_n) - len(worse)} runs)"
    return [Finding("A5", "amber", sentence, len(worse) / len(above_n), f"Fit the best run of each design alone{way}.")]


def _best(reached_n: np.ndarray, code_n: np.ndarray) -> np.ndarray:
    best_c = np.full(int(code_n.max()) + 1, np.inf)
    np.fmin.at(best_c, code_n, reached_n)
    return best_c[code_n]


def _only(case: Case, name: str) -> float | None:
    if name not in case.runs or len(case.runs) < LEAST_ROWS:
        return None
    values = np.unique(case.runs[name][np.isfinite(case.runs[name])])
    return float(values[0]) if len(values) == 1 else None


def _transferred(case: Case) -> bool:
    names = labels.columns(case.runs, "parametrization")
    return any(labels.is_any(labels.words(case.runs, name), labels.TRANSFERRED).any() for name in names)


def _correlation(a_n: np.ndarray, b_n: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        x_n, y_n = np.log(a_n), np.log(b_n)
    known_n = np.isfinite(x_n) & np.isfinite(y_n)
    if known_n.sum() < LEAST_ROWS or np.ptp(x_n[known_n]) < np.log(2) or np.ptp(y_n[known_n]) == 0:
        return 0.0
    return float(np.corrcoef(x_n[known_n], y_n[known_n])[0, 1])


def _trial(case: Case) -> str:
    # Two further runs of the cheapest kind at either end of the sizes.
    flops_n = pointing.spent(case)
    if flops_n is None or pointing.size(case) is None:
        return ""
    size_n = case.runs[str(pointing.size(case))]
    ends = [np.flatnonzero(size_n == edge(size_n)) for edge in (np.nanmin, np.nanmax)]
    cheapest = [int(rows[np.nanargmin(flops_n[rows])]) for rows in ends]
    return f": 4 runs{pointing.cost(case, [*cheapest, *cheapest])}"


def _fine(case: Case) -> str:
    told = []
    for name in ("lr", "batch"):
        if name in case.runs:
            low, high = float(np.nanmin(case.runs[name])), float(np.nanmax(case.runs[name]))
            told.append(f"{name} {low:.3g}" if low == high else f"{name} {low:.3g} to {high:.3g}")
    return ", ".join(told) or "settings are called tuned"

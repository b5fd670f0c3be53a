"""A1: does the answer hang on how size and compute are counted?

Shapes: `n` runs, `m` sizes that are tried.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.checking import labels
from isoloss.checking.answers import MOVES, answers, asked, at, settled, size_of
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.fitting.budgets import SIZES
from isoloss.planning import cost

UNEQUAL = 0.01  # measured FLOP over 6 N D, less 1, beyond which it is another count of compute
REACH, POINTS = 6.0, 2401  # how far about the best size another count of compute is looked along, in log N


@diagnosis("A1", "does the answer hang on how size and compute are counted?")
def counting(case: Case) -> Seen:
    """Counts of parameters differ by the embeddings and the head: much for small models, little for large ones.

    A law fitted to another count has another exponent and another best size (Pearce and Song 2024, arXiv 2406.12907;
    Porian et al. 2024, arXiv 2406.19146 find this in the gap between Kaplan's and Chinchilla's exponents). The law is
    fitted again with every count of size that the table has, and the best size converted back by what the runs' own
    counts differ by; where the table has measured FLOP other than 6 N D, the budget is also spent by these. Ten per
    cent of a best size or of an exponent is a difference. Where a label alone says that embeddings and head were left
    out, that is amber: counting the last layer moved N_opt ~ C^a from a = 0.84 to 0.71 in Porian et al.
    """
    named = _named(case)
    if named and not counts(case.runs, case.size or ""):
        return named
    compared = _compared(case)
    return named or compared if isinstance(compared, Fine | Unseen) else [*named, *compared]


def _named(case: Case) -> list[Finding]:
    # Sizes by a count that leaves the head out, as a column about counting says, in a column of all parameters.
    for name in labels.columns(case.runs, "counting"):
        word_n = labels.words(case.runs, name)
        without = np.flatnonzero(labels.is_any(word_n, labels.WITHOUT_HEAD))
        if len(without) and case.size == "params":
            sentence = (
                f"Column '{name}' says {word_n[without[0]]} in {len(without)} of {len(word_n)} runs: their sizes leave "
                "out embeddings and head, which are much of a small model and little of a large one."
            )
            fix = "Count every matrix product, the head's too, and fit that; the exponent of the best size will fall."
            return [Finding("A1", "amber", sentence, len(without) / len(word_n), fix)]
    return []


def _compared(case: Case) -> Seen:
    fit = settled(case)
    size, ours = size_of(fit.law), asked(case)
    told = [f"{size} {_shown(ours.size_t[0], ours.exponent_t[0])}"]
    moves = []
    for count in counts(case.runs, size):
        theirs = answers(case.refit(inputs=bound_to(fit.law, size, count)), ours.flops)
        alike = converted(case.runs, count, size, theirs.size_t[0])
        told.append(f"{count} {_shown(theirs.size_t[0], theirs.exponent_t[0])}, which is {numbers.short(alike)} {size}")
        moves += [alike / ours.size_t[0] - 1, theirs.exponent_t[0] / ours.exponent_t[0] - 1]
    if _is_measured(case, size):
        best, exponent = _by_measured(case, ours.size_t[0], ours.flops)
        told.append(f"budget in measured FLOP {_shown(best, exponent)}")
        moves += [best / ours.size_t[0] - 1, exponent / ours.exponent_t[0] - 1]
    if not moves:
        return Unseen(f"a second count of size beside {size}, or measured FLOP other than 6 N D")
    most = float(max(moves, key=lambda move: abs(np.log1p(move)) if move > -1 else np.inf))
    sentence = f"Best size {at(ours.flops)} (and exponent a) by what is counted: {'; '.join(told)}."
    if all(abs(move) <= MOVES for move in moves):
        return Fine(f"{sentence} It moves by {most:+.1%} at most.")
    fix = "Say which count a plan is in, and plan, train and compare in that one."
    return [Finding("A1", "amber", sentence, most, fix)]


def _shown(size: float, exponent: float) -> str:
    return f"{numbers.short(float(size))} (a {exponent:.3f})"


def counts(runs: Runs, size: str) -> list[str]:
    """The other counts of size that the runs have, complete."""
    return [c for c in SIZES if c != size and c in runs and np.isfinite(runs[c]).all() and (runs[c] > 0).all()]


def bound_to(law: Law, size: str, count: str) -> dict[str, str]:
    """What the law's arguments stand for when another count is its size."""
    return {**law.binding, next(i.symbol for i in law.inputs if i.quantity.name == size): count}


def converted(runs: Runs, count: str, size: str, value: Any) -> Any:
    """Sizes by one count in another, as the runs' own counts differ."""
    # What the counts differ by grows as a power of the size, as embeddings do with width: a straight line in logs.
    count_n, size_n = runs[count], runs[size]
    more_n = size_n - count_n
    grows = bool((more_n > 0).all() or (more_n < 0).all())
    left_n = np.abs(more_n) if grows else size_n / count_n
    slope, level = np.polyfit(np.log(count_n), np.log(left_n), 1) if len(np.unique(count_n)) > 1 else (0.0, 0.0)
    left = np.exp(level + slope * np.log(value))
    return value + np.sign(more_n[0]) * left if grows else value * left


def _is_measured(case: Case, size: str) -> bool:
    if "flops" not in case.runs or not np.isfinite(case.runs["flops"]).all() or size == "body_params":
        return False
    ratio_n = case.runs["flops"] / cost.total(case.inputs[size], case.inputs["tokens"])
    return bool(np.abs(ratio_n - 1).max() > UNEQUAL)


def _by_measured(case: Case, about: float, flops: float) -> tuple[float, float]:
    # The best size where a budget buys what the runs' own FLOP say: these over 6 N D as powers of N and D.
    size_n, tokens_n = case.inputs[size_of(case.law)], case.inputs["tokens"]
    terms_n3 = np.stack([np.ones(len(size_n)), np.log(size_n), np.log(tokens_n)], axis=1)
    over_n = np.log(case.runs["flops"] / cost.total(size_n, tokens_n))
    level, with_size, with_tokens = np.linalg.lstsq(terms_n3, over_n, rcond=1e-6)[0]
    log_m = np.log(about) + np.linspace(-REACH, REACH, POINTS)

    def best(budget: float) -> float:
        tokens_m = np.exp((np.log(budget / 6) - level - (1 + with_size) * log_m) / (1 + with_tokens))
        columns = {size_of(case.law): np.exp(log_m), "tokens": tokens_m}
        value_m = case.law.value(np.array([columns[c] for c in case.law.columns]), settled(case).theta_p)
        return float(np.exp(log_m[np.argmin(value_m)]))

    at_target = best(flops)
    return at_target, float(np.log(best(flops * np.exp(2.0)) / at_target) / 2)

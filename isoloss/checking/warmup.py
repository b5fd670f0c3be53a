"""A4: is the warm-up a small part of every run?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels, pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.core.text import listed

MOST = 0.1  # of a run's tokens
HALF = 0.5
LONG = ("long", "kaplan", "fixed")


@diagnosis("A4", "is the warm-up a small part of every run?", quick=True)
def warmup(case: Case) -> Seen:
    """A warm-up of fixed length takes most of a short run, whose model then looks worse than it is.

    Small budgets suffer, large ones do not, and the exponent grows: a warm-up of 3000 steps for all lengths in place
    of about one token a parameter moved N_opt ~ C^a from a = 0.60 to 0.71 (Porian et al. 2024, arXiv 2406.19146).
    Amber where it is above 10% of a run's tokens, red where it is above half of one.
    """
    share_n, source = _share(case)
    if share_n is not None:
        return _measured(case, share_n, source)
    for name in labels.columns(case.runs, "warmup"):
        if found := _called(case, name):
            return found
        return Fine(f"column '{name}' says {listed(labels.distinct(case.runs, name))}")
    return Unseen("no column tells the warm-up (warmup_steps, warmup_tokens, warmup_ratio)")


def _share(case: Case) -> tuple[np.ndarray | None, str]:
    tokens_n, steps_n = case.runs.columns.get("tokens"), _steps(case)
    for subject, whole_n in (("warmup_share", 1.0), ("warmup_tokens", tokens_n), ("warmup_steps", steps_n)):
        for name in labels.columns(case.runs, subject):
            part_n = labels.numbers(case.runs, name)
            if part_n is not None and whole_n is not None:
                return part_n / whole_n, name
    for name in labels.columns(case.runs, "warmup"):
        part_n = labels.numbers(case.runs, name)
        if part_n is None or np.isnan(part_n).all():
            continue
        if np.nanmax(part_n) <= 1:
            return part_n, name
        if steps_n is not None and np.nanmax(part_n / steps_n) <= 1:
            return part_n / steps_n, name
    return None, ""


def _steps(case: Case) -> np.ndarray | None:
    if "steps" in case.runs:
        return case.runs["steps"]
    return case.runs["tokens"] / case.runs["batch"] if "tokens" in case.runs and "batch" in case.runs else None


def _measured(case: Case, share_n: np.ndarray, source: str) -> Seen:
    long = np.flatnonzero(share_n > MOST)
    most = float(np.nanmax(share_n))
    if not len(long):
        return Fine(f"the warm-up is {pointing.share(most)} of a run at most (column '{source}')")
    worst = int(np.nanargmax(share_n))
    sentence = (
        f"The warm-up takes more than {MOST:.0%} of the training of {len(long)} of {len(share_n)} runs, "
        f"and {pointing.share(most)} of {pointing.run(case, worst)}."
    )
    at = f" ({numbers.short(MOST * float(case.runs['tokens'][worst]))} tokens there)" if "tokens" in case.runs else ""
    fix = f"Warm up for a tenth of each run at most{at}, and repeat those {len(long)} runs{pointing.cost(case, long)}."
    return [Finding("A4", "red" if most > HALF else "amber", sentence, most, fix)]


def _called(case: Case, name: str) -> list[Finding]:
    word_n = labels.words(case.runs, name)
    long = np.flatnonzero(labels.is_any(word_n, LONG))
    if not len(long):
        return []
    sentence = f"Column '{name}' calls the warm-up {word_n[long[0]]} in {len(long)} of {len(word_n)} runs."
    others = sorted({*word_n.tolist()} - {*word_n[long].tolist()})
    fix = f"Repeat them with a tenth of each run's tokens at most{pointing.cost(case, long)}."
    if others:
        fix = f'Fit each alone, by="{name}", and trust {listed(others)} more. {fix}'
    return [Finding("A4", "amber", sentence, len(long) / len(word_n), fix)]

"""A6: were tokens seen more than once?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding

ONCE = 1.05  # a rounded count of unique tokens is no repetition
WORN = 4.0  # epochs
READ = ("unique_tokens", "unique_samples")


@diagnosis("A6", "were tokens seen more than once?", quick=True)
def repetition(case: Case) -> Seen:
    """Repeated tokens are worth less than new ones, and a law that counts them alike is too hopeful about data.

    Up to about 4 epochs the loss is nearly that of new tokens; beyond, what a repetition is worth decays, to 1/e after
    some 15 of them (Muennighoff et al. 2023, arXiv 2305.16264). Amber above 1 epoch, red above 4, unless the law reads
    the unique tokens.
    """
    if not {"tokens", "flops"} & {*case.law.columns}:
        return Unseen(f"{case.law.name} reads no tokens")
    epochs_n, source = epochs(case)
    if epochs_n is None or np.isnan(epochs_n).all():
        return Unseen("no column tells how often tokens were seen (unique_tokens, epochs)")
    most = float(np.nanmax(epochs_n))
    if {*READ} & {*case.law.columns}:
        return Fine(f"up to {most:.3g} epochs, and {case.law.name} reads what is unique")
    again = np.flatnonzero(epochs_n > ONCE)
    if not len(again):
        return Fine(f"at most {most:.2g} epochs (by {source})")
    worn = np.flatnonzero(epochs_n > WORN)
    sentence = f"{len(again)} of {len(epochs_n)} runs saw tokens more than once (by {source}), up to {most:.3g} times"
    sentence += f", {len(worn)} of them more than {WORN:g} times." if len(worn) else "."
    return [Finding("A6", "red" if len(worn) else "amber", sentence, most, _fix(case, epochs_n, again))]


def _fix(case: Case, epochs_n: np.ndarray, again: np.ndarray) -> str:
    law = 'Fit a law of unique tokens, such as law="data_constrained"'
    if "tokens" not in case.runs:
        return f"{law}."
    need = float(np.nanmax(case.runs["tokens"][again]))
    rest = int((epochs_n <= ONCE).sum())
    alone = f", fit the {rest} runs without repetition alone" if rest else ""
    return f"{law}{alone}, or take {numbers.short(need)} unique tokens."


def epochs(case: Case) -> tuple[np.ndarray | None, str]:
    """How often each run saw its tokens (n,), and by which columns; None where none tells."""
    if "tokens" in case.runs and "unique_tokens" in case.runs:
        return case.runs["tokens"] / case.runs["unique_tokens"], "tokens / unique_tokens"
    for name in labels.columns(case.runs, "epochs"):
        epochs_n = labels.numbers(case.runs, name)
        if epochs_n is not None:
            return epochs_n, f"column '{name}'"
    return None, ""

"""R1: is every row a run of its own?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels, pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core.finding import Finding
from isoloss.fitting.rows import CHECKPOINTED

MANY = 0.25  # of the rows
EXACT = 4  # digits after the point from which on two losses do not agree by chance
ALONE = ("split", "outlier", "note")  # labels that say nothing of a run


@diagnosis("R1", "is every row a run of its own?", quick=True)
def duplicates(case: Case) -> Seen:
    """A row that stands twice counts twice: it pulls the fit towards itself and makes every interval too narrow.

    Two rows are copies where their design and their loss agree to the last digit; where losses have fewer than four
    digits after the point, only if all else agrees too. Also told: one name for two runs of one design that ended
    differently. Red from a quarter of the rows on.
    """
    reached_n = pointing.output(case)
    if reached_n is None:
        return Unseen(f"the runs have no {case.law.output.name}")
    copies = _copies(case, reached_n)
    found = [*_copied(case, copies), *_contradicting(case, reached_n, copies)]
    return found or Fine(f"{len(reached_n)} rows, no two alike")


def _copies(case: Case, reached_n: np.ndarray) -> np.ndarray:
    # Rows (m,) that repeat an earlier one.
    code_n = pointing.numbered(len(reached_n), [pointing.design(case), np.nan_to_num(reached_n, nan=-1.0)])
    first_c = np.unique(code_n, return_index=True)[1]
    again = np.setdiff1d(np.arange(len(code_n)), first_c)
    again = again[np.isfinite(reached_n[again])]
    if not len(again):
        return again
    with np.errstate(all="ignore"):
        is_rounded_n = np.abs(np.round(reached_n, EXACT - 1) - reached_n) < 1e-9
    return np.array([i for i in again if not is_rounded_n[i] or _all_alike(case, i, int(first_c[code_n[i]]))], int)


def _all_alike(case: Case, i: int, j: int) -> bool:
    names = {*labels.columns(case.runs, "run"), *ALONE}
    return all(str(column[i]) == str(column[j]) for name, column in case.runs.columns.items() if name not in names)


def _copied(case: Case, copies: np.ndarray) -> list[Finding]:
    if not len(copies):
        return []
    n = len(case.runs)
    seeds = labels.mixed(case.runs, "seed")
    sentence = f"{len(copies)} of {n} rows repeat another to the last digit: {pointing.rows(case.runs, copies)}."
    if seeds:
        sentence += f" If only '{next(iter(seeds))}' differs, it had no effect."
    fix = f"Leave them out and fit the other {n - len(copies)} rows."
    return [Finding("R1", "red" if len(copies) >= MANY * n else "amber", sentence, len(copies) / n, fix)]


def _contradicting(case: Case, reached_n: np.ndarray, copies: np.ndarray) -> list[Finding]:
    names = [name for name in CHECKPOINTED if name in case.runs]
    if not names:
        return []
    seeds = [labels.words(case.runs, name) for name in labels.columns(case.runs, "seed")]
    word_n = labels.words(case.runs, names[0])
    code_n = pointing.numbered(len(reached_n), [word_n, pointing.design(case), *seeds])
    again = np.setdiff1d(np.arange(len(code_n)), np.unique(code_n, return_index=True)[1])
    again = np.setdiff1d(again[(word_n[again] != "") & np.isfinite(reached_n[again])], copies)
    if not len(again):
        return []
    sentence = (
        f"{len(again)} rows have the name and the design of another (column '{names[0]}') and a different "
        f"{case.law.output.name}: {pointing.rows(case.runs, again)}."
    )
    severity = "red" if len(again) >= MANY * len(reached_n) else "amber"
    fix = f"Find out which of the two is the run's last, and leave out the other: {len(again)} rows."
    return [Finding("R1", severity, sentence, len(again) / len(reached_n), fix)]

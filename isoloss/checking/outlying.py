"""R3: which runs are far off the law?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking.answers import answers, asked, at, settled, taken
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.checking.leftovers import Leftovers, leftovers
from isoloss.core import numbers
from isoloss.core.errors import IsolossError
from isoloss.core.finding import Finding
from isoloss.core.text import listed
from isoloss.fitting.outliers import runs_name

CHANCE = 0.01  # of a table that normal scatter throws a run so far off in
KNOWN = 0.37  # of a standard deviation's knowledge that the median of sizes has: its efficiency
FEW = 0.1  # of the runs: more that are far off are no outliers but another crowd, and C2 says so


@diagnosis("R3", "which runs are far off the law?")
def outlying(case: Case) -> Seen:
    """A run that diverged, was cut short or was typed wrong lies far off the others, and squares listen to it most.

    Named are runs so many robust standard deviations off, corrected for leverage, as normal scatter throws one in fewer
    than 1 of 100 tables of this length (about 4.3 for 250 runs). The deviation is 1.48 times the median of the
    residuals' sizes (Rousseeuw and Leroy 1987, chapter 5), which outliers hardly move. Told is what leaving them out
    does to the best size: often nothing under Huber's objective, which is there for that.
    """
    left = leftovers(case)
    off_n, far = left.off_n, _far(left)
    rows = np.flatnonzero(np.abs(off_n) > far)
    if not len(rows):
        i = int(np.argmax(np.abs(off_n)))
        return Fine(f"the farthest, {runs_name(case.runs, i)}, lies {off_n[i]:+.1f} standard deviations off")
    rows = rows[np.argsort(-np.abs(off_n[rows]), kind="stable")]
    runs = f"{len(rows)} of {len(off_n)} runs lie{'s' if len(rows) == 1 else ''}"
    named = listed([f"{runs_name(case.runs, i)} by {np.expm1(left.rest_n[i]):+.1%}" for i in map(int, rows)], 5)
    sentence = f"{runs} more than {far:.1f} robust standard deviations off the law: {named}"
    if len(rows) > FEW * len(off_n):
        fix = "So many are another crowd: look at what sets them apart (C2), and fit groups by themselves."
        return [Finding("R3", "amber", f"{sentence}.", float(np.abs(off_n).max()), fix)]
    fix = "Look at their training curves, and leave out those that went wrong, saying so."
    return [Finding("R3", "amber", f"{sentence}{_moves(case, rows)}.", float(np.abs(off_n).max()), fix)]


def _far(left: Leftovers) -> float:
    from scipy.special import stdtrit

    n = len(left.rest_n)
    return float(stdtrit(max(KNOWN * (n - left.basis_nq.shape[1]), 1.0), 1 - CHANCE / (2 * n)))


def _moves(case: Case, rows: np.ndarray) -> str:
    keep_n = np.ones(len(case.runs), bool)
    keep_n[rows] = False
    try:
        settled(case)
        ours, (runs, changes) = asked(case), taken(case, keep_n)
        theirs = answers(case.refit(runs, **changes), ours.flops)
    except IsolossError:
        return ""
    pair = [float(a.size_t[0]) for a in (ours, theirs)]
    moved = pair[1] / pair[0] - 1
    return f"; without them the best size {at(ours.flops)} moves by {moved:+.1%}, to {numbers.short(pair[1])}"

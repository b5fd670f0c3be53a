"""B4: does a single run decide the plan?"""

from __future__ import annotations

from isoloss.checking.answers import settled, size_of, target
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.fitting import influence

PLAIN = ("weights", "hold", "tie", "prior")


@diagnosis("B4", "does a single run decide the plan?")
def leverage(case: Case) -> Seen:
    """One run at the edge of a sweep can decide where the large model goes.

    The law is fitted again without each run in turn, and the best size at the compute in question compared: a run that
    moves it by more than ten per cent, or out of the fit's 90% interval, is named. Runs that pull the same way hide one
    another, so the five that move it most are also left out together (Broderick et al. 2020, arXiv 2011.14999).
    """
    fit = settled(case)
    size_of(fit.law)
    if any(name in PLAIN and case.settings[name] is not None and len(case.settings[name]) for name in case.settings):
        return Unseen("runs are left out in turn of plain fits alone, without weights, held or tied parameters")
    if fit.data.n > influence.MANY_RUNS:
        return Fine(f"of {fit.data.n} runs a single one cannot decide")
    found = influence.influence(case.runs, fit, flops=target(case)).findings
    if not found:
        return Unseen("a best size at the compute in question")
    return found if found[0].severity != "note" else Fine(found[0].sentence)

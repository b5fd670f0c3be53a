"""C1: was the optimum reached?"""

from __future__ import annotations

from isoloss.checking.answers import fitted
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis

ROUNDING = 1e-9  # of a slope, in units of the objective over standard deviations


@diagnosis("C1", "was the optimum reached?")
def optimum(case: Case) -> Seen:
    """A fit that stopped early, in a lesser valley, or against the end of a range is a number without a meaning.

    Of the starts spread over the law's typical ranges, how many ended at the reported optimum; whether a parameter sits
    at the end of its range or a term has vanished; whether draws reached theirs. Default tolerances of a common
    optimiser left a published fit of Chinchilla's law short of its optimum (Besiroglu et al. 2024, arXiv 2404.10102).
    """
    fit, found = fitted(case), [f for f in case.found("C1") if f.severity != "note"]
    if found:
        return found
    paper = fit.certificate
    if paper is None:
        return Unseen(f"a blend such as {fit.law.name} has no optimum of its own")
    return Fine(f"{paper.agreed} of {paper.starts} starts reached the optimum; its slope is {_told(paper.gradient)}.")


def _told(gradient: float) -> str:
    return "rounding" if gradient < ROUNDING else f"{gradient:.1g}"

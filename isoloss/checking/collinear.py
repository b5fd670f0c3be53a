"""B2: can the runs tell the law's parameters apart?

Shapes: `n` runs, `k` inputs.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.checking.off_ray import Proposal, propose
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.fitting.verdict import TOGETHER
from isoloss.planning.iso_cost import size_and_data

CONDITION = 1e6  # of the Jacobian's square, columns of equal length
DRAWS = 400
USELESS = 0.9  # of the interval that is left: such runs are not worth naming
FIX = "Add runs that change one of them and keep the other"


@diagnosis("B2", "can the runs tell size from data?")
def collinear(case: Case) -> Seen:
    """Runs that all have the same tokens per parameter show one curve, and a law of size and data has two.

    However well such a fit meets its runs, it knows nothing off their ray: how much of the loss more data would take
    away, and so the best size for a budget. Red where the logarithms of two inputs correlate beyond 0.98, where the
    fit's Jacobian squared has a condition beyond 1e6 with columns of equal length, or where a direction of the
    parameters is not seen at all. The cheapest runs that would end it are named, none dearer than the dearest run: they
    are searched over sizes and costs of the sweep, by how far each shrinks the fit's draws of the loss at ten times the
    data, and at ten times the size, for its price.
    """
    together, condition = _together(case), _condition(case.fit)
    reds = [f for f in case.found("B2") if f.severity == "red"]
    if not together and not reds and condition <= CONDITION:
        return Fine(f"{_correlations(case)}; condition of the Jacobian squared {numbers.short(condition, 2)}")
    if not reds:
        why = together or f"The condition of the Jacobian squared is {numbers.short(condition, 2)}."
        reds = [Finding("B2", "red", f"The runs hardly tell the law's parameters apart. {why}", condition, f"{FIX}.")]
    proposal = _proposal(case)
    return [replace(f, fix=f"{FIX}: {_told(proposal)}.") if proposal else f for f in reds]


def _correlation_kk(case: Case) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.atleast_2d(np.corrcoef(np.log(np.array([case.inputs[c] for c in case.law.columns]))))


def _pairs(case: Case) -> list[tuple[str, str, float]]:
    correlation_kk, names = _correlation_kk(case), case.law.columns
    return [(names[i], names[j], float(correlation_kk[i, j])) for i, j in combinations(range(len(names)), 2)]


def _together(case: Case) -> str:
    tied = [f"{a} and {b} move together (correlation {r:.3f})." for a, b, r in _pairs(case) if abs(r) > TOGETHER]
    return " ".join(tied)


def _correlations(case: Case) -> str:
    told = [f"{a} and {b} {r:.2f}" for a, b, r in _pairs(case)]
    return f"correlation of the logarithms of {', '.join(told)}" if told else "one input"


def _condition(fit: Fit | None) -> float:
    return fit.certificate.condition**2 if fit and fit.certificate and np.isfinite(fit.certificate.condition) else 1.0


def _proposal(case: Case) -> Proposal | None:
    if case.fit is None or size_and_data(case.law) is None:
        return None
    fit = case.fit if len(case.fit.draws_sp) else _with_draws(case)
    found = propose(case, fit) if fit else None
    return found if found and found.left < USELESS else None


def _with_draws(case: Case) -> Fit | None:
    try:
        return case.refit(draws=DRAWS)
    except RequestError:
        return None


def _told(proposal: Proposal) -> str:
    runs = sorted(proposal.runs)
    told = [
        f"{numbers.short(size)} on {numbers.short(tokens)} tokens ({tokens / size:.3g} each)" for size, tokens in runs
    ]
    left = f"the loss off the ray would be told {1 / max(proposal.left, 1e-3):.2g} times as well"
    share = f"{proposal.share:.0%}" if proposal.share >= 0.01 else "less than 1%"
    flops = f"{numbers.short(proposal.flops)} FLOP, {share} of the sweep's"
    return f"{'; '.join(told)}; {flops}; {left}"

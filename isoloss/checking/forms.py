"""C4: do other forms of the law meet the runs as well, and answer otherwise?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoloss.checking.answers import (
    LEVEL,
    MOVES,
    answers,
    asked,
    at,
    is_beyond,
    losses,
    of_another_law,
    settled,
    size_of,
)
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.comparing.candidates import SAME_SURFACE
from isoloss.comparing.scores import criteria
from isoloss.core import law as laws
from isoloss.core import numbers
from isoloss.core.errors import DataError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.fitting.budgets import SIZES
from isoloss.planning import cost

MOST_PARAMETERS = 6  # of a form that is compared: the search for more takes seconds
TIE = 4.0  # of AICc: Burnham and Anderson 2002, section 2.6, give forms within 4 considerable support
CLEAR = 10.0  # and essentially none beyond 10
LEAST_FORMS = 4
LOSS_MOVES = 0.01
NO_FORMS = {**SAME_SURFACE, "body_chinchilla": "chinchilla"}  # the same surface in other parameters or counts
CONSTRAINED = {"chinchilla": {"tied": {"tie": ("alpha", "beta")}, "E = 0": {"hold": {"E": 0.0}}}}


@dataclass(frozen=True, eq=False)
class Form:
    """A law, or a constrained one, that has the same inputs: its name, and the settings that fit it."""

    name: str
    settings: dict[str, Any]


def forms(law: Law) -> list[Form]:
    """The given law's rivals: laws of one size, bound to the given one's, and the tokens; constrained ones too."""
    size = size_of(law)
    found = []
    for other in laws.every().values():
        if len(other.parameters) > MOST_PARAMETERS or other.name in NO_FORMS or len(other.inputs) != 2:
            continue
        sizes = [i.symbol for i in other.inputs if i.quantity.name in SIZES]
        if len(sizes) != 1 or "tokens" not in other.columns or other.output.name != law.output.name:
            continue
        bound = other.bind(**{sizes[0]: size})
        found.append(Form(other.name, of_another_law(bound)))
        found += [
            Form(f"{other.name}, {n}", found[-1].settings | s) for n, s in CONSTRAINED.get(other.name, {}).items()
        ]
    return found


@diagnosis("C4", "do other forms of the law answer otherwise?")
def rivals(case: Case) -> Seen:
    """Which curve is right cannot be told from runs that several curves meet alike, and beyond the runs they part.

    Every law of size and tokens that can be fitted quickly, and Chinchilla's with equal exponents and without a floor,
    is fitted under the same objective. Forms within 4 of the least AICc (for residuals whose absolute values add) are
    tied: Burnham and Anderson 2002, section 2.6. Amber where a tied form answers outside the fit's own 90% interval, by
    more than ten per cent of the best size or one per cent of the loss, or where another form is better by 10.
    """
    fit, ours = settled(case), asked(case)
    size, tokens = float(ours.size_t[0]), float(cost.partner(ours.flops, ours.size_t[0]))
    fits = {form.name: _fitted(case, form) for form in forms(fit.law)}
    known = {fit.law.name: fit, **{name: f for name, f in fits.items() if f is not None and name != fit.law.name}}
    if len(known) < LEAST_FORMS:
        return Unseen(f"{LEAST_FORMS} laws of {' and '.join(fit.law.columns)} to compare")
    aicc = {name: score(f) for name, f in known.items()}
    least = min(aicc.values())
    tied = sorted((n for n in known if aicc[n] - least <= TIE or n == fit.law.name), key=lambda n: aicc[n])
    best = {n: float(answers(known[n], ours.flops).size_t[0]) for n in tied}
    here = {n: float(losses(known[n].law, known[n].theta_p[None], size, tokens)[0]) for n in tied}
    told = [f"{n} (AICc {aicc[n] - least:+.1f}) {numbers.short(best[n])}, {here[n]:.4g}" for n in tied]
    head = f"Best size {at(ours.flops)}, and loss there at {numbers.short(size)}"
    behind = aicc[fit.law.name] - least
    if behind > CLEAR:
        sentence = f"Another form meets the runs better than {fit.law.name}. {head}: {'; '.join(told)}."
        fix = f'Fit law="auto", or law="{tied[0].partition(",")[0]}", and compare them (isoloss.compare).'
        return [Finding("C4", "amber", sentence, behind, fix)]
    loss = Estimate.of(ours.loss_t[0], losses(fit.law, fit.draws_sp, size, tokens), LEVEL)
    other = [n for n in tied if is_beyond(best[n], ours.size, MOVES) or is_beyond(here[n], loss, LOSS_MOVES)]
    others = f"{len(known) - len(tied)} of {len(known)} forms are worse by {TIE:g} or more"
    if other:
        sentence = f"The runs do not tell these forms apart, and they answer otherwise. {head}: {'; '.join(told)}."
        fix = 'Fit law="auto", whose interval holds how far they disagree, or add runs where they part.'
        return [Finding("C4", "amber", sentence, float(len(other)), fix)]
    return Fine(f"{head}: {'; '.join(told)}; {others}")


def _fitted(case: Case, form: Form) -> Fit | None:
    try:
        return case.refit(**form.settings)
    except DataError:
        return None


def score(fit: Fit) -> float:
    """AICc of a fit, for residuals whose absolute values add."""
    return criteria(fit.residuals_n, len(fit.law.names) - len(fit.fixed))[0]

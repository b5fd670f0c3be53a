"""C3: does the answer hang on what the fit minimises?"""

from __future__ import annotations

from isoloss.checking.answers import MOVES, Answers, answers, asked, at, is_beyond, losses, settled
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.fitting.objectives import find
from isoloss.planning import cost

ASKS_ELSE = ("asymmetric",)  # told, but it looks for the lower edge of the runs: that it differs is no fault
OTHERS = ("squared_log", "huber_log", "huber_log(delta=0.01)", "absolute", *ASKS_ELSE)
LOSS_MOVES = 0.01  # of the loss at the compute in question


@diagnosis("C3", "does the answer hang on what the fit minimises?")
def objectives(case: Case) -> Seen:
    """Objectives differ in which runs they listen to; where the law holds and scatter is even, they agree.

    The law is fitted under log squares, Huber's function with deltas of 0.001 (Hoffmann et al. 2022) and 0.01, absolute
    values. Amber where an answer leaves the fit's own 90% interval and moves by more than ten per cent (best size,
    exponent) or one per cent (loss). An asymmetric objective, which takes runs above the law for badly tuned, is told
    beside them.
    """
    fit, ours = settled(case), asked(case)
    own = fit.objective[0]
    if not own:
        return Unseen(f"an objective of {fit.law.name}")
    theirs = {name: answers(case.refit(objective=name), ours.flops) for name in OTHERS if find(name).name != own}
    size, tokens = float(ours.size_t[0]), float(cost.partner(ours.flops, ours.size_t[0]))
    sets = {name: case.refit(objective=name).theta_p for name in theirs}
    here = {name: float(losses(fit.law, sets[name][None], size, tokens)[0]) for name in theirs}
    loss = Estimate.of(ours.loss_t[0], losses(fit.law, fit.draws_sp, size, tokens), 0.9)
    judged = [name for name in theirs if name not in ASKS_ELSE]
    far = [name for name in judged if _is_far(ours, theirs[name]) or is_beyond(here[name], loss, LOSS_MOVES)]
    told = [f"{own} {_shown(ours, ours.loss_t[0])}", *(f"{n} {_shown(theirs[n], here[n])}" for n in theirs)]
    sentence = f"Best size {at(ours.flops)}, exponent a, and loss at the same size: {'; '.join(told)}."
    if not far:
        return Fine(f"{sentence} All within the fit's interval, or near it.")
    most = max((theirs[n].size_t[0] / size - 1 for n in far), key=abs)
    fix = "Take the spread between objectives for the interval, and look at the runs that they disagree about (R3, C2)."
    return [Finding("C3", "amber", sentence, float(most), fix)]


def _shown(told: Answers, loss: float) -> str:
    return f"{numbers.short(float(told.size_t[0]))}, {told.exponent_t[0]:.3f}, {loss:.4g}"


def _is_far(ours: Answers, other: Answers) -> bool:
    pairs = ((ours.size, other.size_t[0]), (ours.exponent, other.exponent_t[0]))
    return any(is_beyond(float(value), estimate, MOVES) for estimate, value in pairs)

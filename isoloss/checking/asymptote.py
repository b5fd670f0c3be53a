"""C5: is the floor of the loss known?

Shapes: `m` values of the floor, `p` parameters.
"""

from __future__ import annotations

import numpy as np

from isoloss import fitting
from isoloss.checking.answers import at, fitted, losses, size_of, target
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.profile import Profile
from isoloss.planning import cost
from isoloss.planning.iso_cost import best_sizes

WIDE = 0.05  # of the loss at the compute in question, that the floor's interval leaves open


@diagnosis("C5", "is the floor of the loss known?")
def asymptote(case: Case) -> Seen:
    """Far predictions rest on the floor, and runs above it may leave it open: any lower floor, a flatter law.

    The floor is moved, all other parameters follow (a profile: Venzon and Moolgavkar 1988), and the loss at the compute
    in question is told along the way. Amber where the profile's 90% interval is open on a side, or leaves open more
    than five per cent of that loss.
    """
    fit = fitted(case)
    floors = [name for name in fit.law.names if name in fit.law.formula.offsets and name not in fit.fixed]
    if len(floors) != 1:
        return Unseen(f"a floor among the free parameters of {fit.law.name}")
    name = floors[0]
    told = fitting.profile(case.runs, fit.law, parameter=name, **{**case.settings, "inputs": {}, "draws": 0})
    inside_m = told.rise_m <= told.threshold
    low, high = _losses(case, fit, told, inside_m)
    ends = (told.estimate.low, told.estimate.high)
    is_open = any(f.code == "C5" for f in told.findings)
    where = f"and with it the loss {at(target(case))} goes from {low:.4g} to {high:.4g}"
    between = f"between {numbers.short(ends[0], 4)} and {numbers.short(ends[1], 4)}"
    if not is_open and high / low - 1 <= WIDE:
        return Fine(f"{name} = {told.estimate}, {where}")
    words = (
        f"{name} is not identified: the runs allow it to lie {between} and further"
        if is_open
        else (f"{name} is hardly known: it may lie {between}")
    )
    fix = f"Add larger runs, or runs on far more data; or say what is known: prior={{'{name}': (mean, deviation)}}."
    return [Finding("C5", "amber", f"{words}, {where}.", high / low - 1, fix)]


def _losses(case: Case, fit: Fit, told: Profile, inside_m: np.ndarray) -> tuple[float, float]:
    # Each floor's own law at the best size of the fit; where it has none, at its largest run scaled in both ways.
    theta_mp = np.tile(fit.theta_p, (len(told.value_m), 1))
    for name, values_m in {told.parameter: told.value_m, **told.others}.items():
        theta_mp[:, fit.law.names.index(name)] = values_m
    flops = target(case)
    size = float(best_sizes(fit.law, fit.theta_p[None], np.array([flops]))[0])
    if not np.isfinite(size):
        size_n, tokens_n = case.inputs[size_of(fit.law)], case.inputs["tokens"]
        largest = int(np.argmax(size_n * tokens_n))
        size = float(size_n[largest] * np.sqrt(flops / cost.total(size_n[largest], tokens_n[largest])))
    loss_m = losses(fit.law, theta_mp[inside_m], size, cost.partner(flops, size))
    kept_m = loss_m[np.isfinite(loss_m)]
    if not len(kept_m):
        raise RequestError("no value of the floor gives a loss at the compute in question")
    return float(kept_m.min()), float(kept_m.max())

"""B1: do the runs span enough for exponents to be told?"""

from __future__ import annotations

import numpy as np

from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.core.quantities import QUANTITIES

LEAST = 1.0  # decade
COUNTED = ("parameters", "tokens", "FLOP", "steps", "samples", "examples", "characters")


@diagnosis("B1", "do the runs span enough?", quick=True)
def span(case: Case) -> Seen:
    """An exponent is a slope over logarithms: its error falls with the decades that the runs span.

    Asked of every input of the law that is a count. Below one decade the slope is told by scatter as much as by scale,
    and a plan ten times beyond the data stands further from the data than they reach themselves.
    """
    decades = {name: _decades(case.inputs[name]) for name in case.law.columns if QUANTITIES[name].unit in COUNTED}
    narrow = {name: d for name, d in decades.items() if d < LEAST}
    if not decades:
        return Unseen(f"no input of {case.law.name} is a count of parameters, tokens or FLOP")
    told = ", ".join(f"{name} {d:.1f}" for name, d in decades.items())
    if not narrow:
        return Fine(f"decades spanned: {told}")
    fix = "Add runs that are smaller; they cost little and lengthen the slope most."
    return [
        Finding("B1", "amber", f"The runs span only {d:.1f} decades of {name} ({_ends(case, name)}).", d, fix)
        for name, d in narrow.items()
    ]


def _decades(values_n: np.ndarray) -> float:
    positive_n = values_n[values_n > 0]
    return float(np.log10(positive_n.max() / positive_n.min())) if len(positive_n) else 0.0


def _ends(case: Case, name: str) -> str:
    values_n = case.inputs[name]
    return f"{numbers.short(float(np.nanmin(values_n)))} to {numbers.short(float(np.nanmax(values_n)))}"

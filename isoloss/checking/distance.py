"""D4: how far beyond the runs is the question?"""

from __future__ import annotations

import numpy as np

from isoloss.checking.answers import asked, at, size_of
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.planning import cost

FAR = 1.0  # decade
OUTSIDE = 2.0  # times the most, or a part of the least, tokens per parameter of the runs


@diagnosis("D4", "how far beyond the runs is the question?")
def distance(case: Case) -> Seen:
    """A fit's interval knows its scatter, not what changes beyond the data: each decade is a decade of trust.

    The compute in question, the best size and its tokens are set against the largest of the runs, and tokens per
    parameter against their range. Amber beyond one decade of compute, or at twice the most (half the least) tokens per
    parameter of any run; red beyond as many decades as the runs themselves span, where nothing was ever tested as far.
    The default question is ten times the largest compute; --flops asks another.
    """
    told, size = asked(case), size_of(case.law)
    size_n, tokens_n = case.inputs[size], case.inputs["tokens"]
    flops_n, best = cost.total(size_n, tokens_n), float(told.size_t[0])
    tokens = float(cost.partner(told.flops, best))
    beyond, span = (float(np.log10(v)) for v in (told.flops / flops_n.max(), flops_n.max() / flops_n.min()))
    times = {"compute": 10**beyond, size: best / size_n.max(), "tokens": tokens / tokens_n.max()}
    ratio, ratio_n = tokens / best, tokens_n / size_n
    is_outside = not ratio_n.min() / OUTSIDE <= ratio <= ratio_n.max() * OUTSIDE
    sentence = (
        f"The question {at(told.flops)} stands {max(beyond, 0.0):.1f} decades beyond the runs, which span {span:.1f}: "
        + ", ".join(f"{numbers.short(v)} times the largest {name}" for name, v in times.items())
        + f"; {ratio:.3g} tokens per parameter, where the runs have {ratio_n.min():.3g} to {ratio_n.max():.3g}"
    )
    if beyond <= FAR + 1e-6 and not is_outside:
        return Fine(sentence)
    red = beyond > max(span, FAR) + 1e-6
    step = numbers.short(float(np.sqrt(flops_n.max() * told.flops)), 1)
    fix = f"Train runs on the way, near {step} FLOP, and back-test (isoloss.backtest) before the plan is trusted."
    return [Finding("D4", "red" if red else "amber", f"{sentence}.", 10**beyond, fix)]

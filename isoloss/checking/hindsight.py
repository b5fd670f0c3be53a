"""D3: would the fit have foretold the largest runs?"""

from __future__ import annotations

import math

import numpy as np

from isoloss.checking.answers import LEVEL, fitted
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.comparing.backtesting import backtest
from isoloss.comparing.trials import COMMON
from isoloss.core import numbers
from isoloss.core.backtest import Backtest
from isoloss.core.finding import Finding

CUTS, DRAWS = 3, 40
CHANCE = 0.01  # of so few runs inside their intervals, if these held as often as they say
SHORT = 0.1  # of coverage, that must be lacking


@diagnosis("D3", "would the fit have foretold the largest runs?")
def hindsight(case: Case) -> Seen:
    """The one test of a prediction that runs at hand allow: hide the largest, fit the others, look.

    The top budgets are hidden at three places in turn and predicted by the same law under the same settings. Told are
    the error and bias of the runs hidden, how far beyond the data they were, and how many lay in the 90% interval of a
    new run. Amber where ten or more of 100 are lacking and chance leaves so many out less than once in 100: intervals
    then know the scatter, but not that the law bends. Choshen et al. 2025 (arXiv 2410.11840) judge laws this way.
    """
    fit = fitted(case)
    if fit.certificate is None:
        return Unseen(f"a back-test of {fit.law.name}: isoloss.backtest makes it")
    how = {name: case.settings[name] for name in COMMON if name in case.settings and name not in ("objective", "hold")}
    if isinstance(how.get("weights"), np.ndarray | list | tuple):
        return Unseen("a back-test under weights that are not a column: give them as one")
    test = backtest(fit, case.runs, cuts=CUTS, draws=DRAWS, level=LEVEL, **how)
    top, hidden = test.cuts[-1], len(test.cut_r)
    far = max(cut.factor for cut in test.cuts)
    worst = max(test.cuts, key=lambda cut: abs(cut.bias))
    sentence = (
        f"With the largest runs hidden at {len(test.cuts)} places, {test.coverage:.0%} of {hidden} lay in their "
        f"{LEVEL:.0%} intervals, up to {numbers.short(far, 2)} times beyond the data; median error {top.error:.2%} at "
        f"the last, bias {worst.bias:+.2%} at the worst"
    )
    if LEVEL - test.coverage < SHORT or _chance(test) > CHANCE:
        return Fine(sentence)
    fix = 'Take isoloss.calibrated(fit, runs), whose intervals would have held, or law="auto".'
    return [Finding("D3", "amber", f"{sentence}.", test.coverage, fix)]


def _chance(test: Backtest) -> float:
    # Of so few inside, for as many independent runs as were hidden in all: a run hidden twice is one.
    count = max(cut.above for cut in test.cuts)
    inside = round(test.coverage * count)
    return sum(math.comb(count, i) * LEVEL**i * (1 - LEVEL) ** (count - i) for i in range(inside + 1))

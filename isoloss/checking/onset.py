"""R5: from which size on does the power law hold?

Shapes: `n` runs, `t` thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss import fitting
from isoloss.checking.answers import answers, asked, at, taken
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.checking.leftovers import leftovers
from isoloss.core import numbers
from isoloss.core.errors import IsolossError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs
from isoloss.fitting.rows import as_runs
from isoloss.planning.iso_cost import size_and_data

THRESHOLDS = 24
MOST_LEFT_OUT = 1 / 3  # of the runs: beyond, it is the law's form that does not hold, which C4 asks
EACH = 4  # runs on either side of a threshold, at least
STRONG = 16.0  # F of a bend; over all its places chance exceeds 12.4 once in 100 (Andrews 1993), here along three axes
BENT = 2.0  # robust standard deviations that runs below lie off the law of those above, in the middle
TOP = 0.15  # of the runs, the largest, that are hidden to see which fit foretells them
GAIN = 0.9  # times the error with all runs, that the error without the small ones must be below


@dataclass(frozen=True, eq=False)
class Onset:
    """Runs with `axis` below `threshold` bend away: keep_n (n,) are the others; `where` is the filter that keeps them.

    `f` is the bend's strength, `off` how far the runs below lie off the law of those above, in logarithms; `error` and
    `error_all` are the median errors of the largest runs, hidden, foretold without and with the runs below.
    """

    axis: str
    threshold: float
    keep_n: np.ndarray
    f: float
    off: float
    error: float
    error_all: float

    @property
    def where(self) -> str:
        return f"{self.axis}>={self.threshold:.12g}".replace("e+", "e")


@diagnosis("R5", "from which size on does the power law hold?")
def onset(case: Case) -> Seen:
    """Very small models and very short runs follow no power law yet, and bend the fit where they are many.

    A bend below a threshold is looked for in the residuals along size, data and compute, at every place that leaves
    two thirds of the runs (the largest F over all places: Andrews 1993). It counts where the runs below also lie more
    than two standard deviations off the law of those above, and where the largest 15% of the runs, hidden, are
    foretold better by a fit without the small ones. Told are the threshold and the filter that leaves such runs out;
    `isoloss.checking.onset.without(runs, law)` does it and notes it. Pearce and Song 2024 (arXiv 2406.12907) show how
    small models tilt exponents.
    """
    found, strongest = _found(case)
    if found is None:
        bend = f"the strongest bend below a threshold has F {strongest:.1f}"
        less = (
            f"and {STRONG:g} would count"
            if strongest < STRONG
            else "but without such runs larger ones are told no better"
        )
        return Fine(f"{bend}, {less}")
    out = int((~found.keep_n).sum())
    moved = _moved(case, found)
    sentence = (
        f"Below {found.axis} = {numbers.short(found.threshold)}, {out} of {len(found.keep_n)} runs lie "
        f"{found.off:+.1%} off the law of the others (F {found.f:.0f}); without them the largest runs, hidden, are "
        f"foretold to {found.error:.2%}, with them to {found.error_all:.2%}{moved}."
    )
    return [Finding("R5", "amber", sentence, found.threshold, f'Leave them out: --where "{found.where}".')]


def without(runs: Any, law: str | Law = "chinchilla", **settings: Any) -> Runs:
    """The runs without those below the onset of the law, which is noted; all of them where there is no onset.

    `settings` are those of `isoloss.fit`, which is made of the runs. Raises what it raises.
    """
    given = as_runs(runs)
    fit = fitting.fit(given, law, **{**settings, "draws": 0})
    found, _ = _found(Case(given, fit.law, fit, settings))
    if found is None:
        return given
    out = int((~found.keep_n).sum())
    return given.take(found.keep_n).noting(f"{out} of {len(given)} runs left out, below the onset: {found.where} kept")


def _found(case: Case) -> tuple[Onset | None, float]:
    # The strongest bend along each axis; of those that count, the strongest that the runs confirm.
    left, bends = leftovers(case), []
    for axis, values_n in _axes(case).items():
        tried = [
            (left.trend(np.maximum(np.log(threshold / values_n), 0.0)[:, None]).f, threshold)
            for threshold in _thresholds(values_n)
        ]
        if tried:
            bends.append((*max(tried), axis, values_n))
    bends.sort(key=lambda bend: -bend[0])
    for f, threshold, axis, values_n in bends:
        if f >= STRONG and (found := _confirmed(case, f, axis, threshold, values_n)):
            return found, f
    return None, bends[0][0] if bends else 0.0


def _axes(case: Case) -> dict[str, np.ndarray]:
    table, columns = case.table, case.law.columns
    counts = [c for c in columns if c in case.runs and QUANTITIES[c].unit != "1" and (table[c] > 0).all()]
    axes = {name: table[name] for name in counts}
    sides = size_and_data(case.law)
    if sides and "flops" in case.runs and np.isfinite(case.runs["flops"]).all():
        axes["flops"] = case.runs["flops"]
    return axes


def _thresholds(values_n: np.ndarray) -> np.ndarray:
    # The least value kept, with enough runs on either side; different values alone count.
    order_n = np.sort(values_n)
    most = int(MOST_LEFT_OUT * len(order_n))
    values_t = np.unique(order_n[EACH : most + 1])
    values_t = values_t[values_t > order_n[0]]
    return values_t[np.unique(np.linspace(0, len(values_t) - 1, THRESHOLDS).astype(int))] if len(values_t) else values_t


def _confirmed(case: Case, f: float, axis: str, threshold: float, values_n: np.ndarray) -> Onset | None:
    keep_n = values_n >= threshold
    runs, changes = taken(case, keep_n)
    above = case.refit(runs, **changes)
    off_n = _off(case, above)
    off = float(np.median(off_n[~keep_n]))
    kept = 1.4826 * float(np.median(np.abs(off_n[keep_n])))
    if abs(off) < BENT * kept:
        return None
    error, error_all = _foretold(case, keep_n)
    if not error < GAIN * error_all:
        return None
    return Onset(axis, _rounded(threshold, values_n), keep_n, f, float(np.expm1(off)), error, error_all)


def _off(case: Case, fit: Fit) -> np.ndarray:
    table = case.table
    return np.log(table[fit.law.output.name]) - np.log(
        fit.law.value(np.array([table[c] for c in fit.law.columns]), fit.theta_p)
    )


def _foretold(case: Case, keep_n: np.ndarray) -> tuple[float, float]:
    # The median error of the largest runs, hidden, without and with the runs below the threshold.
    sides = size_and_data(case.law)
    counts = [case.table[c] for i, c in enumerate(case.law.columns) if sides is None or i in sides]
    large_n = np.sum(np.log(counts), axis=0)
    is_top_n = large_n >= np.quantile(large_n, 1 - TOP)
    errors = []
    for part_n in (keep_n & ~is_top_n, ~is_top_n):
        runs, changes = taken(case, part_n)
        errors.append(float(np.median(np.abs(_off(case, case.refit(runs, **changes))[is_top_n]))))
    return errors[0], errors[1]


def _rounded(threshold: float, values_n: np.ndarray) -> float:
    # As few digits as still part the runs in the same way.
    below = float(values_n[values_n < threshold].max())
    for digits in range(1, 12):
        for value in (float(f"{threshold:.{digits}e}"), float(f"{np.sqrt(threshold * below):.{digits - 1}e}")):
            if below < value <= threshold:
                return value
    return threshold


def _moved(case: Case, found: Onset) -> str:
    try:
        runs, changes = taken(case, found.keep_n)
        ours = asked(case)
        size = float(answers(case.refit(runs, **changes), ours.flops).size_t[0])
    except IsolossError:
        return ""
    return f"; the best size {at(ours.flops)} moves by {size / ours.size_t[0] - 1:+.0%}, to {numbers.short(size)}"

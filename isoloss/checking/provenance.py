"""E1: is it known what the numbers are, to the last digit?

Shapes: `n` runs, `k` inputs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.core.finding import Finding
from isoloss.fitting.budgets import SIZES

MOST_DIGITS = 6
STEPWISE = 1e-6  # of a step: how near to a multiple a rounded number lies
ROUGH = 2  # significant digits of a size that is no count
MUCH, TOO_MUCH = 0.5, 5.0  # of the scatter, which has the rounding of sizes in it: far less of it, and none was done
UNIFORM = float(np.sqrt(12))  # the step of a rounding over its standard deviation


@diagnosis("E1", "is it known what the numbers are?", quick=True)
def provenance(case: Case) -> Seen:
    """A law is as exact as the numbers it was fitted to, and as its constants are told.

    Losses that were rounded on their way (two digits in a table, a figure read by eye) carry an error that no seed
    shows: amber where a step of the rounding is larger than the scatter about the law. Sizes told as "125M" are wrong
    by up to half of their last digit: amber where that alone moves the loss by half of the scatter. Rounding the
    constants of a law is as bad: those that Hoffmann et al. 2022 print do not give their own plan (Besiroglu et al.
    2024, arXiv 2404.10102). A fit keeps the digest of its runs, its seed and all digits.
    """
    found = [*_coarse(case), *_rough_sizes(case)]
    return found or Fine(_known(case))


def _coarse(case: Case) -> list[Finding]:
    reached_n, scatter = pointing.output(case), pointing.scatter(case)
    if reached_n is None or np.isnan(scatter) or not len(reached_n):
        return []
    step, middle = _step(reached_n), float(np.nanmedian(reached_n))
    if not step > scatter * middle:
        return []
    digits = round(-np.log10(step))
    sentence = (
        f"{case.law.output.name} is rounded to {digits} digit{'' if digits == 1 else 's'} after the point: a step of "
        f"{step:g}, {step / middle / scatter:.2g} times the scatter about the law."
    )
    exact = max(digits + 1, int(np.ceil(-np.log10(scatter * middle))) + 1)
    fix = f"Take the losses from the logs, with {exact} digits after the point or all of them."
    return [Finding("E1", "amber", sentence, step / middle / scatter, fix)]


def _step(value_n: np.ndarray) -> float:
    # The coarsest power of ten that all values are multiples of, from 1 down to 10^-6; 0 if there is none.
    known_n = value_n[np.isfinite(value_n)]
    for digits in range(MOST_DIGITS + 1):
        scaled_n = known_n * 10.0**digits
        if (np.abs(scaled_n - np.round(scaled_n)) < STEPWISE).all():
            return 10.0**-digits
    return 0.0


def _rough_sizes(case: Case) -> list[Finding]:
    scatter = pointing.scatter(case)
    if case.fit is None or np.isnan(scatter) or scatter == 0:
        return []
    for name in (c for c in case.law.columns if c in SIZES):
        moved, digits = _moved(case, name)
        if MUCH * scatter < moved < TOO_MUCH * scatter:
            sentence = (
                f"{name} has {digits} significant digit{'' if digits == 1 else 's'} at most: rounding alone moves the "
                f"loss by {pointing.share(moved)}, the scatter about the law is {pointing.share(scatter)}."
            )
            fix = "Count the parameters of each shape; a name such as 125M is no count."
            return [Finding("E1", "amber", sentence, moved / scatter, fix)]
    return []


def _moved(case: Case, name: str) -> tuple[float, int]:
    # What rounding a size may have done to the log loss (a root mean square), where all sizes are rounded.
    value_n = case.inputs[name]
    digits_n = np.array([_digits(value) for value in np.unique(value_n)])
    if case.fit is None or digits_n.max(initial=0) > ROUGH:
        return 0.0, 0
    last_n = 10.0 ** (np.floor(np.log10(value_n)) - digits_n.max() + 1)
    x_kn = np.array([case.inputs[c] for c in case.law.columns])
    up_kn = np.where((np.array(case.law.columns) == name)[:, None], x_kn + last_n / UNIFORM, x_kn)
    with np.errstate(all="ignore"):
        moved_n = np.log(case.law.value(up_kn, case.fit.theta_p)) - np.log(case.law.value(x_kn, case.fit.theta_p))
    return float(np.sqrt(np.nanmean(moved_n**2))), int(digits_n.max())


def _digits(value: float) -> int:
    mantissa = f"{value:.8e}".split("e")[0].rstrip("0").replace(".", "").replace("-", "")
    return max(len(mantissa), 1)


def _known(case: Case) -> str:
    derived = f"; {'; '.join(case.runs.notes[:2])}" if case.runs.notes else ""
    reached_n = pointing.output(case)
    step = 0.0 if reached_n is None else _step(reached_n)
    exact = f"{case.law.output.name} in steps of {step:g}" if step else f"{case.law.output.name} to more than 6 digits"
    return f"{case.runs.source}, {exact}{derived}"

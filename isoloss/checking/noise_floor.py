"""D1: is it known how much two runs differ that differ in nothing?

Shapes: `n` runs, `d` designs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels, pointing, unfinished
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding

CHEAP = 0.01  # of the sweep, for two more seeds
APART = 3.0  # how many times the scatter about the law may differ from that of seeds
LEAST_FREEDOM = 3


@diagnosis("D1", "is the noise of a single run known?")
def noise_floor(case: Case) -> Seen:
    """What a law leaves over is noise or misfit, and only runs that differ in their seed tell which.

    Seeds move the loss by 0.04% at 124M parameters (the rule of modded-nanogpt's track 3) and by about 2% in the ladder
    that this project ships, below 1M: differences between recipes cannot be read off single seeds. Without runs that
    repeat a design two more seeds are asked for at the largest rung where both cost 1% of the sweep. With them, the
    scatter about the law is compared: more than 3 times that of seeds is misfit or settings, less than a third is a law
    that follows noise.
    """
    reached_n = pointing.output(case)
    if reached_n is None or not (np.isfinite(reached_n) & (reached_n > 0)).any():
        return Unseen(f"the runs have no {case.law.output.name}")
    noise, freedom, repeated = replicated(case)
    if not freedom:
        return [_lacking(case)]
    about = pointing.scatter(case)
    whose = "seeds" if labels.columns(case.runs, "seed") else "runs that no column tells apart"
    told = f"{whose} differ by {pointing.share(noise)} of the loss, from {repeated} designs with {freedom} further runs"
    if np.isnan(about) or noise == 0 or freedom < LEAST_FREEDOM:
        return Fine(told)
    ratio = about / noise
    about_law = f"The scatter about {case.law.name}, {pointing.share(about)},"
    if ratio > APART:
        sentence = f"{about_law} is {ratio:.2g} times that of seeds: {told}."
        fix = "Look at residuals against size and length (C2) and at the settings (A5) before you trust the interval."
        return [Finding("D1", "amber", sentence, ratio, fix)]
    if ratio < 1 / APART:
        sentence = f"{about_law} is only {ratio:.2g} times that of seeds: {told}."
        fix = "Fit a law with fewer parameters, or add runs: the curve follows the noise."
        return [Finding("D1", "amber", sentence, ratio, fix)]
    return Fine(f"{told}; about the law it is {pointing.share(about)}")


@pointing.once
def replicated(case: Case) -> tuple[float, int, int]:
    """The robust deviation of log losses among runs of one design, its degrees of freedom, and how many designs.

    Rows that agree to the last digit are copies and do not count, nor do unfinished ones; NaN, 0 and 0 without
    repeated designs.
    """
    reached_n = pointing.output(case)
    if reached_n is None:
        return float("nan"), 0, 0
    with np.errstate(all="ignore"):
        log_n = np.log(reached_n)
    code_n = pointing.numbered(len(log_n), [pointing.design(case)])
    known_n = np.isfinite(log_n) & ~unfinished.inside(case)
    if seeds := labels.columns(case.runs, "seed"):
        known_n &= labels.words(case.runs, seeds[0]) != ""
    pair_nn = np.unique(np.stack([code_n[known_n].astype(float), log_n[known_n]]), axis=1)
    code_m, log_m = pair_nn[0].astype(int), pair_nn[1]
    if not len(code_m):
        return float("nan"), 0, 0
    count_d = np.bincount(code_m)
    mean_d = np.bincount(code_m, log_m) / np.maximum(count_d, 1)
    freedom = int((count_d[count_d > 1] - 1).sum())
    if not freedom:
        return float("nan"), 0, 0
    # In a design of k runs the deviations from its mean are sqrt(1 - 1/k) too small.
    again_m = count_d[code_m] > 1
    shrunk_m = np.sqrt(1 - 1 / count_d[code_m[again_m]])
    deviation_m = np.abs(log_m - mean_d[code_m])[again_m] / shrunk_m
    return pointing.MAD * float(np.median(deviation_m)), freedom, int((count_d > 1).sum())


def _lacking(case: Case) -> Finding:
    sentence = (
        f"None of the {len(case.runs)} runs repeats another with a different seed: the noise of one run is not known."
    )
    return Finding("D1", "amber", sentence, 0.0, f"{_rung(case)}.")


def _rung(case: Case) -> str:
    known_n = pointing.spent(case)
    if known_n is None or np.isnan(known_n).all():
        return "Train two or three seeds of one cheap design"
    flops_n = np.where(np.isnan(known_n), np.inf, known_n)
    whole = float(np.nansum(known_n))
    cheap = np.flatnonzero(2 * flops_n <= CHEAP * whole)
    at = int(cheap[flops_n[cheap].argmax()]) if len(cheap) else int(flops_n.argmin())
    spent = 2 * float(flops_n[at])
    share = pointing.share(spent / whole)
    return f"Train two more seeds of {pointing.run(case, at)}: {numbers.short(spent)} FLOP, {share} of the sweep"

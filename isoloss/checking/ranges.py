"""R4: can the numbers be what their columns say?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, diagnosis
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN, FLOP_PER_PF_DAY

LOW, HIGH = 0.3, 20.0  # nats a token
TINY = 100  # parameters
STARVED = 1e-3  # tokens a parameter
OFF = 3.0  # how many times compute may differ from 6 N D
TYPICAL = 20.0  # tokens a parameter
FEW, MANY = 1e-2, 1e6  # tokens a parameter between which no slip of units is looked for
SLIPS = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}
SATURATED = (2.0**31 - 1, 2.0**32 - 1, 2.0**63, 2.0**64, 3.4028234663852886e38, 65504.0)
COUNTS = ("params", "body_params", "matmul_params", "active_params", "tokens", "flops", "steps")


@diagnosis("R4", "can the numbers be what their columns say?", quick=True)
def ranges(case: Case) -> Seen:
    """Units slip between a log and a table: sizes in millions, tokens in billions, compute in PF-days, perplexities.

    Asked of losses (0.3 to 20 nats a token: below stands a share such as an error rate, above a perplexity), of sizes
    (100 parameters or more), of tokens a parameter (more than 1/1000), of compute against 6 N D (within 3 times; Kaplan
    et al. 2020, section 2.1) and of counts that stopped at the end of a number's range (2^31 - 1, 65504). The
    likely factor is told with the column.
    """
    found = [*_losses(case), *_sizes(case), *_compute(case), *_saturated(case)]
    return found or Fine(_fine(case))


def _losses(case: Case) -> list[Finding]:
    reached_n = pointing.output(case)
    if reached_n is None or case.law.output.name != "loss":
        return []
    low, high = np.flatnonzero(reached_n < LOW), np.flatnonzero(reached_n > HIGH)
    found = []
    if len(low):
        sentence = f"{_some(case, low)} have a loss below {LOW:g} nats/token, down to {np.nanmin(reached_n):.3g}."
        fix = "If it is an error rate or a score, read it as such: columns={'error': ...}, or bits_per_byte."
        found.append(Finding("R4", "amber", sentence, float(np.nanmin(reached_n)), fix))
    if len(high):
        most = float(np.nanmax(reached_n))
        sentence = f"{_some(case, high)} have a loss above {HIGH:g} nats/token, up to {most:.3g}."
        fix = f"If these are perplexities, take their logarithm: {np.log(most):.3g} for the largest."
        found.append(Finding("R4", "red", sentence, most, fix))
    return found


def _sizes(case: Case) -> list[Finding]:
    size = pointing.size(case)
    if size is None:
        return []
    size_n = case.runs[size]
    tiny = np.flatnonzero(size_n < TINY)
    if "tokens" not in case.runs:
        return _slip(case, size, tiny, 1e6, f"below {TINY}") if len(tiny) else []
    ratio_n = case.runs["tokens"] / size_n
    middle, least = float(np.nanmedian(ratio_n)), float(np.nanmin(ratio_n))
    if middle > MANY:
        return _slip(case, size, np.flatnonzero(ratio_n > MANY), _nearest(middle / TYPICAL), _ratio(middle))
    if middle < FEW:
        return _slip(case, "tokens", np.flatnonzero(ratio_n < FEW), _nearest(TYPICAL / middle), _ratio(middle))
    starved = np.flatnonzero(ratio_n < STARVED)
    return [
        *(_slip(case, size, tiny, 1e6, f"below {TINY}") if len(tiny) else []),
        *(_slip(case, "tokens", starved, _nearest(middle / least), _ratio(least)) if len(starved) else []),
    ]


def _ratio(tokens_per_param: float) -> str:
    return f"{numbers.short(tokens_per_param)} tokens a parameter"


def _slip(case: Case, name: str, rows: np.ndarray, factor: float, why: str) -> list[Finding]:
    sentence = f"Column {name} cannot hold a count in {_some(case, rows)}: {why}."
    words = SLIPS[factor]
    fix = f"Look at its unit: if it is in {words}, multiply by {factor:g}, or call the column '{name}_{words}'."
    return [Finding("R4", "red", sentence, factor, fix)]


def _nearest(factor: float) -> float:
    return min(SLIPS, key=lambda known: abs(np.log(known / max(factor, 1.0))))


def _compute(case: Case) -> list[Finding]:
    size = pointing.size(case)
    if "flops" not in case.runs or "tokens" not in case.runs or size is None:
        return []
    with np.errstate(all="ignore"):
        ratio_n = case.runs["flops"] / (FLOP_PER_PARAM_AND_TOKEN * case.runs[size] * case.runs["tokens"])
        off = np.flatnonzero(np.abs(np.log(ratio_n)) > np.log(OFF))
    if not len(off):
        return []
    middle = float(np.nanmedian(ratio_n[off]))
    sentence = f"{_some(case, off)} have a compute that is {numbers.short(middle)} times 6 N D (the median of them)."
    fix = f"Look at the units of flops, {size} and tokens: {_meant(middle)}."
    return [Finding("R4", "red" if len(off) > len(ratio_n) / 2 else "amber", sentence, middle, fix)]


def _meant(ratio: float) -> str:
    known = {
        1 / 6: "a sixth is N D, without the 6",
        1 / FLOP_PER_PF_DAY: "the compute is in PF-days (times 8.64e19)",
        **{1 / f: f"the compute is {f:g} times too small, or one count that many times too large" for f in SLIPS},
        **{f: f"one count is in {word} (times {f:g})" for f, word in SLIPS.items()},
        1e15: "two counts are in millions and billions (times 1e15)",
        1e18: "two counts are in billions, or the compute is in exaFLOP (times 1e18)",
        1e-15: "the compute is in petaFLOP (times 1e15)",
        1e-18: "the compute is in exaFLOP (times 1e18)",
    }
    nearest = min(known, key=lambda factor: abs(np.log(factor / ratio)))
    return (
        known[nearest]
        if abs(np.log(nearest / ratio)) < np.log(2)
        else "attention over a long context, or embeddings that are not counted, make less than 3 times"
    )


def _saturated(case: Case) -> list[Finding]:
    found = []
    for name in (c for c in COUNTS if c in case.runs):
        rows = np.flatnonzero(np.isin(case.runs[name], SATURATED))
        if len(rows) > 1 or (len(rows) and case.runs[name][rows[0]] == np.nanmax(case.runs[name])):
            value = float(case.runs[name][rows[0]])
            sentence = f"Column {name} holds {value:.10g} in {_some(case, rows)}: the end of a number's range."
            fix = "Compute it again in double precision or as a Python integer."
            found.append(Finding("R4", "red", sentence, value, fix))
    return found


def _some(case: Case, rows: np.ndarray) -> str:
    return f"{len(rows)} of {len(case.runs)} runs ({pointing.rows(case.runs, rows, 2)})"


def _fine(case: Case) -> str:
    told = []
    size = pointing.size(case)
    if size and "tokens" in case.runs:
        ratio_n = case.runs["tokens"] / case.runs[size]
        low, high = float(np.nanmin(ratio_n)), float(np.nanmax(ratio_n))
        told.append(f"{numbers.short(low)} to {numbers.short(high)} tokens a parameter")
        if "flops" in case.runs:
            share_n = case.runs["flops"] / (FLOP_PER_PARAM_AND_TOKEN * case.runs[size] * case.runs["tokens"])
            told.append(f"compute {np.nanmin(share_n):.2g} to {np.nanmax(share_n):.2g} times 6 N D")
    return ", ".join(told) or "all numbers lie where such numbers lie"

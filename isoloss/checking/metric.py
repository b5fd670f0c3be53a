"""A2: is every loss one and the same number: one unit, one tokenizer, one evaluation set, one way to take it?

Shapes: `n` runs.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.checking import labels, pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core.finding import Finding
from isoloss.core.text import listed

LN2 = math.log(2)
BITS = "bits among nats (1.44)"
NEAR = 0.05  # in logarithms: how near to a change of units two clumps of losses lie
TIGHT = 0.12  # and how narrow each is
FEWEST = 0.03  # of the losses, in the smaller clump
PER_BYTE = (0.73, 1.25)  # log of nats a token over bits a byte, for 3 to 5 bytes a token
MATTERS = {
    "evaluation": "a loss holds for one evaluation set",
    "unit": "losses in several units make no curve",
    "tokenizer": "a loss per token holds for one tokenizer",
    "taken": "a least loss lies below a last one, and a smoothed one between",
}


@diagnosis("A2", "is every loss in one unit, on one set?", quick=True)
def metric(case: Case) -> Seen:
    """A law joins losses that mean the same. Nats and bits differ by 0.693, a loss per token depends on the tokenizer.

    Asked of the columns that name the evaluation set, the unit, the tokenizer, the training corpus and how a loss was
    taken (last, least, smoothed); of `loss` against `bits_per_byte`, whose ratio is that of one tokenizer and must not
    change by more than 5%; of the vocabulary, unless the law reads it; and of what the fit leaves over: two clumps
    that lie 0.693 apart, or the 2.1 to 3.5 of nats a token over bits a byte, are two units. Which metric was taken and
    how is among what papers on scaling laws leave out most (Li et al. 2025, arXiv 2502.18969).
    """
    if not pointing.is_loss(case):
        return Unseen(f"{case.law.output.name} is no cross-entropy: units of loss are not asked")
    found = [*_said(case), *_vocabulary(case), *_against_bits(case), *_clumps(case)]
    return found or Fine(_fine(case, pointing.output(case)))


def _said(case: Case) -> list[Finding]:
    found = []
    for subject, matters in MATTERS.items():
        for name, said in labels.mixed(case.runs, subject).items():
            found.append(_mixed("red", name, said, matters))
    if "split" in case.runs and (said := labels.distinct(case.runs, "split"))[1:] and {*said} & {*labels.VALIDATION}:
        found.append(_mixed("red", "split", said, MATTERS["evaluation"]))
    for name, said in labels.mixed(case.runs, "corpus").items():
        found.append(_mixed("amber", name, said, "each training corpus has its own law"))
    return found


def _mixed(severity: str, name: str, said: list[str], matters: str) -> Finding:
    sentence = f"Column '{name}' says {len(said)} things ({listed(said)}), and {matters}."
    fix = f"Fit each alone, by=\"{name}\", or one of them: --where {name}='{said[0]}'."
    return Finding("A2", "red" if severity == "red" else "amber", sentence, float(len(said)), fix)


def _vocabulary(case: Case) -> list[Finding]:
    reads = {"vocab", "vocab_params", "characters", "nonvocab_params"} & {*case.law.columns}
    if "vocab" not in case.runs or reads or case.law.output.name != "loss":
        return []
    sizes = np.unique(case.runs["vocab"][np.isfinite(case.runs["vocab"])])
    if len(sizes) < 2:
        return []
    told = listed([f"{size:g}" for size in sizes])
    sentence = f"The runs have {len(sizes)} vocabularies ({told}), and a loss per token holds for one tokenizer."
    fix = "Fit bits per byte, one vocabulary at a time, or a law that reads the vocabulary."
    return [Finding("A2", "red", sentence, float(len(sizes)), fix)]


def _against_bits(case: Case) -> list[Finding]:
    if "loss" not in case.runs or "bits_per_byte" not in case.runs:
        return []
    with np.errstate(all="ignore"):
        ratio_n = case.runs["loss"] / (LN2 * case.runs["bits_per_byte"])
    middle = float(np.nanmedian(ratio_n))
    off = np.flatnonzero(np.abs(np.log(ratio_n / middle)) > NEAR)
    if not len(off):
        return []
    worst = int(off[np.abs(np.log(ratio_n[off])).argmax()])
    sentence = (
        f"Loss and bits per byte say {middle:.2f} bytes a token in most runs, but not in {len(off)} of {len(ratio_n)}: "
        f"{pointing.rows(case.runs, off)} ({ratio_n[worst]:.2f} in row {worst + 1})."
    )
    fix = f"Look at their units: bits a token are {1 / LN2:.3f} times nats; or fit bits per byte alone."
    return [Finding("A2", "red", sentence, float(ratio_n[worst] / middle), fix)]


def _clumps(case: Case) -> list[Finding]:
    residual_n = pointing.residuals(case)
    if residual_n is None or np.isnan(residual_n).any() or len(residual_n) < 6:
        return []
    order_n = np.argsort(residual_n, kind="stable")
    cut = 1 + int(np.diff(residual_n[order_n]).argmax())
    low, high = order_n[:cut], order_n[cut:]
    gap = residual_n[high[0]] - residual_n[low[-1]]
    if (
        min(len(low), len(high)) < max(2, FEWEST * len(order_n))
        or max(residual_n[low].std(), residual_n[high].std()) > TIGHT
    ):
        return []
    apart = float(residual_n[high].mean() - residual_n[low].mean())
    unit = _unit(apart)
    if not unit or gap < apart / 2:
        return []
    few, which = (high, "above") if len(high) <= len(low) else (low, "below")
    sentence = (
        f"{len(few)} of {len(residual_n)} losses lie {math.exp(apart):.2f} times {which} the others' curve, "
        f"as {unit} would: {pointing.rows(case.runs, few)}{_told_by(case, few)}."
    )
    if unit == BITS:
        fix = f"Multiply the higher losses by {LN2:.3f} to have nats everywhere, or leave them out."
    else:
        fix = "Read the lower losses as bits_per_byte, and fit one of the two."
    return [Finding("A2", "red", sentence, math.exp(apart), fix)]


def _unit(apart: float) -> str:
    if abs(apart + math.log(LN2)) < NEAR:
        return BITS
    return "nats a token among bits a byte (2.1 to 3.5)" if PER_BYTE[0] < apart < PER_BYTE[1] else ""


def _told_by(case: Case, few: np.ndarray) -> str:
    is_few_n = np.isin(np.arange(len(case.runs)), few)
    for name in labels.columns(case.runs, "kind", "corpus", "code"):
        word_n = labels.words(case.runs, name)
        if not {*word_n[is_few_n].tolist()} & {*word_n[~is_few_n].tolist()}:
            return f"; column '{name}' tells them apart"
    return ""


def _fine(case: Case, reached_n: np.ndarray | None) -> str:
    if reached_n is None or np.isnan(reached_n).all():
        return f"the runs have no {case.law.output.name}"
    low, high = float(np.nanmin(reached_n)), float(np.nanmax(reached_n))
    told = [
        f"{name} {said[0]}"
        for name in labels.columns(case.runs, *MATTERS)
        if (said := labels.distinct(case.runs, name))
    ]
    return f"losses {low:.3g} to {high:.3g} {case.law.output.unit}" + (f", all of {', '.join(told)}" if told else "")

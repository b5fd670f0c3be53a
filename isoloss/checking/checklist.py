"""E2: what a reader needs to judge a law and to repeat it, filled from what is known, with its blanks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from isoloss.checking import labels, pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Seen, diagnosis
from isoloss.checking.noise_floor import replicated
from isoloss.core import numbers
from isoloss.core.finding import Finding
from isoloss.core.quantities import QUANTITIES
from isoloss.core.text import listed
from isoloss.fitting.budgets import SIZES
from isoloss.fitting.rows import checkpointed

HALF = 0.5


@dataclass(frozen=True)
class Item:
    """One question of the checklist under its `head`; `answer` is empty where nothing is known."""

    head: str
    question: str
    answer: str = ""


HYPOTHESIS, TRAINING, COLLECTION, FITTING = "law hypothesis", "training set-up", "data collection", "fitting"


@diagnosis("E2", "what would a reader need to repeat this?")
def filled(case: Case) -> Seen:
    """Most papers that fit scaling laws leave out what is needed to fit them again.

    Of more than 50 that Li et al. 2025 (arXiv 2502.18969) surveyed most under-report; their checklist has four heads:
    the hypothesis of the law, the set-up of training, the collection of data, and the fitting. It is filled here from
    the runs' columns and from the fit. What stays blank is told; more than half of it is amber. Labels beside the runs
    (tokenizer, corpus, schedule, warm-up, seed ...) fill it.
    """
    items = checklist(case)
    blank = [item for item in items if not item.answer]
    told = f"{len(items) - len(blank)} of {len(items)} questions are answered by the runs and the fit"
    if not blank:
        return [Finding("E2", "note", f"All of it: {told}.", 0.0)]
    missing = ", ".join(item.question for item in blank)
    severity = "amber" if len(blank) > HALF * len(items) else "note"
    fix = f"Add columns, or say beside the law: {missing}."
    return [
        Finding("E2", severity, f"{told[0].upper()}{told[1:]}; {len(blank)} are blank.", len(blank) / len(items), fix)
    ]


def checklist(case: Case) -> tuple[Item, ...]:
    """Every question of the checklist, in order, with its answer from the runs and the fit, or blank."""
    return tuple(Item(head, question, answer(case)) for head, question, answer in _QUESTIONS)


def _form(case: Case) -> str:
    return f"{case.law.name} of {', '.join(case.law.columns)}"


def _runs(case: Case) -> str:
    return f"{len(case.runs)} rows" + (f" of {case.fit.clusters} runs" if case.fit and case.fit.clusters else "")


def _range(*names: str) -> Callable[[Case], str]:
    def answer(case: Case) -> str:
        for name in names:
            if name in case.runs and np.isfinite(case.runs[name]).any():
                low, high = float(np.nanmin(case.runs[name])), float(np.nanmax(case.runs[name]))
                ends = numbers.short(low) if low == high else f"{numbers.short(low)} to {numbers.short(high)}"
                return f"{ends} ({QUANTITIES[name].meaning})"
        return ""

    return answer


def _said(*subjects: str) -> Callable[[Case], str]:
    def answer(case: Case) -> str:
        for name in labels.columns(case.runs, *subjects):
            if said := labels.distinct(case.runs, name):
                return f"{listed(said)} (column '{name}')"
        return ""

    return answer


def _first(*answers: Callable[[Case], str]) -> Callable[[Case], str]:
    return lambda case: next((said for answer in answers if (said := answer(case))), "")


def _compute(case: Case) -> str:
    if "flops" in case.runs:
        share_n = pointing.spent(case)
        if share_n is None or pointing.size(case) is None or "tokens" not in case.runs:
            return _range("flops")(case)
        share = float(np.nanmedian(share_n / (6 * case.runs[str(pointing.size(case))] * case.runs["tokens"])))
        return f"{_range('flops')(case)}, {share:.3g} times 6 N D in the median"
    return "6 N D" if pointing.spent(case) is not None else ""


def _epochs(case: Case) -> str:
    if "unique_tokens" in case.runs and "tokens" in case.runs:
        return f"up to {float(np.nanmax(case.runs['tokens'] / case.runs['unique_tokens'])):.3g} epochs"
    return _said("epochs")(case)


def _noise(case: Case) -> str:
    noise, freedom, designs = replicated(case)
    return f"seeds differ by {pointing.share(noise)} of the loss, over {designs} designs" if freedom else ""


def _checkpoints(case: Case) -> str:
    column = checkpointed(case.runs)
    return f"several rows a run, by column '{column}'" if column else _said("progress", "taken")(case)


def _source(case: Case) -> str:
    digest = case.fit.data.digest if case.fit and case.fit.data.digest else case.runs.digest
    return f"{case.runs.source}, digest {digest}"


def _fit(told: Callable[[Case], str]) -> Callable[[Case], str]:
    return lambda case: told(case) if case.fit is not None else ""


def _draws(case: Case) -> str:
    n = len(case.fit.draws_sp) if case.fit else 0
    return f"{n} draws, seed {case.fit.seed}" if case.fit and n else ""


def _starts(case: Case) -> str:
    seen = case.fit.certificate if case.fit else None
    return f"{seen.agreed} of {seen.starts} starts agree" if seen else ""


def _left_out(case: Case) -> str:
    if case.fit is None:
        return ""
    out = len(case.runs) - case.fit.data.n
    return f"{out} rows left out" if out else "all rows, none left out"


_QUESTIONS: tuple[tuple[str, str, Callable[[Case], str]], ...] = (
    (HYPOTHESIS, "form of the law and its variables", _form),
    (HYPOTHESIS, "what is predicted, and its unit", lambda case: f"{case.law.output.meaning}, {case.law.output.unit}"),
    (TRAINING, "how many runs", _runs),
    (TRAINING, "sizes, and which parameters count", _range(*SIZES)),
    (TRAINING, "training tokens", _range("tokens", "characters", "samples", "examples")),
    (TRAINING, "repetition of data", _epochs),
    (TRAINING, "compute, and how it is counted", _compute),
    (TRAINING, "architecture and shapes", _first(_range("depth", "width"), _said("kind"))),
    (TRAINING, "training corpus", _said("corpus")),
    (TRAINING, "tokenizer or vocabulary", _first(_said("tokenizer"), _range("vocab"))),
    (TRAINING, "learning rate", _range("lr")),
    (TRAINING, "batch", _range("batch")),
    (TRAINING, "learning-rate schedule", _said("schedule")),
    (TRAINING, "warm-up", _said("warmup", "warmup_steps", "warmup_tokens", "warmup_share")),
    (COLLECTION, "source of the numbers, and their digest", _source),
    (COLLECTION, "evaluation set", _said("evaluation")),
    (COLLECTION, "final losses or checkpoints", _checkpoints),
    (COLLECTION, "seeds and their noise", _first(_noise, _said("seed"))),
    (COLLECTION, "runs that failed", _said("status")),
    (COLLECTION, "version of the code", _said("code")),
    (FITTING, "program and its version", lambda case: f"isoloss {version('isoloss')}"),
    (FITTING, "objective", _fit(lambda case: case.fit.objective[0] if case.fit else "")),
    (FITTING, "starts of the search", _starts),
    (FITTING, "points left out", _left_out),
    (FITTING, "intervals and the seed of their draws", _draws),
)

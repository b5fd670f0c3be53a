"""Points at runs in sentences: what a row is called, what rows cost, and which runs are of one design or kind.

Shapes: `n` runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from isoloss.checking import labels
from isoloss.checking.case import Case
from isoloss.core import numbers
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs
from isoloss.fitting.budgets import SIZES

LOSSES = ("nats/token", "bits/byte")
LONGEST = 24  # letters of a run's name
LEAST_OF_A_KIND = 8  # rows a kind, on average, or the label tells runs apart and no kinds
KINDS = ("evaluation", "tokenizer", "unit", "corpus", "schedule", "warmup", "tuning", "counting", "kind")
SAME = ("vocab", "context", "experts", "unique_tokens")  # quantities in which comparable runs agree
MAD = 1.4826
LEAST_FREEDOM = 5
FALLING = ("loss", "bits_per_byte", "error")  # what larger and longer runs make smaller

Answer = TypeVar("Answer")


def once(look: Callable[[Case], Answer]) -> Callable[[Case], Answer]:
    """A look at a case that several diagnoses need: made when first asked for, and kept as long as the case."""
    kept: WeakKeyDictionary[Case, Answer] = WeakKeyDictionary()

    @functools.wraps(look)
    def looked(case: Case) -> Answer:
        if case not in kept:
            kept[case] = look(case)
        return kept[case]

    return looked


def row(runs: Runs, i: int) -> str:
    """What row `i` (from 0) is called: its number, with its name if it has one."""
    name = labels.named_by(runs)
    called = str(runs[name][i]) if name else ""
    return f"row {i + 1}" + (f" ({called if len(called) <= LONGEST else called[:LONGEST] + '...'})" if called else "")


def rows(runs: Runs, indices: Iterable[int], most: int = 3) -> str:
    """What a few rows are called, and how many more there are."""
    found = [int(i) for i in indices]
    told = ", ".join(row(runs, i) for i in found[:most])
    return told + (f" and {len(found) - most} more" if len(found) > most else "")


def run(case: Case, i: int) -> str:
    """A row with its size and horizon: 'row 5 (53M, 1.06B tokens)'."""
    name = size(case)
    parts = [numbers.short(float(case.runs[name][i]))] if name else []
    parts += [f"{numbers.short(float(case.runs['tokens'][i]))} tokens"] if "tokens" in case.runs else []
    return f"row {i + 1}" + (f" ({', '.join(parts)})" if parts else "")


def are(k: int, n: int) -> str:
    """'3 of 36 runs are', '1 of 36 runs is'."""
    return f"{k} of {n} runs {'is' if k == 1 else 'are'}"


def cost(case: Case, indices: Iterable[int]) -> str:
    """The compute of rows, and its share of that of all: ' (3.2e18 FLOP, 4% of the sweep)'; empty where unknown."""
    flops_n = spent(case)
    if flops_n is None:
        return ""
    flops_m = flops_n[np.asarray(list(indices), int)]
    if np.isnan(flops_m).any():
        return ""
    total = float(flops_m.sum())
    return f" ({numbers.short(total)} FLOP, {share(total / float(np.nansum(flops_n)))} of the sweep)"


def share(part: float) -> str:
    """A share in percent, of small ones one digit."""
    return f"{part:.0%}" if part >= 0.1 else f"{100 * part:.2g}%"


def size(case: Case) -> str | None:
    """The column of model size that the runs have: the law's, or another."""
    return next((name for name in (case.size, *SIZES) if name and name in case.runs), None)


def spent(case: Case) -> np.ndarray | None:
    """The training compute of each run (n,), None where the runs do not have what it takes."""
    if "flops" in case.runs or (case.size and case.size in case.runs):
        return case.flops_n
    return None


def is_loss(case: Case) -> bool:
    """Whether the law's output is a cross-entropy."""
    return case.law.output.unit in LOSSES and case.law.output.name in ("loss", "bits_per_byte")


def output(case: Case) -> np.ndarray | None:
    """What the runs reached (n,), None where they have no such column."""
    return case.runs.columns.get(case.law.output.name)


@once
def residuals(case: Case) -> np.ndarray | None:
    """Log of measured over fitted (n,), NaN where there is none; None without a fit."""
    reached_n = output(case)
    if case.fit is None or reached_n is None:
        return None
    with np.errstate(all="ignore"):
        fitted_n = case.law.value(np.array([case.inputs[c] for c in case.law.columns]), case.fit.theta_p)
        return np.where((reached_n > 0) & (fitted_n > 0), np.log(reached_n) - np.log(fitted_n), np.nan)


@once
def scatter(case: Case) -> float:
    """The robust spread of single runs about the fit, a part of the loss; NaN where no fit leaves it to be seen."""
    residual_n = residuals(case)
    if residual_n is None or np.isnan(residual_n).all():
        return float("nan")
    n, p = len(residual_n), len(case.law.parameters)
    if n - p < LEAST_FREEDOM:
        return float("nan")
    return MAD * float(np.nanmedian(np.abs(residual_n - np.nanmedian(residual_n)))) * float(np.sqrt(n / (n - p)))


@once
def design(case: Case) -> np.ndarray:
    """A number (n,) for each run's design: all quantities but those that a run reaches, and the labels of its kind."""
    reached = {"loss_se", "seconds", "bits_per_byte", "accuracy", "error", case.law.output.name}
    names = [name for name in case.runs.columns if name in QUANTITIES and name not in reached]
    told = labels.columns(case.runs, *KINDS, "parametrization")
    return numbered(
        len(case.runs), [*(case.runs[name] for name in names), *(labels.words(case.runs, name) for name in told)]
    )


@once
def kind(case: Case) -> np.ndarray:
    """A number (n,) for each kind of run: only runs of one kind can be held against each other."""
    told = [labels.words(case.runs, name) for name in labels.columns(case.runs, *KINDS)]
    told = [word_n for word_n in told if len(np.unique(word_n)) * LEAST_OF_A_KIND <= len(word_n)]
    others = [name for name in case.law.columns if name not in ("params", "tokens", "flops", case.size)]
    same = [name for name in dict.fromkeys([*SAME, *others]) if name in case.runs and name not in ("steps", "seconds")]
    return numbered(len(case.runs), [*told, *(case.runs[name] for name in same)])


def numbered(n: int, columns: Iterable[np.ndarray]) -> np.ndarray:
    """A number (n,) for each different combination of what the columns (n,) hold."""
    number_n = np.zeros(n, int)
    for column in columns:
        code_n = _codes(column)
        number_n = np.unique(number_n * (int(code_n.max(initial=0)) + 1) + code_n, return_inverse=True)[1]
    return number_n


def _codes(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind not in "OU":
        return np.unique(column, return_inverse=True)[1]
    known: dict[str, int] = {}
    return np.array([known.setdefault(str(value), len(known)) for value in column.tolist()], int)

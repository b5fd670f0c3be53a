"""Which laws a table can tell apart: those whose inputs it has, whose output is its loss, which its runs can carry.

Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import law as laws
from isoloss.core.blend import blends
from isoloss.core.calibration import MODELS, Measure
from isoloss.core.errors import ColumnError, RequestError
from isoloss.core.law import Law
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import DERIVATIONS, Runs

OUTPUTS = ("loss", "bits_per_byte", "error", "unigram_loss", "task_loss", "accuracy")
EMPHASES = (0.0, 1.0)  # powers of a run's measure that weight it: large runs tell more of larger ones
SQUARES = "squared_log"  # the other objective that is tried where nothing grows: there no run is dearer than another
RUNS_PER_PARAMETER = 2
PARAMETERS_PER_INPUT, PARAMETERS_AT_LEAST = 3, 1  # a law with more is fitted where it is named
SHARES = "share_"  # of domains in the data: a law of some must be one of all
SAME_SURFACE = {"outer": "nested", "scaled_power_floor": "power_floor", "manifold": "power_floor"}  # in other letters
PLAIN = ("params", "body_params")  # counts that stand for each other where a table has only one
OF_ITS_COUNT = {"body_chinchilla": "its correction is for sizes counted without embeddings"}


@dataclass(frozen=True)
class Candidate:
    """A bound law, how much large runs count in its fit, and what the fit minimises, if not what was asked for."""

    law: Law
    emphasis: float
    objective: str = ""

    def __str__(self) -> str:
        first = ", large runs first" if self.emphasis else ""
        return f"{self.law.name}{first}" + (f", {self.objective}" if self.objective else "")

    def weights(self, runs: Runs, measure: Measure) -> np.ndarray | None:
        """Proportional to measure^emphasis, (n,); none where all count the same."""
        size_n = measure.of(runs)
        return (size_n / size_n.max()) ** self.emphasis if self.emphasis else None


def applicable(
    runs: Runs, named: Iterable[str | Law] | None, inputs: Mapping[str, str]
) -> tuple[list[Law], dict[str, str]]:
    """The laws to compare, bound to the table's columns, and why others of the same output were left out.

    With laws `named`, those. Else every registered law whose inputs are columns of the table or follow from them and
    whose output is the first of OUTPUTS that the table has, but for: laws of a free x that `inputs` does not bind, laws
    of more than 3 parameters an input and one, forms that are another's in other parameters, and mixing laws of fewer
    domains than the table has. A law of `params` or `body_params` is bound to the count that the table has. Where no
    law fits and the table has one resource alone, the laws of a free x are bound to it.
    Raises ColumnError where there is no output, RequestError where no law is left.
    """
    if named is not None:
        return [bound(laws.find(name), runs, inputs) for name in named], {}
    output = inputs.get("y") or _output(runs)
    found, excluded = _registered(runs, inputs, output)
    resources = [c for c in runs.columns if c in QUANTITIES and c != output and np.ptp(runs[c]) > 0]
    if not found and len(resources) == 1:
        found, excluded = _registered(runs, {**inputs, "x": resources[0], "y": output}, output)
    if not found:
        raise RequestError(
            f"No registered law is of {output} and has all its inputs in these runs.",
            f"They have: {', '.join(runs.columns)}. From: {runs.source}.",
            'Name laws, and bind their inputs: compare(runs, laws=["power_floor"], inputs={"x": "flops"}).',
        )
    return found, excluded


def _registered(runs: Runs, inputs: Mapping[str, str], output: str) -> tuple[list[Law], dict[str, str]]:
    found, excluded = [], {}
    for law in laws.every().values():
        tried = bound(law, runs, inputs)
        if tried.output.name != output or not blends(tried) or any(not _has(runs, c) for c in tried.columns):
            continue
        why = _excluded(tried, runs)
        if why:
            excluded[law.name] = why
        else:
            found.append(tried)
    return found, excluded


def bound(law: Law, runs: Runs, inputs: Mapping[str, str]) -> Law:
    """The law with its symbols bound as `inputs` says where it has them, and a plain count to the one there is."""
    known = {i.symbol for i in law.inputs} | ({"y"} if law.output.name in OUTPUTS else set())
    chosen = {symbol: column for symbol, column in inputs.items() if symbol in known}
    counts = [c for c in MODELS if c in runs]
    for i in law.inputs:
        if i.quantity.name in PLAIN and not _has(runs, i.quantity.name) and counts and i.symbol not in chosen:
            chosen[i.symbol] = counts[0]
    return law.bind(**chosen)


def enough(law: Law, n: int) -> str:
    """Why `n` runs below the first cut cannot carry the law's parameters, or nothing."""
    p = len(law.parameters)
    return "" if n >= RUNS_PER_PARAMETER * p else f"{n} runs below the first cut are few for {p} parameters"


def _excluded(law: Law, runs: Runs) -> str:
    k, p = len(law.inputs), len(law.parameters)
    passed_over = [c for c in runs.columns if c.startswith(SHARES) and c not in law.columns]
    if passed_over and any(c.startswith(SHARES) for c in law.columns):
        return f"it passes over {', '.join(passed_over)}"
    if law.name in SAME_SURFACE:
        return f"the same surface as {SAME_SURFACE[law.name]}"
    if law.name in OF_ITS_COUNT and law.columns != laws.find(law.name).columns:
        return OF_ITS_COUNT[law.name]
    if p > PARAMETERS_PER_INPUT * k + PARAMETERS_AT_LEAST:
        return f"{p} parameters for {k} input{'s' if k > 1 else ''}: name it to have it compared"
    return ""


def _output(runs: Runs) -> str:
    for name in OUTPUTS:
        if name in runs:
            return name
    raise ColumnError(
        f"These runs have none of {', '.join(OUTPUTS)}.",
        f"They have: {', '.join(runs.columns)}. From: {runs.source}.",
        'Say which column is the output: compare(runs, inputs={"y": "..."}).',
    )


def _has(runs: Any, column: str) -> bool:
    return column in runs or (column in DERIVATIONS and all(need in runs for need in DERIVATIONS[column][0]))


def candidates(carried: Iterable[Law], measure: Measure, settings: Mapping[str, Any]) -> list[Candidate]:
    """What is tried of each law: large runs first or not; where nothing grows, squares or the usual objective."""
    if measure.grows:
        emphases = EMPHASES if settings.get("weights") is None else EMPHASES[:1]
        return [Candidate(law, emphasis) for law in carried for emphasis in emphases]
    objectives = ("", SQUARES) if settings.get("objective") is None else ("",)
    return [Candidate(law, 0.0, objective) for law in carried for objective in objectives]

"""A case: runs as they were given, the fit to them, and the work that several diagnoses share, done once.

Shapes: `n` runs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoloss import fitting
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.core.runs import Runs
from isoloss.fitting.budgets import SIZES

FAR = 10.0  # how many times the largest compute the target is, unless it is named


@dataclass(frozen=True, eq=False)
class Case:
    """Runs with every column as given, the `law` asked for, and the `fit` of it, None where the runs carry none.

    `settings` are those of the fit, for refits like it; `asked` is the compute of the run in question, if named.
    """

    runs: Runs
    law: Law
    fit: Fit | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: float | None = None

    def found(self, code: str) -> list[Finding]:
        """The findings of a code that the fit carries."""
        return [f for f in self.fit.findings if f.code == code] if self.fit else []

    @functools.cached_property
    def table(self) -> Runs:
        """The runs with the law's columns complete; raises what `Runs.complete` raises."""
        return self.runs.complete([*self.law.columns, self.law.output.name])

    @functools.cached_property
    def inputs(self) -> Runs:
        """The runs with the law's inputs complete, whatever they reached; raises what `Runs.complete` raises."""
        return self.runs.complete(self.law.columns)

    @functools.cached_property
    def size(self) -> str | None:
        """The column of model size that the law reads, else the first that the runs have."""
        names = [*self.law.columns, *self.runs.columns]
        return next((name for name in names if name in SIZES), None)

    @functools.cached_property
    def flops_n(self) -> np.ndarray | None:
        """Training compute (n,): the column, else 6 N D; None where neither can be had."""
        if "flops" in self.runs and np.isfinite(self.runs["flops"]).all():
            return self.runs["flops"]
        if self.size and "tokens" in self.runs:
            return FLOP_PER_PARAM_AND_TOKEN * self.runs[self.size] * self.runs["tokens"]
        return None

    @functools.cached_property
    def target(self) -> float | None:
        """The compute of the run in question: as asked, else FAR times the largest; None where none is known."""
        if self.asked is not None or self.flops_n is None:
            return self.asked
        return FAR * float(np.nanmax(self.flops_n))

    def refit(self, runs: Runs | None = None, law: Law | str | None = None, **changes: Any) -> Fit:
        """A fit like the case's with changes, without draws unless they are asked for; each is made once.

        Raises what `isoloss.fit` raises.
        """
        key = (None if runs is None else runs.digest, law if law is None or isinstance(law, str) else law.name)
        made = (*key, tuple(sorted((name, repr(value)) for name, value in changes.items())))
        if made not in self._refits:
            settings = {**self.settings, "draws": 0, **changes}
            self._refits[made] = fitting.fit(self.runs if runs is None else runs, law or self.law, **settings)
        return self._refits[made]

    @functools.cached_property
    def _refits(self) -> dict[Any, Fit]:
        return {}

"""How runs are fitted: every choice that `fit` takes, checked and in one object, for all who fit.

Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.fitting import checks, objectives
from isoloss.fitting.linked import Links
from isoloss.fitting.newton import Progress
from isoloss.fitting.objectives import Objective

Names = str | Sequence[str]


@dataclass(frozen=True, eq=False)
class Settings:
    """Everything but the runs and the law; `isoloss.fitting.engine.fit` says what each means."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    objective: str | Objective = "huber_log"
    weights: str | np.ndarray | None = None
    hold: Mapping[str, float] = field(default_factory=dict)
    tie: Names | Sequence[Names] = ()
    prior: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    by: str | None = None
    share: Names = ()
    uncertainty: str = "auto"
    cluster: str | bool | None = None
    strata: str | None = None
    draws: int = 1000
    seed: int = 0
    progress: Progress | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Settings:
        """Settings by name, those that are None left at their defaults.

        Raises UnknownNameError for a name, RequestError for numbers that cannot be and choices that contradict.
        """
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                raise UnknownNameError("setting of fit", name, known)
        settings = cls(**{name: value for name, value in given.items() if value is not None})
        settings._check()
        return settings

    def _check(self) -> None:
        checks.check_request(self.draws, self.seed)
        if self.share and not self.by:
            raise RequestError(
                "share names parameters that groups have in common, but there are no groups.",
                do='Name the column that tells them apart: by="arch".',
            )

    @property
    def chosen(self) -> Objective:
        """The objective; UnknownNameError or RequestError for one that does not exist."""
        return objectives.find(self.objective)

    @property
    def links(self) -> Links:
        """What links the parameters."""
        tied = [self.tie] if isinstance(self.tie, str) or _is_names(self.tie) else self.tie
        return Links(dict(self.hold), tuple(_names(names) for names in tied), _names(self.share), dict(self.prior))


def _is_names(value: Any) -> bool:
    return bool(value) and all(isinstance(v, str) and "," not in v for v in value)


def _names(words: Any) -> tuple[str, ...]:
    return tuple(w.strip() for w in words.split(",") if w.strip()) if isinstance(words, str) else tuple(words)

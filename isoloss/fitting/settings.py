"""How runs are fitted: every choice that `fit` takes, checked and in one object, for all who fit.

Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import CellError, RequestError, UnknownNameError
from isoloss.fitting import checks, objectives, uncertainty
from isoloss.fitting.links import Links
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
        if self.uncertainty not in ("auto", *uncertainty.METHODS):
            raise RequestError(
                f"There is no uncertainty '{self.uncertainty}'.", f"Known: auto, {', '.join(uncertainty.METHODS)}."
            )
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
        hold = {name: _number("hold", name, value) for name, value in _named("hold", self.hold, "1.7").items()}
        prior = {name: _pair(name, value) for name, value in _named("prior", self.prior, "(1.7, 0.1)").items()}
        return Links(hold, tuple(_names(names) for names in tied), _names(self.share), prior)


def _named(setting: str, value: Any, example: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RequestError(f"{setting} is {value!r}, which names no parameter.", do=f'{setting}={{"E": {example}}}.')
    return value


def _number(setting: str, name: str, value: Any) -> float:
    try:
        return numbers.parse(value)
    except CellError as error:
        raise RequestError(f"{setting} of {name}: {error.given}", error.exists, error.do) from None


def _pair(name: str, value: Any) -> tuple[float, float]:
    if isinstance(value, str) or np.shape(value) != (2,):
        raise RequestError(
            f"The prior of {name} is {value!r}, not a mean and a standard deviation.", do="alpha=(0.35, 0.05)."
        )
    return _number("prior", name, value[0]), _number("prior", name, value[1])


def _is_names(value: Any) -> bool:
    return bool(value) and all(isinstance(v, str) and "," not in v for v in value)


def _names(words: Any) -> tuple[str, ...]:
    parts = words.split(",") if isinstance(words, str) else words
    return tuple(part.strip() for part in parts if part.strip())

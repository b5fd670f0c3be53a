"""What is asked of runs and a fit to them: each diagnosis is a registered function, a code's whole knowledge.

    @diagnosis("B1", "do the runs span enough?", quick=True)
    def span(case: Case) -> Seen:
        "Exponents are slopes: runs that span less than a decade hardly tell them. ..."

The function's docstring is the code's section in docs/findings.md. It returns findings, or `Fine` with the number that
was looked at, or `Unseen` with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isoloss.checking.case import Case
from isoloss.core import discover
from isoloss.core.checkup import Verdict
from isoloss.core.errors import IsolossError
from isoloss.core.finding import Finding


@dataclass(frozen=True)
class Fine:
    """Looked at, and nothing is wrong: the sentence holds the number."""

    sentence: str


@dataclass(frozen=True)
class Unseen:
    """Could not be looked at: the sentence names what is missing."""

    sentence: str


Seen = Sequence[Finding] | Fine | Unseen


@dataclass(frozen=True)
class Diagnosis:
    """A registered diagnosis: its `code`, what it `asks`, whether it is so `quick` that every fit may ask it."""

    code: str
    asks: str
    look: Callable[[Case], Seen]
    quick: bool

    def of(self, case: Case) -> Verdict:
        """The verdict on a case; a question that these runs cannot carry is unseen, with the reason."""
        try:
            seen = self.look(case)
        except IsolossError as error:
            seen = Unseen(error.given)
        if isinstance(seen, Fine):
            return Verdict(self.code, self.asks, fine=seen.sentence)
        if isinstance(seen, Unseen):
            return Verdict(self.code, self.asks, unseen=seen.sentence)
        return Verdict(self.code, self.asks, tuple(seen))


REGISTERED: dict[str, Diagnosis] = {}


def diagnosis(code: str, asks: str, *, quick: bool = False) -> Callable[[Callable[[Case], Seen]], Callable[..., Seen]]:
    """Register a function as what `code` asks; a code is registered once."""

    def register(look: Callable[[Case], Seen]) -> Callable[[Case], Seen]:
        if code in REGISTERED:
            raise ValueError(f"{look.__name__}: {code} is already {REGISTERED[code].look.__name__}")
        REGISTERED[code] = Diagnosis(code, asks, look, quick)
        return look

    return register


def every() -> tuple[Diagnosis, ...]:
    """All diagnoses, by code: those of the folder `checking/` and of installed plug-ins."""
    discover.modules("isoloss.checking")
    return tuple(REGISTERED[code] for code in sorted(REGISTERED))

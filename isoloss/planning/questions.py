"""Which questions `plan` answers, and which one was asked: each is a registered function in a file of this folder.

    @question
    def compute(fit: Fit, level: float, *, flops: Any) -> Plan:
        "The best size and data for a training budget."

The function's keyword-only arguments are its schema: those without a default must be asked for, the others may be.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from isoloss.core import discover
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.estimate import check_level
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Plan
from isoloss.published import published

Answer = Callable[..., Plan]


@dataclass(frozen=True)
class Question:
    """A registered question: its goals (all must be given), its options (may be given), and who answers it."""

    answer: Answer
    goals: frozenset[str]
    options: frozenset[str]
    summary: str

    def takes(self, given: Mapping[str, Any]) -> bool:
        return self.goals <= given.keys() <= self.goals | self.options

    def __str__(self) -> str:
        goals = [f"{name}=..." for name in sorted(self.goals)] + [f"[{name}=...]" for name in sorted(self.options)]
        return f"{', '.join(goals)} ({self.summary})"


REGISTERED: dict[frozenset[str], Question] = {}


def question(answer: Answer) -> Answer:
    """Register a function as the answer to its keyword-only arguments; two may not need the same goals."""
    arguments = [a for a in inspect.signature(answer).parameters.values() if a.kind is a.KEYWORD_ONLY]
    goals = frozenset(a.name for a in arguments if a.default is a.empty)
    if not goals or goals in REGISTERED:
        raise ValueError(f"{answer.__name__}: a question needs goals of its own")
    summary = (inspect.getdoc(answer) or "").partition("\n")[0].rstrip(".")
    REGISTERED[goals] = Question(answer, goals, frozenset(a.name for a in arguments) - goals, summary)
    return answer


def every() -> tuple[Question, ...]:
    """All questions: those of the folder `planning/` and of installed plug-ins."""
    discover.modules("isoloss.planning")
    return tuple(REGISTERED.values())


def plan(fit: Fit | Frontier | str, *, level: float = 0.9, **asked: Any) -> Plan:
    """Answer a question about what to train, with `level` intervals and the assumptions behind them.

    `fit` is a Fit, a Frontier, or the key of a published fit: `plan("besiroglu2024", flops=1e24)`. The question is
    told by the goals that are given; None counts as not given. Today: `flops`, a training budget or a list of them,
    as numbers or as written ("1e24", "1 PF-days").
    Raises RequestError where nothing, or nothing that goes together, was asked, or the fit cannot answer;
    UnknownNameError for a goal or a key that does not exist.
    """
    check_level(level)
    if not isinstance(fit, Fit | Frontier | str):
        raise RequestError(
            f"A plan needs a fit, not {type(fit).__name__}.",
            "Fits come from isoloss.fit(...), isoloss.isoflop(...), Fit.load(path), or by key from the literature: "
            "isoloss published.",
        )
    given = {name: value for name, value in asked.items() if value is not None}
    chosen = _choose(given)
    return chosen.answer(published(fit) if isinstance(fit, str) else fit, level, **given)


def _choose(given: Mapping[str, Any]) -> Question:
    questions = every()
    known = {name for q in questions for name in q.goals | q.options}
    for name in given:
        if name not in known:
            raise UnknownNameError("goal of a plan", name, known)
    fitting = [q for q in questions if q.takes(given)]
    if fitting:
        return max(fitting, key=lambda q: len(q.goals))
    raise RequestError(
        f"No plan follows from {' and '.join(sorted(given))}." if given else "The plan has no goal.",
        f"Goals: {'; '.join(str(q) for q in questions)}.",
        "Give one of them, for example plan(fit, flops=1e24).",
    )

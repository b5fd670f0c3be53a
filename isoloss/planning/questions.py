"""Which questions `plan` answers, and which one was asked: each is a registered function in a file of this folder.

    @question
    def compute(fit: Fit, level: float, *, flops: Flops, family: FamilyOfShapes = None) -> Plan:
        "The best size and data for a training budget."

The function's keyword-only arguments are its schema: those without a default must be asked for, the others may be.
Their types, from `goals.py`, give the command line its flags.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from isoloss.core import discover
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.estimate import check_level
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Plan
from isoloss.planning.goals import Goal
from isoloss.published import published

Answer = Callable[..., Plan]
UNTOLD = Goal("...", "See the questions above.")


@dataclass(frozen=True)
class Question:
    """A registered question: its goals (all must be given), its options (may be given), and who answers it."""

    answer: Answer
    goals: frozenset[str]
    options: frozenset[str]
    summary: str

    def takes(self, given: Mapping[str, Any]) -> bool:
        return self.goals <= given.keys() <= self.goals | self.options

    def distance(self, given: Mapping[str, Any]) -> tuple[int, int]:
        """How far a question is from what was given: how much of it it does not take, and how many goals lack."""
        return len(given.keys() - self.goals - self.options), len(self.goals - given.keys())

    def told(self) -> dict[str, Goal]:
        """What is known of each goal and option, in the order of the signature."""
        hints = get_type_hints(self.answer, include_extras=True)
        names = inspect.signature(self.answer).parameters
        return {name: _goal(hints.get(name)) for name in names if name in self.goals | self.options}

    @property
    def flags(self) -> str:
        """The goals as flags of the command line, with examples: '--flops 1e24 --within 1%'."""
        return " ".join(f"{flag(name)} {goal.example}" for name, goal in self.told().items() if name in self.goals)

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


def flag(name: str) -> str:
    """The flag of the command line that a goal has: `unique_tokens` is `--unique-tokens`."""
    return f"--{name.replace('_', '-')}"


def plan(fit: Fit | Frontier | str, *, level: float = 0.9, **asked: Any) -> Plan:
    """Answer a question about what to train, with `level` intervals and the assumptions behind them.

    `fit` is a Fit, a Frontier, or the key of a published fit: `plan("besiroglu2024", flops=1e24)`. The question is
    told by the goals that are given: a budget (`flops`), a `loss` to reach, either with a settled size (`params`),
    amount of data (`tokens`) or `ratio` of the two, and more that `isoloss plan --help` lists. None counts as not
    given; numbers may be written as people write them ("1e24", "7B", "1 PF-days", "2%"), and many may be lists.
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
    near = sorted((q for q in questions if q.goals & given.keys()), key=lambda q: q.distance(given)) or questions
    listed = "".join(f"\n    {q}" for q in near)
    raise RequestError(
        f"No plan follows from {' and '.join(sorted(given))}." if given else "The plan has no goal.",
        f"Goals that go together, [options] in brackets:{listed}",
        "Give one such set, for example plan(fit, flops=1e24).",
    )


def _goal(hint: Any) -> Goal:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((mark for mark in marks if isinstance(mark, Goal)), UNTOLD)

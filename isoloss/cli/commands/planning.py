"""`isoloss plan`: its flags and its list of questions are those that the planner has registered."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.frontier import plannable
from isoloss.cli.output import leave, show
from isoloss.core.estimate import check_level
from isoloss.planning.goals import Goal
from isoloss.planning.questions import Question, every, flag


def plan(
    *,
    source: o.Source,
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
    **asked: Any,
) -> None:
    from isoloss.planning import plan as answer

    check_level(level)
    fitted = plannable(source, how)
    planned = answer(fitted, level=level, **{name: given for name, given in asked.items() if given})
    show(planned, planned.to_json(), as_json)
    leave([*fitted.findings, *planned.findings], strict)


def _line(question: Question) -> str:
    return f"isoloss plan FIT {question.flags}\n    {question.summary}."


def _help(questions: tuple[Question, ...]) -> str:
    listed = "\n".join(_line(q) for q in sorted(questions, key=_order))
    return f"What to train, and to what loss. The questions that a fit can answer:\n\n\b\n{listed}"


def _order(question: Question) -> tuple[int, bool, bool, str]:
    return len(question.goals), "flops" not in question.goals, "loss" not in question.goals, question.flags


def _flags(questions: tuple[Question, ...]) -> dict[str, Goal]:
    return {name: goal for question in questions for name, goal in question.told().items()}


def _argument(name: str, goal: Goal) -> inspect.Parameter:
    kind: Any = list[str] | None if goal.many else str | None
    words = f"{goal.meaning} {'Repeatable.' if goal.many else ''}".strip()
    option = typer.Option(flag(name), help=words, metavar=goal.example, rich_help_panel="Goals and options of a plan")
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _with_flags_of(questions: tuple[Question, ...]) -> None:
    own = [a for a in inspect.signature(plan, eval_str=True).parameters.values() if a.kind is a.KEYWORD_ONLY]
    asked = [_argument(name, goal) for name, goal in _flags(questions).items()]
    plan.__signature__ = inspect.Signature([own[0], *asked, *own[1:]])  # type: ignore[attr-defined]
    plan.__doc__ = _help(questions)


_with_flags_of(every())
command(plan)

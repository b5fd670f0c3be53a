"""Records what a law's function does with its arguments, so that it is known without SymPy and can be done again.

Two functions with one recording are one formula, whatever their source looks like, what they call or close over.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from isoloss.core import maths


@dataclass(frozen=True)
class Root:
    """A traced equation: `equation` in the symbol `y` is zero somewhere between the expressions `low` and `high`."""

    y: Any
    equation: Any
    low: Any
    high: Any


def unknown() -> Any:
    """The symbol of the y that an equation is solved for."""
    import sympy

    return sympy.Symbol("y", positive=True)


OPERATIONS: dict[str, Callable[..., Any]] = {  # by the names of NumPy's functions, but for two
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
    "exp": maths.exp,
    "log": maths.log,
    "minimum": maths.minimum,
    "maximum": maths.maximum,
    "unknown": unknown,
    "root": Root,
}
Step = tuple[str, tuple[Any, ...]]


class Recorded(NDArrayOperatorsMixin):
    """Stands for a number, and writes every operation on it to a tape that all of one call share."""

    __slots__ = ("at", "tape")

    def __init__(self, tape: list[Step], operation: str, *arguments: Any) -> None:
        self.tape, self.at = tape, len(tape)
        tape.append((operation, arguments))

    def noting(self, operation: str, *arguments: Any) -> Recorded:
        """The outcome of an operation on recorded or plain numbers; TypeError for anything else."""
        return Recorded(self.tape, operation, *map(_plain_or_recorded, arguments))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *arguments: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.__name__ not in OPERATIONS:
            return NotImplemented
        return self.noting(ufunc.__name__, *arguments)

    def __bool__(self) -> bool:
        raise TypeError("a recorded number is neither true nor false")

    def __repr__(self) -> str:
        return f"%{self.at}"


@dataclass(frozen=True)
class Recording:
    """The steps of a function, each an operation on earlier ones and plain numbers, and which of them it returns."""

    steps: tuple[Step, ...]
    result: Any

    def __str__(self) -> str:
        return f"{self.steps!r} -> {self.result!r}"

    def replay(self, named: Mapping[str, Any]) -> Any:
        """Do the steps with these values for the names."""
        done: list[Any] = []
        for operation, arguments in self.steps:
            if operation == "name":
                done.append(named[arguments[0]])
            else:
                done.append(OPERATIONS[operation](*(_looked_up(a, done) for a in arguments)))
        return _looked_up(self.result, done)


def record(function: Callable[..., Any], inputs: Sequence[str], parameters: Sequence[str]) -> Recording | None:
    """The recording of a call, inputs by position and parameters by keyword; None where it cannot be followed.

    Arithmetic and the functions of `maths` can be; a comparison, a branch or anything else that needs a value cannot.
    """
    tape: list[Step] = []
    x = [Recorded(tape, "name", name) for name in inputs]
    theta = {name: Recorded(tape, "name", name) for name in parameters}
    try:
        result = _plain_or_recorded(function(*x, **theta))
    except Exception:  # if it is the law that is wrong, tracing it with symbols says so
        return None
    return Recording(tuple(tape), result)


def _plain_or_recorded(value: Any) -> Any:
    if isinstance(value, Recorded):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    raise TypeError(f"cannot record {type(value).__name__}")


def _looked_up(argument: Any, done: Sequence[Any]) -> Any:
    return done[argument.at] if isinstance(argument, Recorded) else argument

"""One function a picture: nouns in, a Figure out. A file that uses `@plot` is found by its folder.

    @plot("What loss does a budget buy?", check=size_and_data)
    def compute(runs: Runs, fit: Fit, *, flops: float | None = None, level: float = 0.9) -> Figure: ...

A picture's signature is its schema: positional arguments are the nouns that it is drawn from (`Runs | None` need not be
given, `Sequence[Fit]` is one or several), keyword-only ones are its options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from isoloss.core import discover
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.estimate import check_level
from isoloss.core.figure import Figure

Draw = Callable[..., Figure]
ALWAYS = ("flops", "level")  # options that every picture may be given, whether it has a use for them or not


@dataclass(frozen=True)
class Slot:
    """One noun that a picture is drawn from: the types it may have, whether it may lack, whether it may be several."""

    name: str
    types: tuple[type, ...]
    optional: bool
    many: bool

    @classmethod
    def of(cls, name: str, hint: Any) -> Slot:
        many = get_origin(hint) is Sequence
        inner = get_args(hint)[0] if many else hint
        types = get_args(inner) if get_origin(inner) in (Union, UnionType) else (inner,)
        return cls(name, tuple(t for t in types if t is not NoneType), NoneType in types, many)

    def __str__(self) -> str:
        words = " or ".join(t.__name__ for t in self.types) + (" (one or several)" if self.many else "")
        return f"[{words}]" if self.optional else words


@dataclass(frozen=True)
class Plot:
    """A registered picture: its name, the question it answers, and the function that draws it.

    `check` takes the nouns as the function does, and raises a RequestError or DataError where they cannot be drawn.
    """

    name: str
    title: str
    function: Draw
    check: Callable[..., None] | None = None

    def __call__(self, *nouns: Any, **options: Any) -> Figure:
        """The picture of these nouns, in any order; `level` is that of every interval, `flops` a budget in question.

        Raises RequestError for nouns that it is not drawn from or a law that it does not suit, UnknownNameError for an
        option that it does not have, ColumnError or CellError for runs that lack what it needs.
        """
        bound = self.bind(nouns)
        if bound is None:
            given = ", ".join(type(noun).__name__ for noun in nouns) or "nothing"
            raise RequestError(
                f"The picture '{self.name}' cannot be drawn from {given}.", f"It is drawn from: {self.drawn_from}."
            )
        self.check_options(options)
        check_level(options.get("level", 0.9))
        if self.check is not None:
            self.check(*bound)
        return self.function(*bound, **{name: value for name, value in options.items() if name in self.options})

    def check_options(self, names: Iterable[str]) -> None:
        """Raise UnknownNameError for an option that the picture does not have."""
        for name in set(names) - self.options - set(ALWAYS):
            raise UnknownNameError(f"option of the picture '{self.name}'", name, self.options)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The nouns that it is drawn from, in the order of its arguments."""
        hints = get_type_hints(self.function)
        arguments = inspect.signature(self.function).parameters.values()
        return tuple(Slot.of(a.name, hints[a.name]) for a in arguments if a.kind is not a.KEYWORD_ONLY)

    @cached_property
    def options(self) -> frozenset[str]:
        """The names of its options."""
        arguments = inspect.signature(self.function).parameters.values()
        return frozenset(a.name for a in arguments if a.kind is a.KEYWORD_ONLY)

    @property
    def drawn_from(self) -> str:
        """Its nouns in words, those that may lack in brackets: '[Runs], Fit'."""
        return ", ".join(map(str, self.slots))

    def bind(self, nouns: Sequence[Any]) -> list[Any] | None:
        """The nouns in the order of its arguments, or None where one lacks or is to spare."""
        left, bound = list(nouns), []
        for slot in self.slots:
            found = [noun for noun in left if isinstance(noun, slot.types)]
            found = found if slot.many else found[:1]
            if not found and not slot.optional:
                return None
            bound.append(found if slot.many else found[0] if found else None)
            left = [noun for noun in left if not any(noun is taken for taken in found)]
        return None if left else bound

    def suits(self, nouns: Sequence[Any]) -> bool:
        """Whether it can be drawn from these nouns, as far as a look at them tells."""
        bound = self.bind(nouns)
        try:
            if bound is not None and self.check is not None:
                self.check(*bound)
        except RequestError:
            return False
        return bound is not None


REGISTERED: dict[str, Plot] = {}


def plot(title: str, check: Callable[..., None] | None = None) -> Callable[[Draw], Plot]:
    """Register a function of nouns as a picture under its own name; `title` is the question that it answers."""

    def register(function: Draw) -> Plot:
        made = Plot(function.__name__, title, function, check)
        if made.name in REGISTERED:
            raise ValueError(f"two plots are called '{made.name}'")
        REGISTERED[made.name] = made
        return made

    return register


def every() -> Mapping[str, Plot]:
    """All pictures by name: those of this folder and of installed plug-ins."""
    discover.modules("isoloss.plots")
    return dict(sorted(REGISTERED.items()))


def find(name: str) -> Plot:
    """The picture called `name`, or UnknownNameError with near names."""
    known = every()
    if name not in known:
        raise UnknownNameError("plot", name, known)
    return known[name]

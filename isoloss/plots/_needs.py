"""Which fits a picture can be drawn of, and a RequestError that says why it cannot be drawn of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isoloss.core import law as laws
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.planning.cost import SIZES
from isoloss.planning.surface import LOWER_IS_BETTER, Surface


def size_and_data(law: Law) -> bool:
    """Whether a law tells a loss for a model size and an amount of data, and for nothing else."""
    surface = Surface.of(law)
    return surface is not None and surface.bare and law.output.name in LOWER_IS_BETTER


def check_size_and_data(*nouns: Any) -> None:
    """Refuse a fit whose law is not of one model size and tokens alone."""
    refuse_unless(nouns, size_and_data, "model size against data", "of a model size and tokens")


def needing(column: str, words: str) -> Callable[..., None]:
    """A check that a fit's law has an input, such as the distinct tokens."""

    def check(*nouns: Any) -> None:
        refuse_unless(nouns, lambda law: column in law.columns, words, f"with the input '{column}'")

    return check


def refuse_unless(nouns: Sequence[Any], suits: Callable[[Law], bool], shows: str, kind: str) -> None:
    """Refuse the fits among the nouns whose law does not suit, naming laws that do."""
    for fit in (noun for noun in nouns if isinstance(noun, Fit)):
        if not suits(fit.law):
            known = [name for name, law in laws.every().items() if suits(law) and law.output.name in LOWER_IS_BETTER]
            raise RequestError(
                f"This picture shows {shows}, but the law '{fit.law.name}' is of {', '.join(fit.law.columns)}.",
                f"Laws {kind}: {', '.join(known)}.",
                "Fit one of them, or name another picture.",
            )


def size_in(law: Law) -> str | None:
    """The count of a model's size among a law's inputs, if there is one."""
    return next((name for name in law.columns if name in (*SIZES, "dense_params", "nonvocab_params")), None)

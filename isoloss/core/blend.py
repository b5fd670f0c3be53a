"""A weighted mean of laws, as a law like any other: its weights are parameters, followed by those of its members.

A fit of a blend predicts the mean of its members; a draw gives one member all the weight, so that draws carry how far
the members disagree. Value, derivatives, LaTeX and JavaScript follow from the one expression, as for every law.
Shapes: `k` inputs, `p` parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.formula import Formula
from isoloss.core.law import Input, Law, Parameter, find_one, signed
from isoloss.core.quantities import Range

WEIGHT = Range(0.0, 1.0, (0.1, 0.9), log=False)
BETWEEN = " + "


@dataclass(frozen=True)
class Blend(Law):
    """The law `w_1 first + w_2 second + ...`; member i has the parameters of its law, with `_i` after each name."""

    members: tuple[Law, ...] = field(kw_only=True)

    def freedom(self, theta_p: np.ndarray) -> float:
        """The weights' mean of how many parameters the members have: weights come from other runs than the fit's."""
        weight_m = theta_p[: len(self.members)]
        return float(weight_m @ [len(member.parameters) for member in self.members])


def blend(members: Sequence[Law]) -> Blend:
    """The blend of two laws or more, of one output; its inputs are all those of its members.

    Raises RequestError for laws of different outputs, and for one whose formula is not a plain expression.
    """
    outputs = {member.output.name for member in members}
    if len(members) < 2 or len(outputs) > 1:
        raise RequestError(
            f"A blend needs two laws or more of one output, not {len(members)} of {', '.join(sorted(outputs))}."
        )
    for member in members:
        if not blends(member):
            raise RequestError(f"The law '{member.name}' is no plain formula, so it cannot be part of a blend.")
    return _blend(tuple(members))


def blends(law: Law) -> bool:
    """Whether a law can be part of a blend: its formula is a plain expression."""
    return type(law.formula) is Formula and not isinstance(law, Blend)


def named(name: str) -> Blend:
    """The blend called `name`, such as "chinchilla + kaplan[N=params]"."""
    return blend([_member(words) for words in name.split(BETWEEN)])


def _member(words: str) -> Law:
    name, _, bound = words.removesuffix("]").partition("[")
    return find_one(name).bind(**dict(pair.split("=") for pair in bound.split(",") if pair))


@cache
def _blend(members: tuple[Law, ...]) -> Blend:
    quantities = list(dict.fromkeys(i.quantity for member in members for i in member.inputs))
    inputs = tuple(Input(symbol, q) for symbol, q in zip(_symbols(members), quantities, strict=True))
    weights = [Parameter(f"w_{i}", WEIGHT) for i, _ in enumerate(members, 1)]
    own = [Parameter(f"{p.name}_{i}", p.range) for i, member in enumerate(members, 1) for p in member.parameters]
    parameters = (*weights, *own)
    symbols, names = tuple(i.symbol for i in inputs), tuple(p.name for p in parameters)
    formula = Formula(_mean_of(members), symbols, names, signed(inputs, parameters))
    name = BETWEEN.join(map(_named, members))
    doc = f"The weighted mean of {len(members)} laws: {', '.join(member.name for member in members)}."
    return Blend(name, inputs, parameters, members[0].output, formula, "", doc, members=members)


def _mean_of(members: tuple[Law, ...]) -> Callable[..., Any]:
    columns = dict.fromkeys(i.quantity.name for member in members for i in member.inputs)

    def mean(*x_k: Any, **theta: Any) -> Any:
        at = dict(zip(columns, x_k, strict=True))
        total = 0
        for i, member in enumerate(members, 1):
            own = {name: theta[f"{name}_{i}"] for name in member.names}
            value = member.formula.function(*(at[j.quantity.name] for j in member.inputs), **own)
            total = total + theta[f"w_{i}"] * value
        return total

    return mean


def _symbols(members: tuple[Law, ...]) -> list[str]:
    # The quantities' letters, or their names where two share a letter.
    quantities = list(dict.fromkeys(i.quantity for member in members for i in member.inputs))
    letters = [q.symbol for q in quantities]
    return letters if len(set(letters)) == len(letters) else [q.name for q in quantities]


def _named(member: Law) -> str:
    registered = find_one(member.name).binding
    bound = [f"{symbol}={name}" for symbol, name in member.binding.items() if registered[symbol] != name]
    return f"{member.name}[{','.join(bound)}]" if bound else member.name

"""Broken power laws: straight pieces on log-log axes that join smoothly at any number of breaks."""

from __future__ import annotations

from typing import Any

from isoloss.core.formula import Formula
from isoloss.core.law import Input, Law, Parameter, add, signed
from isoloss.core.quantities import Amplitude, Bend, Floor, Scale, Sharpness, quantity, range_of

_DOC = """A floor, and a power law whose exponent changes at {breaks}.

The exponent is c_0 at first, and c_0 + c_1 + ... + c_i beyond the i-th break, which lies at d_i and is sharper the
smaller f_i: most of the change lies within a factor of exp(2 f_i) of it. A negative exponent makes the curve rise.
{nested} A break beyond the data cannot be foreseen. Caballero et al. 2022, Eq. 1."""

_COUNTED = ("no break", "one break", "two breaks", "three breaks")


def broken(breaks: int) -> Law:
    """Caballero et al.'s law with the given number of breaks, registered as `bnsl_0`, `bnsl_1` ..."""
    each = range(1, breaks + 1)

    def formula(x: Any, *, a: Any, b: Any, c_0: Any, **of_breaks: Any) -> Any:
        value = b * x**-c_0
        for i in each:
            c, d, f = (of_breaks[f"{letter}_{i}"] for letter in "cdf")
            value = value * (1 + (x / d) ** (1 / f)) ** (-c * f)
        return a + value

    ranges = {"a": Floor, "b": Amplitude, "c_0": Bend}
    for i in each:
        ranges |= {f"c_{i}": Bend, f"d_{i}": Scale, f"f_{i}": Sharpness}
    inputs = (Input("x", quantity("x")),)
    parameters = tuple(Parameter(name, range_of(kind)) for name, kind in ranges.items())
    traced = Formula(formula, ("x",), tuple(ranges), signed(inputs, parameters))
    doc = _DOC.format(breaks=_COUNTED[breaks], nested=_nested(breaks))
    return add(Law(f"bnsl_{breaks}", inputs, parameters, quantity("loss"), traced, "caballero2022", doc))


def _nested(breaks: int) -> str:
    if breaks == 0:
        return "This is `power_floor`, but for an exponent that may be negative."
    return f"With c_{breaks} = 0 this is `bnsl_{breaks - 1}`."


BROKEN = tuple(broken(breaks) for breaks in range(4))

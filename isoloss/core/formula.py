"""What follows from one traced expression: value, derivatives, LaTeX, JavaScript, linear parameters.

Nobody writes a derivative, a LaTeX string or a second implementation by hand. All of it is text or becomes text, which
`formula_cache` keeps; SymPy is imported only where something is not kept yet.
Shapes: compiled functions broadcast over whatever they are given; `k` inputs, `p` parameters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from isoloss.core import formula_cache
from isoloss.core.recording import Recording, record

Compiled = Callable[..., list[Any]]


@dataclass(frozen=True)
class Formula:
    """An expression in named symbols, and all that is derived from it.

    `function` is called once, with stand-ins that record what it does: inputs by position, parameters by keyword. What
    it did is then done with SymPy symbols: positive ones, and real ones for names in `signed`, which may be negative.
    A function that a recording cannot follow is called with the symbols themselves, and nothing of it is kept.
    """

    function: Callable[..., Any]
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    signed: frozenset[str] = frozenset()

    @cached_property
    def symbols(self) -> tuple[Any, ...]:
        import sympy

        names = (*self.inputs, *self.parameters)
        return tuple(sympy.Symbol(n, real=True) if n in self.signed else sympy.Symbol(n, positive=True) for n in names)

    @cached_property
    def expression(self) -> Any:
        import sympy

        return sympy.sympify(self._traced())

    def value(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> np.ndarray:
        """The formula's value, broadcast over inputs and parameters."""
        return np.asarray(self._value(*x_k, *theta_p)[0])

    def jacobian(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        """The p derivatives in the parameters; constant ones come back as scalars."""
        return self._tangent(*x_k, *theta_p)[1:]

    def tangent(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        """The value and the p first derivatives, subexpressions shared."""
        return self._tangent(*x_k, *theta_p)

    def hessian(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        """The value, p first and p(p+1)/2 second derivatives (upper triangle by rows), subexpressions shared."""
        return self._hessian(*x_k, *theta_p)

    def slopes(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        """The k derivatives in the inputs."""
        return self._slopes(*x_k, *theta_p)

    @cached_property
    def linear(self) -> tuple[str, ...]:
        """A largest-first set of parameters in which the expression is jointly affine (for variable projection)."""
        return tuple(self._kept("linear", lambda: " ".join(self._find_linear())).split())

    @cached_property
    def offsets(self) -> frozenset[str]:
        """The parameters that are plainly added to the rest of the expression."""
        return frozenset(self._kept("offsets", lambda: " ".join(self._find_offsets())).split())

    @cached_property
    def latex(self) -> str:
        return self._kept("latex", self._write_latex)

    @cached_property
    def javascript(self) -> str:
        """An arrow function of two objects, inputs and parameters: `({N, D}, {E, A}) => ...`."""
        arguments = f"({{{', '.join(self.inputs)}}}, {{{', '.join(self.parameters)}}})"
        return f"{arguments} => {{ {self._kept('javascript', self._write_javascript)} }}"

    @property
    def shown(self) -> Any:
        """What people are shown as the right-hand side."""
        return self.expression

    def _find_linear(self) -> list[str]:
        chosen: list[Any] = []
        for symbol in self._theta:
            first = self.expression.diff(symbol)
            if not first.free_symbols.intersection([*chosen, symbol]):
                chosen.append(symbol)
        return [s.name for s in chosen]

    def _find_offsets(self) -> list[str]:
        return [s.name for s in self._theta if self.expression.diff(s).is_number]

    def _write_latex(self) -> str:
        import sympy

        return sympy.latex(self.expression)

    def _write_javascript(self) -> str:
        import sympy

        steps, (result,) = sympy.cse(self.expression, symbols=_names_of_steps())
        lines = [f"const {name} = {sympy.jscode(step)};" for name, step in steps]
        return f"{' '.join(lines)} return {sympy.jscode(result)};"

    @cached_property
    def _value(self) -> Compiled:
        return self._compiled("value", lambda: [self._whole])

    @cached_property
    def _tangent(self) -> Compiled:
        return self._compiled("tangent", lambda: [self._whole, *self._first(self._theta)])

    @cached_property
    def _hessian(self) -> Compiled:
        return self._compiled("hessian", lambda: [self._whole, *self._first_and_second(self._theta)])

    @cached_property
    def _slopes(self) -> Compiled:
        return self._compiled("slopes", lambda: self._first(self._x))

    @property
    def _x(self) -> tuple[Any, ...]:
        return self.symbols[: len(self.inputs)]

    @property
    def _theta(self) -> tuple[Any, ...]:
        return self.symbols[len(self.inputs) :]

    @property
    def _whole(self) -> Any:
        return self.expression

    def _differentiate(self, expression: Any, symbol: Any) -> Any:
        return expression.diff(symbol)

    def _first(self, symbols: Sequence[Any]) -> list[Any]:
        return [self._differentiate(self._whole, s) for s in symbols]

    def _first_and_second(self, symbols: Sequence[Any]) -> list[Any]:
        first = dict(zip(symbols, self._first(symbols), strict=True))
        pairs = combinations_with_replacement(symbols, 2)
        return [*first.values(), *(self._differentiate(first[a], b) for a, b in pairs)]

    def _compiled(self, part: str, expressions: Callable[[], list[Any]], *before: str) -> Compiled:
        # `before` names arguments that come before the formula's own.
        arguments = (*before, *self.inputs, *self.parameters)
        return _run(self._kept(part, lambda: _python(arguments, expressions())))

    def _kept(self, part: str, make: Callable[[], str]) -> str:
        kind = type(self)
        if self._recording is None or kind.__module__ not in formula_cache.MAKERS:
            return make()
        names = f"{self.inputs} {self.parameters} {sorted(self.signed)}"
        return formula_cache.kept(f"{part} of {kind.__name__} {names} {self._recording}", make)

    @cached_property
    def _recording(self) -> Recording | None:
        return record(self.function, self.inputs, self.parameters)

    def _traced(self) -> Any:
        if self._recording is not None:
            return self._recording.replay({s.name: s for s in self.symbols})
        return self.function(*self._x, **dict(zip(self.parameters, self._theta, strict=True)))


def compiled(arguments: Sequence[str], expressions: Sequence[Any]) -> Compiled:
    """A function of arrays, by position, that returns the list of the expressions' values; not kept between runs."""
    return _run(_python(arguments, expressions))


def _python(arguments: Sequence[str], expressions: Sequence[Any]) -> str:
    import sympy
    from sympy.printing.numpy import NumPyPrinter

    steps, results = sympy.cse(_for_arrays(expressions), symbols=_names_of_steps(), list=False)
    printer = NumPyPrinter()
    lines = [f"{name} = {printer.doprint(step)}" for name, step in steps]
    lines.append(f"return [{', '.join(str(printer.doprint(result)) for result in results)}]")
    return "\n    ".join([f"def formula({', '.join(arguments)}):", *lines])


def _run(python: str) -> Compiled:
    named: dict[str, Any] = {"functools": functools, "numpy": np}
    exec(python, named)
    return named["formula"]


def _names_of_steps() -> Iterator[Any]:
    import sympy

    return sympy.numbered_symbols("_")


def _for_arrays(expressions: Sequence[Any]) -> list[Any]:
    # A vectorised exp costs a tenth of a vectorised power, and log of an input is shared by all parameter sets.
    # The delta at the kink of a Min or Max is zero elsewhere. Derivatives share most of their parts: each is seen once.
    import sympy

    seen: dict[Any, Any] = {}

    def rewritten(e: Any) -> Any:
        if e.is_Atom:
            return e
        if e not in seen:
            arguments = tuple(rewritten(a) for a in e.args)
            e_new = e if arguments == e.args else e.func(*arguments)
            if isinstance(e_new, sympy.DiracDelta):
                e_new = sympy.Integer(0)
            elif e_new.is_Pow and not e_new.exp.is_number:
                e_new = sympy.exp(e_new.exp * sympy.log(e_new.base))
            seen[e] = e_new
        return seen[e]

    return [rewritten(e) for e in expressions]

"""A law: a formula and everything the rest must know of it, read from one function's signature.

    @law(cite="hoffmann2022")
    def chinchilla(
        N: Params, D: Tokens, *, E: Floor, A: Amplitude, B: Amplitude, alpha: Exponent, beta: Exponent
    ) -> Loss:
        return E + A * N**-alpha + B * D**-beta

Positional arguments are measured, keyword-only ones are fitted; their types say which quantity or range each has.
Shapes: `n` runs, `k` inputs, `p` parameters, `s` parameter sets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_type_hints

import numpy as np

from isoloss.core import discover
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.formula import Formula
from isoloss.core.quantities import Quantity, Range, marker, quantity


@dataclass(frozen=True)
class Input:
    """A measured argument: its letter in the formula, and the quantity it stands for."""

    symbol: str
    quantity: Quantity


@dataclass(frozen=True)
class Parameter:
    """A fitted argument: its name, and what is known of it beforehand."""

    name: str
    range: Range


@dataclass(frozen=True)
class Law:
    """A named formula from k measured inputs and p fitted parameters to one output quantity."""

    name: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    output: Quantity
    formula: Formula = field(repr=False)
    cite: str = ""
    doc: str = field(default="", repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of every theta vector."""
        return tuple(p.name for p in self.parameters)

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs' quantity names, in the order of every input matrix."""
        return tuple(i.quantity.name for i in self.inputs)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.partition("\n")[0]

    @property
    def family(self) -> str:
        """The module that the law is written in: 'one_resource', 'joint'."""
        return self.formula.function.__module__.rpartition(".")[2]

    @property
    def latex(self) -> str:
        """The formula as LaTeX, with its left-hand side."""
        arguments = ", ".join(i.symbol for i in self.inputs)
        return f"{self.output.symbol}({arguments}) = {self.formula.latex}"

    def value(self, x_kn: Any, theta_sp: Any) -> np.ndarray:
        """Evaluate for every parameter set: inputs (k, n), parameters (p,) or (s, p) -> (n,) or (s, n)."""
        return self._broadcast(lambda x, theta: [self.formula.value(x, theta)], x_kn, theta_sp)[..., 0]

    def jacobian(self, x_kn: Any, theta_sp: Any) -> np.ndarray:
        """Derivatives in the parameters: (..., n, p), for the shapes of `value`."""
        return self._broadcast(self.formula.jacobian, x_kn, theta_sp)

    def slopes(self, x_kn: Any, theta_sp: Any) -> np.ndarray:
        """Derivatives in the inputs: (..., n, k), for the shapes of `value`."""
        return self._broadcast(self.formula.slopes, x_kn, theta_sp)

    def _broadcast(self, compiled: Callable[..., list[Any]], x_kn: Any, theta_sp: Any) -> np.ndarray:
        x_kn, theta_sp = np.asarray(x_kn, float), np.asarray(theta_sp, float)
        columns = [theta_sp[..., j, None] for j in range(len(self.parameters))]
        shape = (*theta_sp.shape[:-1], x_kn.shape[1])
        return np.stack([np.broadcast_to(part, shape) for part in compiled(list(x_kn), columns)], axis=-1)

    def freedom(self, theta_p: np.ndarray) -> float:
        """How many numbers a fit of this law chooses, at parameters (p,)."""
        return float(len(self.parameters))

    def theta(self, values: Mapping[str, float]) -> np.ndarray:
        """Order named parameter values into a vector (p,); every name must be there, and no other."""
        for name in values:
            if name not in self.names:
                raise UnknownNameError(f"parameter of the law '{self.name}'", name, self.names)
        missing = [name for name in self.names if name not in values]
        if missing:
            raise RequestError(
                f"The law '{self.name}' was given no value for {', '.join(missing)}.",
                f"Its parameters: {', '.join(self.names)}.",
            )
        return np.array([float(values[name]) for name in self.names])

    def bind(self, **columns: str) -> Law:
        """Name the quantity that an input or the output (as `y`) stands for: `power.bind(x="tokens")`."""
        symbols = [i.symbol for i in self.inputs]
        for symbol in columns:
            if symbol not in [*symbols, "y"]:
                raise UnknownNameError(f"input of the law '{self.name}'", symbol, [*symbols, "y"])
        inputs = tuple(Input(i.symbol, quantity(columns[i.symbol])) if i.symbol in columns else i for i in self.inputs)
        return replace(self, inputs=inputs, output=quantity(columns["y"]) if "y" in columns else self.output)

    @property
    def binding(self) -> dict[str, str]:
        """What `bind` needs to restore this law from its registered namesake."""
        return {**{i.symbol: i.quantity.name for i in self.inputs}, "y": self.output.name}


REGISTERED: dict[str, Law] = {}


def law(cite: str = "", formula: type[Formula] = Formula, kind: type[Law] = Law) -> Callable[[Callable[..., Any]], Law]:
    """Turn a function into a registered Law; `cite` is a key of `published/references.bib`.

    `formula` is how the function's expression is evaluated: `Implicit` where it is an equation to solve. `kind` is the
    class of law, where its binding names more than quantities.
    """

    def register(function: Callable[..., Any]) -> Law:
        return add(_read_signature(function, cite, formula, kind))

    return register


def add(made: Law) -> Law:
    """Register a law that was built from its parts, as laws for any number of domains or breaks are."""
    if made.name in REGISTERED:
        raise ValueError(f"two laws are called '{made.name}'")
    REGISTERED[made.name] = made
    return made


def every() -> dict[str, Law]:
    """All laws, by name: those of the folder `laws/` and of installed plug-ins."""
    discover.modules("isoloss.laws")
    return dict(sorted(REGISTERED.items()))


def find(name: str | Law) -> Law:
    """The law called `name`, or UnknownNameError with near names; "chinchilla + quanta" is the blend of the two."""
    if isinstance(name, Law):
        return name
    if "+" in name:
        from isoloss.core.blend import named

        return named(name)
    return find_one(name)


def find_one(name: str) -> Law:
    """The registered law called `name`, or UnknownNameError with near names."""
    known = every()
    if name not in known:
        raise UnknownNameError("law", name, known, "List them with: isoloss laws.")
    return known[name]


def signed(inputs: Sequence[Input], parameters: Sequence[Parameter]) -> frozenset[str]:
    """The names among these that may be negative, for `Formula(signed=...)`."""
    below = [i.symbol for i in inputs if i.quantity.least < 0]
    return frozenset([*below, *(p.name for p in parameters if p.range.low < 0)])


def _read_signature(function: Callable[..., Any], cite: str, formula_kind: type[Formula], kind: type[Law]) -> Law:
    hints = get_type_hints(function, include_extras=True)
    inputs: list[Input] = []
    parameters: list[Parameter] = []
    for name, argument in inspect.signature(function).parameters.items():
        mark = marker(hints.get(name))
        if argument.kind is argument.KEYWORD_ONLY and isinstance(mark, Range):
            parameters.append(Parameter(name, mark))
        elif argument.kind is not argument.KEYWORD_ONLY and isinstance(mark, Quantity):
            inputs.append(Input(name, mark))
        else:
            raise TypeError(
                f"{function.__name__}: '{name}' must be a Quantity (measured) or, after *, a Range (fitted)"
            )
    output = marker(hints.get("return"))
    if not isinstance(output, Quantity):
        raise TypeError(f"{function.__name__}: the return type must be a Quantity")
    symbols: Sequence[str] = [i.symbol for i in inputs]
    formula = formula_kind(function, tuple(symbols), tuple(p.name for p in parameters), signed(inputs, parameters))
    doc = inspect.getdoc(function) or ""
    return kind(function.__name__, tuple(inputs), tuple(parameters), output, formula, cite, doc)

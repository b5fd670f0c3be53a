"""Laws without a closed form: the output is where one traced equation crosses zero between two bounds.

    @law(cite="alabdulmohsin2022", formula=Implicit)
    def saturating(x: Anything, *, E: Floor, top: Amplitude, b: Amplitude, c: Exponent, a: Exponent) -> ErrorRate:
        return root(lambda y: y - E - b * x**-c * (top - y) ** a, E, top)

Shapes: everything broadcasts; `b` parameter sets, `n` points, `k` inputs, `p` parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from isoloss.core.formula import Compiled, Formula
from isoloss.core.maths import is_symbolic
from isoloss.core.recording import Recorded, Root, unknown

STEPS = 200  # halving alone would need 1100 for every double; interpolation takes about ten
ROUNDS = 8  # of Newton's method, before what has not settled is bracketed
EARLY, MOST = 3, 0.9  # rounds after which so many settled are enough: the others would take as many again
SURE = 0.01  # of the step before, beyond which steps do not shrink as they do near a simple root
ROUNDING = 2e-16


def root(equation: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The y between `low` and `high` at which `equation(y)` is zero; what a law under `Implicit` returns.

    Bounds may depend on inputs and parameters. The equation must have opposite signs (or zero) at the two bounds and
    cross zero once; keep it finite there (multiply out a denominator that vanishes). Where the signs do not differ the
    answer is NaN. Given symbols it returns the traced equation, given arrays the solution, and given complex arrays
    with tiny imaginary parts also its derivative in them (complex step).
    """
    for bound in (low, high):
        if isinstance(bound, Recorded):
            y = bound.noting("unknown")
            return bound.noting("root", y, equation(y), low, high)
    if is_symbolic(low, high):
        y = unknown()
        return Root(y, equation(y), low, high)
    y = solve(lambda at: np.real(equation(at)), np.real(low), np.real(high))
    at_root = equation(y)
    if not np.iscomplexobj(at_root):
        return y
    step = 1e-20 * np.maximum(np.abs(y), 1e-3)
    slope = np.imag(equation(y + 1j * step) - at_root) / step
    return y - 1j * np.imag(at_root) / slope


def solve(equation: Callable[[np.ndarray], Any], low: Any, high: Any) -> np.ndarray:
    """Find zeros elementwise between `low` and `high` (any shapes that broadcast with the equation's), or NaN.

    Inverse quadratic interpolation where it is safe, halving elsewhere: Chandrupatla 1997, Advances in Engineering
    Software 28:145.
    """
    with np.errstate(all="ignore"):
        shape = np.broadcast_shapes(np.shape(low), np.shape(high), np.shape(equation(np.asarray(low, float))))
    a, b = np.broadcast_to(high, shape).astype(float), np.broadcast_to(low, shape).astype(float)
    fa, fb = _at(equation, a), _at(equation, b)
    crosses = (np.sign(fa) * np.sign(fb) <= 0) & np.isfinite(fa) & np.isfinite(fb)
    c, fc, at = a, fa, np.full(shape, 0.5)
    for _ in range(STEPS):
        middle = a + at * (b - a)
        f = _at(equation, middle)
        same = np.sign(f) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = middle, f
        width = np.abs(b - a)
        least = ROUNDING * np.maximum(np.abs(a), np.abs(b))
        if np.all((fa == 0) | (width <= 2 * least) | ~crosses):
            break
        with np.errstate(all="ignore"):
            at = _interpolated(a, b, c, fa, fb, fc)
            closest = np.minimum(least / width, 0.5)
            at = np.clip(np.where(np.isfinite(at), at, 0.5), closest, 1 - closest)
    best = np.where(np.abs(fa) < np.abs(fb), a, b)
    return np.where(crosses, best, np.nan)


def approach(equation: Callable[[np.ndarray], Any], start: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """Find zeros near `start` by Newton's method; `equation(y)` is the value and its slope in y, shaped like `start`.

    A step beyond a bound goes half the way to it. NaN where steps do not shrink as they do near a simple root, and
    where few are left on their way: those are for `solve`.
    """
    y, before, is_settled = start, np.nan, np.zeros(start.shape, bool)
    for round_ in range(ROUNDS):
        with np.errstate(all="ignore"):
            f, slope = equation(y)
            to = y - f / slope
            for bound, is_beyond in ((low, to < low), (high, to > high)):
                if is_beyond.any():
                    to = np.where(is_beyond, 0.5 * (y + bound), to)
            y, size = to, np.abs(to - y)
            # Steps that square their size leave an error of this one times the square of its ratio to the last.
            ratio, least = size / before, ROUNDING * np.abs(y)
            is_settled |= ((ratio <= SURE) & (size * ratio * ratio <= least)) | (size <= 2 * least)
        if np.mean(is_settled) >= (1.0 if round_ < EARLY else MOST):
            break
        before = size
    return np.where(is_settled, y, np.nan)


def _at(equation: Callable[[np.ndarray], Any], y: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(equation(y), float), y.shape)


def _interpolated(a: Any, b: Any, c: Any, fa: Any, fb: Any, fc: Any) -> np.ndarray:
    xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
    is_safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    quadratic = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(is_safe, quadratic, 0.5)


@dataclass(frozen=True)
class Implicit(Formula):
    """A formula given by an equation; its function returns `root(...)`.

    Values are found numerically. Derivatives, second ones included, are exact: with F(y, s) = 0, dy/ds = -F_s / F_y,
    and expressions in y are differentiated with y depending on s. `expression` is y as an undefined function of all
    symbols, so that no parameter counts as linear or as an offset.
    """

    @cached_property
    def traced(self) -> Root:
        import sympy

        made = self._traced()
        if not isinstance(made, Root):
            raise TypeError("an implicit law must return root(equation, low, high)")
        return Root(made.y, *map(sympy.sympify, (made.equation, made.low, made.high)))

    @cached_property
    def expression(self) -> Any:
        import sympy

        return sympy.Function("y")(*self.symbols)

    @property
    def shown(self) -> Any:
        """The equation that y solves."""
        import sympy

        return sympy.Eq(self.traced.equation, 0)

    def _write_latex(self) -> str:
        import sympy

        return rf"y \text{{ where }} {sympy.latex(self.traced.equation)} = 0"

    def _write_javascript(self) -> str:
        # Halves the bracket until it is a point.
        import sympy

        of = self.traced
        return (
            f"const at_ = (y) => {sympy.jscode(of.equation)}; "
            f"let low_ = {sympy.jscode(of.low)}, high_ = {sympy.jscode(of.high)}; "
            f"const rising_ = at_(high_) > at_(low_); "
            f"if (at_(low_) * at_(high_) > 0) return NaN; "
            f"for (let step_ = 0; step_ < {STEPS}; step_++) {{ const mid_ = low_ + (high_ - low_) / 2; "
            f"if ((at_(mid_) > 0) === rising_) high_ = mid_; else low_ = mid_; }} "
            f"return low_ + (high_ - low_) / 2;"
        )

    @property
    def _whole(self) -> Any:
        return self.traced.y

    def _differentiate(self, expression: Any, symbol: Any) -> Any:
        y, equation = self.traced.y, self.traced.equation
        return expression.diff(symbol) - expression.diff(y) * equation.diff(symbol) / equation.diff(y)

    def _compiled(self, part: str, expressions: Callable[[], list[Any]], *before: str) -> Compiled:
        evaluate = super()._compiled(part, expressions, "y", *before)

        def solved(*x_and_theta: Any) -> list[Any]:
            return evaluate(self._solved(*x_and_theta), *x_and_theta)

        return solved

    def _solved(self, *x_and_theta: Any) -> np.ndarray:
        # The first of many parameter sets begins between its bounds, the others at its roots.
        fixed = [*self._constants(*x_and_theta), *x_and_theta]
        low, high = self._bounds(*x_and_theta)
        shape = np.broadcast_shapes(*map(np.shape, [low, high, *fixed]))
        start = 0.5 * (low + high)
        if len(shape) == 2 and shape[0] > 1:
            start = self._solved(*(part[:1] if np.ndim(part) == 2 else part for part in x_and_theta))
        y = approach(lambda at: self._equation(at, *fixed), np.broadcast_to(start, shape), low, high)
        left = np.isnan(y)
        if left.any():
            low, high, *fixed = (np.broadcast_to(part, shape)[left] for part in (low, high, *fixed))
            y[left] = solve(lambda at: self._equation(at, *fixed)[0], low, high)
        return y

    @cached_property
    def _bounds(self) -> Compiled:
        return super()._compiled("bounds", lambda: [self.traced.low, self.traced.high])

    @cached_property
    def _constants(self) -> Compiled:
        return super()._compiled("constants", lambda: list(self._parted[1]))

    @cached_property
    def _equation(self) -> Compiled:
        # The equation and its slope in y, given y and the constants.
        count = int(self._kept("count", lambda: str(len(self._parted[1]))))
        return super()._compiled("equation", lambda: self._parted[0], "y", *map(_constant, range(count)))

    @cached_property
    def _parted(self) -> tuple[list[Any], list[Any]]:
        # The equation and its slope in y, and what is in them that y has no part in: worked out once, not every round.
        import sympy

        y, constants = self.traced.y, {}

        def parted(e: Any) -> Any:
            if not e.has(y) or not e.args:
                return e
            free, bound = e.as_independent(y, as_Add=e.is_Add) if e.is_Add or e.is_Mul else (None, e)
            if free is None or free.is_Atom:
                return e.func(*map(parted, e.args))
            name = constants.setdefault(free, sympy.Symbol(_constant(len(constants)), real=True))
            return e.func(name, parted(bound))

        made = [parted(e) for e in (self.traced.equation, self.traced.equation.diff(y))]
        return made, list(constants)


def _constant(number: int) -> str:
    return f"constant_{number}"

"""A formula for one drop of the learning rate, summed over the drops of whole schedules.

Shapes: `n` rows, `p` parameters; parameters broadcast in front of the rows, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from isoloss.core.formula import Compiled, Formula, compiled
from isoloss.laws._schedules import Schedules


@dataclass(frozen=True)
class Summed(Formula):
    """The loss at a step of a schedule: `single` without a drop, plus what each drop so far changes in it.

    `single` has the inputs (S_1, eta_0, eta_1, S_a): the sum of rates, the rates before and after a drop, the sum of
    rates since. Here the inputs are the step t and the number q of one of `schedules`. Values and derivatives come from
    compiled expressions of `single`; only the drops are gathered (see `Schedules.drops`). `expression` is the loss as
    an undefined function of all symbols, so that no parameter counts as an offset; `shown` is the sum.
    """

    single: Formula = field(kw_only=True)
    schedules: Schedules = field(kw_only=True)

    @classmethod
    def over(cls, single: Formula, schedules: Schedules) -> Summed:
        """The formula of inputs t and q that sums `single` over the drops of these schedules."""
        return cls(single.function, ("t", "q"), single.parameters, single.signed, single=single, schedules=schedules)

    @cached_property
    def expression(self) -> Any:
        import sympy

        return sympy.Function("L")(*self.symbols)

    @cached_property
    def linear(self) -> tuple[str, ...]:
        return self.single.linear

    @property
    def shown(self) -> Any:
        """The sum over the steps k up to t, with the rate eta(k) and the sum S_1(t) of the rates up to t."""
        import sympy

        k, t = sympy.Symbol("k", integer=True), self.symbols[0]
        eta, total = sympy.Function("eta"), sympy.Function("S_1")
        S_1, eta_0, eta_1, S_a = self.single.symbols[:4]
        at = {eta_0: eta(k - 1), eta_1: eta(k), S_a: total(t) - total(k - 1), S_1: total(t)}
        return self._flat.xreplace(at) + sympy.Sum(self._change.xreplace(at), (k, 1, t))

    @cached_property
    def latex(self) -> str:
        import sympy

        return rf"{sympy.latex(self.shown)} \text{{ under schedule }} q"

    @cached_property
    def javascript(self) -> str:
        """An arrow function of two objects: `{S_1, drops}`, with drops a list of `{eta_0, eta_1, S_a}`, and parameters.

        It asks for the drops, not for t and q: a page that draws this law carries those of `Schedules.drops`.
        """
        import sympy

        return (
            f"({{S_1, drops}}, {{{', '.join(self.parameters)}}}) => drops.reduce("
            f"(sum_, {{eta_0, eta_1, S_a}}) => sum_ + {sympy.jscode(self._change)}, {sympy.jscode(self._flat)})"
        )

    def value(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> np.ndarray:
        return np.asarray(self._summed("value", x_k, theta_p)[0])

    def jacobian(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        return self._summed("jacobian", x_k, theta_p)

    def tangent(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        # The value as `value` rounds it: solvers compare the two.
        return [self.value(x_k, theta_p), *self.jacobian(x_k, theta_p)]

    def hessian(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        return self._summed("hessian", x_k, theta_p)

    def slopes(self, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        """The derivative in the step, at the drops made so far; NaN for the schedule's number, which has none."""
        _, rate_n, _ = self._drops(x_k)
        return [self._summed("slopes", x_k, theta_p)[0] * rate_n, np.full_like(rate_n, np.nan)]

    def _summed(self, what: str, x_k: Sequence[Any], theta_p: Sequence[Any]) -> list[Any]:
        of_flat, of_change = self._compiled_parts[what]
        sum_n, _, found = self._drops(x_k)
        parts = of_flat(sum_n, *theta_p)
        sets = np.broadcast_shapes((1,), *(np.shape(value) for value in theta_p))[:-1]
        # Each of the drops belongs to the first of the rows that the one before belongs to: slices are added to.
        totals: dict[int, np.ndarray] = {}
        for drops in found:
            changes = of_change(sum_n[drops.rows], drops.before, drops.after, drops.since, *theta_p)
            for i, change in enumerate(changes):
                if i not in totals and (np.ndim(change) or change):
                    totals[i] = np.zeros((*sets, len(found[0].rows)))
                if i in totals:
                    totals[i][..., : len(drops.rows)] += change
        for i, total in totals.items():
            parts[i] = np.array(np.broadcast_to(parts[i], (*sets, len(sum_n))), float)
            parts[i][..., found[0].rows] += total
        return parts

    def _drops(self, x_k: Sequence[Any]) -> Any:
        step_n, number_n = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, float)) for x in x_k))
        return self.schedules.drops(step_n, number_n)

    @cached_property
    def _flat(self) -> Any:
        # Without a drop the rates before and after are one, and what a drop changes must then be nothing.
        _, eta_0, eta_1, S_a = self.single.symbols[:4]
        flat = self.single.expression.subs(eta_0, eta_1)
        if flat.free_symbols & {eta_1, S_a}:
            raise TypeError("a law of one drop must not depend on the drop where the rate stays the same")
        return flat

    @cached_property
    def _change(self) -> Any:
        return self.single.expression - self._flat

    @cached_property
    def _compiled_parts(self) -> dict[str, tuple[Compiled, Compiled]]:
        S_1, _, _, S_a = self.single.symbols[:4]
        theta = self.single.symbols[4:]
        wanted: dict[str, Callable[[Any], list[Any]]] = {
            "value": lambda e: [e],
            "jacobian": lambda e: [e.diff(s) for s in theta],
            "hessian": lambda e: [e, *(e.diff(s) for s in theta), *_second(e, theta)],
            "slopes": lambda e: [e.diff(S_1) + e.diff(S_a)],
        }
        names = [s.name for s in self.single.symbols]
        flat_names = [S_1.name, *names[4:]]
        return {
            what: (
                compiled(flat_names, parts(self._flat)),
                compiled(names, parts(self._change)),
            )
            for what, parts in wanted.items()
        }


def _second(expression: Any, symbols: Sequence[Any]) -> list[Any]:
    return [expression.diff(a).diff(b) for i, a in enumerate(symbols) for b in symbols[i:]]

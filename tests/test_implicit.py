"""A law given by an equation: solved to the last digits, differentiated exactly, told apart from what has no root."""

import itertools
import subprocess
from shutil import which
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from isoloss.core.implicit import Implicit, approach, root, solve


def saturating(x: Any, *, E: Any, T: Any, b: Any, c: Any, a: Any) -> Any:
    return root(lambda y: y - E - b * x**-c * (T - y) ** a, E, T)


FORMULA = Implicit(saturating, ("x",), ("E", "T", "b", "c", "a"))
X = np.array([1.0, 1e2, 1e4, 1e6])
THETA = (0.1, 0.9, 3.0, 0.4, 1.7)


def test_is_the_root_that_brent_finds() -> None:
    E, T, b, c, a = THETA

    def equation(y: float, x: float) -> float:
        return y - E - b * x**-c * (T - y) ** a

    expected: list[Any] = [brentq(equation, E, T, args=(x,), xtol=1e-16) for x in X]
    np.testing.assert_allclose(FORMULA.value([X], THETA), expected, rtol=1e-13)


def test_one_exponent_has_a_closed_form() -> None:
    E, T, b, c, _ = THETA
    closed = (E + b * X**-c * T) / (1 + b * X**-c)
    np.testing.assert_allclose(FORMULA.value([X], (E, T, b, c, 1.0)), closed, rtol=1e-14)


def test_second_derivatives_are_those_of_the_closed_form() -> None:
    # At a = 1 the equation is linear in y; everything but derivatives in a has a closed form.
    E, T, b, c, _ = THETA
    u = b * X**-c
    _, *parts = FORMULA.hessian([X], (E, T, b, c, 1.0))
    pairs = dict(zip(itertools.combinations_with_replacement("ETbca", 2), parts[5:], strict=True))
    np.testing.assert_allclose(parts[0], 1 / (1 + u), rtol=1e-12)
    np.testing.assert_allclose(parts[2], (T - E) / (1 + u) ** 2 * X**-c, rtol=1e-12)
    np.testing.assert_allclose(pairs["E", "b"], -(X**-c) / (1 + u) ** 2, rtol=1e-11)
    np.testing.assert_allclose(pairs["b", "b"], -2 * (T - E) * X ** (-2 * c) / (1 + u) ** 3, rtol=1e-11)


def test_no_parameter_counts_as_linear() -> None:
    assert FORMULA.linear == ()
    assert all(not FORMULA.expression.diff(s).is_number for s in FORMULA.symbols)


def test_where_no_root_lies_between_the_bounds_it_is_nan() -> None:
    found = solve(lambda y: y - np.array([0.5, 2.0]), 0.0, 1.0)
    assert found[0] == 0.5 and np.isnan(found[1])


@pytest.mark.parametrize("target", [1e-12, 1e-3, 0.5, 1 - 1e-9])
def test_steep_and_flat_equations(target: float) -> None:
    for power in (0.2, 1.0, 5.0):
        (found,) = solve(lambda y, p=power: np.sign(y - target) * np.abs(y - target) ** p, np.zeros(1), 1.0)
        assert found == pytest.approx(target, rel=1e-9)


def test_many_parameter_sets_at_once_have_the_roots_that_each_has_alone() -> None:
    # The others begin at the roots of the first, however far away theirs are, and whether or not it has any.
    rng = np.random.default_rng(0)
    E, T, b, c, a = (middle * np.exp(rng.normal(0, 1, (200, 1))) for middle in (0.02, 9.0, 30.0, 0.4, 1.7))
    for first_E in (E[0, 0], 2 * T[0, 0]):
        E[0, 0] = first_E
        alone = [FORMULA.value([X], [part_b1[i] for part_b1 in (E, T, b, c, a)]) for i in range(len(E))]
        np.testing.assert_allclose(FORMULA.value([X], [E, T, b, c, a]), alone, rtol=1e-13)
    left = [solve(lambda y, i=i: y - E[i] - b[i] * X ** -c[i] * (T[i] - y) ** a[i], E[i] + 0 * X, T[i]) for i in (1, 2)]
    np.testing.assert_allclose(FORMULA.value([X], [E, T, b, c, a])[1:3], left, rtol=1e-13)


def test_value_and_slopes_together_are_those_taken_apart() -> None:
    value, *slopes = FORMULA.tangent([X], THETA)
    np.testing.assert_array_equal(value, FORMULA.value([X], THETA))
    np.testing.assert_allclose(slopes, FORMULA.hessian([X], THETA)[1:6], rtol=1e-12)


def test_newton_settles_at_simple_roots_and_leaves_the_others() -> None:
    # A parabola's root is simple at 2; a cube's at 1 is triple, where steps shrink by a third only.
    def equation(y: Any) -> tuple[Any, Any]:
        return np.stack([y[0] ** 2 - 4, (y[1] - 1) ** 3]), np.stack([2 * y[0], 3 * (y[1] - 1) ** 2])

    found = approach(equation, np.array([3.0, 3.0]), 0.0, 5.0)
    assert found[0] == pytest.approx(2, rel=1e-15) and np.isnan(found[1])


def test_a_step_beyond_a_bound_stays_within() -> None:
    def equation(y: Any) -> tuple[Any, Any]:
        assert ((y > 0) & (y < 100)).all()  # from 4 Newton's first step leads to -1.5
        return np.log(y), 1 / y

    assert approach(equation, np.array([4.0]), 0.0, 100.0)[0] == pytest.approx(1, rel=1e-15)


def test_must_return_a_root() -> None:
    with pytest.raises(TypeError, match=r"root\(equation, low, high\)"):
        Implicit(lambda x, *, a: a * x, ("x",), ("a",)).value([X], [1.0])


@pytest.mark.skipif(which("node") is None, reason="needs node")
def test_javascript_solves_the_same() -> None:
    names = ", ".join(f"{n}: {v}" for n, v in zip(FORMULA.parameters, THETA, strict=True))
    code = f"const law = {FORMULA.javascript}; console.log({X.tolist()}.map(x => law({{x}}, {{{names}}})).join(' '))"
    out = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose([float(v) for v in out.split()], FORMULA.value([X], THETA), rtol=1e-13)

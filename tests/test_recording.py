"""What a law's function does is recorded as it is, and a function that cannot be followed is traced all the same."""

from typing import Any

import numpy as np
import pytest

from isoloss.core import formula_cache, maths
from isoloss.core.formula import Formula
from isoloss.core.law import every
from isoloss.core.recording import record

LAWS = every()


@pytest.mark.parametrize("name", LAWS)
def test_every_law_can_be_followed(name: str) -> None:
    formula = LAWS[name].formula
    assert record(formula.function, formula.inputs, formula.parameters) is not None


@pytest.mark.parametrize("name", LAWS)
def test_a_replay_with_numbers_is_the_function(name: str) -> None:
    law = LAWS[name]
    theta = {p.name: float(np.mean(p.range.typical)) for p in law.parameters}
    x = {i.symbol: float(np.mean(i.quantity.typical)) for i in law.inputs}
    followed = record(law.formula.function, law.formula.inputs, law.formula.parameters)
    assert followed is not None
    if any(operation == "root" for operation, _ in followed.steps):
        pytest.skip("an equation is replayed with symbols only")
    assert np.array_equal(followed.replay(x | theta), law.formula.function(*x.values(), **theta), equal_nan=True)


def test_one_recording_for_one_formula_however_it_is_written() -> None:
    def term(x: Any, a: Any) -> Any:
        return a * maths.exp(-x)

    def by_helper(x: Any, *, a: Any) -> Any:
        return term(x, a) + 1

    def in_one(x: Any, *, a: Any) -> Any:
        return a * maths.exp(-x) + 1

    assert str(record(by_helper, ["x"], ["a"])) == str(record(in_one, ["x"], ["a"]))


def power_sum(k: int, last: float = 1.0) -> Any:
    def formula(*x: Any, **a: Any) -> Any:
        return last * sum(a[f"a_{j}"] * share**j for j, share in enumerate(x[:k], 1))

    return formula


def test_closures_and_constants_are_told_apart() -> None:
    names = [f"x_{j}" for j in range(4)], [f"a_{j}" for j in range(1, 5)]
    made = [power_sum(2), power_sum(3), power_sum(3, 1.0 + 2**-52), power_sum(3, np.float64(2.0))]
    assert len({str(record(function, *names)) for function in made}) == 4


def test_numpy_numbers_may_stand_on_either_side() -> None:
    def formula(x: Any, *, a: Any) -> Any:
        return np.float64(2.0) * x + a * np.int64(3) - np.exp(x)

    followed = record(formula, ["x"], ["a"])
    assert followed is not None
    assert followed.replay({"x": 0.5, "a": 2.0}) == formula(0.5, a=2.0)


def branches(x: Any, *, a: Any) -> Any:
    return a * x if x > 0 else a


def compares(x: Any, *, a: Any) -> Any:
    return a if x == a else a * x


def calls_sympy(x: Any, *, a: Any) -> Any:
    import sympy

    return a * sympy.sqrt(x)


def keeps_an_array(x: Any, *, a: Any) -> Any:
    return np.asarray(x) * a


@pytest.mark.parametrize("function", [branches, compares, calls_sympy, keeps_an_array])
def test_what_needs_a_value_is_not_followed(function: Any) -> None:
    assert record(function, ["x"], ["a"]) is None


@pytest.mark.parametrize("function", [branches, compares, calls_sympy])
def test_what_is_not_followed_is_traced_but_not_kept(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(key: str, make: Any) -> str:
        raise AssertionError(key)

    monkeypatch.setattr(formula_cache, "kept", refuse)
    formula = Formula(function, ("x",), ("a",))
    assert formula.value([4.0], [3.0]) == (6.0 if function is calls_sympy else 12.0)
    assert formula.linear == ("a",)


def test_a_wrong_law_fails_as_its_author_wrote_it() -> None:
    def wrong(x: Any, *, a: Any) -> Any:
        return a * x + b  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(NameError, match="'b'"):
        Formula(wrong, ("x",), ("a",)).value([1.0], [2.0])


def test_offsets_are_what_is_plainly_added() -> None:
    assert LAWS["chinchilla"].formula.offsets == {"E"}
    assert LAWS["annealing"].formula.offsets == {"L_0"}
    assert LAWS["bounded_power"].formula.offsets == frozenset()


def test_a_parameter_may_be_called_as_steps_of_other_programs_are() -> None:
    def formula(x0: Any, *, x1: Any, t_0: Any) -> Any:
        return maths.exp(x0 * t_0) + x1 * maths.exp(x0 * t_0) ** 0.5

    made = Formula(formula, ("x0",), ("x1", "t_0"))
    assert made.value([0.3], [2.0, 0.7]) == pytest.approx(formula(0.3, x1=2.0, t_0=0.7))
    assert made.javascript.count("const t_0") == 0

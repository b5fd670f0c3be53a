"""Which powers of the inputs a law's scales bear, beside what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest

from isoloss.core.law import find
from isoloss.fitting.units import Power, units


@pytest.mark.parametrize(
    ("law", "scale", "borne"),
    [
        ("power", "x_c", {"x": 1.0}),  # (x_c / x)^alpha
        ("kaplan", "D_c", {"D": 1.0}),
        ("saturating_power", "gamma", {"x": -1.0}),  # 1/x + gamma
        ("body_chinchilla", "gamma", {"N": 2 / 3}),  # N + gamma N^(1/3)
        ("rosenfeld", "b", {"m": "beta"}),  # b m^-beta beside n^-alpha
        ("log_score", "A", {"D": "-alpha"}),  # log(A D^alpha)
        ("min_steps", "B_star", {"B": 1.0, "L": "1/alpha_B"}),  # B_star L^(-1/alpha_B) / B
    ],
)
def test_a_scale_bears_what_its_formula_says(law: str, scale: str, borne: dict[str, float | str]) -> None:
    made = find(law)
    powers = units(made)[made.names.index(scale)]
    assert powers is not None
    found = {made.inputs[p.input].symbol: _written(p, made.names) for p in powers}
    assert found == {x: pytest.approx(e, abs=1e-6) if isinstance(e, float) else e for x, e in borne.items()}


def test_scales_that_stand_for_each_other_are_left_open() -> None:
    made = find("kaplan_frontier")  # N_c B_star S_c / C
    assert all(powers is None for powers in units(made).values())


def test_an_exponent_follows_the_parameter_it_is() -> None:
    theta_pb = np.array([[2.0, 4.0], [0.5, 0.1]])
    np.testing.assert_allclose(Power(0, -1.0, 1).at(theta_pb), [-0.5, -0.1])
    np.testing.assert_allclose(Power(0, 1.0, 0, inverse=True).at(theta_pb), [0.5, 0.25])
    np.testing.assert_allclose(Power(0, 1.5).at(theta_pb), [1.5, 1.5])


def _written(power: Power, names: tuple[str, ...]) -> float | str:
    if power.parameter is None:
        return power.times
    return ("-" if power.times < 0 else "") + ("1/" if power.inverse else "") + names[power.parameter]

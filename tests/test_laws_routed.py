"""Laws of routed models: saturation, the dense limit, effective size, and the papers' tables."""

import numpy as np
import pytest
from law_values import value

from isoloss.core.law import find
from isoloss.laws.routed import saturated
from isoloss.published import card, published

ROUTERS = ("clark2022_sbase", "clark2022_rlr", "clark2022_hash")
FINE = {"c": 0.47, "g": 2.1, "gamma": 0.58, "a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147}
TABLE_4 = {
    "E": [1, 2, 4, 8, 16, 32],
    "m": [30.364, 27.7982, 24.8462, 21.833, 19.0159, 16.5424],
    "mu": [-0.1817, -0.178, -0.1731, -0.1676, -0.1617, -0.1557],
    "n": [53.9838, 66.8401, 87.7022, 119.9126, 167.5073, 234.6726],
    "nu": [-0.1965, -0.2065, -0.2192, -0.2338, -0.2494, -0.2652],
}
# Ludziejewski et al. 2025, Table 1: budget, experts, best active parameters, best tokens; with the golden ids.
TABLE_1 = {
    "G52-G53": (1e20, 1, 1.7e9, 9.7e9),
    "E2": (1e20, 2, 1.5e9, 11.4e9),
    "E32": (1e20, 32, 669e6, 24.9e9),
    "G54-G55": (1e21, 8, 3.8e9, 44.3e9),
    "E16": (1e22, 16, 13.2e9, 126.5e9),
    "G56-G57": (1e22, 32, 12.2e9, 136.9e9),
}


SIZE = {"a": 35.9, "alpha": -0.19, "delta": -0.23, "gamma": 0.0098}
AT = [np.array([2e7, 3e8, 1e9]), np.array([1.0, 8.0, 64.0])]
UNSATURATED = {"E_start": 1.0, "E_max": 1e12}


class TestRoutedFloor:
    def test_it_is_the_joint_law_at_a_fixed_number_of_tokens(self) -> None:
        data = {"b": 36.0, "beta": -0.18, "omega": 0.0, "zeta": 0.0, "c": 1.3}
        joint = value("joint_routed", [AT[0], np.full(3, 1e10), AT[1]], **SIZE, **data, **UNSATURATED)
        np.testing.assert_allclose(value("routed_floor", AT, **SIZE, c=1.3 + 36.0 * 1e10**-0.18), joint, rtol=1e-8)

    def test_without_a_floor_it_is_the_law_of_clark_far_from_saturation(self) -> None:
        in_tens = {"a": -0.19, "b": -0.23, "c": 0.0098 * np.log(10), "d": np.log10(35.9)}
        routed = value("routed", AT, **in_tens, **UNSATURATED)
        np.testing.assert_allclose(value("routed_floor", AT, **SIZE, c=0.0), routed, rtol=1e-8)


class TestSaturation:
    def test_starts_ends_and_grows_as_it_says(self) -> None:
        assert saturated(1.0, 2.0, 300.0) == pytest.approx(2.0)
        assert saturated(1e9, 2.0, 300.0) == pytest.approx(300.0, rel=1e-6)
        assert saturated(20.0, 1.0, 1e9) == pytest.approx(20.0, rel=1e-6)


@pytest.mark.parametrize("key", ROUTERS)
class TestRouters:
    def test_one_expert_is_a_power_law_in_size(self, key: str) -> None:
        fit, t = published(key), published(key).theta
        start = np.log10(t["E_start"])
        slope = -(t["a"] + t["c"] * start)
        x_c = 10 ** ((t["b"] * start + t["d"]) / slope)
        N = np.logspace(7, 10, 7)
        routed = fit.predict(dense_params=N, experts=np.ones(7)).mid
        np.testing.assert_allclose(routed, value("power", [N], x_c=x_c, alpha=slope), rtol=1e-12)

    def test_effective_dense_model_reaches_the_same_loss(self, key: str) -> None:
        N, E = np.array([2e7, 3e8, 1e9]), np.array([8.0, 64.0, 512.0])
        effective = published(f"{key}_effective").predict(dense_params=N, experts=E).mid
        fit = published(key)
        loss = fit.predict(dense_params=N, experts=E).mid
        np.testing.assert_allclose(fit.predict(dense_params=effective, experts=np.ones(3)).mid, loss, rtol=1e-11)
        assert (effective > N).all()
        alone = published(f"{key}_effective").predict(dense_params=N, experts=np.ones(3)).mid
        np.testing.assert_allclose(alone, N, rtol=1e-12)

    def test_printed_cutoff_is_not_that_of_the_printed_constants(self, key: str) -> None:
        t = published(key).theta
        (warning,) = card(key).warnings
        assert warning.number is not None
        cutoff = 10 ** (-t["b"] / t["c"])
        assert f"{cutoff:.3g}" in warning.sentence
        assert abs(np.log(cutoff / warning.number)) > 0.05


class TestNesting:
    def test_endless_granularity_is_chinchilla(self) -> None:
        N, D = np.logspace(8, 10, 5), 2e10
        dense = {"E": 0.47, "A": 18.1, "alpha": 0.115, "B": 30.8, "beta": 0.147}
        np.testing.assert_allclose(
            value("granular", [N, D, 1e30], **FINE), value("chinchilla", [N, D], **dense), rtol=1e-12
        )
        np.testing.assert_allclose(
            value("granular", [N, D, 8.0], **FINE),
            value("chinchilla", [N, D], **{**dense, "A": 18.1 + 2.1 * 8**-0.58}),
            rtol=1e-13,
        )

    def test_busy_experts_at_no_cost_are_chinchilla(self) -> None:
        N, D = np.logspace(8, 10, 5), 2e10
        dense = {"E": 0.9, "A": 16612.5, "alpha": 0.5962, "B": 5455.7, "beta": 0.3954}
        sparse = {"e": 0.9, "a": 16612.5, "alpha": 0.5962, "b": 5455.7, "beta": 0.3954, "lam": -0.17}
        at = value("idle_experts", [N, D, 0.5], c=0, d=0, delta=0.2, gamma=0.2, **sparse)
        np.testing.assert_allclose(at, value("chinchilla", [N, D], **dense), rtol=1e-13)

    @pytest.mark.parametrize("i", range(6))
    def test_fixed_experts_are_chinchilla_with_the_constants_of_table_4(self, i: int) -> None:
        fit = published("ludziejewski2025")
        N, D = np.logspace(8, 10, 5), np.full(5, 3e10)
        joint = fit.predict(active_params=N, tokens=D, experts=np.full(5, float(TABLE_4["E"][i]))).mid
        row = {"A": TABLE_4["m"][i], "alpha": -TABLE_4["mu"][i], "B": TABLE_4["n"][i], "beta": -TABLE_4["nu"][i]}
        np.testing.assert_allclose(joint, value("chinchilla", [N, D], E=1.3637, **row), rtol=2e-3)


@pytest.mark.parametrize("name", TABLE_1)
def test_best_routed_model(name: str) -> None:
    """Ludziejewski et al. 2025, Table 1, with 6 N_act D FLOP."""
    flops, experts, size, tokens = TABLE_1[name]
    N = np.exp(np.linspace(np.log(size / 3), np.log(3 * size), 4001))
    loss = published("ludziejewski2025").predict(
        active_params=N, tokens=flops / 6 / N, experts=np.full(len(N), float(experts))
    )
    best = N[np.argmin(loss.mid)]
    assert best == pytest.approx(size, rel=0.025)
    assert flops / 6 / best == pytest.approx(tokens, rel=0.011)


def test_catalogued_points() -> None:
    made = published("ludziejewski2025").predict(active_params=1.7e9, tokens=9.7e9, experts=1)
    assert made.mid[0] == pytest.approx(2.590934458548097, rel=1e-13)
    assert find("idle_experts").columns == ("params", "tokens", "idle_share")
    assert published("abnar2025").theta["lam"] < 0

"""Laws of mixtures and languages, for any number of domains."""

import numpy as np
import pytest
from law_values import value

from isoloss.core.law import REGISTERED, find
from isoloss.laws.mixture import mixing
from isoloss.published import card, published

R = [0.2, 0.5, 0.3]
T = {"t_1": -1.2, "t_2": -0.4, "t_3": 0.3}
BASE = {"E": 1.0, "A": 400.0, "alpha": 0.4527, "B": 2000.0, "beta": 0.147}


def test_written_by_hand() -> None:
    assert value("mixing_3", R, c=1.5, K=0.8, **T) == pytest.approx(1.5 + 0.8 * np.exp(-0.24 - 0.2 + 0.09))
    logs = -1.2 * np.log(0.2) - 0.4 * np.log(0.5) + 0.3 * np.log(0.3)
    assert value("mixing_log_3", R, c=1.5, **T) == pytest.approx(1.5 + logs)


def test_powers_written_by_hand() -> None:
    powers = 0.8 * 0.21**-1.2 * 0.51**-0.4 * 0.31**0.3
    assert value("mixing_power_3", R, K=0.8, r_0=0.01, **T) == pytest.approx(powers)
    assert np.isfinite(value("mixing_power_3", [0.0, 0.5, 0.5], K=0.8, r_0=0.01, **T))


def test_powers_are_the_logarithmic_law_where_they_are_slight() -> None:
    slight = {name: 1e-5 * t for name, t in T.items()}
    first = value("mixing_log_3", np.array(R) + 0.01, c=1.0, **slight)
    assert value("mixing_power_3", R, K=1.0, r_0=0.01, **slight) == pytest.approx(first, rel=1e-9)


def test_one_coefficient_is_free_on_the_simplex() -> None:
    moved = {name: t + 0.7 for name, t in T.items()}
    assert value("mixing_3", R, c=1.5, K=0.8 * np.exp(-0.7), **moved) == pytest.approx(
        value("mixing_3", R, c=1.5, K=0.8, **T), rel=1e-14
    )


def test_domain_without_effect_leaves_the_smaller_law() -> None:
    two = value("mixing_2", R[:2], c=1.5, K=0.8, t_1=-1.2, t_2=-0.4)
    assert value("mixing_3", R, c=1.5, K=0.8, **{**T, "t_3": 0.0}) == pytest.approx(two, rel=1e-14)


def test_logarithmic_law_is_the_first_order_of_the_exponential_one() -> None:
    at = np.array(R)
    moved = at + 1e-6 * np.array([1.0, -2.0, 1.0])
    height = 0.8 * np.exp(float(np.dot(list(T.values()), at)))
    local = {f"t_{j}": height * t * r for j, (t, r) in enumerate(zip(T.values(), at, strict=True), 1)}
    change = value("mixing_3", moved, c=1.5, K=0.8, **T) - value("mixing_3", at, c=1.5, K=0.8, **T)
    first = value("mixing_log_3", moved, c=1.5, **local) - value("mixing_log_3", at, c=1.5, **local)
    assert first == pytest.approx(change, rel=1e-4)


def test_fixed_mixture_is_chinchilla() -> None:
    N, D = np.logspace(8, 10, 5), 2e10
    base = {"A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}
    domains = {"C_1": 0.5, "C_2": 1.5, "gamma_1": 0.3, "gamma_2": 0.6}
    floor = 1.2 + 1 / (0.5 * 0.3**0.3 + 1.5 * 0.7**0.6)
    mixed = value("mixing_scale_2", [N, D, 0.3, 0.7], E=1.2, **base, **domains)
    np.testing.assert_allclose(mixed, value("chinchilla", [N, D], E=floor, **base), rtol=1e-13)


def test_more_domains_are_one_call_away() -> None:
    try:
        made = mixing(6)
        assert find("mixing_6") is made
        assert made.columns == tuple(f"share_{j}" for j in range(1, 7))
        theta_p = made.theta({"c": 1.0, "K": 1.0} | {f"t_{j}": 0.6 for j in range(1, 7)})
        assert made.value(np.full((6, 1), 1 / 6), theta_p)[0] == pytest.approx(1 + np.exp(0.6))
    finally:
        REGISTERED.pop("mixing_6", None)


class TestLanguages:
    def test_one_language_is_chinchilla(self) -> None:
        at = [np.logspace(7, 10, 5), 1e11]
        alone = value("multilingual", [*at, 1.0], phi=0.11, psi=-0.04, **BASE)
        np.testing.assert_allclose(alone, value("chinchilla", at, **BASE), rtol=1e-13)

    def test_same_loss_needs_what_the_paper_tabulates(self) -> None:
        """G62 and G63 from the loss law: K^(1 + psi / beta) tokens in all, K^(phi / alpha) parameters."""
        K = np.array([1.0, 4.0, 16.0])
        size = 1e9 * K**0.243
        tokens = 1e11 * K**0.728 / K
        loss = value("multilingual", [size, tokens, K], phi=0.243 * 0.4527, psi=-0.272 * 0.147, **BASE)
        np.testing.assert_allclose(loss, loss[0], rtol=1e-12)

    def test_compute_exponent_is_the_sum(self) -> None:
        p = [published(f"atlas2025_curse{name}").theta["a"] for name in ("", "_params", "_flops")]
        assert p[0] + p[1] == pytest.approx(p[2], abs=2e-3)

    def test_printed_exponents_agree_with_the_printed_constants_in_sign(self) -> None:
        given = {n.name: n.value for n in card("atlas2025_curse_loss").numbers}
        assert given == {"phi": 0.11, "psi": -0.04}

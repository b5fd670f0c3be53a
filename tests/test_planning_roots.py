"""Roots in brackets: beside scipy, at kinks and jumps, and the many ways to have none."""

import numpy as np
import pytest
from scipy import optimize

from isoloss.planning import roots


def test_agrees_with_brentq_on_many_cubics() -> None:
    shifts = np.linspace(-3, 3, 200)
    found = roots.between(lambda x: x**3 + x - shifts, np.full(200, -5.0), np.full(200, 5.0))
    expected: list = [optimize.brentq(lambda x, s=s: x**3 + x - s, -5, 5, xtol=1e-15) for s in shifts]  # type: ignore
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_finds_kinks_jumps_and_ends() -> None:
    low, high = np.zeros(1), np.ones(1)
    assert roots.between(lambda x: np.where(x < 0.3, -1.0, 5.0), low, high)[0] == pytest.approx(0.3, abs=1e-14)
    assert roots.between(lambda x: np.maximum(x - 0.4, 9 * (x - 0.4)), low, high)[0] == pytest.approx(0.4, abs=1e-14)
    assert roots.between(lambda x: x, low, high)[0] == 0
    assert roots.between(lambda x: x - 1, low, high)[0] == 1
    assert roots.between(lambda x: np.where(x < 0.7, -np.inf, 1.0), low, high)[0] == pytest.approx(0.7, abs=1e-14)


def test_no_change_of_sign_is_no_root() -> None:
    low, high = np.zeros(3), np.ones(3)
    found = roots.between(lambda x: np.array([1.0, np.nan, 0.0]) + np.array([0.0, 0.0, 1.0]) * (x - 0.5), low, high)
    assert np.isnan(found[:2]).all() and found[2] == pytest.approx(0.5)

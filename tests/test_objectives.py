"""Every objective under the scatter that it is made for, and what its name may hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from simulate import CHINCHILLA, sweep

from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.fitting.objectives import REGISTERED, find

Scatter = Callable[[np.random.Generator, int], np.ndarray]


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return 0.005 * rng.standard_normal(n)


def with_outliers(rng: np.random.Generator, n: int) -> np.ndarray:
    return normal(rng, n) + np.where(rng.random(n) < 0.1, 0.3 * rng.random(n), 0.0)


def laplace(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.laplace(0, 0.004, n)


def student(rng: np.random.Generator, n: int) -> np.ndarray:
    return 0.004 * rng.standard_t(4, n)


def only_worse(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.exponential(0.01, n)


def scattered(n: int, scatter: Scatter, seed: int, absolute: bool = False) -> Runs:
    smooth, rng = sweep(n, 0.0, seed), np.random.default_rng(seed + 77)
    error_n = scatter(rng, n)
    loss_n = smooth["loss"] + error_n if absolute else smooth["loss"] * np.exp(error_n)
    return smooth.with_columns(loss=loss_n)


def log_residuals(found: Fit, runs: Runs) -> np.ndarray:
    """Log measured less log predicted."""
    return np.log(runs["loss"]) - np.log(found.law.value([runs["params"], runs["tokens"]], found.theta_p))


OWN: dict[str, tuple[Scatter, bool]] = {
    "huber_log": (with_outliers, False),
    "squared_log": (normal, False),
    "squared": (normal, True),
    "huber": (with_outliers, True),
    "absolute": (laplace, False),
    "student_t": (student, False),
}


@pytest.mark.parametrize("name", OWN)
def test_the_truth_is_recovered_under_its_own_scatter(name: str) -> None:
    scatter, absolute = OWN[name]
    errors = []
    for seed in range(4):
        found = fit(scattered(200, scatter, seed, absolute), objective=name, draws=0)
        errors.append([np.log(found.theta[p] / CHINCHILLA[p]) for p in ("E", "alpha", "beta")])
    assert np.abs(np.mean(errors, axis=0)).max() < 0.05
    assert np.abs(errors).max() < 0.15


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.8])
def test_a_quantile_leaves_its_share_of_the_runs_below(tau: float) -> None:
    runs = scattered(300, only_worse, 1)
    found = fit(runs, objective=f"quantile(tau={tau})", draws=0)
    residual_n = log_residuals(found, runs)
    assert (residual_n < 0).mean() == pytest.approx(tau, abs=6 / 300)  # five runs may lie on the law itself
    assert np.median(residual_n) == pytest.approx(0.01 * (np.log(2) + np.log(1 - tau)), abs=0.002)


def test_absolute_is_the_median() -> None:
    runs = scattered(150, only_worse, 2)
    middle = fit(runs, objective="absolute", draws=0)
    half = fit(runs, objective="quantile(tau=0.5)", draws=0)
    np.testing.assert_allclose(half.theta_p, middle.theta_p, rtol=1e-3)
    assert (log_residuals(middle, runs) < 0).mean() == pytest.approx(0.5, abs=6 / 150)


def test_asymmetric_lies_below_most_runs() -> None:
    runs = scattered(200, only_worse, 3)
    below = {p: (log_residuals(fit(runs, objective=f"asymmetric(penalty={p})", draws=0), runs) < 0).mean()
             for p in (1, 10, 100)}  # fmt: skip
    assert below[1] > 0.3 > below[10] > below[100]
    assert below[10] == pytest.approx(1 / 11, abs=0.04)
    even = fit(runs, objective="asymmetric(penalty=1)", draws=0)
    np.testing.assert_allclose(even.theta_p, fit(runs, draws=0).theta_p, rtol=1e-6)


@pytest.mark.parametrize("nu", [3, 4, 8])
def test_students_scale_is_recovered(nu: int) -> None:
    scales = []
    for seed in range(5):
        error_n = 0.004 * np.random.default_rng(seed).standard_t(nu, 300)
        smooth = sweep(300, 0.0, seed)
        runs = smooth.with_columns(loss=smooth["loss"] * np.exp(error_n))
        name = fit(runs, objective=f"student_t(nu={nu})", draws=0).objective[0]
        scales.append(find(name).constants["scale"])
    assert np.mean([s for s in scales if s]) == pytest.approx(0.004, rel=0.06)


def test_one_objective_in_another_limit_is_another() -> None:
    runs = scattered(80, normal, 5)
    squares = fit(runs, objective="squared_log", draws=0).theta_p
    for name in ("huber_log(delta=10)", "student_t(nu=1e9, scale=1)", "asymmetric(penalty=1, delta=10)"):
        np.testing.assert_allclose(fit(runs, objective=name, draws=0).theta_p, squares, rtol=1e-5)
    plain = fit(runs, objective="squared", draws=0).theta_p
    np.testing.assert_allclose(fit(runs, objective="huber(delta=100)", draws=0).theta_p, plain, rtol=1e-6)


def test_constants_are_read_shown_and_kept() -> None:
    assert find("huber_log(delta=0.01)").constants == {"delta": 0.01}
    assert find(" quantile( tau = 0.25 , smooth=1e-3 ) ").constants == {"tau": 0.25, "smooth": 1e-3}
    assert find("squared_log()").name == "squared_log" and find("huber").name == "huber(delta=0.001)"
    assert find(REGISTERED["absolute"]) is REGISTERED["absolute"]
    found = fit(sweep(40), objective="huber_log(delta=0.0123456789)", draws=0)
    assert find(found.objective[0]).constants == {"delta": 0.0123456789}
    again = fit(sweep(40), objective=found.objective[0], draws=0)
    assert again.objective == found.objective


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("huber_log(width=1)", "no constant 'width'"),
        ("squared(delta=1)", "It has none"),
        ("huber_log(delta=0)", "delta of huber_log must be a positive number, not 0"),
        ("huber_log(delta=-1)", "not -1"),
        ("huber_log(delta=nan)", "not nan"),
        ("huber_log(delta=inf)", "not inf"),
        ("huber_log(delta=small)", "Cannot read 'delta=small'"),
        ("huber_log(0.01)", "Cannot read '0.01'"),
        ("quantile(tau=1)", "between 0 and 1"),
        ("student_t(scale=0)", "positive"),
    ],
)
def test_constants_that_cannot_be_get_a_reply(name: str, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        fit(sweep(40), objective=name, draws=0)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["huber_lag", "huber_log(", "", "huber log"])
def test_names_that_do_not_exist_get_a_reply(name: str) -> None:
    with pytest.raises(UnknownNameError, match="no objective"):
        fit(sweep(40), objective=name, draws=0)

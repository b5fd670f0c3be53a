"""The solver beside independent ones: derivatives, optima, starts and the bootstrap's own optima."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize
from simulate import PROVEN, bound, made_by, sweep, truth

from isoloss.fitting import resampling
from isoloss.fitting.newton import minimise
from isoloss.fitting.objectives import REGISTERED, find
from isoloss.fitting.posing import pose
from isoloss.fitting.problem import Problem
from isoloss.fitting.resampling import Basis
from isoloss.fitting.sample import Sample
from isoloss.fitting.solving import solve
from isoloss.fitting.starts import candidates, non_negative, spread

DELTA = 1e-3
SCALED = {"student_t": "student_t(scale=0.01)", "absolute": "absolute(smooth=0.01)"}
SCALED |= {"quantile": "quantile(smooth=0.01)"}
OBJECTIVES = [SCALED.get(name, name) for name in sorted(REGISTERED)]
SMOOTH = ("squared", "squared_log", "student_t(scale=0.01)")  # the slopes of the others have kinks


def problem_of(name: str, objective: str = "huber_log", noise: float = 0.01, n: int = 60, seed: int = 0) -> Problem:
    law = bound(name)
    return pose(law, made_by(law, truth(law), n=n, noise=noise, seed=seed), find(objective))


def judged(problem: Problem, starts: int, seed: int = 0) -> float:
    """The least objective that scipy finds from random starts, with its own Huber loss and its own derivatives."""
    rng = np.random.default_rng(seed)
    function, names = problem.law.formula.function, problem.law.names

    def residual(v_p: np.ndarray) -> np.ndarray:
        theta = dict(zip(names, np.exp(v_p), strict=True))
        return np.log(function(*problem.x_kn, **theta)) - np.log(problem.y_n)

    best = np.inf
    truth_p = truth(problem.law)
    low_p, high_p = (np.log([max(getattr(p.range, e), 1e-30) for p in problem.law.parameters]) for e in ("low", "high"))
    for _ in range(starts):
        start_p = np.log(truth_p) + rng.normal(0, 0.5, len(names)) * np.minimum(1, 5 / np.abs(np.log(truth_p)))
        with np.errstate(all="ignore"):
            try:
                found = optimize.least_squares(
                    residual, start_p, "3-point", (low_p, high_p), loss="huber", f_scale=DELTA, x_scale="jac",
                    ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=500,
                )  # fmt: skip
            except ValueError:
                continue
        best = min(best, float(found.cost))
    return best


def polished(problem: Problem, u_p: np.ndarray, weight_n: np.ndarray) -> float:
    """The objective where scipy's BFGS ends, at its tightest, from a point that should be the optimum already."""

    def value_and_gradient(v_p: np.ndarray) -> tuple[float, np.ndarray]:
        at = problem.derivatives((u_p + scale_p * v_p)[:, None], Sample(weight_n[None]))
        return at.value_b[0] / start, at.gradient_pb[:, 0] * scale_p / start

    at = problem.derivatives(u_p[:, None], Sample(weight_n[None]))
    start = float(at.value_b[0])
    scale_p = 1 / np.sqrt(np.abs(np.diag(at.hessian_ppb[:, :, 0])) / start)
    found = optimize.minimize(value_and_gradient, np.zeros(len(u_p)), jac=True, method="BFGS", options={"gtol": 1e-13})
    simplex = optimize.minimize(
        lambda v: value_and_gradient(v)[0], np.zeros(len(u_p)), method="Nelder-Mead",
        options={"xatol": 1e-12, "fatol": 1e-16, "maxiter": 4000},
    )  # fmt: skip
    return min(found.fun, simplex.fun) * start


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_derivatives_agree_with_differences(name: str, objective: str) -> None:
    problem = problem_of(name, objective)
    rng = np.random.default_rng(1)
    u_pb = problem.internal(
        truth(problem.law)[:, None] * np.exp(0.01 * rng.standard_normal((len(problem.law.names), 3)))
    )
    sample = Sample(rng.integers(0, 3, (3, len(problem.y_n))).astype(float))
    at = problem.derivatives(u_pb, sample)
    np.testing.assert_allclose(problem.value(u_pb, sample), at.value_b, rtol=1e-13)
    for j in range(len(u_pb)):
        step_p1 = np.zeros((len(u_pb), 1))
        step_p1[j] = 1e-6 * max(1.0, float(np.abs(u_pb[j]).max()))
        up, down = (problem.derivatives(u_pb + sign * step_p1, sample) for sign in (1, -1))
        slope_b = (up.value_b - down.value_b) / (2 * step_p1[j])
        np.testing.assert_allclose(slope_b, at.gradient_pb[j], rtol=1e-4, atol=1e-6 * np.abs(at.gradient_pb).max())
        if objective in SMOOTH:
            bend_pb = (up.gradient_pb - down.gradient_pb) / (2 * step_p1[j])
            limit = 1e-5 * np.abs(at.hessian_ppb[:, j]).max()
            np.testing.assert_allclose(bend_pb, at.hessian_ppb[:, j], rtol=1e-4, atol=limit)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives_know_their_own_derivatives(objective: str) -> None:
    chosen = find(objective)
    r = np.array([-2.0, -1.1e-2, -4e-4, 0.0, 3e-4, 5e-3, 1.0])
    value, slope, curvature = chosen.terms(r)
    is_even = "tau" not in chosen.constants and "penalty" not in chosen.constants
    smooth_n = np.full(len(r), True) if is_even else r != 0  # uneven weights change the curvature at zero
    up, down = chosen.terms(r + 1e-7), chosen.terms(r - 1e-7)
    np.testing.assert_allclose((up[0] - down[0]) / 2e-7, slope, atol=1e-5)
    np.testing.assert_allclose(((up[1] - down[1]) / 2e-7)[smooth_n], curvature[smooth_n], atol=1e-6)
    assert value[3] == 0


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("noise", [0.002, 0.03])
def test_no_other_solver_finds_a_lower_objective(name: str, noise: float) -> None:
    problem = problem_of(name, noise=noise, n=40, seed=7)
    found = solve(problem)
    assert found.value_b.min() <= judged(problem, starts=6) * (1 + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("seed", range(5))
def test_no_other_solver_finds_a_lower_objective_from_many_starts(name: str, seed: int) -> None:
    problem = problem_of(name, noise=[0.002, 0.005, 0.01, 0.02, 0.05][seed], n=30, seed=seed)
    assert solve(problem).value_b.min() <= judged(problem, starts=40, seed=seed) * (1 + 1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_optimum_is_one(objective: str) -> None:
    problem = problem_of("chinchilla", objective)
    found = solve(problem)
    best = int(np.argmin(found.value_b))
    lowest = polished(problem, found.u_pb[:, best], np.ones(len(problem.y_n)))
    assert found.converged_b[best]
    assert found.value_b[best] <= lowest * (1 + 1e-9)


def test_draws_are_at_their_optima() -> None:
    problem = pose(bound("chinchilla"), sweep(120, noise=0.005, seed=3), find("huber_log"))
    found = solve(problem)
    best_pb = found.u_pb[:, [int(np.argmin(found.value_b))]]
    basis = Basis.plain(problem, best_pb, seed=11)
    draws = resampling.draw(basis, 40)
    weight_sn = resampling.weights(basis, np.random.default_rng(11), 40)
    assert draws.converged_b.all()
    np.testing.assert_allclose(problem.value(draws.u_pb, Sample(weight_sn)), draws.value_b, rtol=1e-12)
    for s in range(0, 40, 8):
        assert draws.value_b[s] <= polished(problem, draws.u_pb[:, s], weight_sn[s]) * (1 + 1e-9)
    elsewhere = minimise(problem, np.roll(draws.u_pb, 1, axis=1), Sample(weight_sn))
    assert np.all(draws.value_b <= elsewhere.value_b * (1 + 1e-9))


def test_resamples_hold_as_many_runs_and_enough_designs() -> None:
    rng = np.random.default_rng(0)
    law, x_n = bound("power_floor"), np.array([1e18, 1e18, 1e18, 1e19, 1e20, 1e21, 1e22])
    few = Problem(law, x_n[None], np.ones(7), find("squared"))
    weight_sn = resampling.weights(Basis.plain(few, np.zeros((4, 1))), rng, 300)
    assert np.all(weight_sn.sum(axis=1) == 7)
    designs = np.stack([weight_sn[:, :3].sum(axis=1), *weight_sn[:, 3:].T]) > 0
    assert designs.sum(axis=0).min() == 4
    many = Problem(law, 1e18 * np.arange(1.0, 101.0)[None], np.ones(100), find("squared"))
    many_sn = resampling.weights(Basis.plain(many, np.zeros((4, 1))), rng, 2000)
    assert many_sn.mean() == 1
    assert many_sn.var() == pytest.approx(0.99, rel=0.02)


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of("power_floor")
    basis = Basis.plain(problem, solve(problem).u_pb[:, :1], seed=1)
    whole = resampling.draw(basis, 100)
    monkeypatch.setattr(resampling, "NUMBERS_AT_ONCE", 30 * len(problem.y_n))
    np.testing.assert_allclose(resampling.draw(basis, 100).u_pb, whole.u_pb, rtol=1e-9)


def test_bounds_hold_and_are_optimal_there() -> None:
    problem = problem_of("power_floor", noise=0.0)
    lifted = replace(problem, y_n=truth_without_floor(problem))
    found = minimise(lifted, lifted.internal(np.array([[0.5], [2.0], [0.3]])))
    assert found.converged_b[0]
    assert found.u_pb[0, 0] == 0.0
    assert lifted.derivatives(found.u_pb).gradient_pb[0, 0] > 0


def truth_without_floor(problem: Problem) -> np.ndarray:
    # Losses that bend the wrong way, so that the best floor would be below zero.
    return 5.0 - 0.2 * np.log(problem.x_kn[0] / problem.x_kn[0].min())


def test_non_negative_least_squares_agrees_with_scipy() -> None:
    rng = np.random.default_rng(2)
    basis_bnq, y_bn = rng.standard_normal((40, 12, 4)), rng.standard_normal((40, 12))
    gram_bqq = np.einsum("bni,bnj->bij", basis_bnq, basis_bnq)
    right_bq = np.einsum("bni,bn->bi", basis_bnq, y_bn)
    found_bq = non_negative(gram_bqq, right_bq, np.zeros(4, bool))
    for b in range(40):
        np.testing.assert_allclose(found_bq[b], optimize.nnls(basis_bnq[b], y_bn[b])[0], atol=1e-8)
    free_bq = non_negative(gram_bqq, right_bq, np.ones(4, bool))
    np.testing.assert_allclose(free_bq[0], np.linalg.lstsq(basis_bnq[0], y_bn[0])[0], atol=1e-8)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_the_spread_leaves_no_large_gap(dimensions: int) -> None:
    points_qb = spread(dimensions, 512)
    assert points_qb.shape == (dimensions, 512)
    assert points_qb.min() >= 0
    assert points_qb.max() < 1
    probes_qm = np.random.default_rng(0).random((dimensions, 400))
    gap_m = np.abs(points_qb[:, None, :] - probes_qm[:, :, None]).max(axis=0).min(axis=1)
    random_qb = np.random.default_rng(1).random((dimensions, 512))
    random_m = np.abs(random_qb[:, None, :] - probes_qm[:, :, None]).max(axis=0).min(axis=1)
    assert gap_m.mean() < random_m.mean()


def test_starts_differ_and_are_in_range() -> None:
    problem = problem_of("chinchilla")
    u_pb = candidates(problem, 8)
    assert u_pb.shape[0] == 5
    assert len(np.unique(u_pb[3:].round(6), axis=1).T) == u_pb.shape[1]
    assert np.all((u_pb >= problem.low_p[:, None]) & (u_pb <= problem.high_p[:, None]))

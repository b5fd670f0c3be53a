"""Do nominal 90% intervals hold the truth nine times in ten? Asked of many simulated sweeps."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from simulate import ray, sweep

from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.fitting import fit, spread
from isoloss.fitting.objectives import find
from isoloss.fitting.posing import pose
from isoloss.fitting.solving import solve

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.py"


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_benchmark", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MEASURE = _benchmark()
FEW = MEASURE.Condition("grid", 30, 0.01, "squared_log", truth="S")
CONDITIONS = {
    "few runs, squares": MEASURE.Condition("isoflop", 15, 0.005, "squared_log"),
    "few runs, robust": MEASURE.Condition("grid", 30, 0.01, "huber_log", truth="S"),
    "outliers, robust": MEASURE.Condition("isoflop", 60, 0.005, "huber_log", outliers=0.04),
    "many runs, pairs": MEASURE.Condition("isoflop", 250, 0.005, "squared_log"),
    "checkpoints": MEASURE.Condition("checkpoints", 24, 0.005, "squared_log"),
}


def halved(found: Fit) -> Fit:
    """The planted fault: draws half as far from the best as they should be."""
    return replace(found, draws_sp=found.theta_p + 0.5 * (found.draws_sp - found.theta_p))


def held(condition: Any, sweeps: int, draws: int, alter: Callable[[Fit], Fit] | None = None) -> dict[str, float]:
    """The per cent of sweeps whose interval held each truth."""
    return MEASURE.coverage([MEASURE.asked(condition, draws, seed, alter) for seed in range(1000, 1000 + sweeps)])


def too_low(found: dict[str, float], least: float) -> list[str]:
    return [name for name in MEASURE.TARGETS if found[name] < least]


def test_intervals_hold_the_truth_in_a_few_sweeps() -> None:
    # 30 sweeps of a true 90% fall below 70% for one target in 2,000.
    assert not too_low(held(FEW, 30, 150), 70)


def test_draws_half_as_wide_are_told_in_a_few_sweeps() -> None:
    found = held(FEW, 30, 150, halved)
    assert {"alpha", "beta", "mean 10x"} <= set(too_low(found, 70)), found


@pytest.mark.slow
@pytest.mark.parametrize("name", CONDITIONS)
def test_intervals_hold_the_truth_nine_times_in_ten(name: str) -> None:
    # 250 sweeps of a true 90% stay within 84 and 96% but for one target in 300; few runs may be told a little wide.
    found = held(CONDITIONS[name], 250, 300)
    assert not too_low(found, 84 if name != "checkpoints" else 80), found
    assert max(found[target] for target in MEASURE.TARGETS) <= 98, found


@pytest.mark.slow
def test_draws_half_as_wide_hold_the_truth_too_seldom() -> None:
    found = held(CONDITIONS["few runs, squares"], 250, 300, halved)
    assert {"alpha", "beta", "a", "N in", "N 10x", "mean in", "mean 10x"} <= set(too_low(found, 84)), found


def test_few_runs_are_turned_and_many_are_drawn() -> None:
    few, many = fit(sweep(60), draws=5), fit(sweep(200), draws=5)
    assert any("wild bootstrap" in a for a in few.assumptions)
    assert not any("bootstrap" in a for a in many.assumptions)
    assert fit(sweep(60), objective="quantile", draws=5).assumptions == ()
    with pytest.raises(RequestError, match="two sides"):
        fit(sweep(60), objective="asymmetric", uncertainty="wild", draws=5)


def test_restored_residuals_of_squares_are_those_of_runs_left_out() -> None:
    runs = sweep(40, noise=1e-5, seed=3)
    problem = pose(fit(runs, draws=0).law, runs, find("squared_log"))
    found = solve(problem)
    u_p = found.u_pb[:, found.best]
    restored_n = spread.restored(problem, u_p, np.arange(40))
    for left_out in (0, 17, 39):
        rest = solve(problem.of_runs(np.arange(40) != left_out))
        alone_n = problem.residual_n(rest.u_pb[:, rest.best])
        assert restored_n[left_out] == pytest.approx(alone_n[left_out], rel=0.02)


def test_restored_residuals_of_clusters_are_those_of_clusters_left_out() -> None:
    runs = sweep(40, noise=1e-5, seed=4)
    problem = pose(fit(runs, draws=0).law, runs, find("squared_log"))
    found, cluster_n = solve(problem), np.arange(40) // 4
    restored_n = spread.restored(problem, found.u_pb[:, found.best], cluster_n)
    inside_n = cluster_n == 5
    rest = solve(problem.of_runs(~inside_n))
    np.testing.assert_allclose(restored_n[inside_n], problem.residual_n(rest.u_pb[:, rest.best])[inside_n], rtol=0.05)


def test_outliers_under_squares_are_named() -> None:
    runs = sweep(60, noise=0.003, seed=4)
    spoilt = runs.with_columns(loss=np.where(np.arange(60) % 25 == 7, 1.08 * runs["loss"], runs["loss"]))
    (finding,) = [f for f in fit(spoilt, objective="squared_log", draws=0).findings if f.code == "C2"]
    assert finding.sentence.startswith("3 of 60 runs lie more than 4.5 standard deviations")
    assert finding.severity == "amber"
    for quiet in (fit(spoilt, draws=0), fit(runs, objective="squared_log", draws=0)):
        assert not [f for f in quiet.findings if f.code == "C2"]


def test_bell_shaped_intervals_about_few_runs_say_what_they_have_held() -> None:
    runs = sweep(15, budgets=3)
    (finding,) = [f for f in fit(runs, uncertainty="laplace", draws=5).findings if f.code == "D2"]
    assert finding.number == pytest.approx(74)
    assert not [f for f in fit(runs, uncertainty="laplace", objective="squared_log").findings if f.code == "D2"]


def test_where_the_best_size_cannot_be_known_the_fit_says_so() -> None:
    for seed in range(5):
        found = fit(ray(n=30, noise=0.005, seed=seed), draws=5)
        assert found.status != "converged" or any(f.code == "B2" and f.severity != "note" for f in found.findings)


def test_a_new_run_is_as_unsure_as_few_residuals_are() -> None:
    # With draws that agree, the interval of a run is that of the scatter: Student's t with n - p degrees of freedom.
    rng, inside = np.random.default_rng(0), []
    base = fit(sweep(15, budgets=3), draws=0)
    sure = replace(base, draws_sp=np.tile(base.theta_p, (2000, 1)))
    for _ in range(400):
        told = replace(sure, residuals_n=_left_by_a_fit(rng.standard_normal(15) * 0.01)).predict(
            params=1e9, tokens=2e10
        )
        run = told.mid[0] * np.exp(0.01 * rng.standard_normal())
        inside.append(told.low[0] <= run <= told.high[0])
    assert 0.86 <= np.mean(inside) <= 0.94


def _left_by_a_fit(error_n: np.ndarray) -> np.ndarray:
    # What five parameters leave of errors.
    basis_np = np.linalg.qr(np.vander(np.linspace(-1, 1, len(error_n)), 5))[0]
    return error_n - basis_np @ (basis_np.T @ error_n)


def test_checkpoints_count_as_the_runs_that_they_are_of() -> None:
    runs = sweep(60)
    shared = Runs({c: runs[c] for c in runs.columns} | {"run": np.repeat(np.arange(20), 3)}, source="checkpoints")
    assert fit(shared, draws=5, cluster="run").clusters == 20
    assert fit(runs, draws=5).clusters == 0


def test_a_page_of_which_some_rows_are_measured_anew_keeps_the_others() -> None:
    benchmark = _benchmark()
    rows = [(row, dict.fromkeys([*benchmark.TARGETS, "said"], 90.0)) for row in benchmark.conditions()]
    page = benchmark.page(rows, 240, 200)
    known = benchmark.written(page)
    assert [known[tuple(row.words)] for row, _ in rows] == [found for _, found in rows]
    assert "### mcmc, 60 sweeps a row, known to within 8 points" in page

"""The seven kinds of draws: what is drawn together, what stays, and answers by hand where there are any."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from simulate import bound, sweep

from isoloss.core.errors import MissingExtraError, RequestError
from isoloss.core.runs import Runs
from isoloss.fitting import fit, objectives, resampling, uncertainty
from isoloss.fitting.posing import solved
from isoloss.fitting.resampling import Basis, turned, weights
from isoloss.fitting.settings import Settings

LINE: dict[str, Any] = {"law": "logarithmic", "inputs": {"x": "tokens"}, "objective": "squared"}


def checkpoints(runs: int = 15, rows: int = 4, seed: int = 0, name: str = "run", own: float = 0.01) -> Runs:
    """A table of `rows` checkpoints of each of several runs; what a run scatters by is common to its checkpoints."""
    rng = np.random.default_rng(seed)
    several = sweep(runs, 0.0, seed)
    size_n = np.repeat(several["params"], rows)
    tokens_n = np.repeat(several["tokens"], rows) * np.tile(np.geomspace(0.2, 1.0, rows), runs)
    loss_n = 1.82 + 482 * size_n**-0.348 + 2085 * tokens_n**-0.366
    shift_n = np.repeat(own * rng.standard_normal(runs), rows) + 0.0005 * rng.standard_normal(runs * rows)
    label_n = np.repeat([f"r{i:03d}" for i in range(runs)], rows)
    return Runs({"params": size_n, "tokens": tokens_n, "loss": loss_n * np.exp(shift_n), name: label_n})


def line(n: int = 60, seed: int = 0, uneven: bool = False) -> Runs:
    """Runs of the law 2 + log x, linear in its parameters; if uneven, larger runs scatter more."""
    rng = np.random.default_rng(seed)
    tokens_n = np.exp(rng.uniform(np.log(1e6), np.log(1e10), n))
    law = bound("logarithmic")
    spread_n = 0.3 * (np.log(tokens_n / 1e5) / 5) ** 2 if uneven else np.full(n, 0.3)
    y_n = law.value(tokens_n[None], [2.0, 1.0]) + spread_n * rng.standard_normal(n)
    return Runs({"tokens": tokens_n, law.output.name: y_n})


def by_hand(runs: Runs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes (n, 2), residuals of least squares (n,) and the inverse of the normal matrix (2, 2)."""
    law = bound("logarithmic")
    slope_n2, y_n = law.jacobian(runs["tokens"][None], np.ones(2)), runs[law.output.name]
    residual_n = y_n - slope_n2 @ np.linalg.lstsq(slope_n2, y_n)[0]
    return slope_n2, residual_n, np.linalg.inv(slope_n2.T @ slope_n2)


def of_t(freedom: int) -> float:
    """The variance of Student's t."""
    return freedom / (freedom - 2)


def basis_of(runs: Any, **settings: Any) -> Basis:
    """What draws of this fit are made from."""
    posing = solved(runs, settings.pop("law", "chinchilla"), Settings.read(settings))
    return Basis(posing.problem, posing.u_p[:, None], posing.rows.cluster_n, posing.rows.stratum_n)


@pytest.mark.parametrize("name", ["run", "run_id", "id"])
def test_checkpoints_of_a_run_are_drawn_together(name: str) -> None:
    runs = checkpoints(name=name)
    found = fit(runs, objective="squared_log", draws=200, uncertainty="cluster")
    assert (
        "intervals from the bootstrap of clusters: all rows of a run are drawn together "
        f"(clusters by column {name})" in found.assumptions
    )
    alone = fit(runs, objective="squared_log", draws=200, uncertainty="pairs", cluster=False)
    assert not any("cluster" in a for a in alone.assumptions)
    assert any(f.code == "D2" and f"Column '{name}'" in f.sentence for f in alone.findings)
    width, narrow = (f.interval("E").high - f.interval("E").low for f in (found, alone))
    assert width > 1.3 * narrow
    basis = basis_of(runs)
    weight_sn = weights(basis, np.random.default_rng(0), 50)
    for cluster in range(15):
        drawn_sc = weight_sn[:, basis.cluster_n == cluster]
        assert drawn_sc.shape[1] == 4 and (drawn_sc == drawn_sc[:, :1]).all()
    assert (weight_sn.sum(axis=1) == 60).all()


def test_rows_are_drawn_where_every_row_is_its_own_run_or_sizes_vary_within() -> None:
    runs = sweep(40)
    own = fit(runs.with_columns(run=np.arange(40)), draws=20)
    plain = fit(runs, draws=20)
    assert np.array_equal(own.draws_sp, plain.draws_sp) and own.assumptions == plain.assumptions
    families = fit(runs.with_columns(run=np.arange(40) // 4), draws=20)
    assert np.array_equal(families.draws_sp, plain.draws_sp)
    assert not any(f.code == "D2" for f in families.findings)


def test_too_few_clusters_are_a_finding() -> None:
    runs = checkpoints(runs=5, rows=8)
    found = fit(runs, draws=20)
    (few,) = [f for f in found.findings if f.code == "D2"]
    assert few.severity == "amber" and "only 5 clusters" in few.sentence and "rows are drawn instead" in few.sentence
    named = fit(runs, draws=20, cluster="run", uncertainty="cluster")
    assert any("bootstrap of clusters" in a for a in named.assumptions)
    assert any(f.code == "D2" and "rough" in f.sentence for f in named.findings)


def test_a_run_column_that_is_everywhere_the_same_is_no_reason_to_stop() -> None:
    level = sweep(40).with_columns(params=1e8, run="r0")
    found = fit(level, "power_floor", inputs={"x": "tokens"}, draws=20)
    assert any(f.code == "D2" and "only 1 cluster," in f.sentence for f in found.findings)


def test_clusters_of_small_groups_are_counted_in_each_group() -> None:
    runs = checkpoints(runs=16)
    by_arch = runs.with_columns(arch=np.where(np.arange(len(runs)) < 20, "few", "many"))
    found = fit(by_arch, by="arch", draws=20)
    assert any(f.code == "D2" and "only 5 clusters" in f.sentence for f in found.findings)


def test_pairs_asked_for_are_pairs() -> None:
    runs = checkpoints()
    rows = fit(runs, draws=50, uncertainty="pairs")
    assert np.array_equal(rows.draws_sp, fit(runs, draws=50, uncertainty="pairs", cluster=False).draws_sp)
    assert any("runs are independent of each other" in a for a in rows.assumptions)


def test_strata_keep_their_counts_in_every_resample() -> None:
    runs = sweep(60).with_columns(budget=np.resize([f"b{i}" for i in range(6)], 60))
    basis = basis_of(runs, strata="budget")
    weight_sn = weights(basis, np.random.default_rng(0), 200)
    for stratum in range(6):
        assert (weight_sn[:, basis.stratum_n == stratum].sum(axis=1) == 10).all()
    found = fit(runs, strata="budget", draws=20)
    assert any("within their stratum (strata by column budget)" in a for a in found.assumptions)
    assert not np.array_equal(found.draws_sp, fit(runs, draws=20).draws_sp)


def test_groups_are_strata() -> None:
    runs = sweep(40).with_columns(arch=np.repeat(["a", "b"], [15, 25]))
    found: list[np.ndarray] = []
    kept = resampling.weights

    def seen(*arguments: Any) -> np.ndarray:
        found.append(kept(*arguments))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "weights", seen)
        fit(runs, by="arch", share="E", draws=100, uncertainty="pairs")
    assert found[-1].shape == (100, 40)
    assert (found[-1][:, :15].sum(axis=1) == 15).all()


def test_clusters_across_strata_are_refused() -> None:
    runs = checkpoints().with_columns(stage=np.resize(["early", "late"], 60))
    with pytest.raises(RequestError, match="run 'r000' belongs to several strata of stage"):
        fit(runs, strata="stage", draws=10)
    assert fit(runs, strata="stage", cluster=False, draws=10).status == "converged"


def test_wild_draws_keep_the_design_and_turn_whole_clusters() -> None:
    runs = checkpoints()
    basis = basis_of(runs, objective="squared_log")
    sample = turned(basis, np.random.default_rng(0), 400)
    assert sample.weight_bn is None and sample.y_bn is not None and sample.y_bn.shape == (400, 60)
    moved_sn = np.log(sample.y_bn) - np.log(basis.problem.predicted(basis.from_pb[:, 0]))
    residual_n = -basis.problem.residual_n(basis.from_pb[:, 0])
    factor_sn = moved_sn / residual_n
    for cluster in range(15):
        sign_sc = np.sign(factor_sn[:, basis.cluster_n == cluster])
        assert (sign_sc == sign_sc[:, :1]).all()
    assert abs(np.sign(factor_sn).mean()) < 0.1
    found = fit(runs, objective="squared_log", draws=40, uncertainty="wild")
    assert any("the design is fixed" in a and "clusters by column run" in a for a in found.assumptions)


@pytest.mark.parametrize("seed", range(2))
def test_laplace_is_the_textbook_covariance_of_a_linear_law(seed: int) -> None:
    runs = line(seed=seed)
    _, residual_n, inverse_22 = by_hand(runs)
    expected_22 = inverse_22 * np.sum(residual_n**2) / (len(residual_n) - 2) * of_t(58)
    found = fit(runs, **LINE, draws=20_000, uncertainty="laplace")
    np.testing.assert_allclose(np.cov(found.draws_sp.T), expected_22, rtol=0.04)
    np.testing.assert_allclose(found.draws_sp.mean(axis=0), found.theta_p, atol=0.03 * np.sqrt(expected_22[0, 0]))


def test_the_sandwich_is_that_of_white() -> None:
    runs = line(80, uneven=True)
    slope_n2, residual_n, bread_22 = by_hand(runs)
    meat_22 = (slope_n2.T * residual_n**2) @ slope_n2 * 80 / 78
    expected_22 = bread_22 @ meat_22 @ bread_22 * of_t(78)
    found = fit(runs, **LINE, draws=20_000, uncertainty="sandwich")
    np.testing.assert_allclose(np.cov(found.draws_sp.T), expected_22, rtol=0.04)
    same_22 = bread_22 * np.sum(residual_n**2) / 78 * of_t(78)
    assert abs(expected_22[1, 1] / same_22[1, 1] - 1) > 0.15  # uneven scatter: Laplace would be wrong


def test_the_sandwich_is_that_of_liang_and_zeger_by_clusters() -> None:
    runs = line(80).with_columns(run=np.repeat(np.arange(20), 4))
    law = bound("logarithmic")
    shift_n = np.repeat(0.2 * np.random.default_rng(4).standard_normal(20), 4)
    runs = runs.with_columns(**{law.output.name: runs[law.output.name] + shift_n})
    slope_n2, residual_n, bread_22 = by_hand(runs)
    pull_c2 = np.add.reduceat(slope_n2 * residual_n[:, None], np.arange(0, 80, 4))
    expected_22 = bread_22 @ (pull_c2.T @ pull_c2) @ bread_22 * 20 / 18 * of_t(18)
    found = fit(runs, **LINE, draws=20_000, uncertainty="sandwich", cluster="run")
    np.testing.assert_allclose(np.cov(found.draws_sp.T), expected_22, rtol=0.04)
    assert any("clusters by column run" in a for a in found.assumptions)


def test_mcmc_agrees_with_laplace_where_the_runs_decide() -> None:
    runs = sweep(100, 0.002, seed=1)
    how: dict[str, Any] = {"objective": "squared_log", "draws": 2000}
    chain, normal = fit(runs, uncertainty="mcmc", **how), fit(runs, uncertainty="laplace", **how)
    for name in ("E", "alpha", "beta"):
        a, b = chain.interval(name), normal.interval(name)
        assert a.high - a.low == pytest.approx(b.high - b.low, rel=0.15)
        assert abs(a.low - b.low) < 0.2 * (b.high - b.low)
    assert any("MCMC" in a for a in chain.assumptions)


def test_a_chain_obeys_its_seed() -> None:
    how: dict[str, Any] = {**LINE, "draws": 50, "uncertainty": "mcmc"}
    chain, again, other = (fit(line(), seed=seed, **how).draws_sp for seed in (0, 0, 1))
    assert np.array_equal(again, chain) and not np.array_equal(other, chain)


def test_mcmc_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "emcee", None)
    with pytest.raises(MissingExtraError, match=r"isoloss\[bayes\]"):
        fit(line(), **LINE, draws=10, uncertainty="mcmc")


def test_many_runs_take_the_sandwich_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    huber = objectives.find("huber_log")
    assert uncertainty.choose("auto", huber, 30_000, 1000, clusters=0, strata=False) == "pairs"
    assert uncertainty.choose("auto", huber, 30_001, 1000, clusters=300, strata=False) == "sandwich"
    assert uncertainty.choose("pairs", huber, 30_001, 1000, clusters=0, strata=False) == "pairs"
    assert uncertainty.choose("auto", huber, 60, 1000, clusters=0, strata=False) == "wild"
    assert uncertainty.choose("auto", objectives.find("quantile"), 60, 1000, clusters=0, strata=False) == "pairs"
    assert uncertainty.choose("auto", objectives.find("student_t"), 60, 1000, clusters=0, strata=False) == "wild"
    monkeypatch.setattr(uncertainty, "PAIRS_COST", 1e3)
    found = fit(sweep(60), draws=30)
    assert any("the sandwich covariance" in a for a in found.assumptions)


@pytest.mark.parametrize("method", [m for m in uncertainty.METHODS if m != "mcmc"])
def test_one_seed_gives_the_same_draws_whatever_the_order_of_the_rows(method: str) -> None:
    runs = checkpoints().with_columns(half=np.repeat(["one", "two"], [28, 32]))
    shuffled = runs.take(np.random.default_rng(2).permutation(60))
    how: dict[str, Any] = {"uncertainty": method, "draws": 30, "strata": "half"}
    found, again = fit(runs, **how), fit(shuffled, **how)
    assert np.array_equal(found.draws_sp, again.draws_sp)
    assert found.draws_sp.shape == (30, 5) and np.isfinite(found.draws_sp).all()
    assert not np.array_equal(fit(runs, seed=1, **how).draws_sp, found.draws_sp)
    np.testing.assert_array_equal(found.theta_p, again.theta_p)


def test_equal_rows_of_different_runs_may_come_in_any_order() -> None:
    runs = checkpoints()
    twice = runs + runs.with_columns(run=np.array([f"copy-{label}" for label in runs["run"]]))
    shuffled = twice.take(np.random.default_rng(3).permutation(120))
    assert np.array_equal(fit(twice, draws=20).draws_sp, fit(shuffled, draws=20).draws_sp)


@pytest.mark.parametrize("method", ["pairs", "laplace", "sandwich", "wild"])
def test_draws_leave_what_is_held_and_keep_ties(method: str) -> None:
    found = fit(sweep(50), hold={"E": 1.8}, tie="alpha,beta", draws=25, uncertainty=method)
    assert (found.draws_sp[:, 0] == 1.8).all()
    assert np.array_equal(found.draws_sp[:, 3], found.draws_sp[:, 4])
    assert found.draws_sp[:, 3].std() > 0


def test_no_draws_are_no_intervals() -> None:
    found = fit(sweep(40), draws=0)
    assert found.draws_sp.shape == (0, 5) and np.isnan(found.interval("E").low)

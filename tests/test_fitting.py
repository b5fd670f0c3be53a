"""fit() on real and simulated runs: the published answer, the same from any rows and units, recovery, hard cases."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulate import CHINCHILLA, PROVEN, bound, made_by, ray, sweep, truth

from isoloss.core.fit import Fit
from isoloss.core.law import Law, every
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.published.registry import card, keys

TABLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "chinchilla_epoch" / "tidy.csv"

# Besiroglu et al. 2024 (arXiv:2404.10102), section 3.2: 95% intervals from 4,000 resamples.
PUBLISHED = {"alpha": (0.317, 0.373), "beta": (0.331, 0.415), "E": (1.769, 1.871)}


@pytest.fixture(scope="module")
def chinchilla_runs() -> Runs:
    if not TABLE.exists():
        pytest.skip("the digitised Chinchilla table is not here")
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["epoch_outlier"] == "False"]
    columns = {"params": "N", "tokens": "D", "loss": "loss"}
    return Runs({new: np.array([float(r[old]) for r in rows]) for new, old in columns.items()}, source="tidy.csv")


@pytest.fixture(scope="module")
def chinchilla_fit(chinchilla_runs: Runs) -> Fit:
    return fit(chinchilla_runs, draws=4000)


def test_the_published_optimum_is_reached(chinchilla_fit: Fit) -> None:
    assert chinchilla_fit.data.n == 240
    assert chinchilla_fit.status == "converged"
    assert chinchilla_fit.objective[0] == "huber_log(delta=0.001)"
    assert chinchilla_fit.objective[1] <= 0.0010183
    for name, value in {"alpha": 0.3473, "beta": 0.3672, "E": 1.8172}.items():
        assert chinchilla_fit.theta[name] == pytest.approx(value, abs=0.002)


def test_the_published_intervals_are_met(chinchilla_fit: Fit) -> None:
    for name, (low, high) in PUBLISHED.items():
        found = chinchilla_fit.interval(name, 0.95)
        assert found.low == pytest.approx(low, abs=0.15 * (high - low)), name
        assert found.high == pytest.approx(high, abs=0.15 * (high - low)), name


def test_every_draw_of_the_published_table_converged(chinchilla_fit: Fit) -> None:
    assert chinchilla_fit.draws_sp.shape == (4000, 5)
    assert not [f for f in chinchilla_fit.findings if "draws" in f.sentence]


def test_residuals_belong_to_the_rows(chinchilla_runs: Runs, chinchilla_fit: Fit) -> None:
    x_kn = np.array([chinchilla_runs["params"], chinchilla_runs["tokens"]])
    predicted_n = chinchilla_fit.law.value(x_kn, chinchilla_fit.theta_p)
    np.testing.assert_allclose(chinchilla_fit.residuals_n, np.log(chinchilla_runs["loss"] / predicted_n), atol=1e-12)


def test_the_order_of_rows_changes_nothing(chinchilla_runs: Runs, chinchilla_fit: Fit) -> None:
    shuffled = chinchilla_runs.take(np.random.default_rng(5).permutation(len(chinchilla_runs)))
    again = fit(shuffled, draws=4000)
    np.testing.assert_array_equal(again.theta_p, chinchilla_fit.theta_p)
    np.testing.assert_array_equal(again.draws_sp, chinchilla_fit.draws_sp)
    assert again.data.digest == chinchilla_fit.data.digest


@pytest.mark.parametrize("law", ["chinchilla", "kaplan"])
@pytest.mark.parametrize("objective", ["huber_log", "squared_log"])
def test_units_of_the_inputs_change_nothing(law: str, objective: str) -> None:
    base, bind = sweep(120, noise=0.01, seed=3), {"N": "params"}
    small = base.with_columns(params=base["params"] / 1e6, tokens=base["tokens"] / 1e9)
    first = fit(base, law, inputs=bind, objective=objective, draws=20)
    second = fit(small, law, inputs=bind, objective=objective, draws=20)
    for name in set(first.theta) & {"alpha", "beta", "E", "alpha_N", "alpha_D"}:
        assert second.theta[name] == pytest.approx(first.theta[name], rel=1e-6)
    here = first.predict(params=[1e9, 7e10], tokens=[1e10, 1.4e12], kind="mean")
    there = second.predict(params=[1e3, 7e4], tokens=[1e1, 1.4e3], kind="mean")
    for end in ("mid", "low", "high"):
        np.testing.assert_allclose(getattr(there, end), getattr(here, end), rtol=1e-8)


@pytest.mark.parametrize("name", sorted(every()))
def test_every_law_recovers_its_own_predictions(name: str) -> None:
    law = bound(name)
    assert_recovered(law, made_by(law, truth(law), n=60))


@pytest.mark.parametrize("key", [key for key in keys() if not card(key).missing and card(key).law])
def test_every_published_fit_is_recovered_from_its_own_predictions(key: str) -> None:
    of = card(key)
    spans = {name: ends for name, ends in of.ranges.items() if ends[0] < ends[1] and ends[0] > 0}
    law = bound(of.bound_law)
    assert_recovered(law, made_by(law, of.theta_p, n=60, spans=spans))


def assert_recovered(law: Law, runs: Runs) -> None:
    """A fit from default starts predicts what the law made."""
    made_n = runs[law.output.name]
    found = fit(runs, law, objective="squared_log" if (made_n > 0).all() else "squared", draws=0)
    again_n = law.value(np.array([runs[c] for c in law.columns]), found.theta_p)
    np.testing.assert_allclose(again_n, made_n, rtol=1e-5, atol=1e-5 * float(np.median(np.abs(made_n))))


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("objective", ["huber_log", "squared_log", "squared"])
def test_parameters_are_recovered_to_many_digits(name: str, objective: str) -> None:
    law = bound(name)
    theta_p = truth(law)
    found = fit(made_by(law, theta_p), law, objective=objective, draws=0)
    np.testing.assert_allclose(found.theta_p, theta_p, rtol=1e-6)
    np.testing.assert_allclose(found.residuals_n, 0, atol=1e-8)


@pytest.mark.parametrize("name", PROVEN)
def test_a_law_is_recovered_from_scattered_runs(name: str) -> None:
    law = bound(name)
    theta_p = truth(law)
    found = fit(made_by(law, theta_p, n=200, noise=0.003, seed=1), law, draws=200)
    spread_p = found.draws_sp.std(axis=0)
    assert found.status == "converged"
    assert np.all(np.abs(found.theta_p - theta_p) < 4 * spread_p)
    assert found.scatter == pytest.approx(0.003, rel=0.2)


def test_a_known_truth_lies_within_the_intervals() -> None:
    found = fit(sweep(200, noise=0.003, seed=2), draws=500)
    for name, value in CHINCHILLA.items():
        interval = found.interval(name, 0.99)
        assert interval.low < value < interval.high


def test_a_floor_of_zero_is_a_bound_that_is_named() -> None:
    runs = sweep(120, noise=0.002, seed=2, theta={**CHINCHILLA, "E": 0.0})
    found = fit(runs.with_columns(loss=runs["loss"] - 0.05), draws=50)
    assert found.status == "at_bound"
    assert found.theta["E"] == 0.0
    assert any("E is at the lower end" in f.sentence for f in found.findings)


def test_a_law_whose_only_parameter_is_at_its_bound() -> None:
    law = bound("with_embeddings")
    found = fit(made_by(law, truth(law), n=80, noise=0.003, seed=1), law, draws=20)
    assert found.status == "at_bound" and found.certificate is not None and found.certificate.flat == ()


@pytest.mark.parametrize(("noise", "seed"), [(0.0, 0), (0.003, 0), (0.003, 1), (0.01, 2), (0.01, 3)])
def test_tokens_that_follow_params_are_named_as_a_tie(noise: float, seed: int) -> None:
    found = fit(ray(noise=noise, seed=seed), draws=20)
    assert found.status in ("flat", "at_bound")
    assert any(f.code == "B2" and "params and tokens move together" in f.sentence for f in found.findings)


def test_a_constant_output_is_no_crash_and_no_success() -> None:
    runs = sweep(40)
    found = fit(runs.with_columns(loss=2.5), draws=5)
    assert found.status in ("flat", "at_bound")
    assert found.predict(params=1e9, tokens=1e10, kind="mean").mid[0] == pytest.approx(2.5, rel=1e-3)


def test_one_outlier_moves_the_robust_fit_little() -> None:
    runs = sweep(120, noise=0.003, seed=4)
    spoilt = runs.with_columns(loss=np.where(np.arange(120) == 17, 2 * runs["loss"], runs["loss"]))
    clean, robust = fit(runs, draws=0).theta, fit(spoilt, draws=0).theta
    squares = fit(spoilt, objective="squared_log", draws=0).theta
    assert abs(robust["E"] - clean["E"]) < 0.02
    assert abs(squares["E"] - clean["E"]) > 5 * abs(robust["E"] - clean["E"])


def test_a_derived_column_is_an_assumption() -> None:
    runs = sweep(60)
    compute = Runs({"params": runs["params"], "flops": 6 * runs["params"] * runs["tokens"], "loss": runs["loss"]})
    found = fit(compute, draws=10)
    assert "tokens = training FLOP / 6 N" in found.assumptions
    assert found.data.ranges["tokens"] == pytest.approx((runs["tokens"].min(), runs["tokens"].max()))


def test_the_output_may_be_bound_too() -> None:
    runs = sweep(60).rename(bits_per_byte="loss")
    assert fit(runs, inputs={"y": "bits_per_byte"}, draws=0).law.output.name == "bits_per_byte"


def test_the_seed_decides_the_draws_and_nothing_else() -> None:
    runs = sweep(60)
    first, again, other = (fit(runs, draws=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.draws_sp, again.draws_sp)
    assert not np.array_equal(first.draws_sp, other.draws_sp)
    np.testing.assert_array_equal(first.theta_p, other.theta_p)


def test_progress_ends_at_the_number_of_draws() -> None:
    told: list[tuple[int, int]] = []
    fit(sweep(60), draws=1500, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (1500, 1500)
    assert told == sorted(told)


def test_an_interrupt_passes_through() -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(sweep(60), draws=100, progress=interrupt)


def test_few_runs_still_answer() -> None:
    found = fit(sweep(6, noise=0.001, seed=1, budgets=3), draws=50)
    assert found.draws_sp.shape == (50, 5)
    assert np.isfinite(found.draws_sp).all()


def test_a_fit_survives_its_file(tmp_path: Path) -> None:
    found = fit(sweep(60), "power_floor", inputs={"x": "flops"}, draws=20)
    found.save(tmp_path / "fit.json")
    back = Fit.load(tmp_path / "fit.json")
    np.testing.assert_array_equal(back.draws_sp, found.draws_sp)
    assert replace(back.data) == found.data

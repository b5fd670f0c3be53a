"""Approach 2: real tables beside their papers, simulated sweeps beside their truth, and what is refused or named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from isoflop_sweeps import BUDGETS, best_size, exponent, least_loss, profiles

import isoloss as il
from isoloss.cli import app
from isoloss.core.errors import DesignError, RequestError, UnknownNameError
from isoloss.core.frontier import Frontier
from isoloss.fitting import grid_bias
from isoloss.fitting.profiles import METHODS

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
REFERENCE = SHARED / "reference_checks.json"
needs_data = pytest.mark.skipif(not REFERENCE.exists(), reason="the shared tables are not here")
LOPSIDED = {"E": 1.7, "A": 60.0, "B": 3000.0, "alpha": 0.25, "beta": 0.40}


def reference(dataset: str) -> list[dict]:
    if not REFERENCE.exists():
        return []
    return [check for check in json.loads(REFERENCE.read_text()) if check["dataset"] == dataset]


def without_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the simulated bias, which costs more than the rest."""
    monkeypatch.setattr(grid_bias, "bias", lambda *_: None)


# --- real tables ------------------------------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize("check", reference("porian2024"), ids=lambda c: c["test"].split()[-1])
def test_porian_recipes(check: dict) -> None:
    group = check["test"].split()[-1]
    fitted = il.isoflop(il.read(SHARED / "porian2024" / "tidy.csv").where(group=group), draws=100)
    allowed = 0.045 if "kaplan-kaplan" in group else 0.03
    assert fitted.exponent.mid == pytest.approx(check["value"][0], abs=allowed)


@needs_data
def test_porian_by_the_papers_own_curve() -> None:
    """All fifteen sweeps by Akima's interpolation: the exponents that the paper's tables are printed from."""
    folder, contained = SHARED / "porian2024", 0
    runs = il.read(folder / "tidy.csv")
    with (folder / "reference_fits.csv").open() as file:
        published = {row["group"]: float(row["a_weighted_bs_median"]) for row in csv.DictReader(file)}
    assert len(published) == 15
    for group, printed in published.items():
        found = il.isoflop(runs.where(group=group), method="akima", draws=300).size.interval("a", 0.9)
        assert found.mid == pytest.approx(printed, abs=0.045 if "kaplan-kaplan" in group else 0.03), group
        contained += found.low < printed < found.high
    assert contained >= 13


@needs_data
def test_llama3_profiles() -> None:
    tokens_exponent, params, tokens = reference("llama3_isoflop")[0]["value"]
    fitted = il.isoflop(il.read(SHARED / "llama3_isoflop" / "tidy.csv"), draws=100)
    assert fitted.tokens.theta["a"] == pytest.approx(tokens_exponent, abs=0.01)
    option = il.plan(fitted, flops=3.8e25).options[0]
    assert option.params.mid == pytest.approx(params, rel=0.03)
    assert option.tokens.mid == pytest.approx(tokens, rel=0.03)
    assert option.params.low < params < option.params.high


@needs_data
def test_xlstm_profiles_by_labelled_budget() -> None:
    runs = il.read(SHARED / "xlstm_isoflop" / "tidy.csv").where(group="isoflop_llama_ctx8192")
    fitted = il.isoflop(runs.take(np.isfinite(runs["loss"])), draws=100)
    assert fitted.exponent.mid == pytest.approx(reference("xlstm_isoflop")[0]["value"][0], abs=0.03)
    assert "budgets told apart by the column 'C_label'" in fitted.assumptions
    assert any(a.startswith("tokens by the runs' own count") for a in fitted.assumptions)


# --- simulated sweeps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "allowed"), [("quadratic", 0.003), ("cubic", 0.003), ("akima", 0.01)])
def test_noise_free_sweeps_are_recovered(method: str, allowed: float) -> None:
    fitted = il.isoflop(profiles(0.0), method=method, draws=20)
    assert fitted.size.theta["a"] == pytest.approx(exponent(), abs=allowed)
    best = il.plan(fitted, flops=1e22).options[0]
    assert best.params.mid == pytest.approx(best_size(np.array(1e22)), rel=0.05)
    assert best.loss.mid == pytest.approx(least_loss(1e22), rel=2e-3)


def test_an_optimum_is_the_vertex_of_the_parabola() -> None:
    runs = profiles(0.003, seed=3)
    fitted = il.isoflop(runs, draws=0, reach=1e9)
    for budget, optimum in zip(BUDGETS, fitted.optima, strict=True):
        mine = np.isclose(runs["flops"], budget)
        c2, c1, _ = np.polyfit(np.log(runs["params"][mine]), np.log(runs["loss"][mine]), 2)
        assert np.log(optimum.size.mid) == pytest.approx(-c1 / (2 * c2), abs=1e-6)


@pytest.mark.parametrize("method", ["quadratic", "cubic", "akima"])
def test_the_lowest_point_of_a_known_curve(method: str) -> None:
    x_n = np.linspace(17.0, 21.0, 41)
    bend = {"quadratic": 0.0, "cubic": 0.05, "akima": 0.05}[method]
    lowest_s = np.array([18.1, 20.2, 22.0])
    away_sn = x_n - lowest_s[:, None]
    found_s, height_s = METHODS[method](x_n, 1.0 + 0.3 * away_sn**2 + bend * away_sn**3)
    assert found_s[:2] == pytest.approx(lowest_s[:2], abs=3e-3 if method == "akima" else 1e-9)
    assert height_s[:2] == pytest.approx(1.0, abs=1e-5)
    assert np.isnan(found_s[2]), "a lowest point beyond the sizes does not count"


def test_the_scatter_of_runs_is_that_of_the_simulation() -> None:
    scatters = [il.isoflop(profiles(0.004, seed), draws=0).loss.scatter for seed in range(5)]
    assert np.mean(scatters) == pytest.approx(0.004, rel=0.12)


def test_noise_that_is_known_replaces_the_residuals() -> None:
    runs = profiles(0.001)
    told = [il.isoflop(runs, noise=noise, draws=300).exponent for noise in (0.001, 0.004)]
    widths = [estimate.high - estimate.low for estimate in told]
    assert widths[1] / widths[0] == pytest.approx(4, rel=0.4)


def test_curves_whose_intervals_are_too_short_say_so() -> None:
    told = [
        il.isoflop(profiles(0.003), method=method, draws=10).assumptions for method in ("quadratic", "cubic", "akima")
    ]
    assert [any("simulated sweeps" in a for a in assumptions) for assumptions in told] == [False, True, True]


@pytest.mark.parametrize("shift", [{"centre": 0.7}, {"drift": 0.7}, {"half": 3.0}], ids=str)
def test_the_simulated_bias_is_the_true_one(shift: dict[str, Any]) -> None:
    fitted = il.isoflop(profiles(0.0, theta=LOPSIDED, **shift), reach=1e9, draws=20)
    assert fitted.bias is not None
    assert fitted.size.theta["a"] - exponent(LOPSIDED) == pytest.approx(fitted.bias.exponent, abs=1e-4)
    found = fitted.size.law.value([[fitted.bias.flops]], fitted.size.theta_p)[0]
    true = best_size(np.array(fitted.bias.flops), LOPSIDED)
    assert found / true - 1 == pytest.approx(fitted.bias.size, abs=1e-3)
    assert abs(fitted.bias.size) > 0.003, "a grid without bias would prove nothing"


def test_the_bias_is_told_beside_the_intervals() -> None:
    wide, narrow = profiles(0.001, theta=LOPSIDED, half=3.0), profiles(0.01, theta=LOPSIDED, centre=0.7)
    for runs, severity in ((narrow, "note"), (wide, "amber")):
        fitted = il.isoflop(runs, draws=100)
        (told,) = [f for f in fitted.findings if f.code == "B3" and "the intervals leave this out" in f.sentence]
        assert told.severity == severity
        assert fitted.bias is not None and f"{fitted.bias.exponent:+.4f}" in told.sentence


def test_compute_that_wobbles_within_a_budget_is_levelled() -> None:
    wobbly = il.isoflop(profiles(0.0, wobble=0.08), draws=20)
    assert wobbly.size.theta["a"] == pytest.approx(exponent(), abs=0.005)
    assert any(a.startswith("losses moved along the trend") for a in wobbly.assumptions)
    assert len(wobbly.optima) == len(BUDGETS)


def covered(draws: int, sweeps: int, method: str, noise: float, **grid: Any) -> float:
    hits = 0
    for seed in range(sweeps):
        interval = il.isoflop(profiles(noise, seed, **grid), method=method, draws=draws, seed=seed).exponent
        hits += interval.low <= exponent() <= interval.high
    return hits / sweeps


def test_intervals_cover_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    without_bias(monkeypatch)
    assert 0.68 <= covered(100, 25, "quadratic", 0.003) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.001, 0.003, 0.01])
@pytest.mark.parametrize("grid", [{}, {"centre": 0.7}, {"drift": 0.7}], ids=str)
@pytest.mark.parametrize("method", ["quadratic", "cubic"])
def test_intervals_cover(monkeypatch: pytest.MonkeyPatch, method: str, grid: dict[str, Any], noise: float) -> None:
    without_bias(monkeypatch)
    share = covered(300, 200, method, noise, **grid)
    print(f"\ncoverage of a 90% interval: {method}, noise {noise:.1%}, {grid}: {share:.1%}")
    assert (0.86 if method == "quadratic" else 0.76) <= share <= 0.985


# --- the noun ---------------------------------------------------------------------------------------------------------


def test_draws_belong_together() -> None:
    fitted = il.isoflop(profiles(0.003), draws=50)
    exponents = fitted.size.draws_sp[:, 1] + fitted.tokens.draws_sp[:, 1]
    assert exponents == pytest.approx(1.0, abs=1e-9)
    assert len(fitted.size.draws_sp) == len(fitted.tokens.draws_sp) == len(fitted.loss.draws_sp)
    option = il.plan(fitted, flops=1e23).options[0]
    assert option.flops.mid == pytest.approx(6 * option.params.mid * option.tokens.mid)


def test_neither_draws_nor_the_order_of_rows_move_the_estimate() -> None:
    runs = profiles(0.003)
    fitted = il.isoflop(runs, draws=50)
    turned = il.isoflop(runs.take(np.random.default_rng(0).permutation(len(runs))), draws=50)
    alone = il.isoflop(runs, draws=0)
    assert np.array_equal(fitted.size.draws_sp, turned.size.draws_sp)
    assert alone.size.theta_p == pytest.approx(fitted.size.theta_p, rel=1e-9)
    assert not alone.exponent.known


def test_frontiers_survive_saving(tmp_path: Path) -> None:
    fitted = il.isoflop(profiles(0.003), draws=20)
    fitted.save(tmp_path / "frontier.json")
    loaded = Frontier.load(tmp_path / "frontier.json")
    assert loaded.to_json() == fitted.to_json()
    assert str(loaded) == str(fitted)
    assert str(il.plan(loaded, flops=1e24)) == str(il.plan(fitted, flops=1e24))


def test_plans_tell_distance_assumptions_and_every_budget() -> None:
    fitted = il.isoflop(profiles(0.003), draws=50)
    planned = il.plan(fitted, flops=["1e23", 1e24], family="vocab=50257,aspect=64")
    assert [o.label for o in planned.options] == ["1e23 FLOP", "1e24 FLOP"]
    assert {"D4", "B3"} <= {f.code for f in planned.findings}
    assert any("approach 2" in a for a in planned.assumptions)
    assert planned.options[0].loss.known and "body_params" in planned.options[0].estimates
    assert fitted.predict(flops=1e24).mid == pytest.approx(planned.options[1].loss.mid)


def test_a_count_without_embeddings_is_planned_in_its_own_compute() -> None:
    runs = profiles(0.003).rename(body_params="params", body_flops="flops")
    fitted = il.isoflop(runs, draws=20)
    assert fitted.size.law.columns == ("body_flops",)
    assert any("non-embedding FLOP" in a for a in il.plan(fitted, flops=1e23).assumptions)


# --- named and refused ------------------------------------------------------------------------------------------------


def test_a_budget_without_an_inside_minimum_is_named_with_its_edge() -> None:
    runs = profiles(0.0)
    small = np.isclose(runs["flops"], BUDGETS[-1]) & (runs["params"] > 0.5 * best_size(BUDGETS[-1]))
    fitted = il.isoflop(runs.take(~small), draws=20)
    (found,) = [f for f in fitted.findings if f.code == "B3" and "it is left out" in f.sentence]
    assert found.severity == "amber" and "3e21 FLOP" in found.sentence and "largest" in found.sentence
    assert found.number == pytest.approx(BUDGETS[-1])
    assert [bool(o.left_out) for o in fitted.optima] == [False] * 6 + [True]
    assert fitted.size.theta["a"] == pytest.approx(exponent(), abs=0.005)


def test_a_diverged_run_is_named_and_left_out() -> None:
    runs = profiles(0.002)
    loss = runs["loss"].copy()
    loss[20] *= 1.2
    spoiled = runs.with_columns(loss=loss, run=[f"r{i}" for i in range(len(runs))])
    fitted = il.isoflop(spoiled, draws=20)
    (found,) = [f for f in fitted.findings if f.code == "B4"]
    assert "run r20 by +" in found.sentence
    assert fitted.size.theta["a"] == pytest.approx(il.isoflop(runs, draws=0).size.theta["a"], abs=0.01)


def test_of_one_size_at_several_rates_the_best_counts() -> None:
    runs = profiles(0.0)
    worse = runs.with_columns(loss=1.03 * runs["loss"], lr=1e-3)
    fitted = il.isoflop(runs.with_columns(lr=3e-3) + worse, draws=20)
    assert fitted.size.theta["a"] == pytest.approx(il.isoflop(runs, draws=0).size.theta["a"], abs=1e-9)
    assert any("63 runs left out" in a for a in fitted.assumptions)


def test_what_cannot_be_is_refused() -> None:
    runs = profiles(0.0)
    with pytest.raises(UnknownNameError, match="quadratic"):
        il.isoflop(runs, method="quadratics")
    with pytest.raises(RequestError, match="reach"):
        il.isoflop(runs, reach=1.0)
    with pytest.raises(RequestError, match="noise"):
        il.isoflop(runs, noise=0.0)
    with pytest.raises(RequestError, match="tolerance"):
        il.isoflop(runs, tolerance=1.5)
    with pytest.raises(RequestError, match="count of a model's size"):
        il.isoflop(runs, size="width")
    with pytest.raises(DesignError, match="budget"):
        il.isoflop(runs.take(np.isclose(runs["flops"], BUDGETS[0])))
    falling = runs.take(runs["params"] < 0.8 * best_size(runs["flops"]))
    with pytest.raises(DesignError, match="lowest point between two sizes"):
        il.isoflop(falling)


def test_the_command_plans_at_once(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    runs = profiles(0.003)
    lines = ["params,tokens,flops,loss"]
    lines += [
        ",".join(repr(float(runs[c][i])) for c in ("params", "tokens", "flops", "loss")) for i in range(len(runs))
    ]
    (tmp_path / "sweep.csv").write_text("\n".join(lines))
    saved = tmp_path / "frontier.json"
    words = ["isoflop", str(tmp_path / "sweep.csv"), "--flops", "1e24", "--draws", "20", "--save", str(saved), "--json"]
    result = CliRunner().invoke(app.app, words)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["plan"]["options"][0]["params"]["mid"] > 1e9
    assert told["size"]["params"]["a"]["mid"] == pytest.approx(exponent(), abs=0.03)
    again = CliRunner().invoke(app.app, ["plan", str(saved), "--flops", "1e24", "--json"])
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["options"] == told["plan"]["options"]

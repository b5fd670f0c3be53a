"""Laws compared by extrapolation: the scores are right, the true law wins, what is left out is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from simulate import sweep
from typer.testing import CliRunner

import isoloss as il
from isoloss.cli.app import app
from isoloss.comparing import scores
from isoloss.comparing.candidates import applicable, bound
from isoloss.comparing.cuts import cut
from isoloss.comparing.tournament import tournament
from isoloss.comparing.trials import QUICK, Effort
from isoloss.core.calibration import Measure
from isoloss.core.errors import ColumnError, DesignError, RequestError, UnknownNameError
from isoloss.core.law import find
from isoloss.core.runs import Runs

RIVALS = ("chinchilla", "power", "power_floor")


def made_by(law: str, seed: int, noise: float = 0.01) -> Runs:
    """A sweep of sizes, tokens and compute whose loss is the law's."""
    runs = sweep(n=48, noise=0.0, seed=seed).complete(["flops"])
    runs = Runs(dict(runs.columns), source=f"runs made by {law}")
    truth = {
        "chinchilla": runs["loss"],
        "power": 60.0 * runs["flops"] ** -0.07,
        "power_floor": 1.5 + 4e3 * runs["flops"] ** -0.19,
    }[law]
    return runs.with_columns(loss=truth * np.exp(noise * np.random.default_rng(seed).standard_normal(len(runs))))


def wins_or_ties(law: str, seed: int, rivals: tuple[str, ...] = RIVALS) -> bool:
    ranked = il.compare(made_by(law, seed), rivals, cuts=3, inputs={"x": "flops"}, seed=seed)
    return ranked[law].error <= 1.1 * ranked.best.error


def test_crps_of_quantiles_is_the_closed_form_of_a_normal() -> None:
    at = (np.arange(2 * scores.HALVES) + 0.5) / (2 * scores.HALVES)
    y = np.linspace(-3, 3, 25)
    exact = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
    found = scores.crps(np.repeat(norm.ppf(at)[:, None], len(y), axis=1), y)
    assert found == pytest.approx(exact, rel=0.02, abs=0.005)


def test_quantiles_of_a_fit_rise_and_lie_where_its_intervals_end() -> None:
    fit = il.fit(sweep(40), draws=100)
    points = sweep(5, seed=1)
    found = scores.quantiles(fit, points)
    assert (np.diff(found, axis=0) >= 0).all()
    level = scores.LEVELS[3]
    assert found[3] == pytest.approx(fit.predict(points, level=level).low)


def test_criteria_are_those_of_laplace() -> None:
    residual = np.array([0.1, -0.2, 0.05, 0.3, -0.1, 0.02, -0.04, 0.1])
    b = np.mean(np.abs(residual))
    log_likelihood = np.sum(-np.log(2 * b) - np.abs(residual) / b)
    aicc, bic = scores.criteria(residual, 2)
    assert aicc == pytest.approx(-2 * log_likelihood + 6 + 24 / 4)
    assert bic == pytest.approx(-2 * log_likelihood + 3 * np.log(8))
    assert scores.criteria(residual[:3], 2)[0] == np.inf


def test_left_out_runs_are_as_if_refitted() -> None:
    rng = np.random.default_rng(2)
    flops = np.geomspace(1e18, 1e21, 12)
    runs = Runs({"flops": flops, "loss": 60 * flops**-0.07 * np.exp(0.02 * rng.standard_normal(12))})
    how = {"law": "power", "inputs": {"x": "flops"}, "objective": "squared_log", "draws": 0}
    misses = []
    for i in range(12):
        rest, one = runs.take(np.arange(12) != i), runs.take([i])
        misses.append(abs(np.log(one["loss"][0] / il.fit(rest, **how).predict(one).mid[0])))
    assert scores.left_out(il.fit(runs, **how), runs) == pytest.approx(np.mean(misses), rel=1e-3)


@pytest.mark.parametrize("law", RIVALS)
def test_the_true_law_wins_or_ties(law: str) -> None:
    assert wins_or_ties(law, 0, tuple(dict.fromkeys([law, "power"])))


@pytest.mark.slow
@pytest.mark.parametrize("law", RIVALS)
def test_the_true_law_wins_or_ties_in_most_of_twenty(law: str) -> None:
    assert sum(wins_or_ties(law, seed) for seed in range(20)) >= 15


def test_a_law_of_the_wrong_form_loses() -> None:
    ranked = il.compare(made_by("power_floor", 0, noise=0.002), ["power", "power_floor"], inputs={"x": "flops"}, cuts=3)
    assert ranked.best.law == "power_floor"
    assert ranked["power"].error > 2 * ranked.best.error
    assert ranked["power"].bic > ranked["power_floor"].bic


def test_a_comparison_says_what_it_did_and_fits_a_terminal() -> None:
    told: list[tuple[int, int]] = []
    ranked = il.compare(
        made_by("power", 1),
        ["power", "power_floor"],
        cuts=2,
        inputs={"x": "flops"},
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (8, 8)
    assert sum(r.weight for r in ranked.rivals) == pytest.approx(1)
    assert max(map(len, str(ranked).splitlines())) <= 100
    assert json.loads(json.dumps(ranked.to_json(), allow_nan=False))["laws"][0]["law"] == ranked.best.law


def test_the_laws_of_a_table_are_those_whose_inputs_it_has() -> None:
    runs = made_by("chinchilla", 1)
    found, excluded = applicable(runs, None, {})
    assert {law.name for law in found} == {"chinchilla", "nested", "quanta", "kaplan"}
    assert "farseer" in excluded and "outer" in excluded and "without embeddings" in excluded["body_chinchilla"]
    free, _ = applicable(runs, None, {"x": "flops"})
    assert {"power", "power_floor", "offset_power_floor"} <= {law.name for law in free}
    fresh = runs.with_columns(unique_tokens=runs["tokens"] / 2)
    assert {"data_constrained", "repeated"} <= {law.name for law in applicable(fresh, None, {})[0]}
    shares = runs.with_columns(share_1=0.5, share_2=0.3, share_3=0.2)
    found, excluded = applicable(shares, None, {})
    assert "mixing_3" in {law.name for law in found} and excluded["mixing_2"] == "it passes over share_3"
    with pytest.raises(ColumnError, match="none of loss"):
        applicable(Runs({"params": np.array([1e6]), "tokens": np.array([1e7])}), None, {})


def test_cuts_hide_the_larger_and_keep_the_smaller() -> None:
    runs = made_by("chinchilla", 0)
    size = Measure(("params", "tokens"))
    cuts = cut(runs, size, 3)
    assert cut(runs.take(np.argsort(runs["loss"])), size, 3)[0].at == cuts[0].at
    assert len(cuts) == 3
    for c in cuts:
        assert size.of(c.below).max() == c.at < size.of(c.above).min()
        assert len(c.below) + len(c.above) == len(runs)
        assert (c.distance_m > 0).all()
    with pytest.raises(RequestError, match="one side"):
        cut(runs, size, [1.0])
    with pytest.raises(DesignError, match="no place"):
        cut(runs.take(runs["flops"] == runs["flops"].max()), Measure(("flops",)), 3)


def test_where_nothing_grows_runs_are_hidden_in_turn() -> None:
    share = np.linspace(0, 1, 11)
    runs = Runs({"share_1": share, "share_2": 1 - share, "loss": 2 + share})
    parts = cut(runs, Measure.among(("share_1", "share_2")), 5)
    assert sorted(np.concatenate([c.above["loss"] for c in parts])) == pytest.approx(2 + share)
    assert all(len(c.below) + len(c.above) == 11 and not c.distance_m.any() for c in parts)
    again = cut(runs.take(np.arange(11)[::-1]), Measure(("share_1",)), 5)
    assert sorted(again[0].above["loss"]) == sorted(parts[0].above["loss"])


def test_a_table_of_another_count_is_compared_too() -> None:
    runs = made_by("chinchilla", 0).rename(body_params="params")
    runs = Runs({c: runs[c] for c in ("body_params", "tokens", "loss")})
    found, _ = applicable(runs, ["chinchilla"], {})
    assert found[0].columns == ("body_params", "tokens")
    every, _ = applicable(runs, None, {})
    assert "body_chinchilla" in {law.name for law in every}, "its correction is for just such a table"


def test_a_table_of_one_resource_is_fitted_with_the_laws_of_any() -> None:
    runs = Runs({"flops": np.geomspace(1e17, 1e21, 20), "error": np.geomspace(0.6, 0.2, 20)})
    found, excluded = applicable(runs, None, {})
    assert {"power", "power_floor", "offset_power_floor"} <= {law.name for law in found}
    assert all(law.columns == ("flops",) and law.output.name == "error" for law in found)
    assert excluded["manifold"] == "the same surface as power_floor"
    with pytest.raises(RequestError, match="No registered law"):
        applicable(runs.with_columns(experts=np.arange(1.0, 21)), None, {})


def test_a_law_without_embeddings_is_tried_on_all_parameters_where_there_is_no_other_count() -> None:
    kaplan, chinchilla = (bound(find(name), made_by("chinchilla", 0), {}) for name in ("kaplan", "chinchilla"))
    assert kaplan.columns == chinchilla.columns == ("params", "tokens")
    both = made_by("chinchilla", 0).with_columns(body_params=np.geomspace(1e6, 1e9, 48))
    assert bound(find("kaplan"), both, {}).columns == ("body_params", "tokens")


def test_the_hopeless_are_left_after_two_cuts_and_only_if_asked() -> None:
    how = {"inputs": {"x": "flops"}}
    runs = made_by("power_floor", 0, noise=0.002)
    quick = tournament(runs, ["power", "power_floor"], 3, how, QUICK).trials
    assert {c.law.name for c in quick.hopeless} == {"power"} and {c.law.name for c in quick.candidates} == {
        "power_floor"
    }
    thorough = tournament(runs, ["power", "power_floor"], 3, how, Effort(0, leave=False)).trials
    assert not thorough.hopeless and thorough.error_ck.shape == (3, 4)
    kept = [thorough.candidates.index(c) for c in quick.candidates]
    assert quick.error_ck == pytest.approx(thorough.error_ck[:, kept])


def test_what_cannot_be_compared_is_refused() -> None:
    runs = made_by("power", 0)
    with pytest.raises(UnknownNameError):
        il.compare(runs, ["chinchila"])
    with pytest.raises(DesignError, match="few for 5 parameters"):
        il.compare(runs.take(np.argsort(runs["flops"])[:12]), ["chinchilla"], cuts=[1e19])
    with pytest.raises(UnknownNameError):
        il.compare(runs, drawz=3)


def test_the_measure_is_compute_or_what_stands_for_it() -> None:
    assert Measure.among(("tokens", "params", "unique_tokens")).columns == ("params", "tokens")
    assert Measure.among(("flops", "tokens_per_param")).columns == ("flops",)
    assert Measure.among(("dense_params", "experts")).columns == ("dense_params",)
    assert Measure.among(("share_1",)).columns == ("share_1",)


def test_the_commands_answer(tmp_path: Path) -> None:
    runs = made_by("chinchilla", 3)
    table = tmp_path / "runs.csv"
    rows = np.stack([runs["params"], runs["tokens"], runs["loss"]], axis=1)
    table.write_text("params,tokens,loss\n" + "\n".join(",".join(map(repr, map(float, row))) for row in rows))
    ranked = CliRunner().invoke(app, ["compare", str(table), "--among", "chinchilla", "--cuts", "2", "--json"])
    assert ranked.exit_code == 0
    assert json.loads(ranked.stdout)["laws"][0]["law"] == "chinchilla"
    tested = CliRunner().invoke(app, ["backtest", str(table), "--cuts", "2", "--draws", "50", "--json"])
    assert len(json.loads(tested.stdout)["cuts"]) == 2
    il.fit(runs, draws=10).save(tmp_path / "fit.json")
    alone = CliRunner().invoke(app, ["backtest", str(tmp_path / "fit.json")])
    assert alone.exit_code == 1 and "--runs" in alone.output
    both = CliRunner().invoke(app, ["backtest", str(tmp_path / "fit.json"), "--runs", str(table), "--cuts", "1"])
    assert both.exit_code == 0 and "inside" in both.stdout


def test_a_law_is_found_by_name() -> None:
    assert find("chinchilla").freedom(np.zeros(5)) == 5

"""verify(): predictions before their runs, scores after them, and a tally that can be trusted."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from typer.testing import CliRunner
from verify_help import LAW, SCATTER, TRUTH, fitted, ladder, run, train_by_lot, true_loss

import isoloss as il
from isoloss.cli.app import app
from isoloss.core.accounting import training_flops
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.lab import dials, load_corpus
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.store import append_metrics, begun
from isoloss.lab.table import foreseen
from isoloss.planning import plan
from isoloss.verifying import AfterTheFactError
from isoloss.verifying.chain import read_log
from isoloss.verifying.forecast import forecast
from isoloss.verifying.scoring import Score
from isoloss.verifying.tally import clopper_pearson, tally
from isoloss.verifying.targets import best_for


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def command(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["verify", *words])
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code in (0, 3) else result.stderr


class TestWhatIsWrittenDown:
    def test_everything_that_tells_this_prediction_from_any_other(self) -> None:
        fit, spec = fitted(), run()
        said = forecast(fit, spec)
        told = fit.predict(foreseen(spec))
        assert (said["mid"], said["low"], said["high"]) == (told.mid[0], told.low[0], told.high[0])
        mean = fit.predict(foreseen(spec), kind="mean")
        assert said["low"] < said["mean"]["low"] == mean.low[0] and said["mean"]["high"] < said["high"]
        assert (said["run"], said["quantity"], said["level"]) == (spec.id, "loss", 0.9)
        assert (said["params"], said["tokens"], said["flops"]) == (spec.counts.params, spec.tokens, spec.flops)
        assert said["fit"]["theta"] == fit.theta and said["fit"]["data"]["digest"] == fit.data.digest
        assert said["fit"]["expression"] == LAW.latex and said["fit"]["objective"]["name"] == fit.objective[0]
        assert set(said["versions"]) == {"isoloss", "numpy", "python"}
        assert said["beyond"]["of"] == "flops"
        assert said["beyond"]["decades"] == pytest.approx(math.log10(spec.flops / ladder()["flops"].max()))
        assert forecast(fit, run(2, 100_000))["beyond"]["decades"] == 0.0

    def test_quantiles_rise_and_hold_the_interval(self) -> None:
        said = forecast(fitted(), run())
        values = dict(zip(said["quantiles"]["levels"], said["quantiles"]["values"], strict=True))
        assert list(values.values()) == sorted(values.values()) and len(values) == 18
        assert (values[0.05], values[0.95]) == pytest.approx((said["low"], said["high"]), rel=1e-12)
        assert SCATTER / 3 < said["log_spread"] < 3 * SCATTER

    def test_another_draw_or_another_parameter_is_another_fit(self) -> None:
        fit = fitted()
        digests = {
            forecast(f, run())["fit"]["digest"]
            for f in (fit, replace(fit, seed=5), replace(fit, draws_sp=fit.draws_sp[::-1]), fit)
        }
        assert len(digests) == 3

    def test_a_spec_tells_what_its_row_will_hold(self) -> None:
        row = foreseen(run())
        assert row["six_n_flops"][0] == 6 * row["params"][0] * row["tokens"][0]
        assert "loss" not in row and "status" not in row and row["split"][0] == "test"


class TestOrder:
    def test_a_prediction_is_made_once(self, out: Path) -> None:
        fit = fitted()
        il.verify(fit, run(), out, train=False)
        found = il.verify(fit, run(), out, train=False)
        assert len(read_log(out).entries) == 1
        assert [s.standing for s in found.scores] == ["waiting"] and found.tally.waiting == (run().id,)
        assert (out / "predictions" / f"{found.scores[0].prediction}.json").exists()

    def test_of_two_predictions_the_first_counts(self, out: Path) -> None:
        first = il.verify(fitted(0), run(), out, train=False).scores[0]
        again = il.verify(fitted(1), run(), out, train=False)
        assert again.scores[0].prediction == first.prediction and again.tally.later == 1
        assert [e.kind for e in read_log(out).entries] == ["prediction", "later"]
        il.verify(fitted(1), run(), out, train=False)
        assert len(read_log(out).entries) == 2
        train_by_lot(out, run())
        il.verify(fitted(2), run(), out, train=False)
        assert [e.kind for e in read_log(out).entries] == ["prediction", "later", "score"]

    @pytest.mark.parametrize("trace", ["record", "metrics", "checkpoint", "lock", "given"])
    def test_what_has_begun_is_refused_and_nothing_is_written(self, out: Path, trace: str) -> None:
        spec, fresh = run(), run(9)
        (out / spec.id).mkdir(parents=True)
        given: Fit | Runs = fitted()
        if trace == "record":
            train_by_lot(out, spec)
        elif trace == "metrics":
            append_metrics(out / spec.id, {"step": 1})
        elif trace == "checkpoint":
            (out / spec.id / "checkpoint").touch()
        elif trace == "given":
            both = ladder() + foreseen(spec)
            given = both.with_columns(loss=true_loss(both) * (1 + SCATTER * np.sin(np.arange(len(both)))))
        if trace == "lock":
            with begun(out, spec), pytest.raises(AfterTheFactError, match="being trained"):
                il.verify(given, spec, out, train=False)
            return
        with pytest.raises(AfterTheFactError, match=spec.id) as caught:
            il.verify(given, [fresh, spec], out, train=False)
        assert list(caught.value.begun) == [spec.id]
        assert read_log(out).entries == ()

    def test_a_prediction_after_the_fact_is_kept_apart(self, out: Path) -> None:
        train_by_lot(out, run())
        found = il.verify(fitted(), [run(), run(9)], out, train=False, retrospective=True)
        assert [s.kind for s in found.scores] == ["retrospective", "prediction"]
        assert found.tally.whole.n == 0 and (found.tally.retrospective.n, found.tally.retrospective.inside) == (1, 1)
        assert "not counted" in str(found)

    def test_a_run_that_began_elsewhere_before_its_prediction_is_late(self, out: Path) -> None:
        il.verify(fitted(), [run(), run(9)], out, train=False)
        train_by_lot(out, run(), seconds=3600.0)
        train_by_lot(out, run(9), seconds=3600.0, forked_from="trunk")
        found = il.verify(out=out, train=False)
        assert found.tally.late == (run().id,) and found.tally.whole.n == 1


class TestScores:
    def test_inside_outside_diverged_and_waiting(self, out: Path) -> None:
        fit, specs = fitted(), [run(), run(9), run(10), run(12)]
        il.verify(fit, specs, out, train=False)
        train_by_lot(out, specs[0])
        train_by_lot(out, specs[1], miss=0.2)
        train_by_lot(out, specs[2], status="diverged")
        found = il.verify(fit, specs, out, train=False)
        assert [s.standing for s in found.scores] == ["inside", "outside", "diverged", "waiting"]
        assert found.missed == (found.scores[1],)
        assert (found.tally.whole.n, found.tally.whole.inside) == (2, 1)
        assert found.tally.diverged == (specs[2].id,) and found.tally.waiting == (specs[3].id,)
        whole = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert whole["schema"] == 1 and whole["tally"]["head"] == read_log(out).head
        assert all(len(line) <= 130 for line in str(found).splitlines())

    def test_miss_z_and_crps_by_hand(self, out: Path) -> None:
        il.verify(fitted(), run(), out, train=False)
        train_by_lot(out, run(), miss=0.03)
        score, said = il.verify(out=out, train=False).scores[0], forecast(fitted(), run())
        assert score.reached == pytest.approx(1.03 * true_loss(foreseen(run()))[0])
        assert score.miss == score.reached / said["mid"] - 1
        assert score.z == pytest.approx(math.log(score.reached / said["mid"]) / said["log_spread"])
        # Against the definition, the integral of the squared distance of distribution functions, of these quantiles.
        values = np.array(said["quantiles"]["values"])
        x = np.linspace(values[0] - 0.5, score.reached + 0.5, 400_001)
        cdf = np.searchsorted(values, x, side="right") / len(values)
        integral = np.trapezoid((cdf - (x >= score.reached)) ** 2, x)
        assert score.crps == pytest.approx(integral, rel=0.05)

    def test_a_fit_without_the_interval_of_a_new_run_is_refused(self, out: Path) -> None:
        fit = fitted()
        for bare in (replace(fit, draws_sp=fit.draws_sp[:0]), replace(fit, residuals_n=fit.residuals_n[:0])):
            with pytest.raises(RequestError, match="no interval of a new run"):
                il.verify(bare, run(), out, train=False)
        with pytest.raises(RequestError, match="does not measure"):
            il.verify(replace(fit, law=LAW.bind(y="error")), run(), out, train=False)
        assert not (out / "predictions").exists()

    def test_questions_without_a_fit_a_target_or_a_folder_are_refused(self, out: Path) -> None:
        with pytest.raises(RequestError, match="no fit"):
            il.verify(target=run(), out=out)
        with pytest.raises(RequestError, match="no run to predict"):
            il.verify(fitted(), out=out)
        with pytest.raises(RequestError, match="names no run"):
            il.verify(fitted(), compute=1e13, out=out)
        with pytest.raises(il.IsolossError, match="no folder"):
            il.verify(out=out)


class TestTally:
    def test_clopper_pearson_against_the_binomial(self) -> None:
        from scipy.stats import binom, binomtest

        for k, n in ((0, 5), (3, 5), (18, 20), (20, 20), (171, 190)):
            found = clopper_pearson(k, n)
            exact = binomtest(k, n).proportion_ci(0.9, "exact")
            assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)
        assert binom.sf(17, 20, clopper_pearson(18, 20).low) == pytest.approx(0.05)
        assert (clopper_pearson(0, 0).low, clopper_pearson(0, 0).high) == (0.0, 1.0)

    def test_counts_by_decades_beyond_the_data(self) -> None:
        decades = (0.0, 0.0, 0.3, 0.5, 0.9, 1.0, 1.7)
        standings = ("inside", "outside", "inside", "inside", "outside", "inside", "inside")
        scores = [scored(str(i), d, s) for i, (d, s) in enumerate(zip(decades, standings, strict=True))]
        scores += [scored("x", 0.1, "inside", kind="retrospective"), scored("y", 0.1, "diverged")]
        made = tally(scores, 2, (), "head", 9)
        assert (made.whole.n, made.whole.inside, made.whole.miss) == (7, 5, pytest.approx(0.01))
        assert [(band.n, band.inside) for band in made.bands] == [(2, 1), (2, 2), (2, 1), (1, 1)]
        assert made.retrospective.n == 1 and made.diverged == ("y",) and made.fits == 1
        assert "5 of 7 inside (71%; 34% to 95%)" in str(made) and "share the errors" in str(made)

    def test_predictions_by_a_fit_each_are_said_to_share_nothing(self) -> None:
        scores = [replace(scored(str(i), 0.0, "inside"), fit=str(i)) for i in range(3)]
        assert "share the errors" not in str(tally(scores, 0, (), "", 3))


class TestBudget:
    def test_the_best_run_is_near_the_plan(self) -> None:
        fit = fitted()
        for budget in (3e12, 2e13):
            found = best_for(fit, budget, [run()])
            wanted = plan(fit, flops=budget).options[0]
            assert found.flops == pytest.approx(budget, rel=0.01)
            assert found.split == "test" and found.recipe == "wsd-adamw" and found.corpus == "python"
            near = [dials.shape(d) for d in range(1, 12)]
            losses = [
                float(LAW.value([[c.params], [budget / training_flops(s)]], fit.theta_p)[0])
                for s in near
                for c in [run_counts(s)]
            ]
            assert found.shape == near[int(np.argmin(losses))]
            assert 0.5 < found.counts.params / wanted.params.mid < 2.0

    def test_a_best_size_at_an_end_is_refused(self) -> None:
        flat = replace(fitted(), theta_p=LAW.theta({"E": 1.5, "A": 20.0, "B": 1e-9, "alpha": 0.3, "beta": 0.3}))
        with pytest.raises(RequestError, match="largest size that can be trained"):
            best_for(flat, 1e12, [run()])
        with pytest.raises(RequestError, match="differ in corpus"):
            best_for(fitted(), 1e12, [run(), replace(run(), recipe="other")])
        with pytest.raises(RequestError, match="No three sizes"):
            best_for(fitted(), 1e6, [run()])


class TestCommand:
    def test_predict_then_tally(self, out: Path, tmp_path: Path) -> None:
        saved, toml = tmp_path / "fit.json", tmp_path / "ladder.toml"
        fitted().save(saved)
        toml.write_text(
            'schema = 1\ncorpus = "python"\n[[runs]]\ndials = [1, 2]\ntokens = [50_000]\n'
            '[[runs]]\ndials = [8]\ntokens = [4_000_000]\nsplit = "test"\n'
        )
        words = (str(saved), "--ladder", str(toml), "--out", str(out), "--no-train")
        said = json.loads(command(*words, "--json"))
        assert [p["run"] for p in said["predictions"]] == [run().id] and said["tally"]["waiting"] == [run().id]
        train_by_lot(out, run(), miss=0.3)
        assert "outside" in command(*words) and "outside" in command("--tally", str(out))
        command(*words, "--strict", code=3)
        command("--tally", str(out), "--strict")
        head = json.loads(command("--tally", "--out", str(out), "--json"))["tally"]["head"]
        command("--tally", str(out), "--strict", "--head", head)
        assert "published head" in " ".join(
            command("--tally", str(out), "--strict", "--head", "f" * 64, code=3).split()
        )

    def test_a_budget_in_the_family_of_a_ladder(self, out: Path, tmp_path: Path) -> None:
        saved, toml = tmp_path / "fit.json", tmp_path / "ladder.toml"
        fitted().save(saved)
        toml.write_text('schema = 1\ncorpus = "python"\n[[runs]]\ndials = [1, 2]\ntokens = [50_000]\n')
        words = (str(saved), "--ladder", str(toml), "--out", str(out), "--no-train", "--json")
        said = json.loads(command(*words, "--compute", "1e13"))
        assert said["predictions"][0]["flops"] == pytest.approx(1e13, rel=0.01)
        assert "no run to predict" in command(str(saved), "--out", str(out), code=1)


def test_fit_register_train_score(out: Path) -> None:
    asked = [tiny(2, 40_000, split="test"), tiny(1, 9_000, lr=1e3)]
    rng = np.random.default_rng(0)
    for d, tokens in itertools.product((1, 2, 3, 4), (20_000, 60_000, 180_000)):
        train_by_lot(out, tiny(d, tokens), miss=SCATTER * rng.standard_normal())
    train_by_lot(out, tiny(5, 20_000, split="test"))
    found = il.verify(out, asked, out, workers=1, draws=50)
    assert found.tally.sound and found.tally.whole.n == 1 and found.tally.diverged == (asked[1].id,)
    record = json.loads((out / asked[0].id / "record.json").read_text())
    assert found.scores[0].reached == record["loss"]
    entries = read_log(out).entries
    assert [e.kind for e in entries] == ["prediction", "prediction", "score", "score"]
    said = entries[0].content
    assert said["fit"]["data"]["n"] == 12 and said["fit"]["calibration"]["runs"] > 0
    assert "runs labelled split = test were left out of the fit" in said["assumptions"]
    assert str(il.verify(out, asked, out)) == str(found), "what is scored needs neither fit nor training"
    with pytest.raises(AfterTheFactError, match=tiny(1, 20_000).id):
        il.verify(out, tiny(1, 20_000), out, draws=50)


@pytest.mark.slow
def test_the_whole_loop_with_training(out: Path) -> None:
    grid = [tiny(d, tokens) for d in (1, 2, 3) for tokens in (20_000, 60_000, 180_000)]
    il.train(grid, out)
    found = il.verify(out, [tiny(3, 400_000, split="test"), tiny(2, 300_000)], out)
    assert found.tally.sound and found.tally.whole.n == 2
    assert all(abs(score.miss) < 0.1 for score in found.scores)


def tiny(dial: int, tokens: int, **options: Any) -> Spec:
    return wsd_adamw(dials.shape(dial), tokens, load_corpus("python"), **options)


def coverage(sims: int) -> tuple[int, int]:
    """Fit simulated ladders, predict runs beyond them, draw what they reach, and count as the tally does."""
    specs, inside, n = [run(8), run(6, 2_500_000), run(10, 3_000_000), run(5, 1_000_000)], 0, 0
    for sim in range(sims):
        fit, rng = fitted(sim), np.random.default_rng(10_000 + sim)
        spec = specs[sim % len(specs)]
        said = forecast(fit, spec)
        reached = float(LAW.value([[spec.counts.params], [spec.tokens]], TRUTH)[0] * np.exp(SCATTER * rng.normal()))
        inside, n = inside + (said["low"] <= reached <= said["high"]), n + 1
    return inside, n


def test_runs_drawn_as_their_fit_says_end_inside_nine_times_in_ten() -> None:
    fit, rng = fitted(0, draws=400), np.random.default_rng(1)
    residuals_n = SCATTER * norm.ppf((np.arange(400) + 0.5) / 400)
    said = forecast(replace(fit, draws_sp=fit.draws_sp[::2], residuals_n=residuals_n, clusters=0), run())
    mean_s = LAW.value([[run().counts.params], [run().tokens]], fit.draws_sp[1::2])[:, 0]
    reached_s = mean_s * np.exp(SCATTER * rng.standard_normal(len(mean_s)))
    standings = np.where((said["low"] <= reached_s) & (reached_s <= said["high"]), "inside", "outside")
    made = tally([scored(str(i), 0.3, str(s)) for i, s in enumerate(standings)], 0, (), "", 0)
    share = clopper_pearson(made.whole.inside, made.whole.n, level=0.999)
    assert made.whole.n == 200 and share.low < 0.9 < share.high and share.low > 0.75


@pytest.mark.slow
def test_intervals_of_fits_to_few_runs_hold_at_least_as_often_as_they_say() -> None:
    share = clopper_pearson(*coverage(100))  # 202 of 211 when this was written: twenty runs make wide intervals
    assert share.high > 0.9 and share.mid < 1.0


def scored(name: str, decades: float, standing: str, kind: str = "prediction") -> Score:
    return Score(
        run=name, prediction=name, kind=kind, when="", fit="f", split="test", params=1e6, tokens=1e6, flops=6e12,
        decades=decades, of="flops", quantity="loss", mid=2.0, low=1.9, high=2.1, standing=standing,  # type: ignore[arg-type]
        reached=2.02, z=1.0, crps=0.01,
    )  # fmt: skip


def run_counts(shape):
    from isoloss.core.accounting import count

    return count(shape)

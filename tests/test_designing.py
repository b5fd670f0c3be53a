"""What is expected of a ladder before it is trained: the spread of fits to come, refusals, the dry run, proposals."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import isoloss as il
from isoloss.cli.app import app
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.runs import Runs
from isoloss.designing import check, design, expected, preview
from isoloss.designing.assumed import scatter_of, truth_of
from isoloss.designing.expecting import table_of
from isoloss.designing.targets import best_size
from isoloss.fitting.engine import fit
from isoloss.lab import pace as pacing
from isoloss.lab.corpus import load_corpus
from isoloss.lab.designs import RefusedDesign, beside
from isoloss.lab.ladder import declare, read_ladder
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.planning import plan
from isoloss.published import published
from isoloss.samples import ladder, ladder_toml

GRID: dict[str, Any] = {"dials": [1, 2, 3, 4], "tokens": [60_000, 180_000, 540_000, 1_600_000]}
RAY: dict[str, Any] = {"dials": [2, 3, 4, 5, 6, 8], "horizons": [20]}


def isoloss(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code == 0 else result.stderr


def simulated(specs, scatter: float, seed: int) -> Runs:
    """One sweep of the assumed truth at these cells, made without the code under test."""
    runs = table_of(specs)
    truth = truth_of(None, "chinchilla", runs)
    theta = dict(zip(truth.law.names, truth.theta_p, strict=True))
    exact = theta["E"] + theta["A"] * runs["params"] ** -theta["alpha"] + theta["B"] * runs["tokens"] ** -theta["beta"]
    return runs.with_columns(loss=exact * np.exp(scatter * np.random.default_rng(seed).standard_normal(len(runs))))


@pytest.fixture(autouse=True)
def quick_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process that times training steps: bare products, as where torch is not installed."""
    monkeypatch.setattr(pacing, "_timed_apart", pacing._by_products)


def test_the_expected_spread_is_that_of_fits_made_one_by_one() -> None:
    specs = declare(**GRID)
    told = expected(specs, noise=0.01, target=1e13, sims=200)
    fits = [fit(simulated(specs, 0.01, seed), draws=0) for seed in range(16)]
    point: dict[str, Any] = {"params": told.target["params"], "tokens": told.target["tokens"]}
    loss = np.log([float(f.predict(kind="mean", **point).mid[0]) for f in fits])
    size = np.log([best_size(f.law, f.theta_p, 1e13, "params")[0] for f in fits])
    for seen, estimate in ((loss, told.loss), (size, told.size)):
        spread = np.log(estimate.high / estimate.low) / (2 * 1.645)
        assert seen.std() == pytest.approx(spread, rel=0.5)
        assert np.log(estimate.low) < seen.mean() < np.log(estimate.high)
    wide = told.parameters["beta"].high - told.parameters["beta"].low
    assert np.std([f.theta["beta"] for f in fits]) == pytest.approx(wide / (2 * 1.645), rel=0.5)


def test_the_expected_interval_is_about_as_wide_as_the_intervals_of_fits_with_draws() -> None:
    specs = declare(**GRID, seeds=[0, 1])
    told = expected(specs, noise=0.01, target=1e13, sims=200)
    widths, held = [], 0
    for seed in range(6):
        made = fit(simulated(specs, 0.01, seed), draws=100).predict(
            kind="mean", params=told.target["params"], tokens=told.target["tokens"]
        )
        widths.append(np.log(float(made.high[0]) / float(made.low[0])))
        held += float(made.low[0]) < told.loss.mid < float(made.high[0])
    assert 0.6 < np.median(widths) / told.width < 1.7
    assert held >= 4


def test_the_embedded_ladder_was_told_as_well_as_its_fit_says() -> None:
    runs = ladder().where(split="train")
    told = expected(runs, target={"params": 853_120, "tokens": 13_499_136})
    real = fit(runs, draws=400).predict(kind="mean", params=853_120, tokens=13_499_136)
    assert 0.6 < np.log(float(real.high[0]) / float(real.low[0])) / told.width < 1.7


def test_a_ray_is_not_made_to_look_sure_by_starts_at_the_truth() -> None:
    ray, beside = (expected(declare(**cells), target=1e14, sims=60) for cells in (RAY, GRID))
    assert ray.size.high / ray.size.low > 20 * beside.size.high / beside.size.low
    assert ray.parameters["alpha"].high - ray.parameters["alpha"].low > 3


def test_less_noise_more_seeds_and_more_cells_tell_more_and_cells_do_not_average_away() -> None:
    few, many = declare(**GRID), declare(**GRID, seeds=[0, 1, 2, 3])
    widths = [expected(few, target=1e13, noise=noise, sims=100).width for noise in (0.02, 0.01, 0.002)]
    assert widths[0] > 1.4 * widths[1] > 2 * 1.4 * widths[2]
    of_seeds, of_cells = (
        [expected(specs, noise=noise, target=1e13, sims=150).width for specs in (few, many)]
        for noise in ((0.01, 0.0), (0.0, 0.01))
    )
    assert of_seeds[0] / of_seeds[1] == pytest.approx(2, rel=0.3)
    assert of_cells[0] / of_cells[1] == pytest.approx(1, rel=0.25)


def test_the_same_question_has_the_same_answer() -> None:
    specs = declare(**GRID)
    assert expected(specs, sims=60).to_json() == expected(specs, sims=60).to_json()


def test_the_best_size_is_the_planners() -> None:
    known = published("besiroglu2024")
    found = best_size(known.law, known.theta_p, 5.76e23, "params")[0]
    assert found == pytest.approx(plan(known, flops=5.76e23).options[0].params.mid, rel=1e-4)


def test_the_default_noise_is_the_ladders_own() -> None:
    scatter = scatter_of(None)
    assert scatter.whole == pytest.approx(fit(ladder().where(split="train"), draws=0).scatter)
    assert 0.015 < scatter.seed < 0.025


def test_large_sizes_are_simulated_under_the_replication() -> None:
    n, d = np.meshgrid(np.geomspace(1e8, 4e9, 5), np.geomspace(2e9, 1e11, 4))
    told = expected({"params": n.ravel(), "tokens": d.ravel()}, noise=0.003, target=1e23)
    assert "Besiroglu" in told.assumptions[0]
    assert told.parameters["alpha"].low < 0.3478 < told.parameters["alpha"].high


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"noise": -0.1}, RequestError, "noise of -0.1 cannot be"),
        ({"truth": {"E": 1.0}}, RequestError, "truth lacks A"),
        ({"law": "power"}, RequestError, "not one of size and tokens"),
        ({"target": -1}, RequestError, "trains nothing"),
        ({"target": {"params": 1e6}}, RequestError, "target lacks tokens"),
        ({"sims": 3}, RequestError, "3 simulated sweeps"),
        ({"level": 2}, RequestError, "level 2 is not between"),
    ],
)
def test_assumptions_that_cannot_be_are_answered(how: dict, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        expected(declare(**GRID), **how)


REFUSED: dict[str, dict[str, Any]] = {
    "collinear": RAY,
    "few_cells": {"dials": [2, 4], "tokens": [200_000, 800_000]},
    "constant_rate": {**GRID, "lr": 0.01},
    "repetition": {**GRID, "tokens": [200_000, 800_000, 40_000_000]},
    "edge_optimum": {"dials": [3, 4, 5, 6], "budgets": [1e12, 4e12]},
}


@pytest.mark.parametrize("code", REFUSED)
def test_designs_that_cannot_work_are_refused_with_their_reason_and_its_price(code: str) -> None:
    specs = declare(**REFUSED[code])
    with pytest.raises(RefusedDesign, match="Nothing was trained") as caught:
        check(specs)
    assert isinstance(caught.value, DesignError)
    refusal = next(r for r in caught.value.refusals if r.code == code)
    assert f"{code}: " in str(caught.value) and refusal.do
    assert max(map(len, str(caught.value).splitlines())) <= 102
    if code == "repetition":
        with pytest.raises(RefusedDesign, match="repetition"):
            check(specs, force=True)
    else:
        assert code in [r.code for r in check(specs, force=True)]


def test_what_a_refusal_asks_for_ends_it_at_the_price_it_says() -> None:
    ray = declare(**RAY)
    refusal = next(r for r in check(ray, force=True) if r.code == "collinear")
    shapes = {spec.counts.params: spec.shape for spec in ray}
    more = [wsd_adamw(shapes[n], round(d), load_corpus("python")) for n, d in beside(ray)]
    assert "collinear" not in [r.code for r in check([*ray, *more], force=True)]
    assert sum(spec.flops for spec in more) == pytest.approx(refusal.flops, rel=0.02)
    check(more, recorded=ray)


def test_fair_designs_and_single_runs_are_not_refused() -> None:
    assert check(declare(**GRID)) == ()
    assert check(declare(dials=[2], tokens=[200_000])) == ()
    assert check(declare(dials=[2], tokens=[200_000], seeds=[0, 1, 2, 3])) == ()
    assert check(declare(dials=[1, 2, 3, 4], tokens=[200_000])) == (), "four sizes tell a floor and a power"
    for path in sorted((Path(__file__).parents[1] / "examples").glob("ladder*.toml")):
        assert check(read_ladder(tomllib.loads(path.read_text()))) == (), path.name


def test_the_dry_run_counts_every_cell_and_fits_the_page() -> None:
    specs = declare(**GRID, seeds=[0, 1])
    seen = preview(specs, workers=2)
    assert len(seen.cells) == 16 and seen.todo == 32 and not seen.refusals
    assert seen.flops == pytest.approx(sum(spec.flops for spec in specs))
    assert seen.wall_seconds < seen.cpu_seconds < 3 * seen.wall_seconds
    assert max(map(len, str(seen).splitlines())) <= 100
    assert json.loads(json.dumps(seen.to_json(), allow_nan=False))["cells"][0]["body_params"] == 6224
    shown = str(preview(read_ladder(tomllib.loads(ladder_toml().read_text()))))
    assert max(map(len, shown.splitlines())) <= 100 and "the dearest run held out" in shown.replace("\n    ", " ")


def test_records_count_and_tell_the_pace(tmp_path: Path) -> None:
    specs = declare(**GRID)
    for spec, seconds in zip(specs[:2], (10.0, 30.0), strict=True):
        folder = tmp_path / spec.id
        folder.mkdir()
        record = {"status": "done", "id": spec.id, "spec": spec.to_json(), "flops": spec.flops, "cpu_seconds": seconds}
        (folder / "record.json").write_text(json.dumps(record))
    seen = preview(specs, tmp_path)
    assert seen.todo == len(specs) - 2 and "records of the same shapes" in seen.how
    assert [cell.done for cell in seen.cells[:3]] == [1, 1, 0]
    rate = np.median([10.0 / specs[0].flops, 30.0 / specs[1].flops])
    assert seen.cells[2].seconds > rate * specs[2].flops
    others = preview(specs[2:], tmp_path)
    assert others.expected and others.expected.runs == len(specs), "recorded runs are fitted with these"


def test_a_ladder_that_no_law_can_be_fitted_to_says_so() -> None:
    seen = preview(declare(dials=[1, 2, 3, 4], tokens=[200_000]))
    assert seen.expected is None and "No interval can be expected" in str(seen)


def ladder_file(folder: Path, grid: dict) -> str:
    path = folder / "ladder.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in grid.items()]
    path.write_text("\n".join(['schema = 1\ncorpus = "python"', "[[runs]]", *lines]) + "\n")
    return str(path)


def test_the_command_refuses_previews_and_goes_on_when_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = ladder_file(tmp_path, RAY), str(tmp_path / "runs")
    told = isoloss("train", path, "--out", out, code=1)
    assert "collinear" in told and "--force" in told and not Path(out).exists()
    dry = json.loads(isoloss("train", path, "--out", out, "--dry-run", "--json"))
    assert [r["code"] for r in dry["refusals"]] == ["collinear"] and not Path(out).exists()
    trained: list[Any] = []
    heard: dict[str, Any] = {}

    def kept(every: float, keep: bool) -> dict[str, Any]:
        return {"checkpoint_every": every, "keep_checkpoints": keep}

    def stand_in(specs, **how):
        trained.extend(specs)
        heard.update(how)
        assert (str(heard.pop("out")), heard.pop("engine")) == (out, "cpu")
        return Runs({"loss": np.array([2.0])})

    monkeypatch.setattr("isoloss.lab.train", stand_in)
    monkeypatch.setattr("isoloss.lab.load_records", lambda out: [])
    isoloss("train", path, "--out", out, "--force")
    assert len(trained) == 6 and heard == {"workers": None, "split": None, **kept(60.0, False)}
    isoloss(
        "train", path, "--out", out, "--force", "--checkpoint-every", "5", "--keep-checkpoints", "--more-seeds", "2"
    )
    assert len(trained) == 6 + 6 + 8 and heard == {"workers": None, "split": None, **kept(5.0, True)}
    assert [spec.seed for spec in trained[-3:]] == [0, 1, 1]


def test_training_from_python_is_refused_as_from_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, Any] = {}
    monkeypatch.setattr("isoloss.lab.train", lambda specs, out, **how: heard.update(how, specs=specs))
    with pytest.raises(RefusedDesign, match="collinear"):
        il.train(declare(**RAY), tmp_path)
    assert not heard
    il.train(declare(**RAY), tmp_path, force=True, workers=3)
    assert len(heard["specs"]) == 6 and heard["workers"] == 3
    il.train(ladder_file(tmp_path, GRID), tmp_path / "runs", keep_checkpoints=True)
    assert len(heard["specs"]) == 16 and heard["keep_checkpoints"]


def test_the_dry_run_counts_trunks_once_and_says_what_separate_runs_would_cost() -> None:
    specs = declare(dials=[1, 2, 3, 4], tokens=[200_000, 400_000, 800_000, 1_600_000], forks=True)
    seen = preview(specs, workers=2)
    assert seen.flops_apart == pytest.approx(sum(spec.flops for spec in specs))
    assert 0.6 < seen.flops / seen.flops_apart < 0.65 and seen.cpu_seconds < seen.cpu_seconds_apart
    assert seen.wall_seconds < seen.cpu_seconds
    assert "separate runs would cost" in str(seen) and max(map(len, str(seen).splitlines())) <= 100
    assert "separate runs" not in str(preview(declare(**GRID)))


def test_mistakes_in_words_are_answered(tmp_path: Path) -> None:
    path = ladder_file(tmp_path, GRID)
    assert "There is no file or published law" in isoloss("train", path, "--dry-run", "--truth", "nobody", code=1)
    assert "engine 'gpu'" in isoloss("train", _with_engine(tmp_path), "--dry-run", code=1)
    assert "needs one budget" in isoloss("design", code=1)
    assert "trains nothing" in isoloss("design", "--flops", "-3", code=1)


def _with_engine(folder: Path) -> str:
    path = Path(ladder_file(folder, GRID))
    path.write_text('engine = "gpu"\n' + path.read_text())
    return str(path)


@pytest.fixture(scope="module")
def proposed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "_timed_apart", pacing._by_products)
        return design(flops=3e12, target=3e13, sims=60)


def test_a_design_keeps_to_its_budget_and_beats_what_else_was_tried(proposed) -> None:
    assert 0.5 * 3e12 < sum(spec.flops for spec in proposed.specs) <= 3e12
    assert len(proposed.tried) >= 2
    assert all(proposed.chosen.expected.width <= trial.expected.width for trial in proposed.tried)
    assert check(proposed.specs) == ()
    assert max(map(len, str(proposed).splitlines())) <= 100
    json.dumps(proposed.to_json(), allow_nan=False)


def test_the_file_of_a_design_is_the_design(proposed, tmp_path: Path) -> None:
    proposed.write(tmp_path / "ladder.toml")
    written = read_ladder(tomllib.loads((tmp_path / "ladder.toml").read_text()))
    assert [spec.id for spec in written] == [spec.id for spec in proposed.specs]


def test_a_design_beats_the_ray_of_the_same_price(proposed) -> None:
    sizes = [1, 2, 3, 4, 5, 6]
    longest = max(k for k in range(1, 40) if sum(s.flops for s in declare(dials=sizes, horizons=[k])) <= 3e12)
    ray = expected(declare(dials=sizes, horizons=[longest]), target=3e13, sims=100)
    assert proposed.expected.size.high / proposed.expected.size.low < ray.size.high / ray.size.low


def test_budgets_that_buy_no_ladder_are_answered() -> None:
    with pytest.raises(DesignError, match="No ladder within 1e09 FLOP"):
        design(flops=1e9)
    with pytest.raises(RequestError, match="needs one budget"):
        design(flops=1e12, minutes=3)
    with pytest.raises(RequestError, match="trains nothing"):
        design(flops=-1)
    with pytest.raises(RequestError, match="wider range"):
        design(flops=1e12, sizes=("30k", "40k"))


@pytest.mark.slow
def test_a_design_in_minutes_of_this_machine_keeps_to_them() -> None:
    made = design(minutes=1, sims=60)
    assert made.preview.cpu_seconds < 75

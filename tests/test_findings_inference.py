"""Findings about inference, on published tables and on the embedded ladder, and the parts that they are made of."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import f as f_distribution
from typer.testing import CliRunner

import isoloss as il
from examples.findings import r5
from examples.findings._sweeps import grid
from isoloss.checking import onset
from isoloss.checking.case import Case
from isoloss.checking.counting import converted
from isoloss.checking.leftovers import f_tail, leftovers, powers
from isoloss.checking.multiverse import multiverse
from isoloss.checking.patterns import patterns
from isoloss.cli.app import app
from isoloss.core.checkup import Verdict
from isoloss.core.figure import Figure
from isoloss.core.runs import Runs
from isoloss.plots.multiverse import multiverse as plot

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@cache
def table(name: str, where: str | None = None) -> Runs:
    path = DATA / name / "tidy.csv"
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return il.read(path, where=where)


def verdict(runs: Runs, code: str, draws: int = 200) -> Verdict:
    return il.check(runs, only=[code], draws=draws)[code]


def test_the_factor_between_approaches_counts_even_where_intervals_overlap() -> None:
    runs = table("llama3_isoflop")
    found = verdict(runs, "C6").findings
    assert found and found[0].number and found[0].number > 1.5


def test_two_approaches_agree_on_the_cleaned_llama_table() -> None:
    assert verdict(table("llama3_isoflop", "split=train"), "C6").fine


def test_the_digitised_chinchilla_table_is_fitted_soundly() -> None:
    runs = table("chinchilla_epoch", "split=train")
    checkup = il.check(runs, only=["B2", "B4", "C1", "C3", "C5", "C6", "D3", "D4", "D5"], draws=300)
    assert not checkup.findings, checkup.findings


def test_its_outliers_are_found_where_they_were_left_in() -> None:
    runs = table("chinchilla_epoch")
    assert "epoch-000" in verdict(runs, "R3").findings[0].sentence
    assert verdict(runs, "R5").findings[0].fix.startswith("Leave them out: --where")


def test_counting_moves_the_plan_of_small_models() -> None:
    found = verdict(il.samples.ladder(), "A1").findings
    assert found and "body_params" in found[0].sentence and "which is" in found[0].sentence


def test_sizes_are_converted_as_the_counts_differ() -> None:
    body_n = np.geomspace(1e6, 1e9, 7)
    runs = Runs({"body_params": body_n, "params": body_n + 3e4 * np.cbrt(body_n)})
    assert converted(runs, "body_params", "params", 8e9) == pytest.approx(8e9 + 3e4 * 2e3)
    less = Runs({"body_params": body_n, "params": 0.5 * body_n})
    assert converted(less, "body_params", "params", 8e9) == pytest.approx(4e9)


@pytest.mark.parametrize(("value", "over", "under"), [(3.0, 3, 40), (12.0, 1, 200), (25.0, 5, 60), (0.4, 4, 20)])
def test_the_tail_of_f_is_close(value: float, over: int, under: int) -> None:
    exact = float(f_distribution.sf(value, over, under))
    assert f_tail(value, over, under) == pytest.approx(exact, rel=0.4)


def test_trends_of_pure_noise_are_as_rare_as_they_say() -> None:
    chances = []
    for seed in range(60):
        runs = grid(8, 8, seed=seed)
        fit = il.fit(runs, draws=0, objective="squared_log")
        chances.append(leftovers(Case(runs, fit.law, fit)).trend(powers(runs["params"])).chance)
    assert 0.02 <= np.mean(np.array(chances) < 0.1) <= 0.22


def test_no_sweep_of_the_law_itself_is_accused_of_a_pattern() -> None:
    for seed in range(20):
        runs = grid(7, 7, seed=seed)
        fit = il.fit(runs, draws=0)
        assert not isinstance(patterns(Case(runs, fit.law, fit)), list), seed


def test_a_group_that_lies_off_is_named() -> None:
    runs = grid(8, 8)
    label = np.where(np.arange(len(runs)) % 3 == 0, "old", "new")
    worse = runs.with_columns(recipe=label, loss=runs["loss"] * np.where(label == "old", 1.02, 1.0))
    found = verdict(worse, "C2", 0).findings
    assert found and "recipe" in found[0].sentence and "old" in found[0].sentence


def test_scatter_that_grows_is_told_with_its_remedy() -> None:
    runs = grid(10, 10, scatter=0.0)
    rng, size_n = np.random.default_rng(0), runs["params"] * runs["tokens"]
    noise_n = 0.05 * (size_n / size_n.min()) ** -0.5 * rng.standard_normal(len(runs))
    found = verdict(runs.with_columns(loss=runs["loss"] * np.exp(noise_n)), "C2", 0).findings
    assert found and 'weights="scale"' in found[-1].fix


def test_the_onset_filter_keeps_what_the_function_keeps(tmp_path: Path) -> None:
    runs = r5.wrong().runs
    kept = onset.without(runs)
    assert len(kept) < len(runs) and kept["params"].min() > 0.9 * r5.ONSET and "left out" in kept.notes[-1]
    fix = verdict(runs, "R5", 0).findings[0].fix
    path = tmp_path / "runs.csv"
    runs.to_pandas().to_csv(path, index=False)
    assert len(il.read(path, where=fix.partition('"')[2].rpartition('"')[0])) == len(kept)


def test_runs_without_an_onset_stay_as_they_are() -> None:
    runs = grid()
    assert onset.without(runs) is runs


def test_runs_that_do_not_fix_the_law_are_not_compared_further() -> None:
    params = np.geomspace(1e7, 1e9, 8)
    exact = il.published("besiroglu2024").predict(params=params, tokens=20 * params).mid
    checkup = il.check(Runs({"params": params, "tokens": 20 * params, "loss": exact}), draws=0, only=["A1", "C3", "C4"])
    assert all(v.unseen for v in checkup.verdicts.values())


@pytest.mark.parametrize("law", ["power_floor", "auto"])
def test_other_laws_are_examined_without_a_fall(law: str) -> None:
    settings: dict[str, Any] = (
        {"inputs": {"x": "tokens"}} if law == "power_floor" else {"laws": ["chinchilla", "nested"]}
    )
    checkup = il.check(grid(5, 5), law, draws=100, **settings)
    assert "C4" in checkup.verdicts


def test_the_command_of_the_multiverse_writes_one_object(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    grid(5, 5).to_pandas().to_csv(path, index=False)
    words = ["multiverse", str(path), "--flops", "1e22", "--rival", "nested", "--draws", "20", "--json"]
    ended = CliRunner().invoke(app, words)
    told = json.loads(ended.output)
    assert ended.exit_code == 0 and told["spread"]["size"]["all"][0] > 0 and len(told["universes"]) > 5


def test_the_picture_of_a_multiverse_can_be_drawn() -> None:
    made = multiverse(grid(5, 5), flops=1e22, laws=["nested"], objectives=["squared_log"], draws=20)
    figure = plot(made)
    assert figure.panels[0].marks and Figure.from_json(figure.to_json()).title == figure.title


def test_a_multiverse_tells_every_choice_and_the_spread() -> None:
    runs = grid(6, 6)
    runs = runs.with_columns(body_params=0.9 * runs["params"])
    made = multiverse(runs, flops=1e22, laws=["kaplan"], objectives=["squared_log"], draws=40)
    assert {u.kind for u in made.universes} == {"law", "objective", "count", "draws"}
    assert max(len(line) for line in str(made).splitlines()) <= 100
    low, high = made.spread("size")
    assert low <= made.universes[0].size.mid <= high
    body = next(u for u in made.universes if u.name == "body_params")
    assert body.size.mid == pytest.approx(made.universes[0].size.mid, rel=0.1)
    kaplan = next(u for u in made.universes if u.name == "kaplan")
    assert not kaplan.counts and "speak against" in kaplan.remark
    assert made.to_json()["universes"][0]["size"]["mid"] == made.universes[0].size.mid

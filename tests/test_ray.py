"""Eight runs at D = 20 N: they tell one curve, and whoever asks off their ray is told that nothing is known there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares
from typer.testing import CliRunner

import isoloss as il
from isoloss.checking.case import Case
from isoloss.checking.off_ray import propose
from isoloss.cli.app import app
from isoloss.core.law import find
from isoloss.core.runs import Runs

# The constants of results/scaling_law_coeffs.json in visheshnarayan/jax-scaling-laws (aee9dac): eight models of one
# ray, "alpha and beta near 0.56 confirm Chinchilla".
PUBLISHED = {"E": 2.0278750812, "A": 25745.3211, "alpha": 0.5598387741, "B": 5104.575264, "beta": 0.5594980770}
LAW = find("chinchilla")
HELD_OUT, RATIO = 163e6, 20.0  # parameters of the model that was predicted from them, tokens per parameter
LEAST, MOST = 2.2, 2.7  # what fits to these runs say of it with ten times the tokens, depending on where they start


def losses(params_n: np.ndarray, tokens_n: np.ndarray, scatter: float, seed: int) -> np.ndarray:
    exact_n = LAW.value(np.array([params_n, tokens_n]), LAW.theta(PUBLISHED))
    return exact_n * np.exp(scatter * np.random.default_rng(seed).standard_normal(len(params_n)))


def eight(scatter: float = 0.03, seed: int = 1) -> Runs:
    params_n = np.geomspace(6.6e6, 1.1e8, 8)
    columns = {
        "params": params_n,
        "tokens": RATIO * params_n,
        "loss": losses(params_n, RATIO * params_n, scatter, seed),
    }
    return Runs(columns, "eight runs of one ray")


def test_check_says_red_names_the_direction_and_the_runs_that_would_cure_it() -> None:
    verdict = il.check(eight(), only=["B2"], draws=300)["B2"]
    finding = verdict.findings[0]
    assert finding.severity == "red"
    assert all(name in finding.sentence for name in ("A", "B", "alpha", "beta", "correlation 1.000"))
    assert "tokens (" in finding.fix and "of the sweep's" in finding.fix and "times as well" in finding.fix


def test_the_command_says_it_and_exits_three_when_strict(tmp_path: Path) -> None:
    path = f"{tmp_path}/eight.csv"
    eight().to_pandas().to_csv(path, index=False)
    ended = CliRunner().invoke(app, ["check", path, "--only", "B2", "--draws", "200", "--strict"])
    assert ended.exit_code == 3 and "red B2" in ended.output


def test_off_the_ray_the_interval_holds_all_that_such_fits_have_said() -> None:
    fit = il.fit(eight())
    off = fit.predict(params=HELD_OUT, tokens=10 * RATIO * HELD_OUT)
    assert off.low[0] <= LEAST and off.high[0] >= MOST
    assert off.high[0] < 3.5 and off.low[0] > 1.1  # and is no shrug


def test_on_the_ray_little_is_lost() -> None:
    on = il.fit(eight(0.005, 0)).predict(params=HELD_OUT, tokens=RATIO * HELD_OUT)
    assert on.low[0] < LAW.value(np.array([[HELD_OUT], [RATIO * HELD_OUT]]), LAW.theta(PUBLISHED))[0] < on.high[0]
    assert (on.high[0] - on.low[0]) / on.mid[0] < 0.03


@pytest.mark.parametrize("seed", range(2))
def test_the_interval_holds_what_searches_from_anywhere_end_at(seed: int) -> None:
    runs = eight(0.005, seed)
    x_kn, y_n = np.array([runs["params"], runs["tokens"]]), runs["loss"]
    rng, told = np.random.default_rng(0), []
    for _ in range(40):
        start = [rng.uniform(0.5, 2.5), np.log(1e4), np.log(1e4), rng.uniform(0.1, 1.2), rng.uniform(0.1, 1.2)]
        found = least_squares(
            lambda u: np.log(_value(u, x_kn) / y_n), start, bounds=([0, -9, -9, 0, 0], [9, 40, 40, 8, 8])
        )
        told.append((found.cost, _value(found.x, np.array([[HELD_OUT], [10 * RATIO * HELD_OUT]]))[0]))
    least = min(cost for cost, _ in told)
    alike = [value for cost, value in told if cost <= 1.5 * least]
    off = il.fit(runs, objective="squared_log").predict(params=HELD_OUT, tokens=10 * RATIO * HELD_OUT)
    low, high = np.quantile(alike, [0.1, 0.9])
    assert off.low[0] <= low + 0.01 and off.high[0] >= high - 0.01


@pytest.mark.parametrize("seed", [0, 1])
def test_the_proposed_runs_do_what_was_promised(seed: int) -> None:
    runs = eight(0.01, seed)
    squares = {"objective": "squared_log", "draws": 400}
    fit = il.fit(runs, **squares)
    proposal = propose(Case(runs, fit.law, fit, squares), fit)
    assert proposal and 2 <= len(proposal.runs) <= 4 and proposal.left < 0.5
    params_n, tokens_n = (np.array(column) for column in zip(*proposal.runs, strict=True))
    assert (params_n * tokens_n).max() <= (runs["params"] * runs["tokens"]).max() * 1.0001
    more = Runs({"params": params_n, "tokens": tokens_n, "loss": losses(params_n, tokens_n, 0.01, 7)}, "more")
    before, after = (_off(il.fit(table, **squares)) for table in (runs, runs + more))
    truth = LAW.value(np.array([[HELD_OUT], [10 * RATIO * HELD_OUT]]), LAW.theta(PUBLISHED))[0]
    assert after[1] - after[0] < 0.6 * (before[1] - before[0]) and after[0] - 0.03 <= truth <= after[1] + 0.03


def test_runs_off_a_ray_draw_as_they_did() -> None:
    params, tokens = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(5e8, 5e10, 5)))
    fit = il.fit(Runs({"params": params, "tokens": tokens, "loss": losses(params, tokens, 0.005, 0)}), draws=20)
    assert not any("typical ranges" in words for words in fit.assumptions)


def _value(u: np.ndarray, x_kn: np.ndarray) -> np.ndarray:
    return u[0] + np.exp(u[1] - u[3] * np.log(x_kn[0])) + np.exp(u[2] - u[4] * np.log(x_kn[1]))


def _off(fit: il.Fit) -> tuple[float, float]:
    told = fit.predict(params=HELD_OUT, tokens=10 * RATIO * HELD_OUT, kind="mean")
    return float(told.low[0]), float(told.high[0])

"""A certificate tells facts: each of its numbers beside what can be worked out without it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from simulate import bound, made_by, ray, sweep

from isoloss.core.certificate import Certificate
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.fitting.newton import Solved
from isoloss.fitting.posing import solved
from isoloss.fitting.settings import Settings
from isoloss.fitting.verdict import verdict


def paper_of(found: Fit) -> Certificate:
    assert found.certificate
    return found.certificate


def no_floor(n: int = 30) -> Runs:
    """Losses that ask for a floor below zero."""
    flops_n = np.geomspace(1e16, 1e20, n)
    rng = np.random.default_rng(0)
    return Runs(
        {"flops": flops_n, "loss": (5.0 - 0.2 * np.log(flops_n / 1e16)) * np.exp(0.002 * rng.standard_normal(n))}
    )


@pytest.mark.parametrize("objective", ["huber_log", "squared_log", "squared", "student_t"])
def test_a_clean_fit_has_a_clean_certificate(objective: str) -> None:
    found = fit(sweep(60), objective=objective, draws=0)
    paper = paper_of(found)
    assert 1 < paper.agreed <= paper.starts
    assert paper.gradient < 1e-6 * found.objective[1]
    assert paper.moved > 1e-3 and 1 < paper.condition < 1e4
    assert paper.bounds == paper.flat == ()
    assert set(paper.play) == set(found.theta)


def test_bounds_are_named_and_have_no_play() -> None:
    found = fit(no_floor(), "power_floor", inputs={"x": "flops"}, draws=0)
    paper = paper_of(found)
    assert found.status == "at_bound" and found.theta["E"] == 0
    assert paper.bounds == ("E",) and "E" not in paper.play
    assert "at the end of the range: E" in str(paper)


def test_a_flat_direction_is_named() -> None:
    found = fit(ray(40, 0.003), draws=0)
    paper = paper_of(found)
    assert found.status in ("flat", "at_bound")
    assert paper.flat or paper.bounds
    assert paper.condition > 1e3 or paper.bounds


@pytest.mark.parametrize(
    ("law", "settings"),
    [
        ("chinchilla", {"objective": "squared_log"}),
        ("chinchilla", {"objective": "squared_log", "hold": {"E": 1.8}}),
        ("chinchilla", {"objective": "squared", "tie": "alpha,beta"}),
        ("power_floor", {"objective": "squared_log", "inputs": {"x": "tokens"}}),
    ],
)
def test_moving_a_parameter_by_its_play_costs_one_percent(law: str, settings: dict[str, Any]) -> None:
    runs = sweep(80, 0.005, 2)
    if law == "power_floor":
        runs = made_by(bound(law), np.array([1.8, 900.0, 0.3]), 60, 0.005, 1)
    best = fit(runs, law, draws=0, **settings)
    held = settings.pop("hold", {})
    for name, play in paper_of(best).play.items():
        name = name.split("=")[0]
        if (name == "beta" or name == "alpha") and "tie" in settings:
            continue  # what is tied cannot be held as well
        rises = []
        for sign in (1, -1):
            moved = fit(runs, law, draws=0, hold={**held, name: best.theta[name] + sign * play}, **settings)
            rises.append(moved.objective[1] / best.objective[1] - 1)
        assert np.mean(rises) == pytest.approx(0.01, rel=0.2), name


def test_agreement_and_gap_follow_from_the_starts() -> None:
    posing = solved(sweep(40), "chinchilla", Settings(draws=0))
    best = posing.u_p[:, None]
    value = posing.least
    starts = Solved(
        np.repeat(best, 4, axis=1),
        value * np.array([1.0, 1 + 1e-9, 1.25, 1.1]),
        np.array([True, True, True, False]),
        np.repeat(best, 4, axis=1) + 0.5,
    )
    _, findings, paper = verdict(posing.problem, starts)
    assert (paper.starts, paper.agreed) == (4, 2)
    assert paper.gap == pytest.approx(0.25)
    assert [f.severity for f in findings if f.code == "C1"] == ["note"]
    assert "the next optimum is 25.00% higher" in str(paper)


def test_a_lone_start_is_a_finding() -> None:
    posing = solved(sweep(40), "chinchilla", Settings(draws=0))
    best = posing.u_p[:, None]
    starts = Solved(
        np.repeat(best, 3, axis=1), posing.least * np.array([1.0, 1.3, 1.2]), np.full(3, True), best + np.ones((5, 3))
    )
    _, findings, paper = verdict(posing.problem, starts)
    assert paper.agreed == 1 and paper.gap == pytest.approx(0.2)
    (lone,) = [f for f in findings if f.code == "C1"]
    assert lone.severity == "amber" and "Only 1 of 3 starts" in lone.sentence


def test_a_result_that_equals_its_start_is_a_finding() -> None:
    posing = solved(sweep(40), "chinchilla", Settings(draws=0))
    best = posing.u_p[:, None]
    stuck = Solved(np.repeat(best, 2, axis=1), np.full(2, posing.least), np.full(2, True), np.repeat(best, 2, axis=1))
    _, findings, paper = verdict(posing.problem, stuck)
    assert paper.moved == 0
    assert any(f.severity == "amber" and "has not moved" in f.sentence for f in findings)


def test_linked_fits_name_coordinates_by_their_links() -> None:
    runs = sweep(60).with_columns(arch=np.resize(["a", "b"], 60))
    groups = fit(runs, by="arch", share="E", tie="alpha,beta", draws=0)
    assert set(paper_of(groups["a"]).play) == {"E", "A[a]", "A[b]", "B[a]", "B[b]", "alpha=beta[a]", "alpha=beta[b]"}


def test_json_holds_everything_and_what_is_endless_is_null() -> None:
    for found in (fit(sweep(30), draws=0), fit(no_floor(), "power_floor", inputs={"x": "flops"}, draws=0)):
        paper = paper_of(found)
        assert Certificate.from_json(json.loads(json.dumps(paper.to_json(), allow_nan=False))) == paper
        again = Fit.from_json(json.loads(json.dumps(found.to_json())))
        assert again.certificate == paper and str(again.certificate) == str(paper)
    endless = Certificate(3, 1, play={"E": math.inf}, condition=math.inf)
    plain = endless.to_json()
    assert plain["gap"] is plain["gradient"] is plain["condition"] is plain["play"]["E"] is None
    back = Certificate.from_json(json.loads(json.dumps(plain, allow_nan=False)))
    assert math.isinf(back.gap) and math.isnan(back.gradient) and back.play == {"E": math.inf}


def test_it_reads_in_lines_of_at_most_100_columns() -> None:
    paper = Certificate(
        18, 12, 0.031, 1e-12, 3.0, 2.2e2, ("E",), ("A", "alpha"), {f"alpha[{i}]": 0.01 for i in range(9)}
    )
    shown = str(paper)
    assert max(map(len, shown.splitlines())) <= 100
    assert "12 of 18 starts agree; the next optimum is 3.10% higher" in shown
    assert "unseen: A, alpha" in shown and "±\n" not in shown
    assert "no other optimum was found" in str(replace(paper, gap=math.inf))

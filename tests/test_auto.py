"""`law="auto"`: a blend of laws that predicts, plans, explains and saves like any other fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate import CHINCHILLA, sweep

import isoloss as il
from isoloss.comparing.blending import blended, shares, sharpness, weights
from isoloss.core.blend import blend, named
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.fit import Fit
from isoloss.core.law import find
from isoloss.core.runs import Runs

AT: dict[str, Any] = {"params": np.array([1e9, 1e10]), "tokens": np.array([2e10, 1e12])}


@pytest.fixture(scope="module")
def runs() -> Runs:
    return sweep(40, noise=0.01)


@pytest.fixture(scope="module")
def members(runs: Runs) -> list[Fit]:
    return [il.fit(runs, law, draws=60) for law in ("chinchilla", "quanta")]


@pytest.fixture(scope="module")
def mixed(runs: Runs, members: list[Fit]) -> Fit:
    return blended(members, np.array([0.25, 0.75]), runs, np.ones(len(runs)), 40)


@pytest.fixture(scope="module")
def auto(runs: Runs) -> Fit:
    return il.fit(runs, law="auto", laws=["chinchilla", "quanta"], draws=50)


def test_the_middle_is_the_weighted_mean(mixed: Fit, members: list[Fit]) -> None:
    one, other = (m.predict(**AT).mid for m in members)
    assert mixed.predict(**AT).mid == pytest.approx(0.25 * one + 0.75 * other, rel=1e-12)


def test_a_draw_is_a_draw_of_one_member(mixed: Fit, members: list[Fit]) -> None:
    x = np.array([AT[c] for c in mixed.law.columns])
    drawn = mixed.law.value(x, mixed.draws_sp)
    own = [member.law.value(x, member.draws_sp) for member in members]
    assert drawn == pytest.approx(np.concatenate([own[0][:10], own[1][:30]]), rel=1e-12)


def test_intervals_hold_the_disagreement(runs: Runs, members: list[Fit]) -> None:
    shifted = [members[0], il.fit(runs.with_columns(loss=1.2 * runs["loss"]), "quanta", draws=60)]
    told = blended(shifted, np.array([0.5, 0.5]), runs, np.ones(len(runs)), 60).predict(kind="mean", **AT)
    low, high = (fit.predict(kind="mean", **AT) for fit in shifted)
    assert (told.low < low.high).all() and (told.high > high.low).all()


def test_a_blend_has_the_derivatives_of_its_sum(mixed: Fit) -> None:
    x = np.array([AT[c] for c in mixed.law.columns])
    up = x * np.array([[1 + 1e-6], [1.0]])
    difference = (mixed.law.value(up, mixed.theta_p) - mixed.law.value(x, mixed.theta_p)) / (x[0] * 1e-6)
    assert mixed.law.slopes(x, mixed.theta_p)[:, 0] == pytest.approx(difference, rel=1e-3)


def test_it_is_planned_with_explained_and_kept(mixed: Fit, tmp_path: Path) -> None:
    planned = il.plan(mixed, flops=1e22)
    best = planned.options[0]
    around = np.geomspace(0.5, 2, 41) * best.params.mid
    losses = mixed.predict(params=around, tokens=1e22 / (6 * around)).mid
    assert abs(int(np.argmin(losses)) - 20) <= 1
    assert best.params.low < best.params.mid < best.params.high
    assert mixed.explain(params=1e9, tokens=2e10).value == pytest.approx(mixed.predict(**AT).mid[0])
    mixed.save(tmp_path / "fit.json")
    again = Fit.load(tmp_path / "fit.json")
    assert again.law.name == "chinchilla + quanta"
    assert (again.predict(**AT).high == mixed.predict(**AT).high).all()


def test_freedom_is_the_mean_of_the_members(mixed: Fit) -> None:
    assert mixed.law.freedom(mixed.theta_p) == pytest.approx(0.25 * 5 + 0.75 * 4)
    assert 0.005 < mixed.scatter < 0.02


def test_bindings_are_part_of_the_name() -> None:
    law = blend([find("kaplan").bind(N="params"), find("chinchilla")])
    assert law.name == "kaplan[N=params] + chinchilla"
    assert find(law.name).columns == ("params", "tokens") == named(law.name).columns


def test_blends_that_cannot_be_are_refused() -> None:
    with pytest.raises(RequestError, match="one output"):
        blend([find("chinchilla"), find("rosenfeld")])
    with pytest.raises(RequestError, match="plain formula"):
        blend([find("chinchilla"), named("chinchilla + quanta")])
    with pytest.raises(UnknownNameError):
        find("chinchilla + quant")


def test_weights_fall_with_a_power_of_the_error_and_small_ones_go() -> None:
    assert sharpness(1) == 2.5 and sharpness(4) == 4
    assert weights(np.array([[0.01, 0.02]] * 4)) == pytest.approx([16 / 17, 1 / 17])
    assert weights(np.array([[0.01, 0.1]] * 3)) == pytest.approx([1, 0])
    assert weights(np.array([[0.1, 0.2], [0.002, 0.001]])) == pytest.approx([0.5, 0.5]), "cuts count alike"


def test_shares_of_draws_add_up() -> None:
    assert shares(np.array([0.5, 0.3, 0.2]), 7).sum() == 7
    assert shares(np.array([1 / 3] * 3), 100).tolist() in ([34, 33, 33], [33, 34, 33], [33, 33, 34])


def test_auto_says_what_it_chose_and_why(auto: Fit, runs: Runs) -> None:
    said = " ".join(auto.assumptions)
    assert "weighted by error^-" in said and "back-test error" in said and "4 candidates" in said
    assert auto.calibration is not None and auto.calibration.at == pytest.approx(
        (runs["params"] * runs["tokens"]).max()
    )


def test_auto_predicts_what_it_has_not_seen(auto: Fit) -> None:
    truth = sweep(5, noise=0.0, seed=9)
    truth = truth.with_columns(params=3 * truth["params"], tokens=3 * truth["tokens"])
    law = find("chinchilla")
    reached = law.value(np.array([truth[c] for c in law.columns]), law.theta(CHINCHILLA))
    assert auto.predict(truth).mid == pytest.approx(reached, rel=0.02)


def test_one_law_with_all_the_weight_is_itself(members: list[Fit], runs: Runs) -> None:
    assert blended(members, np.array([0.0, 1.0]), runs, np.ones(len(runs)), 40) is members[1]


def test_groups_are_refused(runs: Runs) -> None:
    with pytest.raises(RequestError, match="not for groups"):
        il.fit(runs.with_columns(arch=["a", "b"] * 20), law="auto", by="arch")


def test_a_named_law_is_fitted_as_ever(runs: Runs, members: list[Fit]) -> None:
    assert (il.fit(runs, "chinchilla", draws=60).draws_sp == members[0].draws_sp).all()

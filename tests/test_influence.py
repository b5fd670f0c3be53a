"""Which runs move the best size: refits without each one, beside fits that were made without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from isoflop_sweeps import best_size, curves, profiles
from simulate import CHINCHILLA, sweep

import isoloss as il
from isoloss.core.errors import RequestError
from isoloss.core.law import find
from isoloss.fitting.approaches import approaches
from isoloss.fitting.influence import best_sizes, influence

EPOCH = Path(__file__).resolve().parents[2] / "shared" / "data" / "chinchilla_epoch" / "tidy.csv"


def planned(runs: il.Runs, flops: float) -> float:
    return il.plan(il.fit(runs, draws=0), flops=flops).options[0].params.mid


def test_the_best_size_is_that_of_the_formula() -> None:
    law = find("chinchilla")
    found = best_sizes(law, law.theta(CHINCHILLA)[None], 1e24)
    assert found[0] == pytest.approx(best_size(np.array(1e24)), rel=1e-5)


def test_leaving_out_equals_fitting_without() -> None:
    runs = sweep(40)
    told = influence(runs, il.fit(runs, draws=0), flops=1e23)
    assert told.best == pytest.approx(planned(runs, 1e23), rel=1e-5)
    for i in [0, 17, int(np.argmax(np.abs(told.moves_n)))]:
        without = planned(runs.take(np.arange(len(runs)) != i), 1e23)
        assert told.moves_n[i] == pytest.approx(without / told.best - 1, abs=2e-4)


def test_moves_follow_the_rows() -> None:
    runs = sweep(40)
    turned = np.random.default_rng(1).permutation(40)
    fitted = il.fit(runs, draws=0)
    straight, shuffled = influence(runs, fitted, flops=1e23), influence(runs.take(turned), fitted, flops=1e23)
    assert shuffled.moves_n == pytest.approx(straight.moves_n[turned], abs=1e-6)


def test_a_planted_run_is_named() -> None:
    runs = sweep(40).with_columns(run=[f"r{i}" for i in range(40)])
    loss = runs["loss"].copy()
    loss[np.argmin(runs["tokens"])] *= 1.3
    spoiled = runs.with_columns(loss=loss)
    told = influence(spoiled, il.fit(spoiled, draws=100), flops=1e23)
    (found,) = told.findings
    worst = int(np.argmax(np.abs(np.log1p(told.moves_n))))
    assert found.code == "B4" and found.severity == "amber"
    assert found.number == pytest.approx(told.moves_n[worst])
    assert found.sentence.split("without ")[1].startswith(f"run r{worst}")
    assert told.rows[0] == worst and set(told.group) <= set(range(40))


@pytest.mark.skipif(not EPOCH.exists(), reason="the shared tables are not here")
def test_the_outliers_of_the_chinchilla_table_are_found() -> None:
    runs = il.read(EPOCH)
    is_outlier = np.array([str(v) == "True" for v in runs["epoch_outlier"]])
    told = influence(runs, il.fit(runs, draws=200), flops=5.76e23)
    assert told.rows[0] == 0 and is_outlier[0]
    assert is_outlier[list(told.group)].sum() >= 4
    assert planned(runs.take(~is_outlier), 5.76e23) / told.best - 1 == pytest.approx(told.together, abs=0.05)
    clean = runs.take(~is_outlier)
    (found,) = influence(clean, il.fit(clean, draws=200), flops=5.76e23).findings
    assert found.severity == "note"


def test_laws_without_a_best_size_and_other_runs_are_refused() -> None:
    runs = sweep(40)
    with pytest.raises(RequestError, match="no best size"):
        influence(runs, il.fit(runs, law="power", inputs={"x": "tokens"}, draws=0))
    with pytest.raises(RequestError, match="40 runs"):
        influence(runs.take(np.arange(30)), il.fit(runs, draws=0))


def test_approaches_agree_on_one_law() -> None:
    told = approaches(profiles(0.002), flops=1e23, draws=100)
    assert [a.approach for a in told.answers if not a.refusal] == ["isoflop", "parametric"] or len(told.answers) == 3
    assert [f.severity for f in told.findings if f.code == "C6"] == ["note"]
    assert "isoflop" in str(told) and "parametric" in str(told)


def test_approaches_that_disagree_are_found() -> None:
    # A second valley that the Chinchilla law cannot follow: sizes above the best are punished with the budget.
    runs = profiles(0.0005)
    beyond = np.log(runs["params"] / best_size(runs["flops"]))
    bent = runs["loss"] * (1 + 0.03 * (beyond + 0.2 * np.log(runs["flops"] / 6e18)) ** 2)
    told = approaches(runs.with_columns(loss=bent, run=[f"r{i}" for i in range(len(runs))]), flops=1e24, draws=100)
    assert told.answers[0].refusal
    assert [f.severity for f in told.findings] == ["amber"]


def test_curves_allow_the_envelope_too() -> None:
    told = approaches(curves(0.0005, sizes=12), flops=1e22, draws=50)
    assert not told.answers[0].refusal

"""Approach 1: training curves with known best sizes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from isoflop_sweeps import best_size, curves, exponent, least_loss, profiles

import isoloss as il
from isoloss.core.errors import DesignError
from isoloss.fitting import grid_bias

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CHECKPOINTS = SHARED / "misfitting" / "tidy_all_checkpoints.csv"


def test_noise_free_curves_are_recovered() -> None:
    fitted = il.envelope(curves(0.0), draws=50)
    assert fitted.size.theta["a"] == pytest.approx(exponent(), abs=0.006)
    assert fitted.tokens.theta["a"] == pytest.approx(1 - exponent(), abs=0.006)
    option = il.plan(fitted, flops=1e21).options[0]
    assert option.params.mid == pytest.approx(best_size(np.array(1e21)), rel=0.05)
    assert option.loss.mid == pytest.approx(least_loss(1e21), rel=2e-3)


def test_the_winner_is_the_lowest_curve() -> None:
    runs = curves(0.002, seed=1)
    fitted = il.envelope(runs, draws=0)
    for optimum in fitted.optima:
        at = {}
        for name in np.unique(runs["run"]):
            mine = runs.where(run=name)
            flops = 6 * mine["params"] * mine["tokens"]
            if flops.min() <= optimum.flops <= flops.max():
                loss = np.exp(np.interp(np.log(optimum.flops), np.log(flops), np.log(mine["loss"])))
                at[mine["params"][0]] = loss
        assert min(at, key=lambda size: at[size]) == pytest.approx(optimum.size.mid)
        assert min(at) < optimum.size.mid < max(at)


def test_noise_of_runs_is_in_the_bias() -> None:
    quiet, noisy = il.envelope(curves(1e-4), draws=50).bias, il.envelope(curves(0.005), draws=50).bias
    assert quiet is not None and noisy is not None
    assert abs(quiet.exponent) < 0.006 < 0.015 < abs(noisy.exponent)
    found = [il.envelope(curves(0.005, seed), draws=0).size.theta["a"] - exponent() for seed in range(12)]
    assert np.sign(np.mean(found)) == np.sign(noisy.exponent)


def test_intervals_cover_where_runs_scatter_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_bias, "bias", lambda *_: None)
    intervals = [il.envelope(curves(3e-4, seed), draws=150, seed=seed).exponent for seed in range(30)]
    assert np.mean([i.low <= exponent() <= i.high for i in intervals]) >= 0.8


def test_draws_belong_together_and_are_of_runs() -> None:
    fitted = il.envelope(curves(0.002), draws=60)
    assert fitted.size.draws_sp[:, 1] + fitted.tokens.draws_sp[:, 1] == pytest.approx(1.0, abs=1e-9)
    assert "draws are of whole training runs with replacement" in fitted.assumptions
    assert fitted.exponent.known


def test_one_row_a_run_is_no_curve() -> None:
    runs = profiles(0.001)
    with pytest.raises(DesignError, match="one row only") as refused:
        il.envelope(runs.with_columns(run=[f"r{i}" for i in range(len(runs))]))
    assert "isoflop" in str(refused.value)
    with pytest.raises(DesignError, match="4 or more"):
        il.envelope(curves(0.0, sizes=3))
    with pytest.raises(DesignError, match="middle size"):
        il.envelope(curves(0.0).take(curves(0.0)["tokens"] < 4 * curves(0.0)["params"]))


@pytest.mark.skipif(not CHECKPOINTS.exists(), reason="the shared tables are not here")
def test_real_checkpoints() -> None:
    runs = il.read(CHECKPOINTS)
    with pytest.raises(DesignError, match="run="):
        il.envelope(runs)
    fitted = il.envelope(runs, run=["model", "group", "lr", "steps"], draws=100)
    assert 0.35 < fitted.exponent.low < fitted.exponent.mid < fitted.exponent.high < 0.65
    assert il.plan(fitted, flops=1e20).options[0].params.known

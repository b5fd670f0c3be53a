"""Back-tests, and intervals calibrated on them."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from simulate import sweep

import isoloss as il
from isoloss.core.backtest import Backtest
from isoloss.core.calibration import Calibration, Measure
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs

FLOPS = {"x": "flops"}


def ladder(seed: int, high: float = 1e21, n: int = 40, noise: float = 0.004) -> Runs:
    """Runs whose loss bends towards a floor, which a plain power law does not know."""
    rng = np.random.default_rng(seed)
    flops = np.geomspace(1e17, high, n)
    loss = (1.6 + 900.0 * flops**-0.15) * np.exp(noise * rng.standard_normal(n))
    return Runs({"flops": flops, "loss": loss}, source=f"a ladder, seed {seed}")


def made(miss: list[float], distance: list[float], cut: list[int], spread: float = 0.0) -> Backtest:
    """A back-test whose runs lie above the prediction by such parts of it."""
    r = len(miss)
    mid = np.full(r, 3.0)
    return Backtest(
        "chinchilla", Measure(("flops",)), 0.9, tuple(float(c + 1) for c in set(cut)), (10,) * len(set(cut)),
        np.array(cut), np.array(distance), mid, mid - 0.1, mid + 0.1, mid * (1 + np.array(miss)), np.full(r, spread),
    )  # fmt: skip


def coverage_beyond(seed: int) -> tuple[float, float]:
    """How many of the larger runs lie in a power law's intervals: as fitted, and calibrated."""
    runs = ladder(seed, high=1e22, n=50)
    small, large = runs.take(runs["flops"] <= 1e21), runs.take(runs["flops"] > 1e21)
    fit = il.fit(small, "power", inputs=FLOPS, draws=200)
    told = [each.predict(large) for each in (fit, il.calibrated(fit, small))]
    plain, wide = (float(np.mean((t.low <= large["loss"]) & (large["loss"] <= t.high))) for t in told)
    return plain, wide


def test_a_backtest_sees_the_bias_of_a_wrong_form_grow() -> None:
    test = il.backtest(ladder(0), law="power", inputs=FLOPS, draws=100)
    far, near = test.cuts[0], test.cuts[-1]
    assert far.factor > near.factor
    assert far.error > near.error
    assert far.bias < 0, "without a floor the loss is promised too low"
    assert far.coverage < 0.3


def test_a_backtest_of_the_right_form_holds() -> None:
    test = il.backtest(sweep(60, noise=0.01), draws=200, cuts=3)
    assert test.coverage > 0.75
    assert all(cut.error < 0.02 for cut in test.cuts)
    assert max(map(len, str(test).splitlines())) <= 100
    assert len(json.loads(json.dumps(test.to_json(), allow_nan=False))["predictions"]["mid"]) == len(test.mid_r)


def test_a_fit_is_tested_as_it_was_fitted() -> None:
    runs = sweep(40)
    fit = il.fit(runs, hold={"E": 1.82}, objective="squared_log", draws=50)
    test = il.backtest(fit, runs, cuts=2, draws=50)
    same = il.backtest(runs, hold={"E": 1.82}, objective="squared_log", cuts=2, draws=50)
    assert test.mid_r == pytest.approx(same.mid_r, rel=1e-9)
    with pytest.raises(RequestError, match="does not carry its runs"):
        il.backtest(fit)


def test_the_drift_is_what_a_miss_grows_by_with_the_decades() -> None:
    distance = np.array([0.0, 0.5, 1.0, 3.0])
    test = made((0.02 * (1 + distance)).tolist(), distance.tolist(), [0] * 4)
    assert test.calibration(at=1.0).drift == pytest.approx(0.02)


def test_what_the_draws_told_is_not_counted_twice() -> None:
    assert made([0.05] * 4, [0.0] * 4, [0] * 4, spread=0.03).calibration(1.0).drift == pytest.approx(0.04)
    told_all = made([0.05] * 4, [0.0] * 4, [0] * 4, spread=0.2).calibration(1.0)
    assert told_all.drift == pytest.approx(0.05 / 2), "some of a miss is never taken as told"


def test_later_cuts_count_more_and_runs_of_a_cut_alike() -> None:
    test = made([0.06] * 50 + [0.01] * 5, [0.0] * 55, [0] * 50 + [1] * 5)
    assert test.calibration(1.0).drift == pytest.approx(np.sqrt((0.06**2 + 5 * 0.01**2) / 6))


def test_errors_beyond_the_data_are_misses_and_within_it_scatter() -> None:
    calibration = Calibration(0.01, Measure(("flops",)), 1e20, 3, 30)
    scatter = np.full((4000, 3), 0.25)
    errors = calibration.errors(scatter, {"flops": np.array([1e19, 1e21, 1e22])}, seed=0)
    assert (errors[:, 0] == 0.25).all()
    assert errors[:, 1:].std(axis=0) == pytest.approx([0.02, 0.03], rel=0.05)


def test_where_nothing_grows_every_point_is_outside() -> None:
    calibration = Calibration(0.01, Measure(("share_1",)), 0.5, 5, 20)
    errors = calibration.errors(np.zeros((4000, 2)), {"share_1": np.array([0.1, 0.9])}, seed=0)
    assert errors.std(axis=0) == pytest.approx([0.01, 0.01], rel=0.05)


def test_only_a_new_run_is_calibrated_and_it_is_said() -> None:
    fit = il.fit(sweep(40), draws=100)
    wide = replace(fit, calibration=Calibration(0.05, Measure(("params", "tokens")), 1e20, 3, 30))
    at: dict[str, Any] = {"params": 1e10, "tokens": 1e12}
    assert wide.predict(kind="mean", **at).low == fit.predict(kind="mean", **at).low
    plain, widened = fit.predict(**at), wide.predict(**at)
    assert widened.high - widened.low > 2 * 1.6 * 0.15 * 0.8 * widened.mid > plain.high - plain.low
    assert widened.mid == plain.mid
    assert any("2.00 decades of params x tokens beyond" in a for a in widened.assumptions)
    assert Fit.from_json(wide.to_json()).predict(**at).high == widened.high
    within = wide.predict(params=1e8, tokens=1e9)
    assert within.high == fit.predict(params=1e8, tokens=1e9).high
    assert not any("beyond the data a new run" in a for a in within.assumptions)


def test_calibrated_intervals_hold_more_often_where_the_form_is_wrong() -> None:
    plain, wide = np.mean([coverage_beyond(seed) for seed in range(4)], axis=0)
    assert wide > plain + 0.3


@pytest.mark.slow
def test_calibrated_intervals_hold_about_as_often_as_they_say() -> None:
    plain, wide = np.mean([coverage_beyond(seed) for seed in range(20)], axis=0)
    assert plain < 0.5
    assert wide > 0.75

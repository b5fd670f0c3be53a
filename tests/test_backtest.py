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


def made(strain: list[float], distance: list[float], cut: list[int]) -> Backtest:
    """A back-test whose runs lie so many half-widths above the prediction."""
    r = len(strain)
    mid, half = np.full(r, 3.0), np.full(r, 0.1)
    return Backtest(
        "chinchilla", Measure(("flops",)), 0.9, tuple(float(c + 1) for c in set(cut)), (10,) * len(set(cut)),
        np.array(cut), np.array(distance), mid, mid - half, mid + half, mid + half * np.array(strain),
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


def test_the_growth_makes_nine_in_ten_hold() -> None:
    strain, distance = [0.5] * 5 + [1.5, 2.0, 2.5, 3.0, 9.0], [0.4] * 10
    test = made(strain, distance, [0] * 10)
    calibration = test.calibration(at=1.0)
    assert calibration.growth == pytest.approx((3.0 - 1.0) / 0.5)
    assert test.coverage == 0.5
    assert test.widened(calibration).coverage == pytest.approx(0.9)


def test_cuts_count_alike_however_many_runs_they_have() -> None:
    many_good = made([0.5] * 50 + [3.0] * 5, [0.4] * 55, [0] * 50 + [1] * 5)
    assert many_good.calibration(at=1.0).growth == pytest.approx(4.0)


def test_intervals_that_hold_are_left_alone() -> None:
    calibration = made([0.2] * 17 + [1.0] * 3, [0.1] * 20, [0] * 20).calibration(at=1.0)
    assert calibration.growth == 0
    assert calibration.factor({"flops": np.array([1e3])}) == 1


def test_the_factor_grows_with_distance_and_is_never_below_one() -> None:
    calibration = Calibration(2.0, Measure(("flops",)), 1e20, 0.9, 3, 30)
    factor = calibration.factor({"flops": np.geomspace(1e18, 1e24, 30)})
    assert (np.diff(factor) >= 0).all() and factor.min() >= 1
    assert factor[-1] == pytest.approx(1 + 2 * 4.1)


def test_only_a_new_run_is_widened_and_it_is_said() -> None:
    fit = il.fit(sweep(40), draws=100)
    wide = replace(fit, calibration=Calibration(3.0, Measure(("params", "tokens")), 1e20, 0.9, 3, 30))
    at: dict[str, Any] = {"params": 1e10, "tokens": 1e12}
    assert wide.predict(kind="mean", **at).low == fit.predict(kind="mean", **at).low
    plain, widened = fit.predict(**at), wide.predict(**at)
    assert wide.calibration
    factor = float(wide.calibration.factor({k: np.array([v]) for k, v in at.items()})[0])
    assert widened.high - widened.low == pytest.approx((plain.high - plain.low) * factor)
    assert widened.mid == plain.mid
    assert any("2.00 decades of params x tokens beyond" in a for a in widened.assumptions)
    assert Fit.from_json(wide.to_json()).predict(**at).high == widened.high


def test_calibrated_intervals_hold_more_often_where_the_form_is_wrong() -> None:
    plain, wide = np.mean([coverage_beyond(seed) for seed in range(4)], axis=0)
    assert wide > plain + 0.3


@pytest.mark.slow
def test_calibrated_intervals_hold_about_as_often_as_they_say() -> None:
    plain, wide = np.mean([coverage_beyond(seed) for seed in range(20)], axis=0)
    assert plain < 0.5
    assert wide > 0.75

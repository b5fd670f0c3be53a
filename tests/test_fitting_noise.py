"""Weights, given or from a model of the scatter, beside scatter that was simulated with a known exponent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate import CHINCHILLA, sweep

from isoloss.core.errors import CellError, DesignError, IsolossError, RequestError, UnknownNameError
from isoloss.core.fit import Fit
from isoloss.core.law import find
from isoloss.core.noise import Noise
from isoloss.core.runs import Runs
from isoloss.fitting import fit

EXPONENT = -0.3  # of the scatter in N D: runs a thousand times larger scatter an eighth as much


def uneven(n: int = 60, noise: float = 0.01, seed: int = 0, exponent: float = EXPONENT) -> Runs:
    """A sweep whose log scatter goes as (N D)^exponent, `noise` at a middling run."""
    smooth = sweep(n, 0.0, seed)
    size_n = smooth["params"] * smooth["tokens"]
    deviation_n = noise * (size_n / np.exp(np.log(size_n).mean())) ** exponent
    scatter_n = deviation_n * np.random.default_rng(1000 + seed).standard_normal(n)
    return smooth.with_columns(loss=smooth["loss"] * np.exp(scatter_n), deviation=deviation_n)


def repeated(points: int = 20, seeds: int = 4, seed: int = 0) -> Runs:
    """Every point of a sweep `seeds` times, with scatter that goes as (N D)^EXPONENT."""
    smooth = sweep(points, 0.0, seed)
    several = smooth.take(np.repeat(np.arange(points), seeds))
    size_n = several["params"] * several["tokens"]
    deviation_n = 0.01 * (size_n / np.exp(np.log(size_n).mean())) ** EXPONENT
    rng = np.random.default_rng(seed)
    return several.with_columns(loss=several["loss"] * np.exp(deviation_n * rng.standard_normal(len(several))))


def test_a_weight_of_two_is_a_run_twice() -> None:
    runs, rng = sweep(40, 0.01), np.random.default_rng(0)
    count_n = rng.integers(1, 4, 40)
    weighted = fit(runs, weights=count_n, draws=0)
    again = fit(runs.take(np.repeat(np.arange(40), count_n)), draws=0)
    np.testing.assert_allclose(weighted.theta_p, again.theta_p, rtol=1e-6)
    assert "runs are weighted by the numbers given" in weighted.assumptions


def test_weights_are_a_column_or_an_array_and_only_their_ratios_count() -> None:
    runs = uneven(40)
    weight_n = runs["deviation"] ** -2
    by_array = fit(runs, weights=weight_n.tolist(), draws=20)
    by_column = fit(runs.with_columns(trust=7e5 * weight_n), weights="trust", draws=20)
    np.testing.assert_allclose(by_column.theta_p, by_array.theta_p, rtol=1e-7)
    assert by_column.objective[1] == pytest.approx(by_array.objective[1], rel=1e-9)
    np.testing.assert_allclose(by_column.draws_sp, by_array.draws_sp, rtol=1e-4)
    assert "runs are weighted by column trust" in by_column.assumptions
    shuffled_n = np.random.default_rng(1).permutation(40)
    moved = fit(runs.take(shuffled_n), weights=weight_n[shuffled_n], draws=0)
    np.testing.assert_allclose(moved.theta_p, by_array.theta_p, rtol=1e-9)


def test_runs_without_weight_do_not_count() -> None:
    runs = sweep(50, 0.01)
    loss_n = runs["loss"].copy()
    loss_n[::10] *= 2
    weight_n = np.where(np.arange(50) % 10 == 0, 0.0, 1.0)
    found = fit(runs.with_columns(loss=loss_n), weights=weight_n, draws=0)
    without = fit(runs.take(weight_n > 0), draws=0)
    np.testing.assert_allclose(found.theta_p, without.theta_p, rtol=1e-6)


@pytest.mark.parametrize("exponent", [EXPONENT, 0.0, 0.25])
def test_scale_recovers_the_exponent_of_the_scatter(exponent: float) -> None:
    found = [fit(uneven(80, 0.005, seed, exponent), weights="scale", draws=0).noise for seed in range(12)]
    exponents = np.array([noise.exponent for noise in found])
    assert found[0].columns == ("params", "tokens")
    assert abs(exponents.mean() - exponent) < 3 * exponents.std() / np.sqrt(len(exponents)) + 0.01
    assert exponents.std() < 0.08


def test_the_scatter_found_is_an_assumption_and_in_the_file(tmp_path: Path) -> None:
    found = fit(uneven(60), weights="scale", draws=20)
    said = f"the scatter of a run goes as (params x tokens)^{found.noise.exponent:.3f}, from its scale"
    assert said in found.assumptions
    found.save(tmp_path / "fit.json")
    again = Fit.load(tmp_path / "fit.json")
    assert again.noise == found.noise
    told, told_again = (f.predict(params=1e9, tokens=1e11).to_json() for f in (found, again))
    assert told_again == told


def race(sweeps: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of the law's log output at a large run, without weights and with those of 'scale'."""
    law = find("chinchilla")
    far_k1 = np.array([[1e10], [3e11]])
    truth = np.log(law.value(far_k1, law.theta(CHINCHILLA)))[0]
    plain, scaled = [], []
    for seed in range(sweeps):
        runs = uneven(n, 0.01, seed)
        for errors, weights in ((plain, None), (scaled, "scale")):
            found = fit(runs, objective="squared_log", weights=weights, draws=0)
            errors.append(float(np.log(law.value(far_k1, found.theta_p))[0] - truth) ** 2)
    return np.array(plain), np.array(scaled)


def test_weights_of_scale_beat_none() -> None:
    plain, scaled = race(20)
    assert np.sqrt(np.median(scaled)) < 0.8 * np.sqrt(np.median(plain))


@pytest.mark.slow
def test_weights_of_scale_beat_none_over_a_hundred_sweeps() -> None:
    plain, scaled = race(100)
    assert np.sqrt(scaled.mean()) < 0.6 * np.sqrt(plain.mean())
    assert (scaled < plain).mean() > 0.55


def test_weights_make_intervals_tighter_where_scatter_is_uneven() -> None:
    runs = uneven(60, 0.01, seed=3)
    plain, scaled = (fit(runs, objective="squared_log", weights=w, draws=200) for w in (None, "scale"))
    curves = [f.predict(params=1e10, tokens=3e11, kind="mean") for f in (plain, scaled)]
    widths = [float(np.squeeze(curve.high - curve.low)) for curve in curves]
    assert widths[1] < 0.75 * widths[0]


def test_replicates_recover_the_exponent_from_seeds_alone() -> None:
    exponents = []
    for seed in range(10):
        bent = repeated(20, 4, seed)
        # A law that is wrong for small runs: residuals grow there, but what seeds differ by does not.
        loss_n = bent["loss"] * (1 + 0.3 * (bent["params"] / bent["params"].min()) ** -0.5)
        exponents.append(fit(bent.with_columns(loss=loss_n), weights="replicates", draws=0).noise.exponent)
    assert abs(np.mean(exponents) - EXPONENT) < 0.04
    assert np.std(exponents) < 0.08


def test_new_runs_scatter_as_the_fit_says_at_their_point() -> None:
    found = fit(uneven(200, 0.01, seed=5), objective="squared_log", weights="scale", draws=2000)
    sizes = np.array([1e7, 1e8, 1e9, 1e10])
    drawn = found.predict(params=sizes, tokens=20 * sizes, level=0.68)
    curve = found.predict(params=sizes, tokens=20 * sizes, level=0.68, kind="mean")
    half_m = np.log(drawn.high / drawn.low) / 2
    mean_m = np.log(curve.high / curve.low) / 2
    smooth = sweep(200, 0.0, 5)
    middle = np.exp(np.log(smooth["params"] * smooth["tokens"]).mean())
    expected_m = 0.01 * (20 * sizes**2 / middle) ** EXPONENT
    inside = slice(1, 3)  # within the data, where the curve itself is sure
    np.testing.assert_allclose(np.sqrt(half_m**2 - mean_m**2)[inside], expected_m[inside], rtol=0.25)
    assert half_m[0] > 3 * half_m[1] > 9 * half_m[2]


def test_the_factor_is_one_without_a_model_and_at_a_middling_run() -> None:
    assert Noise().factor({}, 3).tolist() == [1, 1, 1]
    at = {"params": np.array([1e8, 1e9]), "tokens": np.array([1e10, 1e10])}
    np.testing.assert_allclose(Noise(("params", "tokens"), -0.5, 1e18).factor(at, 2), [1.0, 10**-0.5])


WRONG: dict[str, tuple[Any, type[IsolossError], str]] = {
    "too short": (np.ones(5), RequestError, "There are 40 runs, but the weights have the shape (5,)"),
    "negative": (np.r_[np.ones(39), -1.0], CellError, "the weights hold -1 in row 40"),
    "nan": (np.r_[np.nan, np.ones(39)], CellError, "the weights hold nan in row 1"),
    "all zero": (np.zeros(40), CellError, "zero in every row"),
    "text": ("label", CellError, "column 'label' holds text"),
    "no column": ("scales", UnknownNameError, "Near names: scale"),
    "no repeats": ("replicates", DesignError, "Only 0 points have repeated runs"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_weight_is_refused_before_any_work(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("work was done before the check")

    weights, error, says = WRONG[what]
    monkeypatch.setattr("isoloss.fitting.posing.solve", never)
    with pytest.raises(error) as caught:
        fit(sweep(40).with_columns(label="x"), weights=weights)
    assert says in str(caught.value)


def test_inputs_that_tell_no_size_are_refused() -> None:
    runs = sweep(40)
    shares = Runs({"x": np.linspace(1, 2, 40), "loss": runs["loss"]})
    with pytest.raises(DesignError, match="None of the inputs x says how large a run is"):
        fit(shares, "power_floor", weights="scale")
    level = runs.with_columns(tokens=1e18 / runs["params"])
    with pytest.raises(DesignError, match="All runs have the same params x tokens"):
        fit(level, weights="scale")


def test_repeats_that_agree_to_the_digit_tell_no_scatter() -> None:
    smooth = sweep(20, 0.001)
    with pytest.raises(DesignError, match="repeated runs that differ"):
        fit(smooth + smooth, weights="replicates")

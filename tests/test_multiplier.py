"""The compute multiplier beside truths known by hand, published pairs, and draws that are or are not paired."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize
from simulate import CHINCHILLA, sweep

import isoloss as il
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.fit import Data, Fit
from isoloss.core.law import find
from isoloss.core.runs import Runs
from isoloss.planning.multiplier import INDEPENDENT, PAIRED, multiplier


def known(theta: dict[str, float], law: str = "chinchilla", draws: int = 0, seed: int = 0, **bound: str) -> Fit:
    """A fit of given parameters, with draws a thousandth apart."""
    found = find(law).bind(**bound)
    theta_p = found.theta(theta)
    rng = np.random.default_rng(seed)
    draws_sp = theta_p * np.exp(1e-3 * rng.standard_normal((draws, len(theta_p))))
    return Fit(found, theta_p, draws_sp, "converged", Data(50, f"runs {seed}"))


def faster(times: float) -> Fit:
    """The Chinchilla law of CHINCHILLA, for which the same model and data cost `times` as much compute."""
    half = np.sqrt(times)  # half of it in each of N and D, as if both counted for less
    theta = CHINCHILLA | {
        "A": CHINCHILLA["A"] * half ** CHINCHILLA["alpha"],
        "B": CHINCHILLA["B"] * half ** CHINCHILLA["beta"],
    }
    return known(theta)


@pytest.mark.parametrize("times", [0.3, 1.0, 4.0])
def test_a_fit_whose_runs_cost_more_needs_as_many_times_the_compute(times: float) -> None:
    found = multiplier(known(CHINCHILLA), faster(times), flops=["1e20", 1e24])
    np.testing.assert_allclose(found.times.mid, times, rtol=1e-9)
    np.testing.assert_allclose(found.needed.mid, times * np.array([1e20, 1e24]), rtol=1e-9)


def test_there_and_back_is_one() -> None:
    one, other = il.published("besiroglu2024"), il.published("chinchilla2022_a3_tex")
    there = multiplier(one, other, flops=1e22)
    back = multiplier(other, one, flops=there.needed.mid[0])
    assert there.times.mid[0] * back.times.mid[0] == pytest.approx(1, rel=1e-9)
    assert back.reached.mid[0] == pytest.approx(there.reached.mid[0], rel=1e-12)


def test_a_published_pair_agrees_with_a_search_by_scipy() -> None:
    def least_loss(key: str, log_flops: float) -> float:
        fit = il.published(key)

        def loss(log_size: float) -> float:
            tokens = np.exp(log_flops - log_size) / 6
            return float(fit.law.value([[np.exp(log_size)], [tokens]], fit.theta_p)[0])

        return float(optimize.minimize_scalar(loss, bounds=(5, 45), options={"xatol": 1e-10}).fun)  # type: ignore

    for flops in (1e21, 5.76e23):
        reached = least_loss("besiroglu2024", np.log(flops))
        log_needed: Any = optimize.brentq(
            lambda c, target=reached: least_loss("chinchilla2022_a3_tex", c) - target, 40, 70
        )
        found = il.multiplier("besiroglu2024", "chinchilla2022_a3_tex", flops=flops)
        assert found.reached.mid[0] == pytest.approx(reached, rel=1e-10)
        assert found.needed.mid[0] == pytest.approx(np.exp(log_needed), rel=1e-6)
    assert (found.one, found.other) == ("besiroglu2024", "chinchilla2022_a3_tex")
    assert np.isnan(found.times.low[0]) and "% intervals" not in str(found)
    assert any("joint uncertainty" in a for a in found.assumptions)
    assert any(f.code == "P3" and f.sentence.startswith("chinchilla2022_a3_tex: ") for f in found.findings)


def test_a_floor_above_the_loss_is_said() -> None:
    found = multiplier("chinchilla2022_a3_tex", "besiroglu2024", flops=[1e21, 1e27])
    assert np.isfinite(found.times.mid[0]) and np.isinf(found.times.mid[1])
    (red,) = [f for f in found.findings if f.severity == "red"]
    assert "No compute takes 'besiroglu2024' to 1.764" in red.sentence and "it ends at 1.817" in red.sentence
    assert "none: no compute is enough" in str(found)
    near, far = json.loads(json.dumps(found.to_json(), allow_nan=False))["answers"]
    assert (near["reachable"], far["reachable"]) == (True, False)
    assert far["multiplier"]["mid"] is None and far["flops_needed"]["mid"] is None


def test_draws_without_an_answer_count_as_infinite() -> None:
    one = known(CHINCHILLA)
    other = known(CHINCHILLA | {"E": 1.82}, draws=400, seed=1)
    flops = 1e26
    reached = float(multiplier(one, other, flops=flops).reached.mid[0])
    spread = replace(other, draws_sp=np.tile(other.theta_p, (400, 1)))
    spread.draws_sp[:100, 0] = reached + 0.01
    found = multiplier(one, spread, flops=flops)
    assert found.unreachable_m[0] == 0.25
    assert np.isinf(found.times.high[0]) and found.times.low[0] == pytest.approx(1, rel=1e-6)
    assert any(f.code == "Q2" and "25.0% of the draws" in f.sentence for f in found.findings)
    assert "to no limit" in str(found)
    assert np.isfinite(multiplier(one, spread, flops=flops, level=0.4).times.high[0])


def two_groups(n: int = 50, seed: int = 0) -> Runs:
    one = sweep(n, 0.004, 2 * seed)
    other = sweep(n, 0.004, 2 * seed + 1, faster(2.0).theta)
    return one.with_columns(arch=np.repeat("good", n)) + other.with_columns(arch=np.repeat("plain", n))


def test_draws_of_one_fit_of_groups_are_paired_and_recover_the_truth() -> None:
    groups = il.fit(two_groups(), by="arch", share="E,alpha,beta", objective="squared_log", draws=300)
    found = il.multiplier(groups["good"], groups["plain"], flops=1e21)
    assert found.paired and PAIRED in found.assumptions
    assert found.times.low[0] < 2.0 < found.times.high[0]
    mixed = replace(groups["plain"], seed=99)
    apart = il.multiplier(groups["good"], mixed, flops=1e21)
    assert not apart.paired and INDEPENDENT in apart.assumptions
    assert apart.times.mid[0] == found.times.mid[0]
    assert found.times.high[0] - found.times.low[0] < 0.9 * (apart.times.high[0] - apart.times.low[0])


def test_a_fit_beside_itself_is_one_without_doubt() -> None:
    fit = il.fit(sweep(40), draws=50)
    found = il.multiplier(fit, fit, flops=1e21)
    np.testing.assert_allclose([found.times.mid[0], found.times.low[0], found.times.high[0]], 1, rtol=1e-9)


def test_separate_fits_are_independent_even_with_other_numbers_of_draws() -> None:
    fits = [il.fit(sweep(50, 0.004, s), draws=d, objective="squared_log") for s, d in ((0, 200), (1, 120))]
    found = il.multiplier(*fits, flops=1e21)
    assert not found.paired and found.times.low[0] < 1 < found.times.high[0]
    one_sided = il.multiplier(fits[0], "besiroglu2024", flops=1e21)
    assert one_sided.times.low[0] < one_sided.times.mid[0] < one_sided.times.high[0]
    assert any("nothing of how unsure 'besiroglu2024' is" in a for a in one_sided.assumptions)
    other_way = il.multiplier("besiroglu2024", fits[0], flops=1e21)
    assert other_way.times.low[0] < other_way.times.mid[0] < other_way.times.high[0]


def test_laws_of_compute_are_inverted() -> None:
    one = known({"E": 1.8, "A": 900.0, "alpha": 0.15}, "power_floor", draws=200, seed=0, x="flops")
    other = known({"E": 1.7, "A": 1200.0, "alpha": 0.15}, "power_floor", draws=200, seed=1, x="flops")
    found = multiplier(one, other, flops=1e21)
    loss = 1.8 + 900 * 1e21**-0.15
    assert found.needed.mid[0] == pytest.approx((1200 / (loss - 1.7)) ** (1 / 0.15), rel=1e-9)
    assert found.times.low[0] < found.times.mid[0] < found.times.high[0]
    at_critical_batch = known(one.theta, "power_floor", x="min_flops")  # which sees half of what is spent
    halved = multiplier(one, at_critical_batch, flops=1e21)
    assert halved.times.mid[0] == pytest.approx(2, rel=1e-9)
    assert any(f.code == "D6" and "min_flops" in f.sentence for f in halved.findings)
    mixed = multiplier(known(CHINCHILLA), one, flops=1e21)
    assert np.isfinite(mixed.times.mid[0])


def test_a_law_without_a_closed_form_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = known(CHINCHILLA, draws=30), known(CHINCHILLA | {"E": 1.8}, draws=30, seed=1)
    closed = multiplier(one, other, flops=1e20)
    monkeypatch.setattr("isoloss.planning.iso_cost.CLOSED_FORMS", {})
    searched = multiplier(one, other, flops=1e20)
    np.testing.assert_allclose(searched.times.mid, closed.times.mid, rtol=1e-6)
    np.testing.assert_allclose(searched.times.high, closed.times.high, rtol=1e-6)


def test_counts_that_differ_are_named() -> None:
    kaplan = known({"N_c": 8.8e13, "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.095}, "kaplan")
    found = multiplier(kaplan, known(CHINCHILLA), flops=1e20)
    assert any("body_flops" in f.sentence for f in found.findings)


def test_questions_without_an_answer_get_a_reply() -> None:
    fit = known(CHINCHILLA)
    with pytest.raises(UnknownNameError, match="besiroglu2024"):
        multiplier("besiroglu", fit, flops=1e21)
    data_alone = known({"E": 1.8, "A": 900.0, "alpha": 0.15}, "power_floor", x="tokens")
    with pytest.raises(RequestError, match="tells no loss for a budget"):
        multiplier(fit, data_alone, flops=1e21)
    bits = replace(fit, law=fit.law.bind(y="bits_per_byte"))
    with pytest.raises(RequestError, match="they do not compare"):
        multiplier(fit, bits, flops=1e21)
    for flops in (0, -1e21, [], 1e60, float("nan")):
        with pytest.raises(RequestError, match="budget"):
            multiplier(fit, fit, flops=flops)
    with pytest.raises(RequestError, match="level"):
        multiplier(fit, fit, flops=1e21, level=90)


def test_lines_are_at_most_100_columns() -> None:
    shown = str(multiplier("chinchilla2022_a3_tex", "besiroglu2024", flops=[1e21, 1e27]))
    assert max(map(len, shown.splitlines())) <= 100

"""Kaplan's advice beside the numbers that the paper works out, and beside Chinchilla's."""

import numpy as np
import pytest
from planned import PRINTED, known
from scipy import optimize

from isoloss.core.errors import RequestError
from isoloss.core.quantities import FLOP_PER_PF_DAY
from isoloss.planning import kaplan, plan
from isoloss.published import published

KEY = "kaplan2020_frontier_B"
THETA = published(KEY).theta


def test_ten_against_two_per_cent_above_convergence() -> None:
    """Eq. B.12 to B.14: for one loss, 2.7 times the size, 7.7 times fewer steps and 65% less compute."""
    early, late = (kaplan.run_to(THETA, 2.5, f) for f in (0.1, 0.02))
    assert early["params"] / late["params"] == pytest.approx(2.7, rel=0.01)
    assert early["min_steps"] / late["min_steps"] == pytest.approx(0.13, rel=0.03)
    assert early["min_flops"] / late["min_flops"] == pytest.approx(0.35, rel=0.04)


def test_the_best_place_to_stop_is_alpha_N_over_alpha_S() -> None:
    found = optimize.minimize_scalar(
        lambda log: float(np.log(kaplan.run_to(THETA, 2.5, np.exp(log))["min_flops"])),
        bounds=(-6, 0),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert np.exp(found.x) == pytest.approx(THETA["alpha_N"] / THETA["alpha_S"], rel=1e-3)  # type: ignore[union-attr]
    option = plan(KEY, flops=1e21).options[0]
    assert option.above_converged.mid == pytest.approx(0.1)
    assert option.loss.mid == pytest.approx(
        1.1 * (THETA["N_c"] / option.body_params.mid) ** THETA["alpha_N"], rel=1e-10
    )


@pytest.mark.parametrize("flops", [1e18, 1e21, 1e24])
def test_loss_is_that_of_the_frontier_law_and_the_cost_is_the_budget(flops: float) -> None:
    option = plan(KEY, flops=flops).options[0]
    assert option.loss.mid == pytest.approx(float(published(KEY).predict(min_flops=flops / 2).mid[0]), rel=1e-10)
    assert 6 * option.body_params.mid * option.tokens.mid == pytest.approx(flops, rel=1e-10)
    assert option.batch.mid * option.steps.mid == pytest.approx(option.tokens.mid, rel=1e-10)
    assert plan(KEY, loss=option.loss.mid).options[0].flops.mid == pytest.approx(flops, rel=1e-6)


def test_the_batch_is_critical_and_the_parts_make_the_whole() -> None:
    option = plan(KEY, flops=1e21).options[0]
    critical = published("kaplan2020_B_crit").predict(loss=option.loss.mid).mid[0]
    assert option.batch.mid == pytest.approx(critical, rel=1e-9)
    run = kaplan.run_to(THETA, option.loss.mid, 0.1)
    assert run["min_flops"] == pytest.approx(1e21 / 2, rel=1e-9)
    assert option.steps.mid == pytest.approx(2 * run["min_steps"], rel=1e-9)


def test_size_by_appendix_B_is_0_464_of_table_6_at_one_PF_day() -> None:
    """What the registry knows of the difference between the paper's theory and its measured trend."""
    ratios = next(e for e in PRINTED["kaplan_6_derived"]["excepted"] if e["name"] == "theory and trend")["ratios"]
    option = plan(KEY, flops=2 * FLOP_PER_PF_DAY).options[0]
    assert option.body_params.mid / 1.3e9 == pytest.approx(ratios["scale"]["N"], rel=0.003)


def test_size_grows_fastest() -> None:
    exponent = {
        key: np.log10(plan(key, flops=1e22).options[0][size].mid / plan(key, flops=1e21).options[0][size].mid)
        for key, size in ((KEY, "body_params"), ("kaplan2020_allocation", "body_params"), ("besiroglu2024", "params"))
    }
    assert exponent["kaplan2020_allocation"] == pytest.approx(0.73, abs=1e-9)
    assert exponent[KEY] == pytest.approx(0.73 * 0.937, rel=0.002)
    assert exponent["besiroglu2024"] < 0.52


def test_stopping_elsewhere_loses_at_one_budget() -> None:
    planned = plan(KEY, flops=1e21, above=["2%", "10%", "30%"])
    late, best, early = planned.options
    assert best.loss.mid < min(late.loss.mid, early.loss.mid)
    assert late.body_params.mid < best.body_params.mid < early.body_params.mid
    assert best.loss.mid == pytest.approx(plan(KEY, flops=1e21).options[0].loss.mid, rel=1e-9)
    with pytest.raises(RequestError, match="kaplan2020_frontier_B"):
        plan("besiroglu2024", flops=1e21, above=0.1)


def test_draws_are_planned_with() -> None:
    option = plan(known(THETA, "kaplan_frontier", draws=50), flops=1e21).options[0]
    for name in ("body_params", "tokens", "loss", "batch", "above_converged"):
        assert option[name].low < option[name].mid < option[name].high, name


def test_beside_chinchilla() -> None:
    ours, theirs = plan(KEY, flops=1e21, beside="besiroglu2024").options
    assert "above_converged" in ours.estimates and "tokens_per_param" in theirs.estimates
    assert ours.label.startswith(KEY) and theirs.label.startswith("besiroglu2024")

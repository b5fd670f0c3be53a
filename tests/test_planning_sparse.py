"""Routed models: Ludziejewski's table, limits of memory, and the dense worth beside Clark's closed form."""

import numpy as np
import pytest
from planned import PRINTED, cells, half_unit, known

from isoloss.core.errors import RequestError
from isoloss.core.numbers import parse
from isoloss.planning import plan
from isoloss.planning.sparse import total_params
from isoloss.published import published

KEY = "ludziejewski2025"


@pytest.mark.parametrize(("where", "text"), cells("ludziejewski_1").items(), ids=str)
def test_ludziejewskis_table(where: tuple[str, str], text: str) -> None:
    letter, budget = where[1].split()
    option = plan(KEY, flops=budget, experts=where[0]).options[0]
    told = (option.active_params if letter == "N" else option.tokens).mid
    beyond = PRINTED["ludziejewski_1"]["beyond"]  # of the constants' own rounding
    assert told == pytest.approx(parse(text), abs=half_unit(text) + beyond * parse(text))


def test_the_best_number_of_experts_comes_first_and_dense_is_one_expert() -> None:
    planned = plan(KEY, flops=1e21, experts=[1, 8, 32])
    losses = [option.loss.mid for option in planned.options]
    assert losses == sorted(losses) and planned.options[0].experts.mid == 32
    dense = planned.options[-1]
    assert dense.experts.mid == 1
    for name in ("dense_params", "total_params"):
        assert dense[name].mid == pytest.approx(dense.active_params.mid, rel=1e-9)
    for name in ("dense_best_loss", "dense_loss", "dense_in_memory_loss"):
        assert dense[name].mid == pytest.approx(dense.loss.mid, rel=1e-12)


def test_the_best_dense_model_of_the_budget_is_the_best_of_all_dense_models() -> None:
    option = plan(KEY, flops=1e21, experts=16, most_params="20B").options[0]
    sizes = np.logspace(8, 12, 4001)
    losses = published(KEY).predict(active_params=sizes, tokens=1e21 / (6 * sizes), experts=1).mid
    assert option.dense_best_loss.mid == pytest.approx(float(losses.min()), rel=1e-6)
    assert option.dense_best_loss.mid <= min(option.dense_loss.mid, option.dense_in_memory_loss.mid)


def test_dense_worth_reaches_the_loss_on_the_same_tokens() -> None:
    option = plan(KEY, flops=1e21, experts=8).options[0]
    predicted = published(KEY).predict(active_params=option.dense_params.mid, tokens=option.tokens.mid, experts=1)
    assert predicted.mid[0] == pytest.approx(option.loss.mid, rel=1e-10)
    assert option.loss.mid < option.dense_loss.mid


def test_memory_limits_the_active_size() -> None:
    for option in plan(KEY, flops=1e21, experts=[1, 8, 32], most_params="10B").options:
        assert option.total_params.mid <= 10e9 * (1 + 1e-12)
        assert 6 * option.active_params.mid * option.tokens.mid == pytest.approx(1e21, rel=1e-9)
    free, held = (plan(KEY, flops=1e21, experts=32, most_params=most).options[0] for most in (None, "10B"))
    assert held.loss.mid > free.loss.mid
    assert total_params(1.3e9, 1) == pytest.approx(1.3e9)


@pytest.mark.parametrize("kind", ["sbase", "rlr", "hash"])
def test_dense_worth_is_clarks_effective_parameter_count(kind: str) -> None:
    planned = plan(f"clark2022_{kind}", params="370M", experts=[2, 64, 512])
    law = published(f"clark2022_{kind}_effective")
    for option, experts in zip(planned.options, (2, 64, 512), strict=True):
        expected = float(law.predict(dense_params=370e6, experts=experts).mid[0])
        assert option.effective_params.mid == pytest.approx(expected, rel=1e-8)
        assert option.worth.mid == pytest.approx(expected / 370e6, rel=1e-8)


def test_draws_give_intervals_and_refusals() -> None:
    fit = known(published(KEY).theta, "joint_routed", draws=30, spread=0.003)
    option = plan(fit, flops=1e21, experts=8).options[0]
    for name in ("active_params", "loss", "dense_params"):
        assert option[name].low < option[name].mid < option[name].high
    with pytest.raises(RequestError, match="knows no experts"):
        plan("besiroglu2024", flops=1e21, experts=8)
    with pytest.raises(RequestError, match="needs tokens too"):
        plan(KEY, params="1B", experts=8)
    with pytest.raises(RequestError, match="cannot be"):
        plan(KEY, flops=1e21, experts=0.5)
    worth = plan(KEY, params="1B", experts=8, tokens="20B").options[0].worth.mid
    assert np.isfinite(worth) and worth > 1

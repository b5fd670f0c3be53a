"""What holds for every plan: for laws of all kinds, drawn parameters and drawn budgets."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from law_values import spread
from planned import known
from simulate import sweep

import isoloss as il
from isoloss.core.estimate import Estimate
from isoloss.core.fit import Fit
from isoloss.core.law import Law, every
from isoloss.planning import compute, iso_cost, plan, questions
from isoloss.planning.closed_forms import CLOSED_FORMS
from isoloss.planning.surface import Surface, columns_of

steady = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
SURFACES = {name: law for name, law in every().items() if compute.plans(law) and Surface.of(law)}
SMOOTH = sorted(set(SURFACES) - {"farseer"})  # whose loss may turn down again at absurd sizes
LOG_BUDGET = st.floats(np.log(1e17), np.log(1e26))


@cache
def typical(name: str) -> np.ndarray:
    law, rng = SURFACES[name], np.random.default_rng(5)
    return np.stack([spread(rng, p.range.typical, 64, log=p.range.log) for p in law.parameters], axis=-1)


def fit_of(law: Law, row: int) -> Fit:
    return replace(known(), law=law, theta_p=typical(law.name)[row], draws_sp=np.empty((0, len(law.names))))


def best(fit: Fit, flops: float) -> float:
    return float(iso_cost.best_sizes(fit.law, fit.theta_p[None], np.array([flops]))[0])


@pytest.mark.parametrize("name", sorted(SURFACES))
@steady
@given(row=st.integers(0, 63), log_flops=LOG_BUDGET)
def test_the_cost_is_the_budget_and_neighbours_are_no_better(name: str, row: int, log_flops: float) -> None:
    fit, flops = fit_of(SURFACES[name], row), float(np.exp(log_flops))
    assume(np.isfinite(best(fit, flops)))
    option = plan(fit, flops=flops).options[0]
    surface = Surface.of(fit.law)
    assert surface is not None
    size = option[surface.size_name].mid
    assert 6 * size * option.tokens.mid == pytest.approx(flops, rel=1e-6)
    beside = size * np.array([0.5, 0.9, 0.99, 1.01, 1.1, 2.0])
    losses = surface.value([np.full(6, v) for v in fit.theta_p], beside, flops / 6 / beside)
    assert np.all(losses >= option.loss.mid * (1 - 1e-13))


@pytest.mark.parametrize("name", SMOOTH)
@steady
@given(row=st.integers(0, 63), log_flops=LOG_BUDGET, more=st.floats(0.01, 20))
def test_more_budget_never_raises_the_loss(name: str, row: int, log_flops: float, more: float) -> None:
    fit = fit_of(SURFACES[name], row)
    budgets = [float(np.exp(log_flops)), float(np.exp(log_flops + more))]
    assume(all(np.isfinite(best(fit, flops)) for flops in budgets))
    less, richer = (plan(fit, flops=flops).options[0].loss.mid for flops in budgets)
    assert richer <= less * (1 + 1e-13)


@pytest.mark.parametrize("name", sorted(CLOSED_FORMS))
@steady
@given(row=st.integers(0, 63), log_flops=LOG_BUDGET)
def test_numeric_and_closed_form_agree(name: str, row: int, log_flops: float) -> None:
    theta_bp, flops_b = typical(name)[row : row + 1], np.exp(np.array([log_flops]))
    closed = iso_cost.best_sizes(SURFACES[name], theta_bp, flops_b)
    np.testing.assert_allclose(iso_cost.search(SURFACES[name], theta_bp, flops_b), closed, rtol=1e-8)


@pytest.mark.parametrize("name", sorted(SURFACES))
def test_many_budgets_are_the_single_searches_together(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    law, flops_m = SURFACES[name], np.geomspace(1e18, 1e25, 40)
    theta_tp = typical(name)
    monkeypatch.setattr(iso_cost, "has_closed_form", lambda law: False)
    along = iso_cost.best_sizes_along(law, theta_tp, flops_m)
    alone = iso_cost.search(law, np.repeat(theta_tp, 40, axis=0), np.tile(flops_m, 64)).reshape(64, 40)
    np.testing.assert_array_equal(np.isnan(along), np.isnan(alone))
    np.testing.assert_allclose(along, alone, rtol=1e-8)


@pytest.mark.parametrize("name", ["chinchilla", "kaplan", "outer", "nested"])
@steady
@given(row=st.integers(0, 63), log_flops=LOG_BUDGET, log_k=st.floats(-6, 6))
def test_another_unit_of_size_and_data_is_another_unit_of_the_answer(
    name: str, row: int, log_flops: float, log_k: float
) -> None:
    """Sizes in units of k and tokens in units of 1 / k cost the same; the constants carry the units."""
    law, k, flops = SURFACES[name], float(np.exp(log_k)), float(np.exp(log_flops))
    theta = dict(zip(law.names, typical(name)[row].tolist(), strict=True))
    other = dict(theta)
    if name == "kaplan":
        other |= {"N_c": theta["N_c"] / k, "D_c": theta["D_c"] * k}
    else:
        other |= {"A": theta["A"] * k ** -theta["alpha"], "B": theta["B"] * k ** theta["beta"]}
    one = replace(fit_of(law, row), theta_p=law.theta(theta))
    assume(np.isfinite(best(one, flops)) and k < best(one, flops) < flops / 6 * min(k, 1))
    two = replace(one, theta_p=law.theta(other))
    assert best(two, flops) == pytest.approx(best(one, flops) / k, rel=1e-9)


@steady
@given(row=st.integers(0, 63), log_flops=LOG_BUDGET, factor=st.floats(0.3, 3))
def test_bits_and_nats_have_one_best_size(row: int, log_flops: float, factor: float) -> None:
    law, flops = SURFACES["chinchilla"], float(np.exp(log_flops))
    one = fit_of(law, row)
    assume(np.isfinite(best(one, flops)))
    scaled = law.theta({n: v * (factor if n in "EAB" else 1) for n, v in one.theta.items()})
    bits = replace(one, law=law.bind(y="bits_per_byte"), theta_p=scaled)
    nats, told = plan(one, flops=flops).options[0], plan(bits, flops=flops).options[0]
    assert told.params.mid == pytest.approx(nats.params.mid, rel=1e-9)
    assert told.bits_per_byte.mid == pytest.approx(factor * nats.loss.mid, rel=1e-9)


@steady
@given(log_flops=LOG_BUDGET)
def test_the_inverse_of_a_budget_is_the_budget(log_flops: float) -> None:
    flops = float(np.exp(log_flops))
    reached = plan(known(), flops=flops).options[0].loss.mid
    assert plan(known(), loss=reached).options[0].flops.mid == pytest.approx(flops, rel=1e-7)


@steady
@given(log_size=st.floats(np.log(1e6), np.log(1e13)))
def test_balanced_tokens_are_those_of_the_budget_for_which_a_size_is_best(log_size: float) -> None:
    fit, size_b = known(), np.exp(np.array([log_size]))
    surface = Surface.of(fit.law)
    assert surface is not None
    tokens = surface.balanced_tokens(columns_of(fit.theta_p), size_b)
    assert best(fit, float(6 * size_b[0] * tokens[0])) == pytest.approx(size_b[0], rel=1e-9)


def test_intervals_shrink_with_more_data() -> None:
    few, many = (
        [il.fit(sweep(n, 0.004, seed), draws=200, objective="squared_log") for seed in range(3)] for n in (60, 480)
    )
    asked_of_all = (
        ("params", {"flops": 1e22}),
        ("flops", {"loss": 2.2}),
        ("tokens", {"loss": 2.2, "params": 5e9}),
        ("overhead", {"flops": 1e22, "size_ratio": 0.5}),
        ("params", {"loss": 2.2, "served": 1e12}),
        ("tokens", {"params": 1e9, "overfit": 0.05}),
        ("flops", {"doubling": 0.02}),
    )
    for name, asked in asked_of_all:
        wide, narrow = (np.mean([width(plan(fit, **asked).options[0][name]) for fit in fits]) for fits in (few, many))
        assert narrow < 0.6 * wide, asked


def width(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / estimate.mid


def test_every_question_answers_with_intervals_and_assumptions() -> None:
    """Every registered question of a size-and-data law, asked with its own example."""
    fit, asked = il.fit(sweep(60, 0.004, 0), draws=60), 0
    for question in questions.every():
        told = question.told()
        if not question.answer.__module__.startswith("isoloss.planning") or "..." in {g.example for g in told.values()}:
            continue
        if set(question.goals) & {"above", "experts", "granularity", "teacher_loss"}:  # of other laws
            continue
        example: dict[str, Any] = {name: goal.example for name, goal in told.items() if name in question.goals}
        example |= {
            name: value for name, value in {"loss": "2.25", "quality": "3B", "params": "3B"}.items() if name in example
        }
        planned = plan(fit, **example)
        assert planned.assumptions and planned.goal and planned.options, question.flags
        assert any(e.known for o in planned.options for e in o.estimates.values() if e.low != e.high), question.flags
        asked += 1
    assert asked >= 20


def test_rounded_numbers_and_written_ones_are_the_same_question() -> None:
    pairs: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({"flops": "100 PF-days", "params": "7B"}, {"flops": 8.64e21, "params": 7e9}),
        ({"flops": "1e21 FLOP", "within": "1%"}, {"flops": 1e21, "within": [0.01]}),
        ({"loss": "2.2", "served": "2T tokens"}, {"loss": 2.2, "served": 2e12}),
    )
    for written, plain in pairs:
        assert str(plan(known(draws=9), **written)) == str(plan(known(draws=9), **plain))

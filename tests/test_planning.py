"""Plans: closed forms against search, search against brute force, the paper's numbers, and replies to bad questions."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from law_values import spread

from isoloss.core import maths
from isoloss.core.errors import CellError, RequestError, UnknownNameError
from isoloss.core.fit import Data, Fit
from isoloss.core.formula import Formula
from isoloss.core.law import Law, every, find
from isoloss.core.plan import Plan
from isoloss.planning import compute, cost, iso_cost, plan, questions
from isoloss.planning.closed_forms import CLOSED_FORMS
from isoloss.published import card, keys, published

GOPHER = 5.76e23
UNEVEN = ("farseer",)  # its exponents depend on the size, and at absurd ones the loss may turn down again
SURFACES = [law for law in every().values() if iso_cost.size_and_data(law) and compute.plans(law)]
FITTED_KEYS = [key for key in keys() if card(key).kind == "fit"]
PLANNING_KEYS = [key for key in FITTED_KEYS if compute.plans(published(key).law)]


def typical(law: Law, sets: int, seed: int = 0) -> np.ndarray:
    """Parameters (s, p) spread over each one's typical range."""
    rng = np.random.default_rng(seed)
    columns = [spread(rng, p.range.typical, sets, log=p.range.log) for p in law.parameters]
    return np.stack(columns, axis=-1)


def along(law: Law, theta_p: np.ndarray, flops: float, sizes_n: np.ndarray) -> np.ndarray:
    """The law's output at sizes on the curve 6 N D = C."""
    size, data = iso_cost.size_and_data(law) or (0, 1)
    x = [sizes_n, sizes_n]
    x[size], x[data] = sizes_n, flops / (6 * sizes_n)
    return law.value(np.array(x), theta_p)


def fitted(draws: int = 200, spread: float = 0.02, **kwargs: Any) -> Fit:
    """A fit near Chinchilla's law with correlated-looking draws and residuals of half a per cent."""
    law, rng = find("chinchilla"), np.random.default_rng(1)
    theta_p = law.theta({"E": 1.8, "A": 480.0, "B": 2080.0, "alpha": 0.348, "beta": 0.366})
    draws_sp = theta_p * np.exp(spread * rng.standard_normal((draws, 5)))
    data = Data(240, "runs.csv", ranges={"params": (1e8, 1e10), "tokens": (1e9, 1e11), "flops": (1e18, 1e21)})
    made = Fit(law, theta_p, draws_sp, "converged", data, residuals_n=0.005 * rng.standard_normal(240))
    return replace(made, **kwargs)


class TestOptimum:
    @pytest.mark.parametrize("name", sorted(CLOSED_FORMS))
    def test_search_finds_what_the_closed_form_says(self, name: str) -> None:
        law = find(name)
        theta_bp = np.repeat(typical(law, 400), 3, axis=0)
        flops_b = np.tile([1e17, 1e21, 1e26], 400)
        closed, searched = iso_cost.best_sizes(law, theta_bp, flops_b), iso_cost.search(law, theta_bp, flops_b)
        np.testing.assert_array_equal(np.isnan(closed), np.isnan(searched))
        assert np.isfinite(closed).mean() > 0.3
        np.testing.assert_allclose(searched, closed, rtol=1e-8)

    def test_search_is_used_where_there_is_no_closed_form(self) -> None:
        law = replace(find("chinchilla"), name="no_closed_form")
        theta_p = published("chinchilla2022_a3_tex").theta_p
        np.testing.assert_allclose(iso_cost.best_sizes(law, theta_p[None], np.array([GOPHER])), 40.36e9, rtol=1e-3)

    def test_closed_form_is_not_used_for_inputs_bound_the_other_way(self) -> None:
        swapped = find("chinchilla").bind(N="tokens", D="params")
        theta_bp, flops_b = published("chinchilla2022_a3_tex").theta_p[None], np.array([GOPHER])
        size = iso_cost.best_sizes(swapped, theta_bp, flops_b)
        np.testing.assert_allclose(GOPHER / (6 * size), 40.36e9, rtol=1e-3)

    @pytest.mark.parametrize("law", SURFACES, ids=lambda law: law.name)
    def test_beats_every_other_size_of_the_same_cost(self, law: Law) -> None:
        flops, found = 1e21, 0
        for theta_p in typical(law, 60, seed=3):
            (best,) = iso_cost.best_sizes(law, theta_p[None], np.array([flops]))
            if np.isnan(best):
                continue
            found += 1
            others = np.exp(np.linspace(0, np.log(flops / 6), 4001))
            neighbours = best * np.array([0.5, 0.9, 0.99, 1.01, 1.1, 2.0])
            (least,) = along(law, theta_p, flops, np.array([best]))
            assert np.all(along(law, theta_p, flops, neighbours) >= least)
            if law.name not in UNEVEN:
                assert np.all(along(law, theta_p, flops, others) >= least * (1 - 1e-14))
        assert found > 10

    def test_takes_the_lower_of_two_valleys(self) -> None:
        def two_valleys(N: Any, D: Any, *, depth: Any) -> Any:
            u = (maths.log(N) - maths.log(D)) / 10
            return 3 + (u**2 - 1) ** 2 + depth * u

        law = made_law(two_valleys, ("depth",))
        sizes = iso_cost.best_sizes(law, np.array([[0.1], [-0.1]]), np.full(2, 6e20))
        others = np.exp(np.linspace(0, np.log(1e20), 100_001))
        for size, depth in zip(sizes, (0.1, -0.1), strict=True):
            least = others[np.argmin(along(law, np.array([depth]), 6e20, others))]
            assert size == pytest.approx(least, rel=1e-3)
        assert sizes[0] < 1e10 < sizes[1]

    def test_finds_a_kink(self) -> None:
        def kinked(N: Any, D: Any, *, A: Any, B: Any) -> Any:
            return 1 + maths.maximum(A * N**-0.3, B * D**-0.4)

        (size,) = iso_cost.best_sizes(made_law(kinked, ("A", "B")), np.array([[400.0, 900.0]]), np.array([1e21]))
        assert 400 * size**-0.3 == pytest.approx(900 * (1e21 / 6 / size) ** -0.4, rel=1e-10)

    def test_none_where_the_output_only_falls(self) -> None:
        law = find("chinchilla")
        theta_bp = np.array(
            [law.theta({"E": 1.8, "A": a, "B": b, "alpha": 0.3, "beta": 0.3}) for a, b in [(0, 9), (9, 0)]]
        )
        for method in (iso_cost.best_sizes, iso_cost.search):
            assert np.isnan(method(law, theta_bp, np.full(2, 1e21))).all()


def made_law(function: Callable[..., Any], parameters: tuple[str, ...]) -> Law:
    template = find("chinchilla")
    chosen = tuple(replace(template.parameters[1], name=name) for name in parameters)
    return replace(template, name="made", parameters=chosen, formula=Formula(function, ("N", "D"), parameters))


class TestPublished:
    def test_unrounded_chinchilla_is_40_billion(self) -> None:
        assert plan(published("chinchilla2022_a3_tex"), flops=GOPHER).options[0].params.mid == pytest.approx(
            40e9, abs=1e9
        )

    def test_rounded_chinchilla_is_32_billion_and_says_why(self) -> None:
        planned = plan("chinchilla2022_a3", flops=GOPHER)
        assert planned.options[0].params.mid == pytest.approx(32.2e9, abs=0.2e9)
        (why,) = [f for f in planned.findings if f.code == "P1"]
        assert "40B" in why.sentence and "chinchilla2022_a3_tex" in why.fix

    def test_besiroglu_is_about_20_tokens_a_parameter(self) -> None:
        option = plan("besiroglu2024", flops=GOPHER).options[0]
        assert 18 < option.tokens_per_param.mid < 22
        assert option.tokens_per_param.mid == pytest.approx(option.tokens.mid / option.params.mid, rel=1e-12)

    @pytest.mark.parametrize("key", PLANNING_KEYS)
    def test_costs_what_the_budget_says(self, key: str) -> None:
        planned = plan(key, flops=[1e19, 1e22, 1e25])
        for option, flops in zip(planned.options, (1e19, 1e22, 1e25), strict=True):
            size = next(e for name, e in option.estimates.items() if name.endswith("params"))
            assert 6 * size.mid * option.tokens.mid == pytest.approx(flops, rel=1e-6)
            assert option.flops.mid == flops

    @pytest.mark.parametrize("key", PLANNING_KEYS)
    def test_names_the_convention_of_n(self, key: str) -> None:
        planned = plan(key, flops=1e21)
        said = " ".join(planned.assumptions)
        law = published(key).law
        of_law = [name for name in (*law.columns, law.output.name) if name in cost.SIZES]
        (size,) = of_law or ["params" if "flops" in law.columns else "body_params"]
        assert f"training FLOP = 6 N D, where N is {size}:" in said
        assert size in planned.options[0].estimates
        if key.startswith(("kaplan", "chinchilla", "besiroglu")):
            assert size == ("body_params" if key.startswith("kaplan") else "params")
            assert ("non-embedding" in said) == key.startswith("kaplan")

    def test_no_published_uncertainty_no_interval(self) -> None:
        planned = plan("besiroglu2024", flops=1e24)
        assert not planned.options[0].params.known
        assert any("no interval" in sentence for sentence in planned.assumptions)
        assert json.loads(json.dumps(planned.to_json()))["options"][0]["params"]["low"] is None

    def test_beyond_the_data_is_found(self) -> None:
        assert {f.code for f in plan("besiroglu2024", flops=1e20).findings} == {"P3"}
        beyond = [f for f in plan("besiroglu2024", flops=1e26).findings if f.code == "D4"]
        assert {f.sentence.split()[0] for f in beyond} == {"params", "tokens", "flops"}
        assert all(f.severity == "amber" for f in beyond)

    def test_kaplans_joint_law_says_that_it_is_another_question(self) -> None:
        said = plan("kaplan2020_L_ND", flops=1e21).assumptions
        assert any("early-stopped" in s and "kaplan2020_allocation" in s for s in said)
        assert not any("early-stopped" in s for s in plan("besiroglu2024", flops=1e21).assumptions)

    def test_kaplans_allocation_sees_half_the_budget(self) -> None:
        planned = plan("kaplan2020_allocation", flops="1e21")
        assert planned.options[0].body_params.mid == pytest.approx(4.68e9, rel=0.005)
        assert any("C_min = C / 2" in s for s in planned.assumptions)
        assert "loss" not in planned.options[0].estimates
        assert any("no loss" in s for s in planned.assumptions)


class TestFitted:
    def test_every_answer_has_an_interval_that_holds_it(self) -> None:
        option = plan(fitted(), flops=1e22).options[0]
        assert set(option.estimates) == {"params", "tokens", "tokens_per_param", "flops", "loss"}
        for name, estimate in option.estimates.items():
            assert estimate.low <= estimate.mid <= estimate.high, name
            assert estimate.low < estimate.high or name == "flops"

    def test_intervals_are_the_quantiles_of_the_draws_optima(self) -> None:
        fit = fitted()
        sizes = [plan(replace(fit, theta_p=theta_p), flops=1e22).options[0].params.mid for theta_p in fit.draws_sp]
        params = plan(fit, flops=1e22, level=0.8).options[0].params
        np.testing.assert_allclose([params.low, params.high], np.quantile(sizes, [0.1, 0.9]), rtol=1e-12)

    def test_a_wider_level_is_a_wider_interval(self) -> None:
        narrow, wide = (plan(fitted(), flops=1e22, level=level).options[0] for level in (0.5, 0.95))
        for name in ("params", "tokens", "tokens_per_param", "loss"):
            assert wide[name].low < narrow[name].low < narrow[name].high < wide[name].high

    def test_loss_is_that_of_a_new_run_there(self) -> None:
        fit, planned = fitted(), plan(fitted(), flops=1e22)
        option = planned.options[0]
        expected = fit.predict(params=option.params.mid, tokens=option.tokens.mid, kind="run")
        assert (option.loss.mid, option.loss.low) == (expected.mid[0], expected.low[0])
        assert any("one new run" in s for s in planned.assumptions)

    def test_draws_without_residuals_give_the_mean_curve(self) -> None:
        planned = plan(fitted(residuals_n=np.empty(0)), flops=1e22)
        assert planned.options[0].loss.known
        assert any("mean curve" in s for s in planned.assumptions)

    def test_search_and_closed_form_give_the_same_plan(self) -> None:
        fit = fitted()
        searched = plan(replace(fit, law=replace(fit.law, name="no_closed_form")), flops=[1e20, 1e24])
        for a, b in zip(plan(fit, flops=[1e20, 1e24]).options, searched.options, strict=True):
            for name in a.estimates:
                for end in ("low", "mid", "high"):
                    assert getattr(b[name], end) == pytest.approx(getattr(a[name], end), rel=1e-8)

    def test_more_budget_never_raises_the_loss(self) -> None:
        budgets = list(np.logspace(17, 27, 41))
        for source in (fitted(), "chinchilla2022_a3", "besiroglu2024", "kaplan2020_L_ND"):
            losses = [option.loss.mid for option in plan(source, flops=budgets).options]
            assert np.all(np.diff(losses) < 0)

    def test_several_budgets_are_the_single_plans_together(self) -> None:
        together = plan(fitted(), flops=["1e20", 1e22])
        assert [o.label for o in together.options] == ["1e20 FLOP", "1e22 FLOP"]
        for option, flops in zip(together.options, (1e20, 1e22), strict=True):
            (alone,) = plan(fitted(), flops=flops).options
            for name in ("params", "tokens", "tokens_per_param"):
                assert option[name] == alone[name]
            assert option.loss.mid == alone.loss.mid

    def test_draws_without_an_optimum_are_counted_and_left_out(self) -> None:
        fit = fitted(draws=100)
        broken_sp = fit.draws_sp.copy()
        broken_sp[:7, 1] = 0.0
        planned = plan(replace(fit, draws_sp=broken_sp), flops=1e22)
        (lost,) = [f for f in planned.findings if f.code == "Q1"]
        assert (lost.number, lost.severity) == (0.07, "amber")
        assert lost.sentence.startswith("7 of 100 draws")
        kept = plan(replace(fit, draws_sp=fit.draws_sp[7:]), flops=1e22).options[0].params
        assert planned.options[0].params == kept

    def test_a_fit_without_an_optimum_is_refused(self) -> None:
        fit = fitted()
        monotone = replace(fit, theta_p=fit.law.theta({**fit.theta, "B": 0.0}))
        with pytest.raises(RequestError, match=r"no best size for 1e22 FLOP[\s\S]*B = 0"):
            plan(monotone, flops=1e22)

    def test_bound_sizes_keep_their_name(self) -> None:
        fit = fitted()
        planned = plan(replace(fit, law=fit.law.bind(N="matmul_params")), flops=1e22)
        assert "matmul_params" in planned.options[0].estimates
        assert any("where N is matmul_params: parameters in matrix products" in s for s in planned.assumptions)

    def test_an_allocation_of_data_plans_too(self) -> None:
        law, rng = find("allocation").bind(y="tokens"), np.random.default_rng(0)
        theta_p = law.theta({"G": 0.299, "a": 0.537})
        fit = Fit(
            law, theta_p, theta_p * np.exp(0.01 * rng.standard_normal((50, 2))), "converged", Data(9, "isoflop.csv")
        )
        option = plan(fit, flops=3.8e25).options[0]
        assert option.tokens.mid == pytest.approx(0.299 * 3.8e25**0.537, rel=1e-12)
        assert 6 * option.params.mid * option.tokens.mid == pytest.approx(3.8e25, rel=1e-12)
        assert option.params.low < option.params.mid < option.params.high

    def test_flops_are_read_as_people_write_them(self) -> None:
        same = [
            plan("besiroglu2024", flops=f) for f in (8.64e21, "8.64e21", "100 PF-days", np.float64(8.64e21), [8.64e21])
        ]
        assert len({p.options[0].params.mid for p in same}) == 1
        assert plan("besiroglu2024", flops=np.array([10**21, 10**22])).options[1].flops.mid == 1e22

    def test_prints_numbers_then_what_they_rest_on(self) -> None:
        text = str(plan(fitted(), flops=1e22))
        for words in ("best use of 1e22 training FLOP", "params", "assuming training FLOP = 6 N D", "times beyond"):
            assert words in text


class TestReplies:
    def test_no_goal_lists_the_goals(self) -> None:
        reply = r"has no goal[\s\S]*flops=\.\.\."
        with pytest.raises(RequestError, match=reply):
            plan("besiroglu2024")
        with pytest.raises(RequestError, match=reply):
            plan("besiroglu2024", flops=None)

    def test_unknown_goal_is_answered_with_near_ones(self) -> None:
        with pytest.raises(UnknownNameError, match=r"'flop'[\s\S]*flops"):
            plan("besiroglu2024", flop=1e21)

    def test_goals_that_contradict_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        questions.every()
        monkeypatch.setattr(questions, "REGISTERED", dict(questions.REGISTERED))

        @questions.question
        def hours(fit: Fit, level: float, *, hours: float, devices: int = 1) -> Plan:
            """A second question, for this test."""
            return Plan(f"{hours} hours on {devices}", (), level)

        assert plan("besiroglu2024", hours=3.0, devices=2).goal == "3.0 hours on 2"
        with pytest.raises(RequestError, match=r"from flops and hours\.[\s\S]*hours=\.\.\., \[devices=\.\.\.\]"):
            plan("besiroglu2024", hours=3.0, flops=1e21)
        with pytest.raises(RequestError, match=r"from devices\."):
            plan("besiroglu2024", devices=2)
        with pytest.raises(ValueError, match="goals of its own"):
            questions.question(hours)

    @pytest.mark.parametrize("flops", [0, -1e21, 6, float("nan"), float("inf")])
    def test_a_budget_that_trains_nothing(self, flops: float) -> None:
        with pytest.raises(RequestError, match="trains nothing"):
            plan("besiroglu2024", flops=flops)

    def test_an_empty_list_and_a_word(self) -> None:
        with pytest.raises(RequestError, match="empty"):
            plan("besiroglu2024", flops=[])
        with pytest.raises(CellError, match="'much' is not a number"):
            plan("besiroglu2024", flops="much")

    @pytest.mark.parametrize("level", [0, 1, 90, -0.1])
    def test_levels_that_are_none(self, level: float) -> None:
        for key in ("besiroglu2024", "chinchilla2022_a1"):
            with pytest.raises(RequestError, match="level"):
                plan(key, flops=1e21, level=level)

    @pytest.mark.parametrize("key", [k for k in FITTED_KEYS if k not in PLANNING_KEYS])
    def test_laws_that_cannot_plan_name_those_that_can(self, key: str) -> None:
        with pytest.raises(RequestError, match=r"no best size for a budget[\s\S]*chinchilla"):
            plan(key, flops=1e21)

    def test_an_output_that_should_rise_is_not_minimised(self) -> None:
        fit = fitted()
        with pytest.raises(RequestError, match="no best size"):
            plan(replace(fit, law=fit.law.bind(y="accuracy")), flops=1e21)

    def test_not_a_fit(self) -> None:
        with pytest.raises(RequestError, match="not dict"):
            plan({"E": 1.7}, flops=1e21)  # pyright: ignore[reportArgumentType]
        with pytest.raises(UnknownNameError, match="besiroglu2024"):
            plan("besiroglu", flops=1e21)

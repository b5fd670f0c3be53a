"""Returns on more of everything: beside arithmetic, beside published exponents, and where they fall."""

import math
from typing import Any

import numpy as np
import pytest
from planned import known
from simulate import CHINCHILLA

import isoloss as il
from isoloss.core.errors import RequestError
from isoloss.core.plan import Option, Plan
from isoloss.planning import plan
from isoloss.planning.returns import floor
from isoloss.published import published

C = CHINCHILLA


def labelled(planned: Plan, label: str) -> Option:
    return next(option for option in planned.options if option.label == label)


class TestTimes:
    def test_every_loss_is_that_of_its_run(self) -> None:
        planned = plan(known(), flops=1e22, times=[2, 10])
        best = planned.options[0]
        for k in (2, 10):
            for label, n, d in (
                (f"{k} times the parameters", k, 1),
                (f"{k} times the data", 1, k),
                (f"{k} times both", k, k),
            ):
                option = labelled(planned, label)
                size, tokens = n * best.params.mid, d * best.tokens.mid
                loss = C["E"] + C["A"] * size ** -C["alpha"] + C["B"] * tokens ** -C["beta"]
                assert option.loss.mid == pytest.approx(loss, rel=1e-9)
                assert option.gain.mid == pytest.approx(1 - loss / best.loss.mid, rel=1e-9)
                assert option.flops.mid == pytest.approx(n * d * 1e22, rel=1e-9)
            compute = labelled(planned, f"{k} times the compute, spent best")
            assert compute.loss.mid == pytest.approx(plan(known(), flops=k * 1e22).options[0].loss.mid, rel=1e-12)

    def test_frontier_flops_buy_the_same_loss(self) -> None:
        planned = plan("besiroglu2024", flops=1e22, times=10)
        for option in planned.options[2:]:
            bought = plan("besiroglu2024", flops=option.frontier_flops.mid).options[0]
            assert bought.loss.mid == pytest.approx(option.loss.mid, rel=1e-9)
            assert option.frontier_flops.mid <= option.flops.mid * (1 + 1e-9)

    def test_compute_spent_best_gains_most_and_draws_give_intervals(self) -> None:
        planned = plan(known(draws=60), flops=1e22, times=10)
        _, compute, size, data, _ = planned.options
        assert compute.gain.mid > max(size.gain.mid, data.gain.mid) > 0
        assert size.gain.low < size.gain.mid < size.gain.high

    def test_a_law_of_compute_has_returns_on_compute_alone(self) -> None:
        planned = plan("henighan2020_math_C", flops=1e21, times=10)
        assert [o.label for o in planned.options] == ["the best run", "10 times the compute, spent best"]
        assert planned.options[1].reducible_gain.mid == pytest.approx(1 - 10**-0.17, rel=1e-9)


class TestDoubling:
    def test_threshold_is_where_a_doubling_brings_so_much(self) -> None:
        option = plan(known(), doubling="1%").options[0]
        now, then = (plan(known(), flops=k * option.flops.mid).options[0].loss.mid for k in (1, 2))
        assert 1 - then / now == pytest.approx(0.01, rel=1e-9)
        assert option.loss.mid == pytest.approx(now, rel=1e-12)
        assert plan(known(), doubling="0.5%").options[0].flops.mid > option.flops.mid

    def test_a_law_without_a_floor_never_falls_below(self) -> None:
        with pytest.raises(RequestError, match=r"takes 0\.0341 off at 1e21"):
            plan("kaplan2020_L_Cmin", doubling="1%")
        with pytest.raises(RequestError, match="no budget"):
            plan(known(), doubling=0.6)

    def test_draws(self) -> None:
        flops = plan(known(draws=60), doubling=0.01).options[0].flops
        assert flops.low < flops.mid < flops.high


class TestTenfold:
    @pytest.mark.parametrize(
        ("key", "resource", "exponent"),
        [
            ("henighan2020_language_C", "flops", 0.048),
            ("henighan2020_math_C", "flops", 0.17),
            ("henighan2020_image32_C", "flops", 0.10),
            ("henighan2020_image8", "params", 0.24),
            ("kaplan2020_L_D", "tokens", 0.095),
            ("kaplan2020_L_N", "params", 0.076),
            ("gadre2024_loss_c4", "tokens_per_param", None),
        ],
    )
    def test_exponents_of_papers(self, key: str, resource: str, exponent: float | None) -> None:
        if exponent is None:
            with pytest.raises(RequestError, match="tells nothing of a tenfold"):
                plan(key, tenfold=resource)
            return
        option = plan(key, tenfold=resource).options[0]
        assert option.exponent.mid == pytest.approx(exponent, rel=1e-9)
        assert option.cut.mid == pytest.approx(1 - 10**-exponent, rel=1e-9)
        assert option.label.startswith(key)

    def test_exponents_of_a_sixth_and_a_fourteenth_cut_32_and_15_per_cent(self) -> None:
        """What a table of cuts by domain says in exponents: 0.167 and 0.071."""
        cuts = [
            plan(known({"x_c": 1e9, "alpha": a}, "power", x="flops"), tenfold="flops").options[0].cut.mid
            for a in (0.167, 0.071)
        ]
        assert cuts == [pytest.approx(0.32, abs=0.005), pytest.approx(0.15, abs=0.005)]

    def test_a_surface_has_three_tenfolds(self) -> None:
        a, b = C["alpha"], C["beta"]
        found = {of: plan(known(), tenfold=of).options[0].exponent.mid for of in ("params", "tokens", "flops")}
        assert found == {
            "params": pytest.approx(a, rel=1e-6),
            "tokens": pytest.approx(b, rel=1e-6),
            "flops": pytest.approx(a * b / (a + b), rel=1e-6),
        }

    def test_domains_side_by_side(self) -> None:
        planned = plan("henighan2020_language_C", tenfold="flops", beside=["henighan2020_math_C", known(draws=40)])
        language, maths, own = planned.options
        assert (language.label, maths.label) == (
            "henighan2020_language_C (language)",
            "henighan2020_math_C (mathematics)",
        )
        assert language.cut.mid < maths.cut.mid
        assert not maths.cut.known and own.cut.low < own.cut.mid < own.cut.high

    def test_a_frontier_has_the_tenfold_of_its_loss(self) -> None:
        fit = published("besiroglu2024")
        np.testing.assert_allclose(floor(fit.law, fit.theta_p[None]), fit.theta["E"])
        with pytest.raises(RequestError, match="is of params and tokens"):
            plan(fit, tenfold="bits")


def test_json_of_every_question_is_plain() -> None:
    every: tuple[dict[str, Any], ...] = ({"flops": 1e22, "times": 3}, {"doubling": 0.01}, {"tenfold": "tokens"})
    for asked in every:
        content = il.plan("besiroglu2024", **asked).to_json()
        assert all(math.isfinite(o[n]["mid"]) for o in content["options"] for n in o if n != "label")

"""Serving: Sardana's examples, De Vries' table, and the tokens at which a smaller model pays."""

import numpy as np
import pytest
from planned import PRINTED, cells, half_unit, known
from scipy import optimize

from isoloss.core.errors import RequestError
from isoloss.core.numbers import parse
from isoloss.planning import plan
from isoloss.published import published

SARDANA, VRIES = "sardana2023_L", "devries2023_L"


class TestServed:
    @pytest.mark.parametrize(
        ("quality", "served", "size", "saving", "more_data", "tokens"),
        [
            ("13B", "2T", 6.97e9, 0.174, None, None),
            ("30B", "10T", 13.6e9, 0.28, 2.84, None),
            ("7B", "100B", 6e9, None, 1.18, None),
            ("70B", "10T", 41.6e9, 0.12, None, 7.92e12),
        ],
    )
    def test_sardanas_examples(
        self,
        quality: str,
        served: str,
        size: float,
        saving: float | None,
        more_data: float | None,
        tokens: float | None,
    ) -> None:
        option = plan(SARDANA, quality=quality, served=served).options[0]
        assert option.params.mid == pytest.approx(size, rel=0.005)
        for told, printed in ((option.saving, saving), (option.data_ratio, more_data), (option.tokens, tokens)):
            assert printed is None or told.mid == pytest.approx(printed, rel=0.01)

    @pytest.mark.parametrize("key", [SARDANA, "besiroglu2024", "busbridge2025_supervised", "kaplan2020_L_ND"])
    @pytest.mark.parametrize("served", [1e10, 1e12, 1e14])
    def test_least_lifetime_by_scipy(self, key: str, served: float) -> None:
        fit = published(key)
        size_name = fit.law.columns[0]
        target = plan(key, flops=1e22).options[0].loss.mid
        best = plan(key, loss=target).options[0]

        def tokens(size: float) -> float:
            log = optimize.brentq(lambda u: fit.law.value([[size], [np.exp(u)]], fit.theta_p)[0] - target, 5, 100)
            return float(np.exp(log))  # type: ignore[arg-type]

        def lifetime(log_share: float) -> float:
            size = best[size_name].mid * np.exp(log_share)
            try:
                data = tokens(size)
            except ValueError:
                return 300.0
            return float(np.log(6 * size * data + 2 * size * served))

        found = optimize.minimize_scalar(lifetime, bounds=(-3.5, 0.2), method="bounded", options={"xatol": 1e-9})
        option = plan(key, loss=target, served=served).options[0]
        assert np.log(option.lifetime_flops.mid) <= found.fun + 1e-9  # type: ignore[union-attr]
        assert option[size_name].mid == pytest.approx(best[size_name].mid * np.exp(found.x), rel=1e-3)  # type: ignore
        assert option.loss.mid == pytest.approx(target)

    def test_without_serving_it_is_the_cheapest_to_train(self) -> None:
        cheapest, trained = plan(SARDANA, quality="13B", served=1.0).options
        assert cheapest.params.mid == pytest.approx(13e9, rel=1e-4)
        assert trained.saving.mid == 0 and cheapest.saving.mid == pytest.approx(0, abs=1e-6)

    def test_more_serving_smaller_models_and_draws_give_intervals(self) -> None:
        planned = plan(known(draws=40), loss=2.15, served=[1e11, 1e12, 1e13])
        sizes = [o.params for o in planned.options[::2]]
        assert sizes[0].mid > sizes[1].mid > sizes[2].mid
        assert all(s.low < s.mid < s.high for s in sizes)

    def test_a_loss_out_of_reach(self) -> None:
        with pytest.raises(RequestError, match="No compute takes this fit"):
            plan(SARDANA, loss=1.6, served="1T")


class TestSmaller:
    @pytest.mark.parametrize(("where", "text"), cells("devries").items(), ids=str)
    def test_de_vries_table(self, where: tuple[str, str], text: str) -> None:
        budget, column = where
        letter, ratio = column.split()
        option = plan(VRIES, flops=budget, size_ratio=ratio).options[0]
        told = (option.params if letter == "N" else option.tokens).mid
        assert told == pytest.approx(parse(text), abs=half_unit(text) * (1 + 1e-6))

    def test_de_vries_overheads(self) -> None:
        printed = PRINTED["devries_text"]["printed"]["overhead"]
        planned = plan(VRIES, flops=1e23, size_ratio=[float(k) for k in printed])
        for (ratio, per_cent), option in zip(printed.items(), planned.options, strict=True):
            formula = float(published("devries2023").predict(size_ratio=float(ratio)).mid[0]) - 1
            assert option.overhead.mid == pytest.approx(formula, rel=1e-8)
            assert 100 * option.overhead.mid == pytest.approx(float(per_cent), rel=0.06)

    def test_critical_size_is_that_of_the_closed_form(self) -> None:
        t = published(VRIES).theta
        critical = (1 + t["alpha"] / t["beta"]) ** (-1 / t["alpha"])
        planned = plan(VRIES, flops=1e23, size_ratio=[0.99 * critical, 1.01 * critical])
        below, above = planned.options
        assert np.isinf(below.overhead.mid) and np.isfinite(above.overhead.mid)
        assert any(f"below {critical:.3g} of the best size" in s for s in planned.assumptions)
        assert planned.to_json()["options"][0]["overhead"]["mid"] is None

    @pytest.mark.parametrize("key", ["kaplan2020_L_ND", "busbridge2025_supervised", "krajewski2024_dense"])
    def test_any_other_size_costs_more(self, key: str) -> None:
        for option in plan(key, flops=1e21, size_ratio=[0.5, 0.9, 1.1, 2.0]).options:
            assert option.overhead.mid > 0
            assert option.loss.mid == pytest.approx(plan(key, flops=1e21).options[0].loss.mid, rel=1e-12)

    def test_intervals(self) -> None:
        overhead = plan(known(draws=50), flops=1e21, size_ratio=0.5).options[0].overhead
        assert overhead.low < overhead.mid < overhead.high


class TestBreakEven:
    def test_both_cost_the_same_there(self) -> None:
        paid, small, large = plan(SARDANA, loss=2.05, params="5B", rival="13B").options
        served = paid.served_tokens.mid
        assert served > 0
        totals = [o.flops.mid + 2 * o.params.mid * served for o in (small, large)]
        assert totals[0] == pytest.approx(totals[1], rel=1e-10)

    def test_order_does_not_matter_and_a_cheaper_small_one_pays_at_once(self) -> None:
        one, other = (plan(SARDANA, loss=2.05, params=a, rival=b) for a, b in (("5B", "13B"), ("13B", "5B")))
        assert one.options[0].served_tokens.mid == other.options[0].served_tokens.mid
        assert plan(SARDANA, loss=2.0, params="30B", rival="70B").options[0].served_tokens.mid == 0

    def test_intervals_and_refusals(self) -> None:
        served = plan(known(draws=50, spread=0.003), loss=2.2, params="2B", rival="6B").options[0].served_tokens
        assert served.low < served.mid < served.high
        with pytest.raises(RequestError, match="No training takes 1M"):
            plan(SARDANA, loss=2.0, params="1M", rival="70B")
        with pytest.raises(RequestError, match="one size"):
            plan(SARDANA, loss=2.0, params="7B", rival="7B")

"""Short data: Muennighoff's own answers, two laws of repetition side by side, and Kaplan's rule for overfitting."""

import numpy as np
import pytest
from planned import known
from scipy import optimize
from simulate import CHINCHILLA

from isoloss.core.errors import RequestError
from isoloss.planning import plan
from isoloss.published import published

MUENNIGHOFF, ALONE = "muennighoff2023", "muennighoff2023_RD"


class TestLimited:
    def test_the_authors_own_allocations(self) -> None:
        """Their function on a grid of 500: 237.3B tokens, 9.49 epochs, 7.02B for 1e22 FLOP and 25B distinct tokens; the
        README prints 227B, 9.1 epochs, 6.8B for the compute of 8.67B parameters on 178B tokens."""
        option = plan(MUENNIGHOFF, flops=1e22, unique_tokens="25B").options[0]
        assert option.tokens.mid == pytest.approx(237.337e9, rel=0.002)
        assert option.epochs.mid == pytest.approx(9.4935, rel=0.002)
        assert option.params.mid == pytest.approx(7.0224e9, rel=0.002)
        readme = plan(MUENNIGHOFF, flops=6 * 8.67e9 * 178e9, unique_tokens="25B").options[0]
        assert readme.tokens.mid == pytest.approx(227e9, abs=0.5e9)
        assert readme.epochs.mid == pytest.approx(9.1, abs=0.05)
        assert readme.params.mid == pytest.approx(6.8e9, abs=0.05e9)

    def test_no_neighbour_on_the_budget_is_better(self) -> None:
        fit = published(MUENNIGHOFF)
        option = plan(fit, flops=1e22, unique_tokens=25e9).options[0]
        sizes = option.params.mid * np.geomspace(0.05, 20, 2001)
        losses = fit.predict(params=sizes, tokens=1e22 / 6 / sizes, unique_tokens=25e9).mid
        assert losses.min() >= option.loss.mid * (1 - 1e-12)

    def test_two_laws_and_how_far_they_disagree(self) -> None:
        planned = plan("besiroglu2024", flops=1e22, unique_tokens="25B")
        assert [o.label for o in planned.options] == [f"repeats as in {key}" for key in (MUENNIGHOFF, ALONE)]
        (apart,) = [f for f in planned.findings if f.code == "Q3"]
        epochs = [o.epochs.mid for o in planned.options]
        assert apart.severity == "amber" and apart.number == pytest.approx(max(epochs) / min(epochs))
        assert any("R_D = 15.39" in s and "R_D = 2.916" in s for s in planned.assumptions)
        (one,) = plan("besiroglu2024", flops=1e22, unique_tokens="25B", repetition=ALONE).options
        assert one.label.endswith(ALONE)

    def test_effective_tokens_and_the_next_one(self) -> None:
        option = plan(MUENNIGHOFF, flops=1e22, unique_tokens=25e9).options[0]
        worth = published("muennighoff2023_Deff").predict(tokens=option.tokens.mid, unique_tokens=25e9).mid[0]
        assert option.effective_tokens.mid == pytest.approx(worth, rel=1e-12)
        assert option.next_token_worth.mid == pytest.approx(np.exp(-(option.epochs.mid - 1) / 15.387756), rel=1e-9)

    def test_with_ample_data_it_is_the_plan_of_the_fit(self) -> None:
        plain = plan("besiroglu2024", flops=1e22).options[0]
        for option in plan("besiroglu2024", flops=1e22, unique_tokens="100T").options:
            assert option.params.mid == pytest.approx(plain.params.mid, rel=1e-6)
            assert option.loss.mid == pytest.approx(plain.loss.mid, rel=1e-9)
            assert option.epochs.mid < 1 and option.lost_to_repeats.mid == pytest.approx(0, abs=1e-12)
            assert option.effective_tokens.mid == option.tokens.mid and option.next_token_worth.mid == 1

    def test_fewer_distinct_tokens_cost_more_and_draws_give_intervals(self) -> None:
        fit = known(draws=40)
        losses = [plan(fit, flops=1e21, unique_tokens=u).options[0].loss.mid for u in (1e9, 4e9, 1.6e10, 1e12)]
        assert np.all(np.diff(losses) < 0)
        option = plan(fit, flops=1e21, unique_tokens=4e9).options[0]
        for name in ("params", "epochs", "effective_tokens", "loss"):
            assert option[name].low < option[name].mid < option[name].high

    def test_a_fit_of_another_form(self) -> None:
        with pytest.raises(RequestError, match="Chinchilla's form"):
            plan("kaplan2020_L_ND", flops=1e21, unique_tokens=1e9)
        with pytest.raises(RequestError, match="cannot be counted by 'besiroglu2024'"):
            plan(known(), flops=1e21, unique_tokens=1e9, repetition="besiroglu2024")


class TestStop:
    def test_it_is_the_budget_for_which_the_size_is_best(self) -> None:
        for key in (MUENNIGHOFF, ALONE):
            stop = plan(key, params="7B", unique_tokens="25B").options[0]
            best = plan(key, flops=stop.flops.mid, unique_tokens="25B").options[0]
            assert best.params.mid == pytest.approx(7e9, rel=1e-6)
            assert best.epochs.mid == pytest.approx(stop.epochs.mid, rel=1e-6)

    def test_half_the_worth(self) -> None:
        option = plan(MUENNIGHOFF, params="7B", unique_tokens="25B").options[0]
        assert np.exp(-(option.epochs_to_half.mid - 1) / 15.387756) == pytest.approx(0.5)
        assert np.exp(-(option.epochs_to_tenth.mid - 1) / 15.387756) == pytest.approx(0.1)

    def test_a_larger_model_stops_later(self) -> None:
        epochs = [plan(known(), params=n, unique_tokens=5e9).options[0].epochs.mid for n in (3e8, 1e9, 3e9)]
        assert epochs == sorted(epochs)


class TestEnough:
    @pytest.mark.parametrize("size", [1e7, 1e9, 1e11])
    @pytest.mark.parametrize("share", [0.005, 0.02, 0.1])
    def test_kaplans_general_form(self, size: float, share: float) -> None:
        t = published("kaplan2020_L_ND").theta
        excess = (1 + share) ** (1 / t["alpha_D"]) - 1
        tokens = t["D_c"] * (size / t["N_c"]) ** (t["alpha_N"] / t["alpha_D"]) / excess
        option = plan("kaplan2020_L_ND", params=size, overfit=share).options[0]
        assert option.tokens.mid == pytest.approx(tokens, rel=1e-8)
        assert option.growth_exponent.mid == pytest.approx(t["alpha_N"] / t["alpha_D"], rel=1e-8)

    def test_kaplans_rule_and_his_22_billion(self) -> None:
        """Eq. 4.4: 5e3 N^0.74 keep overfitting within 0.02; 22B tokens are enough for 1e9 parameters."""
        option = plan("kaplan2020_L_ND", params=1e9, overfit="2%").options[0]
        rule = float(published("kaplan2020_safe_data").predict(body_params=1e9).mid[0])
        assert option.tokens.mid == pytest.approx(rule, rel=0.06)
        assert option.tokens.mid == pytest.approx(22e9, rel=0.1)
        assert option.growth_exponent.mid == pytest.approx(0.74, abs=0.003)

    def test_any_law_of_size_and_data(self) -> None:
        c = CHINCHILLA
        option = plan(known(draws=30), params=2e9, overfit=0.03).options[0]
        endless = c["E"] + c["A"] * 2e9 ** -c["alpha"]
        assert option.tokens.mid == pytest.approx((c["B"] / (0.03 * endless)) ** (1 / c["beta"]), rel=1e-8)
        assert option.tokens.low < option.tokens.mid < option.tokens.high
        found = optimize.brentq(
            lambda log: (
                published("busbridge2025_supervised").predict(body_params=1e9, tokens=np.exp(log)).mid[0]
                - 1.02 * published("busbridge2025_supervised").predict(body_params=1e9, tokens=1e45).mid[0]
            ),
            15,
            50,
        )
        told = plan("busbridge2025_supervised", params=1e9, overfit=0.02).options[0].tokens.mid
        assert told == pytest.approx(np.exp(found), rel=1e-6)  # type: ignore[arg-type]

"""Runs on accelerators: hours, dollars, memory and devices agree with their parts; serving in dollars; fewer bits."""

from __future__ import annotations

import math

import pytest
from planned import known
from scipy import optimize

from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, intervals, plan
from isoloss.planning.hardware import accelerator
from isoloss.planning.memory import footprint
from isoloss.planning.money import bill
from isoloss.planning.precision import effective_share
from isoloss.planning.running import least_holding
from isoloss.planning.serving import serving
from isoloss.planning.shape import nearest
from isoloss.planning.wall_time import machine
from isoloss.published import published

KEY = "besiroglu2024"


class TestRunning:
    def test_hours_dollars_and_energy_are_those_of_the_bill(self) -> None:
        (option,) = plan(KEY, flops=1e24, accelerator="h100-sxm", count=512).options
        (billed,) = bill(1e24, "h100-sxm", devices=512).options
        assert option.hours.mid == pytest.approx(24 * billed.days.mid)
        for name in ("device_hours", "dollars", "kwh"):
            assert option[name] == billed[name]
        (best,) = plan(KEY, flops=1e24).options
        assert option.params.mid == best.params.mid and option.loss.mid == best.loss.mid

    def test_the_fewest_devices_hold_it_and_fewer_are_a_finding(self) -> None:
        (option,) = plan(KEY, flops=1e23, accelerator="h100-sxm").options
        least = int(option.least_devices.mid)
        assert option.devices.mid == least > 1
        assert option.bytes_per_device.mid <= 0.9 * accelerator("h100-sxm").memory
        made = plan(KEY, flops=1e23, accelerator="h100-sxm", count=1)
        assert [f.number for f in made.findings if f.code == "M3"] == [least]
        assert not [f for f in plan(KEY, flops=1e23, accelerator="h100-sxm", count=least).findings if f.code == "M3"]

    def test_no_way_of_sharing_layers_takes_fewer(self) -> None:
        shape = nearest(2e10, vocab=32000)
        held = least_holding(shape, "a100-80")
        assert held is not None and held.recompute == "selective"
        room = 0.9 * accelerator("a100-80").memory
        for tensor in (1, 2, 4, 8):
            for devices in range(tensor, held.devices, tensor):
                assert footprint(shape, devices=devices, stage=3, tensor=tensor, recompute="selective").total > room

    def test_more_devices_than_the_batch_feeds_cost_more(self) -> None:
        how = {"flops": 1e24, "accelerator": "h100-sxm", "critical_batch": 4096 * 1024, "vocab": 32000}
        made = plan(KEY, count=[4096, 16384, 65536], **how)  # type: ignore[arg-type]
        first = made.options[0]
        most = first.most_devices.mid
        assert most == 8 * 1024, "eight share each layer, and take one sequence"
        assert "token_factor" not in first.estimates
        for option in made.options[1:]:
            more = (1 + option.devices.mid / most) / 2
            assert option.token_factor.mid == pytest.approx(more) and more > 1
            assert option.device_hours.mid == pytest.approx(more * first.device_hours.mid)
            assert option.dollars.mid == pytest.approx(more * first.dollars.mid)
            assert option.hours.mid < first.hours.mid

    def test_to_a_loss_the_ends_take_in_those_of_the_compute(self) -> None:
        made = plan(known(draws=60), loss=2.2, accelerator="h100-sxm", count=64, utilisation=0.4, price=2)
        (option,) = made.options
        assert option.flops.low < option.flops.mid < option.flops.high
        for end in ("low", "mid", "high"):
            hours = getattr(option.flops, end) / (0.4 * 64 * accelerator("h100-sxm").flops) / 3600
            assert getattr(option.hours, end) == pytest.approx(hours)
            assert getattr(option.dollars, end) == pytest.approx(128 * hours)
        assert "90% intervals; bounds of what is assumed: " in " ".join(str(made).split())

    def test_measured_speed_is_that_of_the_planned_model(self) -> None:
        (option,) = plan(KEY, flops=1e21, accelerator="h100-sxm", count=8, tokens_per_second=1000).options
        assert option.hours.mid == pytest.approx(option.tokens.mid / 8000 / 3600)

    def test_what_is_not_known_is_left_out_with_a_finding(self) -> None:
        made = plan(KEY, flops=1e21, accelerator="gaudi3", count=8)
        assert "dollars" not in made.options[0].estimates and "M1" in {f.code for f in made.findings}

    def test_a_tiny_model_is_planned_too(self) -> None:
        (option,) = plan(known(draws=0), flops=1e13, accelerator="4090").options
        assert option.least_devices.mid == 1

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"count": 0}, "0 devices cannot be"),
            ({"count": 2.5}, "2.5 devices cannot be"),
            ({"utilisation": 2}, "more than"),
        ],
    )
    def test_what_cannot_be(self, wrong: dict, words: str) -> None:
        with pytest.raises(RequestError, match=words):
            plan(KEY, **{"flops": 1e22, "accelerator": "h100", "count": 8, **wrong})
        with pytest.raises(UnknownNameError, match="style"):
            plan(KEY, flops=1e22, accelerator="h100", style="lama")


class TestServing:
    def test_by_hand(self) -> None:
        """Reading: 2 / (0.5 x 1e15) s a parameter; writing: 2 bytes / (0.5 x 2e12) / 10 sequences."""
        used = machine("h100-sxm")
        peak, bandwidth = used.accelerator.flops, used.accelerator.bandwidth
        how = {"written": 0.4, "prefill": 0.5, "bandwidth_share": 0.5, "together": 10}
        made = serving(used, how)
        by_hand = 0.6 * 2 / (0.5 * peak) + 0.4 * 2 / (0.5 * bandwidth * 10)
        assert made.seconds.mid == pytest.approx(by_hand, rel=1e-9, abs=0)
        assert made.writing_utilisation.mid == pytest.approx(0.5 * bandwidth * 10 / peak)

    def test_many_sequences_are_bound_by_compute(self) -> None:
        used = machine("h100-sxm")
        made = serving(used, {"written": 0.4, "prefill": 0.5, "together": 1e6})
        assert made.seconds.mid == pytest.approx(2 / (0.5 * used.accelerator.flops), rel=1e-9, abs=0)

    def test_at_one_utilisation_it_is_the_plan_in_flop(self) -> None:
        """Reading and writing at the training's utilisation: dollars are FLOP, and Sardana's example comes back."""
        how = {"utilisation": 0.4, "prefill": 0.4, "together": 1e6, "price": 2}
        made = plan("sardana2023_L", quality="13B", served="2T", accelerator="h100-sxm", **how)
        flop = plan("sardana2023_L", quality="13B", served="2T")
        assert [o.label.split(",")[0] for o in made.options] == ["cheapest", "cheapest to train"]
        for one, other in zip(made.options, flop.options, strict=True):
            assert one.params.mid == pytest.approx(other.params.mid, rel=1e-9)
            assert one.saving.mid == pytest.approx(other.saving.mid, abs=1e-9)
            spent = other.lifetime_flops.mid / (0.4 * accelerator("h100-sxm").flops) / 3600 * 2
            assert one.dollars.mid == pytest.approx(spent)

    def test_no_other_size_costs_fewer_dollars(self) -> None:
        target = 2.1
        option = plan(KEY, loss=target, served="2T", accelerator="h100-sxm").options[0]
        used, theta = machine("h100-sxm"), published(KEY).theta
        seconds = serving(used, {}).seconds.mid

        def dollars(log_size: float) -> float:
            size = math.exp(log_size)
            left = target - theta["E"] - theta["A"] * size ** -theta["alpha"]
            tokens = (theta["B"] / left) ** (1 / theta["beta"]) if left > 0 else 1e30
            return (6 * size * tokens / used.rate.mid + size * 2e12 * seconds) / 3600 * used.accelerator.price.mid

        best = math.log(option.params.mid)
        found = optimize.minimize_scalar(dollars, bounds=(best - 0.5, best + 0.5), method="bounded")
        assert option.dollars.mid == pytest.approx(dollars(best))
        assert option.dollars.mid <= found.fun * (1 + 1e-9)  # type: ignore[union-attr]

    def test_dearer_serving_wants_smaller_models(self) -> None:
        made = plan(known(draws=40), loss=2.2, served="1T", accelerator="h100-sxm")
        sizes = {o.label.split(",")[0]: o.params for o in made.options}
        least, middle = sizes["cheapest if serving takes the least"], sizes["cheapest"]
        assert sizes["cheapest to train"].mid > least.mid > middle.mid
        assert middle.mid > sizes["cheapest if serving takes the most"].mid and middle.low < middle.mid < middle.high

    def test_weights_of_fewer_bits_are_read_faster(self) -> None:
        used = machine("h100-sxm")
        sixteen, four = (serving(used, {"written": 1.0, "together": 1, "weight_bits": b}) for b in (16, 4))
        assert sixteen.seconds.mid == pytest.approx(4 * four.seconds.mid, rel=1e-9, abs=0)

    def test_shares_above_one(self) -> None:
        with pytest.raises(RequestError, match="written = 2 is no share"):
            plan(KEY, loss=2.1, served="2T", accelerator="h100", written=2)


class TestBits:
    def test_by_the_paper_formulae(self) -> None:
        after, weights, everything = plan(KEY, params=1e9, tokens=1e11, bits=4).options
        theirs = published("kumar2024_ptq").predict(params=1e9, tokens=1e11, post_bits=4)
        assert after.loss_increase.mid == pytest.approx(float(theirs.estimate[0].mid))
        gamma = published("kumar2024_train").theta
        share = 1 - math.exp(-4 / gamma["gamma_w"])
        assert weights.effective_params.mid == pytest.approx(share * 1e9)
        there = published(KEY).predict(params=share * 1e9, tokens=1e11, kind="mean").estimate[0].mid
        assert weights.loss.mid == pytest.approx(there)
        assert everything.effective_params.mid < weights.effective_params.mid

    def test_many_bits_cost_nothing(self) -> None:
        assert effective_share(64) == pytest.approx(1)
        for option in plan(KEY, flops=1e21, bits=60).options:
            assert option.loss_increase.mid == pytest.approx(0, abs=1e-8)
        with pytest.raises(RequestError, match="65 bits"):
            plan(KEY, flops=1e21, bits=65)

    def test_longer_training_loses_more_after_training(self) -> None:
        short, long = (plan(KEY, params=1e9, tokens=d, bits=3).options[0] for d in (2e10, 2e12))
        assert long.loss_increase.mid > short.loss_increase.mid

    def test_warnings_of_the_paper_are_told(self) -> None:
        assert any("kumar2024_ptq" in f.sentence for f in plan(KEY, flops=1e21, bits=4).findings)
        planned = plan(known(draws=40), flops=1e21, bits=4).options[1]
        assert planned.loss.low < planned.loss.mid < planned.loss.high


class TestBounds:
    def test_they_are_not_called_intervals(self) -> None:
        made = bill(1e21, "h100-sxm")
        goal = str(made).splitlines()[0]
        assert "(bounds of what is assumed)" in goal and "interval" not in goal
        assert made.to_json()["level"] is None and "dollars" in made.to_json()["bounds"]

    def test_without_doubt_nothing_is_said(self) -> None:
        exact = Option({"hours": intervals.exact(2.0)})
        assert str(Plan("goal", (exact,), None, bounds=("hours",))) == "goal\n              hours  2"

    def test_quantiles_and_bounds_are_told_apart(self) -> None:
        both = Option({"params": intervals.read("1:2:3", "a"), "hours": intervals.read("4:5:6", "b")})
        assert str(Plan("g", (both,), 0.9, bounds=("hours",))).startswith(
            "g (90% intervals; bounds of what is assumed: hours)\n"
        )
        assert str(Plan("g", (both,), 0.9)).startswith("g (90% intervals)\n")

    def test_whole_numbers(self) -> None:
        assert answers.whole("4k", "count") == 4000
        for wrong in (0, 1.5, float("nan")):
            with pytest.raises(RequestError):
                answers.whole(wrong, "count")
        assert intervals.read("30%:40%:50%", "utilisation") == intervals.read((0.3, 0.4, 0.5), "utilisation")

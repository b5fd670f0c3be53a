"""The table of accelerators, and what follows from it: time, dollars, energy, and the way back."""

from __future__ import annotations

import math
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoloss.core.errors import CellError, FormatError, RequestError, UnknownNameError
from isoloss.core.estimate import Estimate
from isoloss.core.fit import Data, Fit
from isoloss.core.law import find
from isoloss.planning import intervals, plan
from isoloss.planning.energy import kilowatt_hours
from isoloss.planning.hardware import NUMBERS, accelerator, accelerators
from isoloss.planning.money import bill, flops_for_dollars, flops_for_hours
from isoloss.planning.wall_time import critical_batch, machine, speed_up
from isoloss.published import published

TABLE = tomllib.loads(files("isoloss.planning").joinpath("hardware.toml").read_text(encoding="utf-8"))

# What the chips do a clock, from NVIDIA's whitepapers: multiply-adds a clock and SM with sums in 32 bits (GeForce has
# half), SMs, and the boost clock of the datasheets. Two FLOP a multiply-add.
BY_CLOCK = {
    "a10": (512, 72, 1.695e9),
    "a6000": (512, 84, 1.800e9),
    "rtx3090": (256, 82, 1.695e9),
    "rtx4090": (256, 128, 2.520e9),
    "rtx5090": (256, 170, 2.407e9),
    "a100-80": (1024, 108, 1.410e9),
}
MINE = """
schema = 1
[accelerators.mine]
name = "mine"
flops = 1e14
price = 2
"""


class TestTable:
    def test_every_number_has_a_source_with_address_and_date(self) -> None:
        for key, table in TABLE["accelerators"].items():
            for number in (*NUMBERS, "price"):
                cited = table["sources"].get(number)
                assert (number in table) == (cited is not None), (key, number)
                for source in [cited] if isinstance(cited, str) else cited or []:
                    assert TABLE["sources"][source]["address"].startswith("https://"), (key, source)
                    assert len(TABLE["sources"][source]["date"]) == 10, (key, source)

    def test_all_kinds_that_were_asked_for_are_there(self) -> None:
        wanted = "v100 a100-40 a100-80 h100-sxm h100-pcie h100-nvl h200 b200 gb200 mi250x mi300x mi325x tpu-v3 tpu-v4 "
        wanted += "tpu-v5e tpu-v5p tpu-v6e l4 l40s a10 a6000 rtx3090 rtx4090 rtx5090 gaudi2 gaudi3 m3-ultra"
        assert set(wanted.split()) <= accelerators().keys()

    @pytest.mark.parametrize("key", BY_CLOCK)
    def test_peaks_are_dense_with_sums_in_32_bits(self, key: str) -> None:
        multiply_adds, cores, clock = BY_CLOCK[key]
        assert accelerator(key).flops == pytest.approx(2 * multiply_adds * cores * clock, rel=0.003)

    def test_numbers_are_of_the_right_size(self) -> None:
        for kind in accelerators().values():
            assert math.isnan(kind.flops) or 5e13 < kind.flops < 5e15, kind.key
            assert 1e10 < kind.memory < 1e12 and 2e11 < kind.bandwidth < 1e13, kind.key
            assert math.isnan(kind.power) or 50 < kind.power < 2000, kind.key
            assert math.isnan(kind.price.mid) or 0.1 < kind.price.mid < 15, kind.key

    def test_what_no_source_gives_is_an_error_that_names_it(self) -> None:
        with pytest.raises(RequestError, match=r"No source gives the flops of Apple M3 Ultra.*\n.*memory, bandwidth"):
            bill(1e20, "m3-ultra")
        with pytest.raises(RequestError, match="price of AMD Instinct MI250X"):
            plan("besiroglu2024", dollars=1e4, accelerator="mi250x")
        assert plan("besiroglu2024", dollars=1e4, accelerator="mi250x", price="1:1.5:2").options

    def test_an_unknown_name_offers_near_ones(self) -> None:
        with pytest.raises(UnknownNameError, match=r"h100-sxm, h100-pcie, h100-nvl[\s\S]*isoloss hardware"):
            accelerator("h10")
        with pytest.raises(UnknownNameError, match=r"Near names: .*rtx4090"):
            accelerator("rtx4080")

    @pytest.mark.parametrize("name", ["H100-SXM", "h100 sxm", "NVIDIA H100 SXM", "H100", "h100 80GB"])
    def test_spelling_is_no_matter(self, name: str) -> None:
        assert accelerator(name).key == "h100-sxm"

    def test_a_name_of_several_says_which_was_taken(self) -> None:
        assert accelerator("h100-sxm").chosen == "" and "h100-pcie, h100-nvl" in accelerator("H100").chosen
        assert any("'A100' is taken as NVIDIA A100 SXM4 80 GB" in line for line in bill(1e20, "A100").assumptions)
        assert accelerator("4090").key == "rtx4090" and accelerator("Trillium").key == "tpu-v6e"

    def test_no_two_accelerators_share_a_name(self) -> None:
        names = [name for kind in accelerators().values() for name in (kind.key, *kind.also)]
        assert len(names) == len(set(names))

    def test_single_numbers_are_replaced_and_say_so(self) -> None:
        kind = accelerator("h100-sxm", price="1:2:3")
        assert kind.price == Estimate(2, 1, 3) and "given by you" in kind.stated("price")
        with pytest.raises(UnknownNameError, match="number of an accelerator"):
            accelerator("h100-sxm", colour=3)


class TestOwnTable:
    def test_it_takes_the_place_of_the_shipped_one(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(MINE)
        assert list(accelerators(path)) == ["mine"]
        (option,) = bill(3.6e17, "mine", table=path, utilisation=1).options
        assert option.device_hours == intervals.exact(1.0) and option.dollars.mid == 2
        assert "kwh" not in option.estimates

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("schema = 2\n", "no table of accelerators"),
            (MINE.replace("flops", "flop"), "unknown flop"),
            (MINE.replace('name = "mine"', ""), "a name is missing"),
            (MINE.replace("1e14", '"fast"'), "is not a number"),
            (MINE.replace("= 2", "= { low = 1 }"), "typical"),
            (MINE.replace("= 2", "= -2"), "no interval of positive"),
            (MINE + 'sources = "here"\n', "is no table"),
            (MINE + 'also = "ours"\n', "no list of names"),
            (MINE.replace("= 2", '= { typical = "dear" }'), "is not a number"),
            ("sources = 3\n" + MINE, "is no table"),
            ("[[", "no TOML"),
        ],
    )
    def test_a_table_that_is_none_is_refused_with_words(self, tmp_path: Path, text: str, words: str) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        with pytest.raises((FormatError, RequestError, CellError), match=words):
            accelerators(path)
        with pytest.raises(FormatError, match="Cannot read"):
            accelerators(tmp_path / "absent.toml")


class TestIntervals:
    @pytest.mark.parametrize(
        ("written", "made"),
        [
            (0.4, Estimate(0.4, 0.4, 0.4)),
            ("2:3:5", Estimate(3, 2, 5)),
            ((2, 3, 5), Estimate(3, 2, 5)),
            ("1k", Estimate(1e3, 1e3, 1e3)),
        ],
    )
    def test_what_may_be_written(self, written: object, made: Estimate) -> None:
        assert intervals.read(written, "price") == made

    @pytest.mark.parametrize("wrong", ["3:2:5", "1:2", 0, -1, (1, 2, math.inf), (1, 2, 3, 4)])
    def test_what_may_not(self, wrong: object) -> None:
        with pytest.raises(RequestError, match="price = "):
            intervals.read(wrong, "price")

    @given(
        st.tuples(*[st.tuples(*[st.floats(0.1, 10)] * 3).map(sorted)] * 2), st.tuples(st.floats(0, 1), st.floats(0, 1))
    )
    def test_ends_hold_every_combination(self, ends: list[list[float]], inside: tuple[float, float]) -> None:
        a, b = (Estimate(mid, low, high) for low, mid, high in ends)
        x, y = (e.low + share * (e.high - e.low) for e, share in zip((a, b), inside, strict=True))
        product, quotient = intervals.times(a, b), intervals.over(a, b)
        slack = 1 + 1e-12
        assert product.low <= x * y * slack and x * y <= product.high * slack
        assert quotient.low <= x / y * slack and x / y <= quotient.high * slack


class TestTime:
    def test_by_hand(self) -> None:
        """1e21 FLOP on 8 devices of 312e12 at 0.4 take 1e21 / (8 * 312e12 * 0.4) s = 11.59 days."""
        (option,) = bill(1e21, "a100-80", devices=8, utilisation=0.4).options
        assert option.days.mid == pytest.approx(1e21 / (8 * 312e12 * 0.4) / 86400)
        assert option.device_hours.mid == pytest.approx(8 * 24 * option.days.mid)
        assert option.days.low == option.days.high == option.days.mid

    def test_llama_3_took_what_its_card_says(self) -> None:
        """Llama 3.1 405B: 3.8e25 FLOP, 16,384 H100, 38% to 43% utilisation, 30.84M H100 hours (the card, all of it)."""
        (option,) = bill("3.8e25", "h100-sxm", devices=16384, utilisation="0.38:0.41:0.43").options
        assert option.device_hours.mid == pytest.approx(30.84e6, rel=0.2)

    def test_the_default_utilisation_is_an_interval_and_stated(self) -> None:
        made = bill(1e21, "h100-sxm")
        assert made.options[0].days.high / made.options[0].days.low == pytest.approx(0.5 / 0.3)
        assert any("utilisation 0.40 (0.30 to 0.50), assumed" in line for line in made.assumptions)
        assert any("not a probability" in line for line in made.assumptions) and made.level is None

    def test_measured_tokens_per_second_tell_the_speed_without_a_peak(self) -> None:
        (option,) = bill(6e20, "m3-ultra", tokens="1e11", tokens_per_second=1e4).options
        assert option.days.mid == pytest.approx(1e11 / 1e4 / 86400)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"utilisation": 1.2}, "more than the devices can do"),
            ({"devices": 0}, "0 devices"),
            ({"devices": 2.5}, "2.5 devices"),
            ({"tokens_per_second": 1e4}, "FLOP of one token"),
            ({"tokens_per_second": 1e7, "tokens": 1e11}, "above the peak"),
            ({"tokens_per_second": 1e3, "tokens": 1e11, "utilisation": 0.4}, "either tells the speed"),
            ({"flops": -1}, "flops = -1"),
        ],
    )
    def test_what_cannot_be_is_refused_with_words(self, wrong: dict, words: str) -> None:
        with pytest.raises(RequestError, match=words):
            bill(**{"flops": 6e20, "accelerator": "h100-sxm", **wrong})


class TestSpeedUp:
    def test_devices_help_up_to_the_critical_batch(self) -> None:
        made = speed_up(6e21, 1e11, "h100-sxm", batch=1024 * 4096, sequence=4096)
        devices = np.array([o.devices.mid for o in made.options])
        days = np.array([o.days.mid for o in made.options])
        below = devices <= 1024
        np.testing.assert_allclose(days[below] * devices[below], days[0])
        assert np.all(np.diff(days) < 0) and devices[-1] == 4096

    def test_beyond_it_the_tokens_follow_the_hyperbola(self) -> None:
        """At four times the critical batch 2.5 times the tokens, at twice 1.5 (McCandlish et al. 2018, Eq. 2.11)."""
        made = speed_up(6e21, 1e11, "h100-sxm", batch=1024 * 4096, sequence=4096)
        factors = {o.devices.mid: o.token_factor.mid for o in made.options}
        assert factors[1024] == 1 and factors[2048] == 1.5 and factors[4096] == 2.5

    def test_a_replica_of_more_devices_feeds_more(self) -> None:
        made = speed_up(6e21, 1e11, "h100-sxm", batch=1024 * 4096, sequence=4096, replica=8)
        assert made.options[0].devices.mid == 8 and made.options[-1].devices.mid == 8 * 4096

    def test_published_critical_batches_are_asked_and_named(self) -> None:
        value, said, findings = critical_batch(1e11, loss=2.3)
        kaplan = float(published("kaplan2020_B_crit").predict(loss=2.3).estimate[0].mid)
        assert value.low <= kaplan <= value.high and value.low < value.mid < value.high
        assert "cbs2024" in said[0] and "kaplan2020_B_crit" in said[0]
        assert any(f.severity == "amber" for f in findings), "one of them is known from memory"

    def test_a_fit_of_ones_own_is_taken(self) -> None:
        law = find("critical_batch")
        fit = Fit(law, law.theta({"B_star": 2e8, "alpha_B": 0.21}), np.empty((0, 2)), "converged", Data(9, "b.csv"))
        value, _, _ = critical_batch(1e11, loss=2.0, given=fit)
        assert value.mid == pytest.approx(2e8 * 2.0 ** (-1 / 0.21))
        with pytest.raises(RequestError, match="tells no critical batch"):
            critical_batch(1e11, given=fit)


class TestMoney:
    def test_dollars_and_flops_are_inverse(self) -> None:
        used = machine("h100-sxm", utilisation=0.4, price=3)
        bought = flops_for_dollars("30k", used)
        (option,) = bill(bought.mid, "h100-sxm", utilisation=0.4, price=3).options
        assert option.dollars.mid == pytest.approx(30e3)

    def test_hours_and_flops_are_inverse(self) -> None:
        used = machine("a100-80", devices=64, utilisation=0.4)
        (option,) = bill(flops_for_hours(100, used).mid, "a100-80", devices=64, utilisation=0.4).options
        assert option.days.mid * 24 == pytest.approx(100)

    def test_cheap_and_fast_is_the_most_flops(self) -> None:
        bought = flops_for_dollars(1000, machine("h100-sxm", utilisation="0.3:0.4:0.5", price="2:3:4"))
        assert bought.low == pytest.approx(1000 / 4 * 3600 * 0.3 * 989.4e12)
        assert bought.high == pytest.approx(1000 / 2 * 3600 * 0.5 * 989.4e12)

    def test_a_plan_of_dollars_is_the_plan_of_their_flops(self) -> None:
        made = plan("besiroglu2024", dollars="10k", accelerator="h100-sxm")
        used = flops_for_dollars(1e4, machine("h100-sxm"))
        budgets = plan("besiroglu2024", flops=[used.low, used.mid, used.high])
        assert [o.params.mid for o in made.options] == [o.params.mid for o in budgets.options]
        assert [o.label.split(":")[0] for o in made.options] == ["at the low end", "typical", "at the high end"]

    def test_one_option_where_nothing_is_uncertain(self) -> None:
        made = plan("besiroglu2024", hours=24, count=8, accelerator="h100-sxm", utilisation=0.4)
        assert len(made.options) == 1 and made.options[0].flops.mid == pytest.approx(24 * 3600 * 8 * 0.4 * 989.4e12)

    def test_an_unknown_end_of_a_price_stays_unknown(self) -> None:
        (option,) = bill(1e21, "v100").options
        assert math.isnan(option.dollars.low) and option.dollars.mid > 0
        made = plan("besiroglu2024", dollars=1e4, accelerator="v100")
        assert [o.label.split(":")[0] for o in made.options] == [""]

    def test_a_missing_price_is_a_finding_and_the_rest_is_answered(self) -> None:
        made = bill(1e21, "gaudi3")
        assert [f.code for f in made.findings] == ["M1"] and "dollars" not in made.options[0].estimates
        assert made.options[0].kwh.mid > 0


class TestEnergy:
    def test_by_hand(self) -> None:
        """700 W drawn in full for an hour on 10 devices with a PUE of 1.2: 8.4 kWh."""
        made, said = kilowatt_hours(machine("h100-sxm", devices=10), intervals.exact(3600.0), drawn=1, pue=1.2)
        assert made.mid == pytest.approx(8.4)
        assert any("hosts and network" in line for line in said)

    def test_without_a_power_it_is_an_error(self) -> None:
        used = machine("m3-ultra", tokens_per_second=1e3, flops_per_token=6e9)
        with pytest.raises(RequestError, match="power of Apple"):
            kilowatt_hours(used, intervals.exact(1.0))

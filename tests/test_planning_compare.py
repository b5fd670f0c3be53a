"""Plans side by side: who wins and how surely, where two curves cross, factors and exponents, and Llama 3's spread."""

import numpy as np
import pytest
from planned import known
from simulate import CHINCHILLA, sweep

import isoloss as il
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.planning import plan
from isoloss.planning.multiplier import INDEPENDENT, PAIRED

C = CHINCHILLA
SLOWER = C | {"A": C["A"] * 2 ** C["alpha"], "B": C["B"] * 2 ** C["beta"]}  # size and data count for half: 4 C


def test_a_factor_stays_and_its_multiplier_is_known() -> None:
    beside = plan(known(draws=60), flops=1e21, beside=known(SLOWER, draws=60, seed=1)).options[1]
    assert beside.multiplier.mid == pytest.approx(4, rel=1e-9)
    assert beside.multiplier_growth.mid == pytest.approx(1, rel=1e-9)
    assert beside.multiplier_growth.low < 1 < beside.multiplier_growth.high
    assert "crossover_flops" not in beside.estimates or not np.isfinite(beside.crossover_flops.mid)


def test_data_alone_is_a_data_multiplier() -> None:
    beside = plan(known(), flops=1e21, beside=known(C | {"B": C["B"] * 1.5 ** C["beta"]})).options[1]
    assert beside.data_multiplier.mid == pytest.approx(1.5, rel=1e-9)
    assert 1 < beside.multiplier.mid < 1.5


def test_an_exponent_grows() -> None:
    steep = known(C | {"beta": 0.40})
    beside = plan(steep, flops=1e21, beside=known()).options[1]
    assert beside.multiplier_growth.mid > 1.05


def test_crossover_is_where_both_reach_one_loss() -> None:
    one, other = "besiroglu2024", "chinchilla2022_a3_tex"
    crossing = plan(one, flops=1e22, beside=other).options[1].crossover_flops.mid
    losses = [plan(key, flops=crossing).options[0].loss.mid for key in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    assert plan(other, flops=1e22, beside=one).options[1].crossover_flops.mid == pytest.approx(crossing, rel=1e-9)


def test_sure_is_the_share_of_paired_draws() -> None:
    one = sweep(50, 0.004, 0).with_columns(arch=np.repeat("good", 50))
    other = sweep(50, 0.004, 1, C | {"A": C["A"] * 1.01}).with_columns(arch=np.repeat("plain", 50))
    groups = il.fit(one + other, by="arch", share="E,alpha,beta", objective="squared_log", draws=200)
    planned = plan(groups["good"], flops=1e21, beside=groups["plain"])
    told = planned.options[1]
    assert PAIRED in planned.assumptions and 0.5 < told.sure.mid <= 1
    wins = [
        float(a.loss.mid < b.loss.mid)
        for a, b in zip(*(_alone(groups[name]) for name in ("good", "plain")), strict=True)
    ]
    assert told.sure.mid == pytest.approx(np.mean(wins))
    back = plan(groups["plain"], flops=1e21, beside=groups["good"]).options[1]
    assert back.sure.mid == pytest.approx(1 - told.sure.mid)
    apart = plan(known(draws=30), flops=1e21, beside=known(draws=40, seed=1))
    assert INDEPENDENT in apart.assumptions


def _alone(fit: il.Fit) -> list:
    return [
        plan(known(dict(zip(fit.law.names, row, strict=True))), flops=1e21).options[0] for row in fit.draws_sp.tolist()
    ]


def test_llama_3s_flagship_lies_in_the_spread() -> None:
    """The report's 402B on 16.55T tokens for 3.8e25 FLOP, by its law in printed digits, beside other laws."""
    others = ["chinchilla2022_a1", "chinchilla2022_a2", "chinchilla2022_a3_tex", "besiroglu2024"]
    planned = plan("llama3_isoflop", flops=3.8e25, beside=others)
    own = planned.options[0]
    assert own.tokens.mid == pytest.approx(16.55e12, rel=0.02)
    assert own.params.mid == pytest.approx(402e9, rel=0.04)
    sizes = [option.params.mid for option in planned.options]
    assert len(sizes) == 5 and min(sizes) < 402e9 < max(sizes)
    (spread,) = [f for f in planned.findings if f.code == "C6"]
    assert spread.number == pytest.approx(max(sizes) / min(sizes)) and spread.severity == "amber"
    assert all("multiplier" not in option.estimates for option in planned.options)


def test_budgets_and_kinds_of_fit_mix() -> None:
    planned = plan("besiroglu2024", flops=[1e20, 1e22], beside=["chinchilla2022_a1", "henighan2020_language_C"])
    assert [o.label.split(",")[-1].strip() for o in planned.options[::3]] == ["1e20 FLOP", "1e22 FLOP"]
    assert set(planned.options[2].estimates) >= {"flops", "loss", "multiplier"}
    with pytest.raises(UnknownNameError, match="besiroglu2024"):
        plan("besiroglu2024", flops=1e20, beside="besiroglu")
    with pytest.raises(RequestError, match="What stands beside"):
        plan("besiroglu2024", flops=1e20, beside=3)

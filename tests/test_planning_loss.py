"""The inverse question, what a loss costs, and runs with one number settled, beside independent arithmetic."""

import json
from typing import Any

import numpy as np
import pytest
from planned import known
from scipy import optimize
from simulate import CHINCHILLA, sweep

import isoloss as il
from isoloss.core.errors import CellError, RequestError
from isoloss.planning import plan

C, E = CHINCHILLA, CHINCHILLA["E"]


def loss(size: float, tokens: float) -> float:
    return E + C["A"] * size ** -C["alpha"] + C["B"] * tokens ** -C["beta"]


@pytest.mark.parametrize(
    "fit", [known(draws=40), "besiroglu2024", "kaplan2020_L_ND", "busbridge2025_supervised"], ids=str
)
def test_there_and_back(fit: Any) -> None:
    forth = plan(fit, flops=1e22).options[0]
    back = plan(fit, loss=forth.loss.mid).options[0]
    for name in ("flops", "tokens", "tokens_per_param"):
        assert back[name].mid == pytest.approx(forth[name].mid, rel=1e-6), name
    assert back.loss.mid == forth.loss.mid


def test_cheapest_is_the_closed_form_of_chinchilla() -> None:
    target = 2.1
    a, b = C["alpha"], C["beta"]
    size = (C["A"] * (1 + a / b) / (target - E)) ** (1 / a)  # at the optimum the data's term is a / b of the size's
    tokens = (C["B"] * (1 + b / a) / (target - E)) ** (1 / b)
    option = plan(known(), loss=target).options[0]
    assert option.params.mid == pytest.approx(size, rel=1e-8)
    assert option.tokens.mid == pytest.approx(tokens, rel=1e-8)
    assert option.flops.mid == pytest.approx(6 * size * tokens, rel=1e-8)


def test_the_interval_is_that_of_each_draws_own_cost() -> None:
    fit = known(draws=60)
    alone = [plan(known(dict(zip(C, row, strict=True))), loss=2.2).options[0].flops.mid for row in _rows(fit)]
    flops = plan(fit, loss=2.2, level=0.8).options[0].flops
    np.testing.assert_allclose([flops.low, flops.high], np.quantile(alone, [0.1, 0.9]), rtol=1e-8)


def _rows(fit: il.Fit) -> list[list[float]]:
    order = [fit.law.names.index(name) for name in C]
    return fit.draws_sp[:, order].tolist()


def test_a_loss_below_the_floor_is_refused_and_lost_draws_are_counted() -> None:
    with pytest.raises(RequestError, match=r"No compute takes this fit to 1\.8\.[\s\S]*ends at 1\.82"):
        plan(known(), loss=1.8)
    shaky = plan(known(draws=200, spread=0.03), loss=1.86)
    (lost,) = [f for f in shaky.findings if f.code == "Q2"]
    assert 0 < lost.number < 1 and "draws have no compute" in lost.sentence  # type: ignore[operator]
    assert np.isinf(shaky.options[0].flops.high)
    assert json.loads(json.dumps(shaky.to_json(), allow_nan=False))["options"][0]["flops"]["high"] is None


def test_a_law_of_compute_and_a_frontier_answer_too() -> None:
    option = plan("kaplan2020_L_Cmin", loss=2.5).options[0]
    fit = il.published("kaplan2020_L_Cmin")
    assert option.flops.mid == pytest.approx(2 * fit.theta["x_c"] * 2.5 ** (-1 / fit.theta["alpha"]), rel=1e-9)
    assert set(option.estimates) == {"flops", "loss"}
    measured = sweep(80, 0.001, 0)
    frontier = il.isoflop(_profiles(measured), draws=20)
    there = plan(frontier, flops=1e20).options[0]
    back = plan(frontier, loss=there.loss.mid).options[0]
    for name in ("params", "tokens", "flops"):
        assert back[name].mid == pytest.approx(there[name].mid, rel=1e-6)
    with pytest.raises(RequestError, match="tells no loss for a size"):
        plan("chinchilla2022_a1", loss=2.0)


def _profiles(like: il.Runs) -> il.Runs:
    rng = np.random.default_rng(0)
    flops = np.repeat([1e18, 1e19, 1e20], 9)
    size = np.concatenate([np.geomspace(0.2, 5, 9) * 0.09 * (c / 6) ** 0.5 for c in (1e18, 1e19, 1e20)])
    tokens = flops / (6 * size)
    table = {"params": size, "tokens": tokens, "flops": flops}
    values = np.array([loss(n, d) for n, d in zip(size, tokens, strict=True)]) * np.exp(rng.normal(0, 1e-4, 27))
    return il.Runs({**table, "loss": values}, source=like.source)


class TestSettled:
    def test_size_and_budget(self) -> None:
        option = plan(known(), flops="1e22", params="7B").options[0]
        assert option.tokens.mid == pytest.approx(1e22 / 42e9, rel=1e-12)
        assert option.loss.mid == pytest.approx(loss(7e9, 1e22 / 42e9), rel=1e-12)

    def test_data_and_budget(self) -> None:
        option = plan(known(), flops=1e22, tokens="1T").options[0]
        assert option.params.mid == pytest.approx(1e22 / 6e12, rel=1e-12)

    def test_ratio_and_budgets(self) -> None:
        planned = plan(known(), flops=[1e20, 1e24], ratio=20)
        for option, flops in zip(planned.options, (1e20, 1e24), strict=True):
            assert option.tokens_per_param.mid == pytest.approx(20, rel=1e-12)
            assert 6 * option.params.mid * option.tokens.mid == pytest.approx(flops, rel=1e-12)
        assert planned.options[0].label == "1e20 FLOP"

    def test_at_the_best_ratio_it_is_the_best_plan(self) -> None:
        best = plan(known(), flops=1e22).options[0]
        for settled in ({"ratio": best.tokens_per_param.mid}, {"params": best.params.mid}, {"tokens": best.tokens.mid}):
            option = plan(known(), flops=1e22, **settled).options[0]
            assert option.loss.mid == pytest.approx(best.loss.mid, rel=1e-12)
            assert (
                plan(known(), flops=1e22, **{k: 1.3 * v for k, v in settled.items()}).options[0].loss.mid
                > best.loss.mid
            )

    @pytest.mark.parametrize("settled", [{"params": 7e9}, {"tokens": 3e11}, {"ratio": 60}], ids=str)
    def test_a_loss_by_brentq(self, settled: dict[str, float]) -> None:
        target = 2.15

        def gap(log: float) -> float:
            x = float(np.exp(log))
            n, d = settled.get("params", x), settled.get("tokens", x)
            return loss(*(x, settled["ratio"] * x) if "ratio" in settled else (n, d)) - target

        found: Any = optimize.brentq(gap, np.log(1e6), np.log(1e14), xtol=1e-13)
        option = plan(known(), loss=target, **settled).options[0]
        unknown = option.tokens if "params" in settled else option.params
        assert unknown.mid == pytest.approx(np.exp(found), rel=1e-8)
        assert option.flops.mid == pytest.approx(6 * option.params.mid * option.tokens.mid, rel=1e-12)

    def test_a_settled_run_is_a_prediction(self) -> None:
        fit = il.fit(sweep(50, 0.004, 0), draws=80)
        option = plan(fit, params="2B", tokens="40B").options[0]
        told = fit.predict(params=2e9, tokens=40e9)
        assert (option.loss.mid, option.loss.low) == (told.mid[0], told.low[0])
        assert plan(fit, params="2B", ratio=20).options[0].loss.mid == option.loss.mid
        assert option.flops.mid == pytest.approx(4.8e20)

    def test_epochs_where_distinct_tokens_are_told(self) -> None:
        option = plan(known(), flops=1e22, tokens="1T", unique_tokens="250B").options[0]
        assert option.epochs.mid == pytest.approx(4)
        fresh = plan("muennighoff2023", flops=1e22, params="7B")
        short = plan("muennighoff2023", flops=1e22, params="7B", unique_tokens="25B")
        assert short.options[0].loss.mid > fresh.options[0].loss.mid
        assert short.options[0].epochs.mid == pytest.approx(1e22 / 42e9 / 25e9)
        assert any("every token is new" in s for s in fresh.assumptions)
        assert any(
            "count as new ones" in s for s in plan(known(), flops=1e22, tokens=1e12, unique_tokens=1e9).assumptions
        )

    def test_what_cannot_be_is_refused(self) -> None:
        with pytest.raises(RequestError, match="No amount of training"):
            plan(known(), loss=1.9, params="1M")
        with pytest.raises(RequestError, match="too small"):
            plan(known(), flops=1e9, params="7B")
        with pytest.raises(RequestError, match="cannot be"):
            plan(known(), flops=1e22, params=-7)
        with pytest.raises(CellError, match="'big' is not a number"):
            plan(known(), flops=1e22, params="big")
        with pytest.raises(
            RequestError, match=r"No plan follows from flops and loss\.[\s\S]*flops=\.\.\., within=\.\.\."
        ):
            plan(known(), flops=1e22, loss=2.0)
        with pytest.raises(RequestError, match="one loss, not 2"):
            plan(known(), loss=[2.0, 2.1])
        with pytest.raises(RequestError, match="tells no loss"):
            plan("chinchilla2022_a1", flops=1e22, params="7B")

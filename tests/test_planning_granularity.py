"""Fine-grained experts: Krajewski's table, an independent search, and the dense models beside them."""

from typing import Any

import numpy as np
import pytest
from planned import half_unit, known
from scipy.optimize import minimize_scalar

from isoloss.core.errors import RequestError
from isoloss.core.numbers import parse
from isoloss.planning import plan
from isoloss.planning.granularity import active_params, tokens_for, width
from isoloss.published import published

KEY = "krajewski2024_moe"

# Krajewski et al. 2024, Table 2: dense size, tokens, granularity, FLOP, loss; and the bootstrap's 10th and 90th
# percentiles of the tokens, Table 6.
TABLE = [
    ("100M", "4.37B", 8, "2.95e18", 3.133, ("2.97B", "5.98B")),
    ("1B", "28.94B", 16, "1.93e20", 2.491, ("21.17B", "40.73B")),
    ("3B", "72.90B", 16, "1.41e21", 2.245, ("50.20B", "105.88B")),
    ("7B", "137.60B", 32, "6.46e21", 2.076, ("101.06B", "205.40B")),
    ("70B", "941.07B", 32, "4.16e23", 1.694, ("638.49B", "1.59T")),
    ("300B", "2.96T", 64, "5.69e24", 1.503, ("1.99T", "5.62T")),
    ("1T", "7.94T", 64, "4.97e25", 1.367, ("5.29T", "16.87T")),
]


@pytest.mark.parametrize(("dense", "tokens", "granularity", "flops", "loss", "percentiles"), TABLE)
def test_krajewskis_table(
    dense: str, tokens: str, granularity: int, flops: str, loss: float, percentiles: tuple[str, str]
) -> None:
    (option,) = plan(KEY, flops=flops, granularity="best").options
    assert option.granularity.mid == granularity
    low, high = (parse(end) for end in percentiles)
    assert low < option.tokens.mid < high
    # The constants are printed to three figures at most: half a unit of their last moves the optimum by more than this.
    assert option.tokens.mid == pytest.approx(parse(tokens), rel=0.025)
    assert option.active_params.mid == pytest.approx(parse(dense), rel=0.026)
    assert option.loss.mid == pytest.approx(loss, abs=_rounding(option.body_params.mid, option.tokens.mid))


@pytest.mark.parametrize(("dense", "tokens", "granularity", "flops"), [row[:4] for row in TABLE])
def test_the_price_of_training_is_the_papers(dense: str, tokens: str, granularity: int, flops: str) -> None:
    in_all = parse(dense) * 516 / 12
    assert active_params(in_all, 64) == pytest.approx(parse(dense))
    told = tokens_for(parse(flops), in_all, granularity, 64)
    assert told == pytest.approx(parse(tokens), rel=0.0045)  # sizes are printed as round numbers
    assert half_unit(tokens) < 0.0045 * parse(tokens)


def test_an_independent_search_finds_the_same_size() -> None:
    for flops, granularity in ((1e19, 1.0), (1e21, 16.0), (1e23, 64.0)):
        (option,) = plan(KEY, flops=flops, granularity=granularity).options
        found: Any = minimize_scalar(
            lambda u, C=flops, G=granularity: _loss(float(np.exp(u)), C, G),
            bounds=(np.log(1e8), np.log(1e14)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert option.loss.mid == pytest.approx(found.fun, rel=1e-12)
        assert option.body_params.mid == pytest.approx(np.exp(found.x), rel=1e-5)
        assert _price(option.body_params.mid, option.tokens.mid, granularity) == pytest.approx(flops, rel=1e-12)


def test_best_is_the_best_of_the_powers_of_two_and_options_are_ordered() -> None:
    planned = plan(KEY, flops=1e21, granularity=[2.0**i for i in range(9)])
    losses = [option.loss.mid for option in planned.options]
    assert losses == sorted(losses)
    best = plan(KEY, flops=1e21, granularity="best").options[0]
    assert best.loss.mid == losses[0]
    assert planned.options[0].granularity.mid == best.granularity.mid == 16


def test_dense_models_of_the_same_cost() -> None:
    (option,) = plan(KEY, flops=1e21, granularity=16).options
    dense = published("krajewski2024_dense")

    def loss(size: float) -> float:
        return float(dense.predict(body_params=size, tokens=1e21 / 6 / size).mid[0])

    assert option.dense_loss.mid == pytest.approx(loss(option.active_params.mid), rel=1e-12)
    assert option.dense_in_memory_loss.mid == pytest.approx(loss(option.body_params.mid), rel=1e-12)
    best = min(loss(size) for size in np.logspace(8, 12, 400))
    assert option.dense_best_loss.mid == pytest.approx(best, rel=1e-5)
    assert option.loss.mid < option.dense_best_loss.mid <= option.dense_loss.mid < option.dense_in_memory_loss.mid


def test_memory_limits_the_parameters_in_all() -> None:
    free, held = (plan(KEY, flops=1e21, granularity=16, most_params=most).options[0] for most in (None, "10B"))
    assert held.body_params.mid == 10e9 < free.body_params.mid
    assert held.loss.mid > free.loss.mid
    assert _price(held.body_params.mid, held.tokens.mid, 16.0) == pytest.approx(1e21, rel=1e-12)


def test_a_router_above_its_experts_is_found() -> None:
    assert width(256**2 * 516 * 4, 64) == pytest.approx(256)
    fine = plan(KEY, flops=1e17, granularity=64)
    assert [f.code for f in fine.findings].count("Q6") == 1
    assert "Q6" not in [f.code for f in plan(KEY, flops=1e21, granularity=16).findings]


def test_draws_give_intervals_and_none_is_said() -> None:
    assert any("no interval" in said for said in plan(KEY, flops=1e21, granularity="best").assumptions)
    fit = known(published(KEY).theta, "granular", draws=40, spread=0.003)
    (option,) = plan(fit, flops=1e21, granularity="best").options
    for name in ("body_params", "tokens", "loss", "routing_share"):
        assert option[name].low < option[name].mid < option[name].high
    (given,) = plan(fit, flops=1e21, granularity=16, beside=known()).options
    assert given.granularity.low == given.granularity.high == 16
    assert given.dense_loss.low < given.dense_loss.high


def test_refusals() -> None:
    with pytest.raises(RequestError, match="knows no granularity"):
        plan("besiroglu2024", flops=1e21, granularity=8)
    with pytest.raises(RequestError, match="not both"):
        plan(KEY, flops=1e21, granularity=["best", 8])
    with pytest.raises(RequestError, match="cannot be"):
        plan(KEY, flops=1e21, granularity=0.5)
    with pytest.raises(RequestError, match="one fit"):
        plan(KEY, flops=1e21, granularity=8, beside=["besiroglu2024", "krajewski2024_dense"])


def _price(in_all: float, tokens: float, granularity: float) -> float:
    """Equation 10, the depth as a polynomial's root: d = 64 n, N = d^2 (8 E + 4) n."""
    roots = np.roots([64**2 * 516, 0, 0, -in_all])
    depth = float(next(root.real for root in roots if abs(root.imag) < 1e-9 * abs(root)))
    d = 64 * depth
    return (12 * d**2 * 6 + d * 64 * granularity * 14) * tokens * depth


def _loss(in_all: float, flops: float, granularity: float) -> float:
    tokens = flops / _price(in_all, 1.0, granularity)
    size = (2.1 * granularity**-0.58 + 18.1) * in_all**-0.115
    return 0.47 + size + 30.8 * tokens**-0.147


def _rounding(in_all: float, tokens: float) -> float:
    """How far the loss may be off because the constants are printed to so many digits."""
    of_size, of_data = 18.1 * in_all**-0.115, 30.8 * tokens**-0.147
    of_prefactors = 0.05 * (in_all**-0.115 + tokens**-0.147)
    return 0.005 + of_prefactors + 0.0005 * (np.log(in_all) * of_size + np.log(tokens) * of_data)

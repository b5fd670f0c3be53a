"""The near-optimal region: its ends lie where the loss says, beside a brute search, and hold the best size."""

import numpy as np
import pytest
from planned import known
from scipy import optimize

from isoloss.core.errors import RequestError
from isoloss.planning import plan
from isoloss.published import published


@pytest.mark.parametrize("key", ["besiroglu2024", "kaplan2020_L_ND", "busbridge2025_supervised", "krajewski2024_dense"])
def test_ends_lose_what_they_may(key: str) -> None:
    fit, flops = published(key), 1e22
    planned = plan(fit, flops=flops, within=["0.1%", 0.005, "1%"])
    size = fit.law.columns[0]
    best = planned.options[0]
    assert best[size].mid == pytest.approx(plan(fit, flops=flops).options[0][size].mid, rel=1e-12)

    def loss(log: float) -> float:
        n = float(np.exp(log))
        return float(fit.law.value([[n], [flops / 6 / n]], fit.theta_p)[0])

    for i, share in enumerate((0.001, 0.005, 0.01)):
        small, large = planned.options[1 + 2 * i : 3 + 2 * i]
        assert small[size].mid < best[size].mid < large[size].mid
        for option, far in ((small, np.log(1e3)), (large, np.log(flops / 6e3))):
            assert option.loss_above_best.mid == pytest.approx(share, rel=1e-9)
            assert option.tokens.mid == pytest.approx(flops / 6 / option[size].mid, rel=1e-12)
            end = optimize.brentq(lambda u, s=share: loss(u) - (1 + s) * best.loss.mid, np.log(best[size].mid), far)
            assert option[size].mid == pytest.approx(np.exp(end), rel=1e-6)  # type: ignore[arg-type]


def test_wider_shares_are_wider_regions_and_draws_give_intervals() -> None:
    planned = plan(known(draws=80), flops=1e22, within=[0.001, 0.01])
    _, small, large, smaller, larger = planned.options
    assert smaller.params.high < small.params.low < large.params.high < larger.params.low
    assert small.label == "smallest within 0.001"
    assert all(option.params.low < option.params.mid < option.params.high for option in planned.options)


def test_a_curve_that_never_rises_so_far_ends_at_one() -> None:
    flat = known({"E": 100.0, "A": 1.0, "B": 1.0, "alpha": 0.1, "beta": 0.1})
    _, small, large = plan(flat, flops=1e20, within="50%").options
    assert small.params.mid == 1 and large.tokens.mid == pytest.approx(1)


def test_questions_without_an_answer() -> None:
    with pytest.raises(RequestError, match="one budget, not 2"):
        plan(known(), flops=[1e20, 1e21], within=0.01)
    with pytest.raises(RequestError, match="tells no loss"):
        plan("chinchilla2022_a1", flops=1e20, within=0.01)
    with pytest.raises(RequestError, match="cannot be"):
        plan(known(), flops=1e20, within="0%")

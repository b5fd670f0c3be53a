"""A student with and without a teacher: the laws written out again, the break-even, and teachers that are too weak."""

import math

import numpy as np
import pytest
from planned import known

from isoloss.core.errors import RequestError
from isoloss.planning import plan
from isoloss.published import published

KEY = "busbridge2025_distill"


def _alone(N: float, D: float) -> float:
    return 1.22 + (3355 * N**-0.408 + 18186 * D**-0.431) ** 0.452


def _taught(N: float, D: float, teacher: float) -> float:
    gap = (1 + (teacher / (_alone(N, D) * 1.315)) ** (1 / 0.09)) ** (-522.6 * 0.09) / teacher**2.549
    return teacher + gap * (2243 * N**-0.321 + 24181 * D**-0.637) ** 0.764


@pytest.mark.parametrize("N", [143e6, 1e9, 7e9])
@pytest.mark.parametrize("D", [4e9, 1e11, 1e12])
def test_losses_are_those_of_the_formulas_and_the_lowest_comes_first(N: float, D: float) -> None:
    teachers = [1.9, 2.2, 2.5]
    planned = plan(KEY, params=N, tokens=D, teacher_loss=teachers)
    losses = [option.loss.mid for option in planned.options]
    expected = sorted([_alone(N, D), *(_taught(N, D, teacher) for teacher in teachers)])
    assert losses == sorted(losses) == pytest.approx(expected, rel=1e-12)
    for option in planned.options:
        assert option.flops.mid == 6 * N * D
        if option.label != "without a teacher":
            gain = _alone(N, D) - _taught(N, D, option.teacher_loss.mid)
            assert option.gain.mid == pytest.approx(gain, abs=1e-12)


@pytest.mark.parametrize(("N", "teacher"), [(143e6, 1.9), (143e6, 2.5), (1e9, 1.9), (1e9, 2.2), (7e9, 1.9), (7e9, 2.2)])
def test_even_tokens_are_where_the_gain_ends(N: float, teacher: float) -> None:
    option = next(
        o for o in plan(KEY, params=N, tokens="20B", teacher_loss=teacher).options if "teacher_loss" in o.estimates
    )
    even = option.even_tokens.mid
    assert _taught(N, even, teacher) == pytest.approx(_alone(N, even), rel=1e-10)
    assert _taught(N, 0.98 * even, teacher) < _alone(N, 0.98 * even)
    above = even * np.logspace(0.01, 12, 300)
    assert all(_taught(N, D, teacher) > _alone(N, D) for D in above)


def test_a_gain_that_never_ends_is_endless() -> None:
    taught = plan(KEY, params=143e6, tokens="20B", teacher_loss=2.2).options[0]
    assert taught.even_tokens.mid == math.inf
    assert _taught(143e6, 1e30, 2.2) < _alone(143e6, 1e30)


def test_a_teacher_weaker_than_the_student_is_said() -> None:
    planned = plan(KEY, params="1B", tokens="20B", teacher_loss=[2.0, 3.2])
    (weak,) = [finding for finding in planned.findings if finding.code == "Q7"]
    assert weak.number == 3.2 and "not valid" in weak.sentence
    assert planned.options[-1].label == "under a teacher of loss 3.2"
    assert "Q7" not in [f.code for f in plan(KEY, params="1B", tokens="20B", teacher_loss=2.0).findings]


def test_constants_from_memory_are_marked_and_no_interval_is_said() -> None:
    planned = plan(KEY, params="1B", tokens="20B", teacher_loss=2.0)
    assert [f.code for f in planned.findings].count("P0") == 2  # of both laws
    assert any("no interval" in said for said in planned.assumptions)
    beyond = plan(KEY, params="1T", tokens="20B", teacher_loss=1.6)
    assert "D4" in [f.code for f in beyond.findings]


def test_draws_of_either_law_give_intervals() -> None:
    taught = known(published(KEY).theta, "distilled", draws=30, spread=0.003)
    alone = known(published("busbridge2025_supervised").theta, "outer", draws=17, spread=0.003)
    for fit, beside in ((taught, None), (published(KEY), alone), (taught, alone)):
        first = plan(fit, params="1B", tokens="20B", teacher_loss=2.0, beside=beside).options[0]
        assert first.loss.low < first.loss.mid < first.loss.high
        assert first.even_tokens.low < first.even_tokens.mid < first.even_tokens.high
        assert first.loss.mid == pytest.approx(_taught(1e9, 2e10, 2.0), rel=1e-12)


def test_refusals() -> None:
    with pytest.raises(RequestError, match="knows no teacher"):
        plan("besiroglu2024", params="1B", tokens="20B", teacher_loss=2.0)
    with pytest.raises(RequestError, match="one fit"):
        plan(KEY, params="1B", tokens="20B", teacher_loss=2.0, beside=["besiroglu2024", "besiroglu2024"])
    with pytest.raises(RequestError, match="cannot be"):
        plan(KEY, params="1B", tokens="20B", teacher_loss=-1)

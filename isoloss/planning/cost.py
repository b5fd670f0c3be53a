"""What a training run costs: C = 6 N D, the one place in the planner that says so, and how counts of compute relate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN, quantity

SIZES = ("params", "body_params", "matmul_params", "active_params")


@dataclass(frozen=True)
class Share:
    """The part of a training budget that one count of compute sees, and why."""

    of_budget: float
    because: str = ""


# Laws of compute are bound to one of these counts; the budget that is planned for is what the run costs in all.
COUNTS: dict[str, Share] = {
    "flops": Share(1.0),
    "body_flops": Share(1.0, "the budget counts non-embedding FLOP alone, as the law does"),
    "min_flops": Share(
        0.5,
        "training at the critical batch, where C_min = C / 2 (Kaplan et al. 2020, Eq. 5.5); "
        "the budget counts non-embedding FLOP alone, as the law does",
    ),
}


def partner(flops: Any, count: Any) -> Any:
    """The tokens that `flops` FLOP buy for `count` parameters, or the parameters for `count` tokens: C / 6 N."""
    return flops / (FLOP_PER_PARAM_AND_TOKEN * count)


def total(params: Any, tokens: Any) -> Any:
    """The training FLOP of `params` parameters on `tokens` tokens: 6 N D."""
    return FLOP_PER_PARAM_AND_TOKEN * params * tokens


def stated(size: str) -> str:
    """The assumption in words, with the counting convention of N."""
    return f"training FLOP = 6 N D, where N is {size}: {quantity(size).meaning}"


def count_of_compute(size: str) -> str:
    """The count of compute that 6 N D is when N is `size`."""
    return "body_flops" if size == "body_params" else "flops"


def size_behind(count: str) -> str:
    """The size that a count of compute goes with: the inverse of `count_of_compute`."""
    return "params" if count == "flops" else "body_params"


def serving(params: Any, tokens: Any) -> Any:
    """The FLOP of reading or writing so many tokens with so many parameters: the forward pass, a third of training."""
    return total(params, tokens) / 3

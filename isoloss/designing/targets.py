"""Where a ladder's loss is asked for: a budget, a run, or a size with its tokens; and the best size of a budget.

Shapes: `s` parameter sets, `m` sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.law import Law
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.designing.assumed import Truth
from isoloss.lab.designs import HELD_OUT, compute

FURTHER = 10.0  # times the dearest run's compute: the target where none is named
SIZES_TRIED = 600
SMALL = 1.0  # parameter and token: where sizes end


def target_of(target: Any, cells: Any, runs: Runs, assumed: Truth) -> tuple[dict[str, float], str]:
    """Return where the loss is asked for, with its compute, and in words what was taken for granted.

    A budget stands for the truth's best use of it; without a target, the dearest of the `cells` that is held out, or
    ten times the dearest of the `runs`. Raises RequestError for a target that cannot be.
    """
    size, words = assumed.size, ""
    if target is None:
        held_out = [] if isinstance(cells, Runs | Mapping) else [s for s in cells if s.split == HELD_OUT]
        if held_out:
            target = max(held_out, key=lambda spec: spec.flops)
            words = "the target is the dearest run held out"
        else:
            dearest = float(runs.complete(["flops"])["flops"].max())
            target = FURTHER * dearest
            words = f"the target is {FURTHER:g} times the dearest run"
    if isinstance(target, Spec):
        target = {size: float(getattr(target.counts, size)), "tokens": float(target.tokens)}
    if isinstance(target, Mapping):
        lacking = [name for name in (size, "tokens") if name not in target]
        if lacking:
            raise RequestError(f"The target lacks {', '.join(lacking)}.", do=f"Give {size} and tokens, or a budget.")
        n, d = (numbers.parse(target[name]) for name in (size, "tokens"))
        return {size: n, "tokens": d, "flops": FLOP_PER_PARAM_AND_TOKEN * n * d}, words
    flops = numbers.parse(target)
    if not 0 < flops < math.inf:
        raise RequestError(f"A target of {target} FLOP trains nothing.", do="Give a positive budget, such as 1e15.")
    n = float(best_size(assumed.law, assumed.theta_p, flops, size)[0])
    if math.isnan(n):
        raise RequestError(f"The assumed law has no best size for {compute(flops)}.", assumed.words)
    return {size: n, "tokens": flops / FLOP_PER_PARAM_AND_TOKEN / n, "flops": flops}, words


def best_size(law: Law, theta_sp: np.ndarray, flops: float, size: str) -> np.ndarray:
    """The size of lowest loss along 6 N D = C, (s,), NaN where the lowest is at an end."""
    log_m = np.linspace(math.log(SMALL), math.log(flops / FLOP_PER_PARAM_AND_TOKEN / SMALL), SIZES_TRIED)
    columns = {size: np.exp(log_m), "tokens": flops / FLOP_PER_PARAM_AND_TOKEN / np.exp(log_m)}
    with np.errstate(all="ignore"):
        loss_sm = law.value(np.array([columns[c] for c in law.columns]), np.atleast_2d(theta_sp))
    at_s = np.argmin(loss_sm, axis=1)
    inside_s = np.clip(at_s, 1, SIZES_TRIED - 2)
    rows = np.arange(len(loss_sm))
    left_s, mid_s, right_s = (loss_sm[rows, inside_s + step] for step in (-1, 0, 1))
    with np.errstate(all="ignore"):
        shift_s = 0.5 * (left_s - right_s) / (left_s - 2 * mid_s + right_s)
    found_s = np.exp(log_m[inside_s] + np.nan_to_num(np.clip(shift_s, -1, 1)) * (log_m[1] - log_m[0]))
    return np.where(at_s == inside_s, found_s, np.nan)

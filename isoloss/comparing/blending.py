"""One fit out of several: a blend of laws whose draws carry how far its members disagree.

Shapes: `k` members, `s` draws, `p` parameters, `n` runs, `c` cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoloss.core.blend import blend
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs

SHARPEST = 5.0  # with many cuts, a law that errs twice as much weighs a thirtieth
LEAST = 0.05  # a lighter member is left out


def weights(score_ck: np.ndarray) -> np.ndarray:
    """The members' weights (k,), a power of their error, geometric mean over cuts; below 0.05 they are left out, at 0.

    The power is 5 c / (c + 1) for c cuts, between choosing the best and averaging all: with few cuts the scores are
    noisy themselves. The geometric mean makes cuts count alike, however hard each is.
    """
    mean_k = np.exp(np.log(np.maximum(score_ck, 1e-6)).mean(axis=0))
    weight_k = (mean_k / mean_k.min()) ** -sharpness(len(score_ck))
    weight_k = np.where(weight_k >= LEAST * weight_k.sum(), weight_k, 0.0)
    return weight_k / weight_k.sum()


def sharpness(cuts: int) -> float:
    """The power of the error in the weights, for so many cuts."""
    return SHARPEST * cuts / (cuts + 1)


def shares(weight_k: np.ndarray, draws: int) -> np.ndarray:
    """How many of `draws` each member gives, (k,), by largest remainders."""
    exact_k = weight_k * draws
    share_k = np.floor(exact_k).astype(int)
    for k in np.argsort(share_k - exact_k, kind="stable")[: draws - share_k.sum()]:
        share_k[k] += 1
    return share_k


def blended(fits: Sequence[Fit], weight_k: np.ndarray, runs: Runs, count_n: np.ndarray, draws: int) -> Fit:
    """The weighted mean of fits to `runs`; each of its draws is a draw of one member, in proportion to the weights.

    Members without draws give their best parameters. A new run's scatter is that of `runs` about the mean, large runs
    counting as `count_n` (n,) says. A single member with all the weight is itself.
    """
    chosen = np.flatnonzero(weight_k)
    heaviest = fits[int(weight_k.argmax())]
    if len(chosen) == 1:
        return heaviest
    members = [fits[int(k)] for k in chosen]
    law = blend([member.law for member in members])
    best_p = np.concatenate([member.theta_p for member in members])
    made = replace(
        heaviest,
        law=law,
        theta_p=np.concatenate([weight_k[chosen], best_p]),
        draws_sp=_draws(members, shares(weight_k[chosen], draws), best_p),
        objective=("", float("nan")),
        findings=tuple(dict.fromkeys(f for member in members for f in member.findings)),
        certificate=None,
        fixed=(),
        calibration=None,
    )
    return replace(made, residuals_n=_residuals(made, runs, count_n))


def _draws(members: Sequence[Fit], share_k: np.ndarray, best_p: np.ndarray) -> np.ndarray:
    k, rows, start = len(members), [], len(members)
    for i, (member, share) in enumerate(zip(members, share_k, strict=True)):
        own_sp = member.draws_sp[:share] if len(member.draws_sp) else np.tile(member.theta_p, (share, 1))
        row_sp = np.tile(np.concatenate([np.eye(k)[i], best_p]), (len(own_sp), 1))
        row_sp[:, start : start + len(member.theta_p)] = own_sp
        rows.append(row_sp)
        start += len(member.theta_p)
    return np.concatenate(rows)


def _residuals(fit: Fit, runs: Runs, count_n: np.ndarray) -> np.ndarray:
    # As many residuals as runs, each as often as it counts.
    mid_n = fit.law.value(np.array([runs[c] for c in fit.law.columns]), fit.theta_p)
    ratio_n = runs[fit.law.output.name] / mid_n
    seen_n = ratio_n > 0
    residual_n = np.log(ratio_n[seen_n])
    order_n = np.argsort(residual_n, kind="stable")
    share_n = np.cumsum(count_n[seen_n][order_n]) / count_n[seen_n].sum()
    at_n = (np.arange(len(order_n)) + 0.5) / len(order_n)
    return residual_n[order_n][np.minimum(np.searchsorted(share_n, at_n), len(order_n) - 1)]

"""Which few runs would tell apart what the runs at hand do not: the cheapest that narrow the loss off their ray.

What is not known is what the fit's draws disagree about. A run that is added shrinks that as in linear regression of
the question on the run's loss over the draws (the ensemble Kalman update: Evensen 1994), which proposes sets of runs.
What a set is worth is then simulated: draws are taken for the truth, their losses made anew with scatter at the old and
the new runs, fitted, and asked. Shapes: `s` draws, `c` cells, `n` runs, `q` questions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.checking.answers import size_of
from isoloss.checking.case import Case
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.fitting.newton import minimise
from isoloss.fitting.objectives import find
from isoloss.fitting.problem import Problem
from isoloss.fitting.sample import Sample
from isoloss.planning import cost

SIZES, COSTS = 7, 8
COUNTS = (2, 3, 4)  # runs of a set
NEARLY = (0.3, 0.8)  # of the largest gain a run must bring for its price to count
DOUBTS = (1.0, 4.0)  # times the scatter: with more, sets reach further off the ray
NEAR = 1.25  # times what the best set leaves of the interval: the cheapest of these is proposed
AWAY = 10.0  # times the tokens, or the size, of the runs: where the question is asked
TAILS = 0.05  # of the draws at either end that an interval leaves out
TRUTHS, STEPS = 60, 40


@dataclass(frozen=True)
class Proposal:
    """Runs (size, tokens) to add, their compute, its share of the sweep's, what is left of the interval off the ray."""

    runs: tuple[tuple[float, float], ...]
    flops: float
    share: float
    left: float


def propose(case: Case, fit: Fit) -> Proposal | None:
    """The cheapest few runs of those that help most, none dearer than the dearest; None for a fit without doubt."""
    size_n, tokens_n = case.inputs[size_of(case.law)], case.inputs["tokens"]
    flops_n = cost.total(size_n, tokens_n)
    cells_2c = _cells(size_n, flops_n)
    asked_2q = np.array([[size_n.max(), AWAY * size_n.max()], [AWAY * tokens_n.max(), tokens_n.max()]])
    draws_sp = _sober(fit, np.hstack([cells_2c, asked_2q]), asked_2q)
    if len(draws_sp) < TRUTHS:
        return None
    tried: dict[tuple[int, ...], float] = {}
    for chosen in _sets(fit.law, draws_sp, cells_2c, asked_2q, max(fit.scatter, 1e-4)):
        runs_2n = np.hstack([np.stack([size_n, tokens_n]), cells_2c[:, chosen]])
        tried[chosen] = _left(fit, draws_sp, runs_2n, asked_2q)
    if not tried:
        return None
    price = {chosen: float(cost.total(*cells_2c[:, chosen]).sum()) for chosen in tried}
    good = [chosen for chosen, left in tried.items() if left <= NEAR * min(tried.values())]
    best = min(good, key=lambda chosen: price[chosen])
    runs = tuple((float(cells_2c[0, c]), float(cells_2c[1, c])) for c in best)
    return Proposal(runs, price[best], price[best] / float(flops_n.sum()), tried[best])


def _cells(size_n: np.ndarray, flops_n: np.ndarray) -> np.ndarray:
    sizes, prices = np.geomspace(size_n.min(), size_n.max(), SIZES), np.geomspace(flops_n.min(), flops_n.max(), COSTS)
    size_c, price_c = (grid.ravel() for grid in np.meshgrid(sizes, prices))
    tokens_c = cost.partner(price_c, size_c)
    return np.stack([size_c, tokens_c])[:, tokens_c >= size_c]


def _log_loss(law: Law, theta_sp: np.ndarray, points_2c: np.ndarray) -> np.ndarray:
    columns = {size_of(law): points_2c[0], "tokens": points_2c[1]}
    with np.errstate(all="ignore"):
        return np.log(law.value(np.array([columns[c] for c in law.columns]), theta_sp))


def _sober(fit: Fit, points_2c: np.ndarray, asked_2q: np.ndarray) -> np.ndarray:
    # The draws without those that answer beyond the interval.
    kept_s = np.isfinite(_log_loss(fit.law, fit.draws_sp, points_2c)).all(axis=1)
    asked_sq = _log_loss(fit.law, fit.draws_sp, asked_2q)
    if not kept_s.any():
        return fit.draws_sp[:0]
    low_q, high_q = np.quantile(asked_sq[kept_s], [TAILS / 2, 1 - TAILS / 2], axis=0)
    return fit.draws_sp[kept_s & ((asked_sq >= low_q) & (asked_sq <= high_q)).all(axis=1)]


def _sets(
    law: Law, draws_sp: np.ndarray, cells_2c: np.ndarray, asked_2q: np.ndarray, scatter: float
) -> set[tuple[int, ...]]:
    price_c, found = cost.total(*cells_2c), set()
    told_sc, asked_sq = (_log_loss(law, draws_sp, points) for points in (cells_2c, asked_2q))
    told_sc, asked_sq = told_sc - told_sc.mean(axis=0), asked_sq - asked_sq.mean(axis=0)
    for doubt in DOUBTS:
        for nearly in NEARLY:
            chosen = _greedy(told_sc, asked_sq, price_c, (doubt * scatter) ** 2, nearly)
            found |= {tuple(chosen[:count]) for count in COUNTS if len(chosen) >= count}
    return found


def _greedy(told_sc: np.ndarray, asked_sq: np.ndarray, price_c: np.ndarray, noise: float, nearly: float) -> list[int]:
    # One run after the other, the cheapest for its gain; then the draws as they would be, had it been made: a square
    # root filter, which keeps their mean.
    before_q, chosen = (asked_sq**2).mean(axis=0), []
    for _ in range(max(COUNTS)):
        spread_c = (told_sc**2).mean(axis=0) + noise
        gain_c = ((asked_sq.T @ told_sc / len(told_sc)) ** 2 / spread_c / before_q[:, None]).sum(axis=0)
        if not gain_c.max() > 0:
            break
        best = int(np.argmax(np.where(gain_c >= nearly * gain_c.max(), gain_c / price_c, -1.0)))
        chosen.append(best)
        told_s, shrink = told_sc[:, best].copy(), 1 / (1 + np.sqrt(noise / spread_c[best])) / spread_c[best]
        told_sc = told_sc - shrink * told_s[:, None] * (told_s @ told_sc / len(told_s))
        asked_sq = asked_sq - shrink * told_s[:, None] * (told_s @ asked_sq / len(told_s))
    return chosen


def _left(fit: Fit, draws_sp: np.ndarray, runs_2n: np.ndarray, asked_2q: np.ndarray) -> float:
    # The width of what refits get wrong, as a part of the width of what the draws disagree about.
    rng, law = np.random.default_rng(fit.seed), fit.law
    truth_sp = draws_sp[np.linspace(0, len(draws_sp) - 1, TRUTHS).astype(int)]
    exact_sn = _log_loss(law, truth_sp, runs_2n)
    y_sn = np.exp(exact_sn + max(fit.scatter, 1e-4) * rng.standard_normal(exact_sn.shape))
    columns = {size_of(law): runs_2n[0], "tokens": runs_2n[1]}
    problem = Problem(law, np.array([columns[c] for c in law.columns]), y_sn[0], find("squared_log"))
    found = minimise(problem, problem.internal(truth_sp.T), Sample(None, y_sn), most_steps=STEPS)
    wrong_sq = _log_loss(law, problem.theta(found.u_pb).T, asked_2q) - _log_loss(law, truth_sp, asked_2q)
    ends = [
        np.quantile(values, [TAILS, 1 - TAILS], axis=0) for values in (wrong_sq, _log_loss(law, draws_sp, asked_2q))
    ]
    after_q, before_q = (high_q - low_q for low_q, high_q in ends)
    return float(np.max(after_q / np.maximum(before_q, 1e-300)))

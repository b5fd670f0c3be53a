"""From compute-optimal points and their draws to the three fits of a frontier.

Shapes: `b` points, `t` the best estimate and then the draws, `s` draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoloss.core.fit import Data, Fit
from isoloss.core.law import Law, find
from isoloss.fitting import frontier_lines as lines
from isoloss.fitting.budgets import Sweep
from isoloss.fitting.frontier_lines import Weighing


@dataclass(frozen=True, eq=False)
class Points:
    """Compute-optimal points in logarithms: compute x_b; size, tokens and loss (b, t), NaN where none was found.

    `grain_b` is how far a size may be off besides, as a deviation that draws do not have yet.
    """

    x_b: np.ndarray
    size_bt: np.ndarray
    tokens_bt: np.ndarray
    loss_bt: np.ndarray
    grain_b: np.ndarray | float = 0.0

    @property
    def draws(self) -> Points:
        """The draws alone."""
        return Points(self.x_b, self.size_bt[:, 1:], self.tokens_bt[:, 1:], self.loss_bt[:, 1:], self.grain_b)

    def strayed(self, size: Weighing, loss: Weighing, rng: np.random.Generator) -> Points:
        """The points with each draw moved by the scatter that draws do not have yet; tokens move against sizes."""
        move_bt, lift_bt = rng.standard_normal((2, *self.size_bt.shape))
        move_bt[:, 0] = lift_bt[:, 0] = 0.0
        move_bt *= np.hypot(size.beyond, self.grain_b)[..., None]
        return Points(
            self.x_b,
            self.size_bt + move_bt,
            self.tokens_bt - move_bt,
            self.loss_bt + loss.beyond * lift_bt,
        )


@dataclass(frozen=True, eq=False)
class Weights:
    """How sure the points are in size and in loss, and whether the losses show a floor."""

    size: Weighing
    loss: Weighing
    has_floor: bool

    @classmethod
    def of(cls, points: Points) -> Weights:
        """Weights from the spread of draws, which are those of `points`, and from the scatter about the laws."""
        x_b, draws = points.x_b, points.draws
        size_b, loss_b = points.size_bt[:, 0], points.loss_bt[:, 0]
        of_size = lines.weighing(
            lines.variances(draws.size_bt) + points.grain_b**2,
            lines.straight_misfit(x_b, size_b),
            np.isfinite(size_b).sum() - 2,
        )
        spread_b = lines.variances(draws.loss_bt)
        has_floor = lines.shows_floor(lines.floored(x_b, draws.loss_bt, 1 / spread_b), len(x_b))
        misfit = (lines.floored_misfit if has_floor else lines.straight_misfit)(x_b, loss_b)
        return cls(of_size, lines.weighing(spread_b, misfit, len(x_b) - (3 if has_floor else 2)), has_floor)

    @classmethod
    def equal(cls, points: Points) -> Weights:
        """Equal weights: every point counts alike."""
        even = Weighing(np.ones(len(points.x_b)), 0.0)
        theta_3s = lines.floored(points.x_b, points.draws.loss_bt, even.weight_b)
        return cls(even, even, lines.shows_floor(theta_3s, len(points.x_b)))


def fits(
    points: Points, weights: Weights, table: Sweep, data: Data, scatter_n: np.ndarray, seed: int
) -> tuple[Fit, Fit, Fit]:
    """Size, tokens and loss against compute; draws that lack a law are left out of all three.

    `scatter_n` are the log residuals of single runs, from which a new run's scatter is drawn.
    """
    size_2t = lines.line(points.x_b, points.size_bt, weights.size.weight_b)
    tokens_2t = lines.line(points.x_b, points.tokens_bt, weights.size.weight_b)
    law, loss_pt = _loss(points, weights, table)
    kept_t = np.all(np.isfinite(np.concatenate([size_2t, tokens_2t, loss_pt])), axis=0)

    def made(law: Law, theta_pt: np.ndarray, residual_n: np.ndarray, squares: float) -> Fit:
        theta_tp = np.ascontiguousarray(theta_pt[:, kept_t].T)
        return Fit(
            law=law,
            theta_p=theta_tp[0],
            draws_sp=theta_tp[1:],
            status="converged",
            data=data,
            objective=("weighted_squares", squares),
            residuals_n=residual_n,
            seed=seed,
        )

    grown = find("allocation")
    none = np.empty(0)
    return (
        made(
            grown.bind(C=table.compute, y=table.size),
            np.stack([np.exp(size_2t[0]), size_2t[1]]),
            none,
            _squares(points, points.size_bt, size_2t, weights),
        ),
        made(
            grown.bind(C=table.compute, y="tokens"),
            np.stack([np.exp(tokens_2t[0]), tokens_2t[1]]),
            none,
            _squares(points, points.tokens_bt, tokens_2t, weights),
        ),
        made(law, loss_pt, scatter_n, _loss_squares(points, law, loss_pt, weights)),
    )


def _loss(points: Points, weights: Weights, table: Sweep) -> tuple[Law, np.ndarray]:
    bound = {"x": table.compute, "y": table.output}
    with np.errstate(all="ignore"):
        if weights.has_floor:
            floor_t, log_height_t, alpha_t = lines.floored(points.x_b, points.loss_bt, weights.loss.weight_b)
            return find("power_floor").bind(**bound), np.stack([floor_t, np.exp(log_height_t), alpha_t])
        intercept_t, slope_t = lines.line(points.x_b, points.loss_bt, weights.loss.weight_b)
        return find("power").bind(**bound), np.stack([np.exp(-intercept_t / slope_t), -slope_t])


def _squares(points: Points, y_bt: np.ndarray, theta_2t: np.ndarray, weights: Weights) -> float:
    rest_b = y_bt[:, 0] - theta_2t[0, 0] - theta_2t[1, 0] * points.x_b
    return float(np.nansum(weights.size.weight_b * rest_b**2))


def _loss_squares(points: Points, law: Law, theta_pt: np.ndarray, weights: Weights) -> float:
    rest_b = points.loss_bt[:, 0] - np.log(law.value(np.exp(points.x_b)[None], theta_pt[:, 0]))
    return float(np.nansum(weights.loss.weight_b * rest_b**2))

"""profile(): a parameter is moved away from its optimum, and all others follow: Venzon and Moolgavkar 1988.

All positions of the parameter are solved together. Shapes: `p` coordinates, `m` values of the parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate, check_level
from isoloss.core.finding import Finding
from isoloss.core.law import Law
from isoloss.core.profile import Profile
from isoloss.fitting import spread
from isoloss.fitting.newton import Posed, minimise
from isoloss.fitting.posing import Posing, solved
from isoloss.fitting.settings import Settings

POINTS = 12  # of each walk, a quarter of the expected half width apart
WALKS = 8  # on either side, each twice as far as the last
ROUNDS = 6  # of closing in on an end
NARROW = 1e-6  # how far a rise may be below zero, from rounding
ASSUMED = "the interval is of the profile: residuals are alike and independent"


def profile(
    runs: Any, law: str | Law = "chinchilla", *, parameter: str, level: float = 0.9, **settings: Any
) -> Profile:
    """The profile of one parameter of a law fitted to runs, and its interval at `level`.

    `settings` are those of `fit`. The rise is 2 (objective - least) / worth, where worth is sigma^2 for squares and
    E[psi^2] / E[psi'] otherwise; its threshold is the square of Student's t quantile for n - p degrees of freedom.
    Raises RequestError for a parameter that is held or stands for several groups, and what `fit` raises.
    """
    from scipy.special import stdtrit

    check_level(level)
    posing = solved(runs, law, Settings.read(settings))
    problem, u_p, links = posing.problem, posing.u_p, posing.how.links
    j = _coordinate(problem, links.of(parameter))
    curve = _Curve(problem, u_p, posing.least, spread.worth(problem, u_p), j)
    threshold = float(stdtrit(max(len(problem.y_n) - len(u_p), 1), 0.5 + level / 2) ** 2)
    below, above = curve.side(-1.0, threshold), curve.side(1.0, threshold)
    u_pm = np.concatenate([below.u_pm[:, ::-1], u_p[:, None], above.u_pm], axis=1)
    rise_m = np.concatenate([below.rise_m[::-1], [0.0], above.rise_m])
    theta_pm = problem.theta(u_pm)
    return Profile(
        parameter,
        theta_pm[j],
        rise_m,
        {name: theta_pm[i] for i, name in enumerate(problem.names) if i != j},
        threshold,
        level,
        Estimate(*(curve.parameter(u) for u in (u_p[j], below.end, above.end))),
        (*_findings(parameter, below, above, float(rise_m.min())), *posing.rows.findings, *_dependence(posing)),
        (ASSUMED, *posing.table.notes, *links.stated),
    )


@dataclass(frozen=True)
class _Side:
    """One side of the curve, outwards: positions (p, m), rises, where it crosses the threshold, and whether it does."""

    u_pm: np.ndarray
    rise_m: np.ndarray
    end: float
    is_closed: bool


@dataclass(frozen=True)
class _Curve:
    """The objective's least value as a function of coordinate j, as its rise above the optimum u_p."""

    problem: Posed
    u_p: np.ndarray
    least: float
    worth: float
    j: int

    def parameter(self, u: float) -> float:
        """The parameter at a position of its coordinate."""
        u_p1 = self.u_p.copy()[:, None]
        u_p1[self.j] = u
        return float(self.problem.theta(u_p1)[self.j, 0])

    def side(self, sign: float, threshold: float) -> _Side:
        """Walk outwards, ever further, until the rise is past the threshold or the range ends; then close in."""
        cov_pp = spread.covariance(self.problem, self.u_p)
        deviation = float(np.sqrt(cov_pp[self.j, self.j])) or 0.1 * float(self.problem.stride_p[self.j])
        limit = float((self.problem.high_p if sign > 0 else self.problem.low_p)[self.j])
        step, begin, found = 0.25 * np.sqrt(threshold) * deviation, float(self.u_p[self.j]), [self._nowhere]
        for _ in range(WALKS):
            at_m = begin + sign * step * np.arange(1, POINTS + 1)
            at_m = np.unique(np.clip(at_m, min(limit, begin), max(limit, begin)))[:: int(sign)]
            at_m = at_m[at_m != begin]
            if not len(at_m):
                break
            found.append(self._at(at_m, cov_pp[:, self.j] / (cov_pp[self.j, self.j] or 1.0)))
            begin, step = float(at_m[-1]), 2 * step
            if found[-1][1].max() > threshold:
                break
        u_pm, rise_m = (np.concatenate(arrays, axis=-1) for arrays in zip(*found, strict=True))
        past = np.flatnonzero(rise_m > threshold)
        if not len(past):
            return _Side(u_pm, rise_m, limit, False)
        return _Side(u_pm, rise_m, self._crossing(u_pm, rise_m, int(past[0]), threshold), True)

    @property
    def _nowhere(self) -> tuple[np.ndarray, np.ndarray]:
        return np.empty((len(self.u_p), 0)), np.empty(0)

    def _at(self, at_m: np.ndarray, answer_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Solved from the straight line that the others follow at first, and then from the neighbours' ends.
        start_pm = self.problem.inside(self.u_p[:, None] + answer_p[:, None] * (at_m - self.u_p[self.j]))
        start_pm[self.j] = at_m
        solved = self._solved(start_pm)
        for shift in (1, -1):
            start_pm = np.roll(solved[0], shift, axis=1)
            start_pm[self.j] = at_m
            again = self._solved(start_pm)
            lower = again[1] < solved[1]
            solved = np.where(lower, again[0], solved[0]), np.where(lower, again[1], solved[1])
        return solved

    def _solved(self, start_pm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = minimise(self.problem, start_pm, fixed_p=np.arange(len(self.u_p)) == self.j)
        return found.u_pb, 2 * (found.value_b - self.least) / self.worth

    def _crossing(self, u_pm: np.ndarray, rise_m: np.ndarray, past: int, threshold: float) -> float:
        # The root of the rise is nearly straight in the coordinate: false position on it, the last step halved.
        inner = (self.u_p, 0.0) if past == 0 else (u_pm[:, past - 1], float(rise_m[past - 1]))
        outer = (u_pm[:, past], float(rise_m[past]))
        for _ in range(ROUNDS):
            roots = [np.sqrt(max(rise, 0.0)) for rise in (inner[1], outer[1])]
            share = float(np.clip((np.sqrt(threshold) - roots[0]) / max(roots[1] - roots[0], 1e-300), 0.02, 0.98))
            start_p = inner[0] + share * (outer[0] - inner[0])
            solved_p1, rise_1 = self._solved(start_p[:, None])
            point = (solved_p1[:, 0], float(rise_1[0]))
            inner, outer = (point, outer) if point[1] <= threshold else (inner, point)
        roots = [np.sqrt(max(rise, 0.0)) for rise in (inner[1], outer[1])]
        share = (np.sqrt(threshold) - roots[0]) / max(roots[1] - roots[0], 1e-300)
        return float(inner[0][self.j] + share * (outer[0][self.j] - inner[0][self.j]))


def _coordinate(problem: Posed, name: str) -> int:
    if name not in problem.names:
        raise RequestError(
            f"'{name}' is no free parameter of this fit.", f"Free: {', '.join(problem.names)}.", "Name one of these."
        )
    return problem.names.index(name)


def _dependence(posing: Posing) -> tuple[Finding, ...]:
    column = posing.rows.clusters
    if not column:
        return ()
    sentence = f"Rows with the same {column} are not independent, as this interval takes them to be: it is too narrow."
    return (Finding("D2", "amber", sentence, None, "Fit with draws by cluster, or keep one row of each."),)


def _findings(parameter: str, below: _Side, above: _Side, least: float) -> list[Finding]:
    found = []
    for words, side in (("below", below), ("above", above)):
        if not side.is_closed:
            sentence = f"The runs do not bound {parameter} from {words}: its profile stays under the threshold."
            fix = f"Add runs that {parameter} matters for, or give it a prior."
            found.append(Finding("C5" if parameter == "E" else "B2", "amber", sentence, None, fix))
    if least < -NARROW:
        sentence = f"The profile found a lower optimum, by {-least:.2g} units of rise, than the fit."
        found.append(
            Finding("C1", "red", sentence, least, "Fit again with another seed or objective, and report this.")
        )
    return found

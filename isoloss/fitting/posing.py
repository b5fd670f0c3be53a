"""From runs and settings to a solved problem: what is refused, how runs are arranged, what depends on residuals.

Shapes: `n` runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.law import Law, find
from isoloss.core.noise import Noise
from isoloss.core.runs import Runs
from isoloss.fitting import checks, noise, objectives, uncertainty
from isoloss.fitting.linked import Linked, link
from isoloss.fitting.newton import Posed, Solved
from isoloss.fitting.objectives import Objective
from isoloss.fitting.problem import Problem
from isoloss.fitting.rows import Rows, arrange, as_runs, grouped
from isoloss.fitting.settings import Settings
from isoloss.fitting.solving import solve
from isoloss.fitting.spread import worth


@dataclass(frozen=True, eq=False)
class Posing:
    """A law bound to runs as `given`, completed as `table`, arranged as `rows`; the problem they set, its optima."""

    law: Law
    how: Settings
    given: Runs
    table: Runs
    rows: Rows
    problem: Posed
    starts: Solved
    noise: Noise

    @property
    def u_p(self) -> np.ndarray:
        """The best coordinates, (p,)."""
        return self.starts.u_pb[:, self.starts.best]

    @property
    def least(self) -> float:
        """The objective there."""
        return float(self.starts.value_b[self.starts.best])


def checked(runs: Any, law: str | Law, how: Settings) -> tuple[Law, Runs, Runs, Rows]:
    """The law bound, the runs as given, complete, and arranged; raises what `fit` raises, before any work is done."""
    bound = find(law).bind(**how.inputs)
    how.links.check(bound)
    given = as_runs(runs)
    checks.check_bound(bound, given)
    table = given.complete([*bound.columns, bound.output.name])
    checks.check_design(bound, grouped(table, how.by), how.chosen, how.links)
    rows = _arranged(bound, table, how)
    drawn_by(rows, how)
    return bound, given, table, rows


def solved(runs: Any, law: str | Law, how: Settings) -> Posing:
    """Check, arrange and solve."""
    bound, given, table, rows = checked(runs, law, how)
    return Posing(bound, how, given, table, rows, *_settled(bound, rows, how))


def drawn_by(rows: Rows, how: Settings) -> str:
    """The method of the draws; RequestError for one that needs what these rows or the objective do not have."""
    kinds = {"clusters": rows.count_clusters(), "strata": bool(rows.strata)}
    return uncertainty.choose(how.uncertainty, how.chosen, len(rows.y_n), how.draws, **kinds)


def pose(law: Law, runs: Runs, objective: Objective) -> Problem:
    """The problem that complete runs set, with its rows in an order that is theirs alone."""
    rows = arrange(law, runs, cluster=False)
    return Problem(law, rows.x_kn, rows.y_n, objective)


def _arranged(law: Law, table: Runs, how: Settings) -> Rows:
    weights = how.weights
    if isinstance(weights, str) and weights in noise.MODELS:
        noise.check(weights, table, law.columns)
    has_none = weights is None or (isinstance(weights, str) and weights in noise.MODELS)
    weight_n = None if has_none else noise.given(table, weights)
    return arrange(law, table, weight_n=weight_n, by=how.by, cluster=how.cluster, strata=how.strata)


def _settled(law: Law, rows: Rows, how: Settings) -> tuple[Posed, Solved, Noise]:
    """The problem with all that depends on its own residuals settled, its solved starts, and the noise."""
    chosen, links, noise_model = how.chosen, how.links, how.weights
    first = chosen if chosen.settled else objectives.find("huber_log")
    problem: Posed = Problem(law, rows.x_kn, rows.y_n, first, rows.weight_n)
    if links or how.by:
        problem = link({label: problem.of_runs(group) for label, group in rows.groups.items()}, links)
    starts, scatter = solve(problem), Noise()
    has_model = isinstance(noise_model, str) and noise_model in noise.MODELS
    for _ in range(noise.ROUNDS if has_model or links.prior or not chosen.settled else 0):
        u_p = starts.u_pb[:, starts.best]
        if has_model:
            of = (str(noise_model), rows.runs, law.columns)
            own = noise.estimated(*of, problem.residual_n(u_p), problem.design_n)
            factor_n = own.factor({c: rows.runs[c] for c in own.columns}, len(rows.y_n))
            problem = problem.weighted(factor_n**-2 / np.mean(factor_n**-2))
            scatter = noise.estimated(*of, _relative(problem, u_p), problem.design_n)
        if not chosen.settled:
            weight_n = 1.0 if problem.weight_n is None else np.sqrt(problem.weight_n)
            problem = problem.under(chosen.settled_on(problem.residual_n(u_p) * weight_n))
        if isinstance(problem, Linked) and links.prior:
            problem = problem.believing(worth(problem, u_p))
        starts = solve(problem)
    return problem, starts, scatter


def _relative(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    # Log residuals, which predictions are made from whatever the objective compares; plain ones where there are none.
    predicted_n = problem.predicted(u_p)
    if problem.objective.log or min(problem.y_n.min(), predicted_n.min()) <= 0:
        return problem.residual_n(u_p)
    return np.log(predicted_n) - np.log(problem.y_n)

"""fit(): a law's parameters from runs, with draws that carry their uncertainty, a status, a certificate and findings.

Shapes: `n` runs, `p` parameters, `s` draws, `g` groups.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, overload

import numpy as np

from isoloss.core.finding import Finding, gravest_first
from isoloss.core.fit import Data, Fit, Status
from isoloss.core.groups import Groups
from isoloss.core.law import Law
from isoloss.core.noise import Noise
from isoloss.core.runs import Runs
from isoloss.fitting import influence, open_directions, uncertainty
from isoloss.fitting.newton import Posed, Solved
from isoloss.fitting.posing import Posing, checked, drawn_by, solved
from isoloss.fitting.problem import Problem
from isoloss.fitting.resampling import Basis
from isoloss.fitting.rows import Rows, grouped
from isoloss.fitting.settings import Settings
from isoloss.fitting.solving import rivals
from isoloss.fitting.verdict import draw_findings, verdict

BY_CLUSTER = ("cluster", "stratified", "wild", "sandwich")  # the kinds of draws that look at clusters, and at strata
BY_STRATUM = ("cluster", "stratified")


@overload
def fit(runs: Any, law: str | Law = ..., *, by: str, **settings: Any) -> Groups: ...
@overload
def fit(runs: Any, law: str | Law = ..., *, by: None = None, **settings: Any) -> Fit: ...
def fit(runs: Any, law: str | Law = "chinchilla", **settings: Any) -> Fit | Groups:
    """Fit a law to runs: the best parameters over many starts, and `draws` of them that carry their uncertainty.

    `runs` is a `Runs` table, a path or a data frame. `inputs` names the column behind an argument of the law, and
    "y" that of its output: `fit(runs, law="power", inputs={"x": "tokens"})`. Columns that follow from others are
    derived, and the rule is among the fit's assumptions. The answer does not depend on the order of the rows.

    - `objective`: huber_log (Hoffmann et al. 2022, Eq. 3, as a sum over runs), squared_log, squared, huber, absolute,
      quantile, asymmetric, student_t; constants may follow: "huber_log(delta=0.01)".
    - `weights`: an array (n,) or a column, proportional to 1 / variance; "scale" (the scatter is a power law of the
      run's size) or "replicates" (the same, from repeated designs).
    - `hold={"E": 1.7}` fixes parameters, `tie=("alpha", "beta")` makes them equal, `prior={"alpha": (0.35, 0.05)}` is a
      mean and a standard deviation.
    - `by="arch"` fits every group, all at once, with the parameters in `share` common to them: the answer is `Groups`.
    - `uncertainty`: pairs, cluster, stratified, wild, laplace, sandwich, mcmc; auto takes stratified where `strata`
      names a column, wild below 200 runs, else pairs or cluster. Rows that belong together are found (checkpoints of
      one run, by a column run, run_id or id) or named (`cluster`, a column; False turns that off), and are drawn or
      turned together.
    - `progress(done, total)` is called as draws are done.

    Raises UnknownNameError (law, objective, column, parameter, setting), ColumnError or CellError (numbers missing or
    unreadable), DesignError (runs that cannot tell the parameters), RequestError (settings that cannot be).
    """
    how = Settings.read(settings)
    if how.by and not how.links.share:
        return _one_by_one(runs, law, how)
    posing = solved(runs, law, how)
    status, findings, certificate = verdict(posing.problem, posing.starts)
    draws, words, reserves = _draws(posing, status, open_directions.is_there(posing.problem, certificate))
    common = Fit(
        law=posing.law,
        theta_p=np.empty(0),
        draws_sp=np.empty((0, 0)),
        status=status,
        data=Data.of(posing.table, posing.given),
        objective=(posing.problem.objective.name, posing.least),
        findings=(*findings, *reserves),
        assumptions=(*posing.table.notes, *posing.how.links.stated, *_weighing(posing), *words),
        seed=posing.how.seed,
        certificate=certificate,
        fixed=posing.how.links.fixed,
        noise=posing.noise,
    )
    fits = {
        label: replace(fit, findings=gravest_first([*fit.findings, *_further(posing, fit, draws)]))
        for label, fit in _by_group(common, posing, draws).items()
    }
    return Groups(posing.how.by, fits, posing.how.links.share) if posing.how.by else fits[""]


def _one_by_one(runs: Any, law: str | Law, how: Settings) -> Groups:
    # Groups that share nothing: each fit has its own status, and draws that are independent of the others'.
    _, given, *_ = checked(runs, law, how)
    if how.weights is not None and not isinstance(how.weights, str):
        given, how = given.with_columns(weights=how.weights), replace(how, weights="weights")
    fits = {
        label: fit(group, law, **vars(replace(how, by=None, seed=how.seed + g)))
        for g, (label, group) in enumerate(grouped(given, how.by).items())
    }
    return Groups(str(how.by), fits)


def _draws(posing: Posing, status: Status, is_open: bool) -> tuple[Solved, tuple[str, ...], list[Finding]]:
    # The draws, the assumption that they make in words, and what is known against it.
    rows, how = posing.rows, posing.how
    if not how.draws:
        return posing.starts.take(np.zeros(0, int)), (), []
    method = drawn_by(rows, how)
    basis = Basis(
        posing.problem,
        rivals(posing.problem, posing.starts),
        np.arange(len(rows.y_n)) if method == "pairs" else rows.cluster_n,
        _strata(rows, method),
        thorough=status in ("converged", "at_bound"),
        seed=how.seed,
        progress=how.progress,
    )
    if is_open and method in open_directions.SAMPLERS:
        return (
            open_directions.along(basis, how.draws, open_directions.SAMPLERS[method]),
            (uncertainty.WORDS[method], open_directions.WORDS),
            [],
        )
    draws = uncertainty.METHODS[method](basis, how.draws)
    reserves = uncertainty.reserves(method, basis)
    if method == "pairs" and not (rows.clusters or rows.strata):
        return draws, (), reserves
    by = [f"(clusters by column {rows.clusters})"] if rows.clusters and method in BY_CLUSTER else []
    within = [f"(strata by column {rows.strata})"] if rows.strata and method in BY_STRATUM else []
    return draws, (" ".join([uncertainty.WORDS[method], *by, *within]),), reserves


def _further(posing: Posing, fit: Fit, draws: Solved) -> list[Finding]:
    found = [*posing.rows.findings, *draw_findings(draws)]
    is_plain = isinstance(posing.problem, Problem) and posing.problem.weight_n is None and fit.status == "converged"
    if len(fit.draws_sp) and is_plain and fit.data.n <= influence.MANY_RUNS and influence.answers(fit.law):
        found += influence.influence(posing.table, fit).findings
    return found


def _strata(rows: Rows, method: str) -> np.ndarray:
    group_n = np.repeat(np.arange(len(rows.groups)), [g.stop - g.start for g in rows.groups.values()])
    if method not in BY_STRATUM:
        return group_n
    return np.unique(rows.stratum_n * len(rows.groups) + group_n, return_inverse=True)[1]


def _by_group(common: Fit, posing: Posing, draws: Solved) -> dict[str, Fit]:
    best_g, draws_g = _each(posing.problem, posing.u_p[:, None]), _each(posing.problem, draws.u_pb)
    fits = {}
    groups = grouped(posing.table, posing.how.by)
    for (label, runs), best_p1, draws_ps in zip(groups.items(), best_g, draws_g, strict=True):
        theta_p = best_p1[:, 0]
        fits[label] = replace(
            common,
            theta_p=theta_p,
            draws_sp=np.ascontiguousarray(draws_ps.T),
            residuals_n=_log_residuals(common.law, runs, theta_p, common.noise),
            data=_of_group(runs, f"{posing.how.by}={label}") if posing.how.by else common.data,
            clusters=posing.rows.count_clusters(posing.rows.groups[label]),
        )
    return fits


def _of_group(runs: Runs, label: str) -> Data:
    return replace(Data.of(runs), source=f"{runs.source}, {label}")


def _each(problem: Posed, u_pb: np.ndarray) -> list[np.ndarray]:
    # The law's parameters in every group, g times (p, b).
    if isinstance(problem, Problem):
        return [problem.theta(u_pb)]
    return [part.theta(u) for part, u in zip(problem.parts, problem.each(u_pb), strict=True)]


def _log_residuals(law: Law, runs: Runs, theta_p: np.ndarray, scatter: Noise) -> np.ndarray:
    with np.errstate(all="ignore"):
        predicted_n = law.value(np.array([runs[c] for c in law.columns]), theta_p)
    measured_n = runs[law.output.name]
    seen_n = (measured_n > 0) & (predicted_n > 0)
    factor_n = scatter.factor({c: runs[c] for c in scatter.columns}, len(runs))[seen_n]
    return (np.log(measured_n[seen_n]) - np.log(predicted_n[seen_n])) / factor_n


def _weighing(posing: Posing) -> tuple[str, ...]:
    weights, noise = posing.how.weights, posing.noise
    if noise.columns:
        return (f"the scatter of a run goes as ({' x '.join(noise.columns)})^{noise.exponent:.3f}, from its {weights}",)
    if weights is None:
        return ()
    return (f"runs are weighted by {f'column {weights}' if isinstance(weights, str) else 'the numbers given'}",)

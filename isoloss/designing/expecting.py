"""What a ladder's fit will tell, before any run is trained: losses of a known law are simulated, fitted, and asked.

The spread of many such fits is the interval that the real fit will have, if the assumed law and scatter hold.
Shapes: `n` runs, `p` parameters, `s` simulated sweeps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate, check_level
from isoloss.core.law import Law
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.designing.assumed import NoiseLike, Scatter, Truth, TruthLike, scatter_of, truth_of
from isoloss.designing.targets import best_size, target_of
from isoloss.fitting import checks, objectives
from isoloss.fitting.newton import Solved, gradually
from isoloss.fitting.posing import pose
from isoloss.fitting.problem import Problem
from isoloss.fitting.resampling import Basis, draw
from isoloss.fitting.sample import Sample
from isoloss.fitting.starts import afar, spread
from isoloss.lab.designs import HELD_OUT, compute

SIMS = 300
LOST, STARTS, STEPS = 0.01, 8, 60  # share of sweeps on their way still, beyond which they begin anew, and how

Cells = Iterable[Spec] | Runs | Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """What simulated fits of a ladder spread over: parameters, and at a target the best size, tokens and loss.

    Each estimate has the truth as its middle, and the central interval of the fits at `level`. `loss` is of the mean
    curve at the target's `params` and `tokens`, `new_run` of one run there. `at_bound` is the share of fits that end at
    the edge of what a parameter can be, `no_optimum` the share that know no best size.
    """

    law: str
    runs: int
    cells: int
    level: float
    parameters: Mapping[str, Estimate]
    target: Mapping[str, float]
    size_name: str
    size: Estimate
    tokens: Estimate
    loss: Estimate
    new_run: Estimate
    at_bound: float
    no_optimum: float
    sims: int
    assumptions: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """The interval of the loss at the target, as a logarithm: how far apart its ends are, relatively."""
        return math.log(self.loss.high / self.loss.low)

    def __str__(self) -> str:
        """The intervals to expect, and what they rest on, in at most 100 columns."""
        head = f"a {self.law} fit of these {self.runs} runs in {self.cells} cells, by {self.sims} simulated sweeps"
        lines = [text.wrapped(f"Expected of {head} ({self.level:.0%} intervals)")]
        lines += [f"  {name:>17}  {estimate}" for name, estimate in self.parameters.items()]
        where = f"{numbers.short(self.target[self.size_name])} {self.size_name}"
        point = f"{where} on {numbers.short(self.target['tokens'])} tokens"
        lines += [
            f"  best use of {compute(self.target['flops'])} (6 N D)",
            f"  {self.size_name:>17}  {self.size}",
            f"  {'tokens':>17}  {self.tokens}",
            f"  loss at {point}",
            f"  {'mean curve':>17}  {self.loss}",
            f"  {'a new run':>17}  {self.new_run}",
        ]
        lines += [text.wrapped(f"  {warning}") for warning in self.warnings]
        return "\n".join([*lines, *text.notes(self.assumptions, ())])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the simulated fits say against the ladder."""
        told = []
        if self.at_bound > 0.05:
            told.append(
                f"{self.at_bound:.0%} of these fits end with a parameter at its bound (such as a floor of 0): longer "
                "runs of the small sizes, or more cells, would tell it"
            )
        if self.no_optimum > 0.02:
            told.append(f"{self.no_optimum:.0%} of these fits know no best size and are left out of its interval")
        return tuple(told)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            "law": self.law,
            "runs": self.runs,
            "cells": self.cells,
            "level": self.level,
            "sims": self.sims,
            "params": {name: e.to_json() for name, e in self.parameters.items()},
            "target": dict(self.target),
            "best": {self.size_name: self.size.to_json(), "tokens": self.tokens.to_json()},
            "loss": {"mean": self.loss.to_json(), "run": self.new_run.to_json()},
            "at_bound": self.at_bound,
            "no_optimum": self.no_optimum,
            "warnings": list(self.warnings),
            "assumptions": list(self.assumptions),
        }


def expected(
    cells: Cells,
    *,
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
    noise: NoiseLike = None,
    target: float | str | Spec | Mapping[str, float] | None = None,
    level: float = 0.9,
    sims: int = SIMS,
    seed: int = 0,
) -> Expected:
    """Return how sure a fit of these cells will be, by simulated sweeps of a known law (parametric bootstrap).

    `cells` are Specs (those held out do not count), or a table of sizes and tokens, a row for every run. `truth` and
    `noise` are described in `assumed.py`. `target` is a budget in FLOPs, a run, or size and tokens by name; without
    it, the dearest run held out, or ten times the dearest run. The sweeps are fitted together, as `fit` would each.
    Raises DesignError where the cells cannot be fitted at all, RequestError for assumptions that cannot be.
    """
    check_level(level)
    if sims < 20:
        raise RequestError(f"{sims} simulated sweeps have no {level:.0%} interval.", do="Give sims=100 or more.")
    runs = table_of(cells)
    assumed, scatter = truth_of(truth, law, runs), scatter_of(noise)
    problem = _posed(assumed, runs)
    theta_sp = _simulated(problem, assumed, scatter, sims, seed)
    point, words = target_of(target, cells, runs, assumed)
    return _told(problem, assumed, scatter, theta_sp, point, words, level, seed)


def table_of(cells: Cells) -> Runs:
    """Return the runs that a law will be fitted to, as a table without losses; RequestError where there are none."""
    if isinstance(cells, Runs):
        return cells
    if isinstance(cells, Mapping):
        return Runs({str(name): np.asarray(values) for name, values in cells.items()}, "the cells given")
    fitted = [spec for spec in cells if spec.split != HELD_OUT]
    if not fitted:
        raise RequestError("There are no runs to fit a law to.", "Those with split = test are held out.")
    return Runs(_columns(fitted), "the cells of this ladder")


def _columns(specs: list[Spec]) -> dict[str, np.ndarray]:
    counts = [spec.counts for spec in specs]
    sizes = {name: [getattr(c, name) for c in counts] for name in ("params", "body_params", "matmul_params")}
    others = {"tokens": [spec.tokens for spec in specs], "flops": [spec.flops for spec in specs]}
    return {name: np.array(values, float) for name, values in {**sizes, **others}.items()}


def _posed(assumed: Truth, runs: Runs) -> Problem:
    law, objective = assumed.law, objectives.find("huber_log")
    table = runs.complete(law.columns)
    table = table.with_columns(**{law.output.name: assumed.value({c: table[c] for c in law.columns})})
    checks.check_design(law, {"": table}, objective)
    return pose(law, table, objective)


def _simulated(problem: Problem, assumed: Truth, scatter: Scatter, sims: int, seed: int) -> np.ndarray:
    log_n, cells = np.log(problem.y_n), int(problem.design_n.max()) + 1

    def sampler(rng: np.random.Generator, draws: int) -> Sample:
        of_cell_sn = rng.standard_normal((draws, cells))[:, problem.design_n]
        of_seed_sn = rng.standard_normal((draws, len(log_n)))
        return Sample(y_bn=np.exp(log_n + scatter.cell * of_cell_sn + scatter.seed * of_seed_sn))

    sample = sampler(np.random.default_rng(seed), sims)
    from_pb = problem.inside(problem.internal(assumed.theta_p[:, None]))
    solved = draw(Basis.plain(problem, from_pb, seed), sims, lambda basis, rng, draws: sample)
    return problem.theta(_from_afar(problem, solved, sample).u_pb).T


def _from_afar(problem: Problem, solved: Solved, sample: Sample) -> Solved:
    # A fit that knows nothing of the truth begins anywhere. Where the cells leave a valley, one that begins at the
    # truth stays beside it, and would look surer than the fit to come.
    rows = np.flatnonzero(~solved.converged_b)
    if len(rows) <= LOST * len(solved.value_b):
        return solved
    nonlinear = len(problem.law.names) - len(problem.law.formula.linear)
    part = sample.take(rows)
    for start_p in afar(problem, spread(nonlinear, STARTS)).T:
        found = gradually(problem, np.repeat(start_p[:, None], len(rows), axis=1), part, most_steps=STEPS)
        solved = solved.put(rows, found)
    return solved


def _told(
    problem: Problem,
    assumed: Truth,
    scatter: Scatter,
    theta_sp: np.ndarray,
    point: dict[str, float],
    words: str,
    level: float,
    seed: int,
) -> Expected:
    law, size = assumed.law, assumed.size
    size_s = best_size(law, theta_sp, point["flops"], size)
    best = float(best_size(law, assumed.theta_p, point["flops"], size)[0])
    x_k1 = np.array([[point[c]] for c in law.columns])
    loss, loss_s = float(law.value(x_k1, assumed.theta_p)[0]), law.value(x_k1, theta_sp)[:, 0]
    run_s = loss_s * np.exp(scatter.whole * np.random.default_rng(seed).standard_normal(len(loss_s)))
    per_token = point["flops"] / FLOP_PER_PARAM_AND_TOKEN
    known_s = size_s[np.isfinite(size_s)]
    return Expected(
        law=law.name,
        runs=len(problem.y_n),
        cells=int(problem.design_n.max()) + 1,
        level=level,
        parameters={
            name: Estimate.of(float(assumed.theta_p[j]), theta_sp[:, j], level) for j, name in enumerate(law.names)
        },
        target=point,
        size_name=size,
        size=Estimate.of(best, known_s, level),
        tokens=Estimate.of(per_token / best, per_token / known_s, level),
        loss=Estimate.of(loss, loss_s, level),
        new_run=Estimate.of(loss, run_s, level),
        at_bound=_share_at_bound(problem, theta_sp),
        no_optimum=float(np.mean(~np.isfinite(size_s))),
        sims=len(theta_sp),
        assumptions=_stated(assumed, scatter, problem, words),
    )


def _share_at_bound(problem: Problem, theta_sp: np.ndarray) -> float:
    low_p = np.array([p.range.low for p in problem.law.parameters])
    high_p = np.array([p.range.high for p in problem.law.parameters])
    with np.errstate(all="ignore"):
        at_sp = (theta_sp <= low_p + 1e-9 * np.abs(theta_sp)) | (theta_sp >= high_p * (1 - 1e-9))
    return float(at_sp.any(axis=1).mean())


def _stated(assumed: Truth, scatter: Scatter, problem: Problem, words: str) -> tuple[str, ...]:
    told = [
        f"the truth is {assumed.words}; if another law holds, the fit will be as wrong as that law is",
        *_beyond(assumed, problem),
        scatter.words,
        "every run is tuned alike and trained to its end",
        *([words] if words else []),
    ]
    return tuple(told)


def _beyond(assumed: Truth, problem: Problem) -> list[str]:
    told = []
    for name, column_n in zip(assumed.law.columns, problem.x_kn, strict=True):
        low, high = assumed.ranges.get(name, (0.0, math.inf))
        above, below = float(column_n.max()) / high, low / float(column_n.min())
        if max(above, below) > 1.01:
            side = "above" if above > below else "below"
            told.append(
                f"{name} reach {max(above, below):.3g} times {side} those behind this truth, where it may not hold"
            )
    return told

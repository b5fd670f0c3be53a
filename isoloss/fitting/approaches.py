"""Chinchilla's three approaches on one table, side by side: do they tell the same best size?

Shapes: `s` draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.fitting import engine
from isoloss.fitting.budgets import sweep
from isoloss.fitting.envelope import envelope
from isoloss.fitting.grid_bias import best_size
from isoloss.fitting.isoflop import isoflop
from isoloss.fitting.rows import as_runs

FAR = 100.0


@dataclass(frozen=True)
class Answer:
    """What one approach tells: the exponent of the best size, and that size at the target; or why it tells nothing."""

    approach: str
    exponent: Estimate
    best: Estimate
    refusal: str = ""

    def __str__(self) -> str:
        if self.refusal:
            return f"{self.approach:>10}: {self.refusal}"
        return f"{self.approach:>10}: N_opt ~ C^{self.exponent}, {self.best}"


@dataclass(frozen=True)
class Approaches:
    """The three answers at one target and level, and whether they agree."""

    flops: float
    size: str
    level: float
    answers: tuple[Answer, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        head = f"best {self.size} at {numbers.short(self.flops)} FLOP ({self.level:.0%} intervals)"
        return "\n".join([head, *(str(a) for a in self.answers), *(f"  {f}" for f in self.findings)])


def approaches(
    runs: Any,
    *,
    flops: Any = None,
    size: str | None = None,
    run: str | None = None,
    budget: str | None = None,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> Approaches:
    """Fit the envelope, isoFLOP profiles and the Chinchilla law, those that the table allows, and compare.

    The best size is told at `flops`, 100 times the largest compute of the runs unless given. An approach that these
    runs do not allow gives its reason instead. Finding C6, amber: intervals of two approaches that do not overlap; the
    draws of approaches are independent of each other. Raises what `isoloss.fit` raises.
    """
    table = sweep(as_runs(runs), size, "loss")
    target = numbers.parse(flops) if flops is not None else FAR * float(table.flops_n.max())
    shared = {"size": table.size, "draws": draws, "seed": seed, "flops": target}
    answers = (
        _of_frontier("envelope", level, target, lambda: envelope(runs, run=run, **shared)),
        _of_frontier("isoflop", level, target, lambda: isoflop(runs, budget=budget, **shared)),
        _of_law(engine.fit(table.runs, inputs={"N": table.size}, draws=draws, seed=seed), level, target),
    )
    return Approaches(target, table.size, level, answers, _findings(answers, table.size, target))


def _of_frontier(name: str, level: float, flops: float, fitted: Any) -> Answer:
    try:
        frontier: Frontier = fitted()
    except DesignError as refusal:
        return Answer(name, Estimate(np.nan), Estimate(np.nan), refusal.given)
    part = frontier.size
    best_t = part.law.value([[flops]], np.vstack([part.theta_p, part.draws_sp]))[:, 0]
    return Answer(name, part.interval("a", level), Estimate.of(best_t[0], best_t[1:], level))


def _of_law(fitted: Fit, level: float, flops: float) -> Answer:
    theta_pt = np.vstack([fitted.theta_p, fitted.draws_sp]).T
    intercept_t, exponent_t = best_size(dict(zip(fitted.law.names, theta_pt, strict=True)))
    best_t = np.exp(intercept_t + exponent_t * np.log(flops))
    exponent = Estimate.of(exponent_t[0], exponent_t[1:], level)
    return Answer("parametric", exponent, Estimate.of(best_t[0], best_t[1:], level))


def _findings(answers: tuple[Answer, ...], size: str, flops: float) -> tuple[Finding, ...]:
    told = [a for a in answers if not a.refusal]
    if len(told) < 2:
        return (Finding("C6", "note", "Only one approach fits these runs: there is nothing to compare it with."),)
    ratio = max(a.best.mid for a in told) / min(a.best.mid for a in told)
    apart = [(a, b) for a, b in combinations(told, 2) if _apart(a.exponent, b.exponent) or _apart(a.best, b.best)]
    if not apart:
        sentence = f"The approaches agree: all intervals overlap, and the best {size} differ by a factor {ratio:.2f}."
        return (Finding("C6", "note", sentence, ratio),)
    pairs = "; ".join(
        f"{a.approach} a = {a.exponent}, {a.best}, {b.approach} a = {b.exponent}, {b.best}" for a, b in apart
    )
    sentence = (
        f"The approaches disagree on the best {size} at {numbers.short(flops)} FLOP beyond their intervals: {pairs}."
    )
    fix = "No interval of one approach covers the choice of approach: plan with both, or add runs near the target."
    return (Finding("C6", "amber", sentence, ratio, fix),)


def _apart(one: Estimate, other: Estimate) -> bool:
    return bool(one.known and other.known and (one.low > other.high or other.low > one.high))

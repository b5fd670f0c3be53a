"""What is assumed before any run is trained: a law with numbers, and how far single runs scatter about it.

Shapes: `n` runs, `p` parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.law import Law, find
from isoloss.core.runs import Runs
from isoloss.fitting.engine import fit
from isoloss.fitting.problem import numbered
from isoloss.published import published
from isoloss.samples import ladder

SIZES = ("params", "body_params", "matmul_params")
REPLICATION = "besiroglu2024"

TruthLike = Fit | str | Mapping[str, float] | None
NoiseLike = float | str | tuple[float, float] | None


@dataclass(frozen=True)
class Truth:
    """A law with numbers theta_p, in words where they are from, and the ranges of sizes and tokens behind them."""

    law: Law
    theta_p: np.ndarray
    words: str
    ranges: Mapping[str, tuple[float, float]]

    @property
    def size(self) -> str:
        """The law's count of model size."""
        return next(column for column in self.law.columns if column in SIZES)

    def value(self, columns: Mapping[str, Any]) -> np.ndarray:
        """The law's output at points (m,)."""
        return self.law.value(np.array([columns[c] for c in self.law.columns], float), self.theta_p)


@dataclass(frozen=True)
class Scatter:
    """Standard deviations of log losses: `seed` of every run by itself, `cell` of all seeds of one cell together."""

    seed: float
    cell: float
    words: str

    @property
    def whole(self) -> float:
        """Of one run about the law."""
        return math.hypot(self.seed, self.cell)


def truth_of(given: TruthLike, law: str | Law, runs: Runs) -> Truth:
    """Return the law assumed to be true.

    `given` is a fit, the key of a published one, or constants by name. Without it, it is the fit of `law` to the
    embedded ladder, or Besiroglu et al. 2024, whichever has sizes nearer to those of `runs`.
    Raises RequestError for a law that is not one of size and tokens, or constants that are lacking.
    """
    bound = find(law)
    if isinstance(given, Mapping):
        _check_law(bound)
        lacking = [name for name in bound.names if name not in given]
        if lacking:
            raise RequestError(
                f"The truth lacks {', '.join(lacking)}.", f"The law '{bound.name}' has {', '.join(bound.names)}."
            )
        told = ", ".join(f"{name} = {given[name]:.4g}" for name in bound.names)
        return Truth(bound, bound.theta({n: float(given[n]) for n in bound.names}), f"the constants {told}", {})
    if given is not None:
        return _of_fit(published(given) if isinstance(given, str) else given)
    _check_law(bound)
    own = _of_fit(_ladder_fit(bound))
    other = _of_fit(published(REPLICATION))
    if other.law.name != bound.name:
        return own
    return min((own, other), key=lambda truth: _away(truth, runs))


def scatter_of(given: NoiseLike) -> Scatter:
    """Return how far losses scatter about the law.

    A number is the standard deviation of the log loss of each run; two are those of seeds and of cells. Without it,
    both are measured on the embedded ladder: seeds by its replicates, cells by what its fit misses beyond them.
    Raises RequestError for a number that is negative, or larger than 1.
    """
    if given is None:
        return _of_the_ladder()
    seed, cell = given if isinstance(given, tuple) else (numbers.parse(given), 0.0)
    if not (0 <= seed <= 1 and 0 <= cell <= 1 and seed + cell > 0):
        raise RequestError(
            f"A noise of {given} cannot be.",
            "It is the standard deviation of the logarithm of a run's loss.",
            "For two percent, give 0.02.",
        )
    return Scatter(seed, cell, f"runs scatter by {math.hypot(seed, cell):.3g} of their loss, as given")


@cache
def _of_the_ladder() -> Scatter:
    runs = _fitted_rows()
    columns = np.array([runs["matmul_params"], runs["tokens"]])
    design_n, log_n = numbered(columns), np.log(runs["loss"])
    count_d = np.bincount(design_n)
    mean_d = np.bincount(design_n, log_n) / count_d
    freedom = float(np.sum(count_d - 1))
    seed = math.sqrt(float(np.sum((log_n - mean_d[design_n]) ** 2)) / freedom)
    cell = math.sqrt(max(_ladder_fit(find("chinchilla")).scatter ** 2 - seed**2, 0.0))
    words = (
        f"runs scatter as in the embedded ladder (41k to 0.9M parameters; larger models scatter less): {seed:.1%} by "
        f"seed, and {cell:.1%} by cell, which no second seed averages away"
    )
    return Scatter(seed, cell, words)


@cache
def _ladder_fit(law: Law) -> Fit:
    return fit(_fitted_rows(), law, draws=0)


@cache
def _fitted_rows() -> Runs:
    return ladder().where(split="train")


def _of_fit(fitted: Fit) -> Truth:
    _check_law(fitted.law)
    told = ", ".join(f"{name} {value:.3g}" for name, value in fitted.theta.items())
    whose = fitted.origin or f"a fit to {fitted.data.n} runs of {fitted.data.source}"
    return Truth(fitted.law, fitted.theta_p, f"{whose} ({told})", fitted.data.ranges)


def _check_law(law: Law) -> None:
    if len(law.columns) == 2 and "tokens" in law.columns and any(column in SIZES for column in law.columns):
        return
    raise RequestError(
        f"The law '{law.name}' of {' and '.join(law.columns)} is not one of size and tokens.",
        f"Sizes: {', '.join(SIZES)}.",
        "Design with a law of both, such as chinchilla.",
    )


def _away(truth: Truth, runs: Runs) -> float:
    # Decades of size between the middle of the runs and the range behind a law.
    middle = float(np.exp(np.mean(np.log(runs[truth.size])))) if truth.size in runs else math.nan
    low, high = truth.ranges[truth.size]
    return max(math.log10(low / middle), math.log10(middle / high), 0.0)

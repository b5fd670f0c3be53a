"""How much each run counts: weights that are given, or that follow from a model of the scatter, one function a model.

A model looks at the residuals of a fit and says how the standard deviation depends on a run's size; the fit is then
repeated with weights 1 / variance until both agree. Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoloss.core.errors import CellError, DesignError, RequestError, UnknownNameError
from isoloss.core.noise import Noise, size, sizes_among
from isoloss.core.runs import Runs
from isoloss.fitting.problem import numbered

Model = Callable[[np.ndarray, np.ndarray, np.ndarray], float]

ROUNDS = 4
STEEPEST = 1.0  # a standard deviation that changes faster than its run's size is not believed
LEAST_SPAN = 0.1  # of the logarithm of the runs' sizes
LEAST_REPEATS = 4  # points with repeats that a model of their scatter needs

MODELS: dict[str, Model] = {}


def model(function: Model) -> Model:
    """Register a noise model: (residuals, log sizes, numbers of the designs), all (n,) -> exponent of the deviation."""
    MODELS[function.__name__] = function
    return function


@model
def scale(residual_n: np.ndarray, log_size_n: np.ndarray, design_n: np.ndarray) -> float:
    """A power law of the run's size, by maximum likelihood of the residuals: Harvey 1976, Econometrica 44:461."""
    return _slope(np.maximum(residual_n**2, 1e-6 * np.mean(residual_n**2)), np.ones(len(residual_n)), log_size_n)


@model
def replicates(residual_n: np.ndarray, log_size_n: np.ndarray, design_n: np.ndarray) -> float:
    """A power law of the run's size, from the variance among runs that repeat a design (seeds); nothing else counts.

    Raises DesignError with fewer than 4 repeated designs.
    """
    count_d = np.bincount(design_n)
    mean_d = np.bincount(design_n, residual_n) / np.maximum(count_d, 1)
    square_d = np.bincount(design_n, (residual_n - mean_d[design_n]) ** 2)
    again = np.flatnonzero((count_d > 1) & (square_d > 0))
    _check_repeats(len(again))
    freedom_d = count_d[again] - 1.0
    log_size_d = np.bincount(design_n, log_size_n)[again] / count_d[again]
    return _slope(square_d[again] / freedom_d, freedom_d, log_size_d)


def given(runs: Runs, weights: Any) -> np.ndarray:
    """Weights (n,) of a column by its name, or of an array, scaled to a mean of 1.

    Raises UnknownNameError for a name that is neither a column nor a model, RequestError for an array of another
    length, CellError for what is no weight.
    """
    if isinstance(weights, str) and weights not in runs:
        raise UnknownNameError("noise model or column of weights", weights, [*MODELS, *runs.columns])
    whose = f"column '{weights}' holds" if isinstance(weights, str) else "the weights hold"
    try:
        weight_n = np.array(runs[weights] if isinstance(weights, str) else weights, float)
    except (TypeError, ValueError):
        raise CellError(f"A weight must be a number; {whose} text.") from None
    if weight_n.shape != (len(runs),):
        raise RequestError(
            f"There are {len(runs)} runs, but the weights have the shape {weight_n.shape}.",
            do="Give one weight for each run.",
        )
    bad = np.flatnonzero(~(np.isfinite(weight_n) & (weight_n >= 0)))
    if len(bad):
        raise CellError(f"A weight must be zero or more; {whose} {weight_n[bad[0]]:g} in row {int(bad[0]) + 1}.")
    if not weight_n.any():
        raise CellError(f"{whose[0].upper()}{whose[1:]} zero in every row, so that no run counts.")
    return weight_n / weight_n.mean()


def check(name: str, runs: Runs, columns: tuple[str, ...]) -> None:
    """DesignError for inputs that tell no sizes, or one size alone, and where too few designs are repeated."""
    sizes = sizes_among(columns)
    if not sizes:
        raise DesignError(
            f"None of the inputs {', '.join(columns)} says how large a run is, so no scatter can depend on it.",
            do="Give weights as a column.",
        )
    log_size_n = np.log(size({c: runs[c] for c in sizes}, sizes))
    if np.ptp(log_size_n) < LEAST_SPAN:
        raise DesignError(
            f"All runs have the same {' x '.join(sizes)}, so nothing shows how scatter depends on it.",
            do="Add runs at other budgets, or give weights as a column.",
        )
    if name == "replicates":
        _check_repeats(int((np.bincount(numbered(np.array([runs[c] for c in columns]))) > 1).sum()))


def _check_repeats(again: int) -> None:
    if again < LEAST_REPEATS:
        raise DesignError(
            f"Only {again} points have repeated runs that differ: too few to tell how scatter depends on size.",
            do=f'Repeat {LEAST_REPEATS} or more points with other seeds, or use weights="scale".',
        )


def estimated(name: str, runs: Runs, columns: tuple[str, ...], residual_n: np.ndarray, design_n: np.ndarray) -> Noise:
    """The noise that the model called `name` sees in the residuals, for runs that passed `check`."""
    sizes = sizes_among(columns)
    log_size_n = np.log(size({c: runs[c] for c in sizes}, sizes))
    middle = float(log_size_n.mean())
    exponent = MODELS[name](residual_n, log_size_n - middle, design_n)
    return Noise(sizes, float(np.clip(exponent, -STEEPEST, STEEPEST)), float(np.exp(middle)))


def _slope(variance_n: np.ndarray, freedom_n: np.ndarray, log_size_n: np.ndarray) -> float:
    # log variance = a + 2 b log size by Newton's method on the gamma likelihood, which is concave in (a, b).
    design_n2 = np.stack([np.ones(len(log_size_n)), 2 * log_size_n], axis=1)
    beta_2 = np.array([np.log(np.average(variance_n, weights=freedom_n)), 0.0])
    for _ in range(50):
        ratio_n = variance_n / np.exp(np.clip(design_n2 @ beta_2, -700, 700))
        gradient_2 = design_n2.T @ (freedom_n * (ratio_n - 1))
        hessian_22 = (design_n2.T * (freedom_n * np.maximum(ratio_n, 0.1))) @ design_n2
        step_2 = np.linalg.lstsq(hessian_22, gradient_2, rcond=1e-12)[0]
        beta_2 = beta_2 + np.clip(step_2, -1, 1)
        if np.abs(step_2).max() < 1e-10:
            break
    return float(beta_2[1])

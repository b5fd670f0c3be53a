"""What approaches 1 and 2 get wrong on the very runs they are given: losses of a known law, put through the same.

A parabola through an asymmetric valley, sizes off its centre, and a centre that drifts with the budget each move the
optimum that is found: arXiv 2603.22339. Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Bias
from isoloss.core.law import find
from isoloss.core.quantities import FLOP_PER_PARAM_AND_TOKEN
from isoloss.core.runs import Runs
from isoloss.fitting import checks, objectives, posing, solving
from isoloss.fitting.budgets import Sweep

# Besiroglu et al. 2024, Table 1: the law that stands in where these runs do not fix one.
STAND_IN: Mapping[str, float] = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
MOST_RUNS = 400
NOISY = 16  # simulations with noise
PLAUSIBLE = (0.05, 2.0)  # exponents of a law that may be simulated

# Log losses (n,) -> intercept and exponent of log size against log compute.
Procedure = Callable[[np.ndarray], tuple[float, float]]


def bias(
    table: Sweep, is_used_n: np.ndarray, procedure: Procedure, flops: float, member_n: np.ndarray | None = None
) -> Bias | None:
    """How far the procedure is off at `flops` on losses of the Chinchilla law at the same sizes and compute.

    The law's constants are those fitted to the runs in use, or Besiroglu's where these runs do not fix them. Losses
    are free of noise; where checkpoints belong to training runs `member_n` (n,), each run is shifted as a whole, by
    normal noise as large as that of these runs, and the mean over NOISY simulations is told: the luckiest run wins.
    None where the procedure finds no law in the simulated losses.
    """
    constants, told = _constants(table, is_used_n)
    law = find("chinchilla")
    log_loss_n = np.log(law.value(np.stack([table.size_n, _tokens(table)]), law.theta(constants)))
    if member_n is None:
        found = [procedure(log_loss_n)]
        told = f"noise-free losses of {told}"
    else:
        noise = _noise_of_runs(np.log(table.loss_n) - log_loss_n, member_n)
        shift_kr = noise * np.random.default_rng(0).standard_normal((NOISY, int(member_n.max()) + 1))
        found = [procedure(log_loss_n + shift_r[member_n]) for shift_r in shift_kr]
        told = f"losses of {told} and noise of {noise:.2%} a run"
    line_k2 = np.array(found)
    line_k2 = line_k2[np.isfinite(line_k2).all(axis=1)]
    if not len(line_k2):
        return None
    intercept, exponent = line_k2.mean(axis=0)
    true_intercept, true_exponent = best_size(constants)
    log_ratio = intercept - true_intercept + (exponent - true_exponent) * np.log(flops)
    return Bias(float(exponent - true_exponent), float(np.expm1(log_ratio)), float(flops), told)


def bias_finding(found: Bias | None, grown: Fit, fix: str) -> Finding:
    """B3: the bias in numbers; amber where it is above half of the way to the nearer end of the interval of the
    exponent, or of the size at the budget that it is told for.

    `grown` is the fit of size against compute, `fix` what helps against bias.
    """
    if found is None:
        return Finding(
            "B3", "note", "The bias on this grid could not be simulated: no optimum was found in its losses."
        )
    sentence = (
        f"On {found.law}, at these very sizes and budgets, the procedure is off by {found.exponent:+.4f} in the "
        f"exponent and by {found.size:+.1%} in {grown.law.output.name} at {numbers.short(found.flops)} FLOP; "
        "the intervals leave this out."
    )
    log_best_t = np.log(grown.law.value([[found.flops]], np.vstack([grown.theta_p, grown.draws_sp]))[:, 0])
    log_best = Estimate.of(log_best_t[0], log_best_t[1:], 0.9)
    if _is_small(found.exponent, grown.interval("a")) and _is_small(np.log1p(found.size), log_best):
        return Finding("B3", "note", sentence, found.exponent)
    return Finding("B3", "amber", sentence, found.exponent, fix)


def _is_small(bias: float, estimate: Estimate) -> bool:
    width = min(estimate.high - estimate.mid, estimate.mid - estimate.low)
    return not estimate.known or abs(bias) <= 0.5 * width


def best_size(theta: Mapping[str, np.ndarray | float]) -> tuple[np.ndarray, np.ndarray]:
    """Intercept log G and exponent a of N_opt = G C^a under the Chinchilla law with C = 6 N D.

    Hoffmann et al. 2022, Eq. 4, in logarithms; works on numbers and on draws alike.
    """
    A, B, alpha, beta = (np.asarray(theta[name], float) for name in ("A", "B", "alpha", "beta"))
    exponent = beta / (alpha + beta)
    with np.errstate(all="ignore"):
        prefactor = np.log(alpha) + np.log(A) - np.log(beta) - np.log(B)
    return prefactor / (alpha + beta) - exponent * np.log(FLOP_PER_PARAM_AND_TOKEN), exponent


def _constants(table: Sweep, is_used_n: np.ndarray) -> tuple[Mapping[str, float], str]:
    rows = np.flatnonzero(is_used_n)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_RUNS)).astype(int)]
    law, objective = find("chinchilla"), objectives.find("huber_log")
    columns = {"params": table.size_n[rows], "tokens": _tokens(table)[rows], "loss": table.loss_n[rows]}
    runs = Runs(columns, source=table.runs.source)
    stand_in = "the Chinchilla law of Besiroglu et al. 2024 (these runs fix none)"
    try:
        checks.check_design(law, {"": runs}, objective)
    except DesignError:
        return STAND_IN, stand_in
    problem = posing.pose(law, runs, objective)
    solved = solving.solve(problem)
    theta_p = problem.theta(solved.u_pb)[:, solved.best]
    constants = dict(zip(law.names, map(float, theta_p), strict=True))
    exponents = np.array([constants["alpha"], constants["beta"]])
    if not ((exponents > PLAUSIBLE[0]) & (exponents < PLAUSIBLE[1])).all() or min(constants["A"], constants["B"]) <= 0:
        return STAND_IN, stand_in
    return constants, "the Chinchilla law fitted to these runs"


def _noise_of_runs(rest_n: np.ndarray, member_n: np.ndarray) -> float:
    count_r = np.bincount(member_n)
    mean_r = np.bincount(member_n, rest_n)[count_r > 0] / count_r[count_r > 0]
    return 1.4826 * float(np.median(np.abs(mean_r - np.median(mean_r))))


def _tokens(table: Sweep) -> np.ndarray:
    return table.flops_n / (FLOP_PER_PARAM_AND_TOKEN * table.size_n)

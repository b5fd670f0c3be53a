"""Simulated sweeps with a known truth, for tests: runs that a law made, with or without scatter.

Shapes: `n` runs, `k` inputs, `p` parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from law_values import spread

from isoloss.core.law import Law, find
from isoloss.core.quantities import QUANTITIES, Range
from isoloss.core.runs import Runs
from isoloss.published.registry import card

# The laws that the long comparisons with other solvers run over: of one resource and two, linear in part or in nothing.
PROVEN = ("allocation", "chinchilla", "kaplan", "power", "power_floor")

CHINCHILLA = {"E": 1.82, "A": 482.0, "B": 2085.0, "alpha": 0.348, "beta": 0.366}

# Where each quantity is measured in a small sweep; others lie in their typical range.
SPANS: Mapping[str, tuple[float, float]] = {
    "params": (1e6, 1e9),
    "body_params": (1e6, 1e9),
    "matmul_params": (1e6, 1e9),
    "active_params": (1e6, 1e9),
    "tokens": (1e8, 1e11),
    "unique_tokens": (1e8, 1e11),
    "flops": (1e16, 1e20),
    "min_flops": (1e16, 1e20),
    "body_flops": (1e16, 1e20),
    "x": (1e6, 1e10),
}

# Where the runs of one law are measured: on small boards, at small learning rates.
SPANS_OF: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "board_frontier": {"flops": (1e9, 1e18), "board_size": (3, 9)},
    "multi_power": {"lr_before": (1e-4, 3e-4), "lr_after": (1e-5, 1e-4)},
}

# Laws whose parameters must suit each other, or the outputs cannot be or hardly vary: their truth is a published fit,
AS_PUBLISHED = {
    "annealing": "tissue2024",
    "board_frontier": "jones2021_frontier",
    "data_constrained": "muennighoff2023",
    "distilled": "busbridge2025_distill",
    "effective_params": "clark2022_sbase_effective",
    "joint_routed": "ludziejewski2025",
    "kaplan_frontier": "kaplan2020_frontier_B",
    "logarithmic_rate": "kaplan2020_lr",
    "min_steps": "kaplan2020_time_efficiency",
    "multi_power": "luo2025_mpl_25m",
    "outer": "busbridge2025_supervised",
    "overfitting": "kaplan2020_overfit",
    "parallel_streams": "parscale2025_pile",
    "routed": "clark2022_sbase",
    "train_test_exchange": "jones2021_tradeoff",
}
# or, where there is none, in part or whole written here.
WRITTEN: Mapping[str, Mapping[str, float]] = {
    "bnsl_2": {"c_0": 0.1, "c_1": 0.4, "d_1": 1e9, "f_1": 0.3, "c_2": -0.3, "d_2": 1.5e10, "f_2": 0.2},
    "bnsl_3": {
        "c_0": 0.1,
        "c_1": 0.4,
        "d_1": 6e8,
        "f_1": 0.2,
        "c_2": -0.35,
        "d_2": 4e9,
        "f_2": 0.15,
        "c_3": 0.5,
        "d_3": 2.5e10,
        "f_3": 0.2,
    },
    "body_chinchilla": {"gamma": 47491.0},
    "bounded_power": {"E": 0.2, "T": 4.0, "beta": 500.0, "c": 0.3, "alpha": 0.5},
    "compute_sigmoid": {"R_0": 0.1, "A": 0.8, "C_mid": 3e9, "B": 0.6},
    "farseer": {
        "a_1": -0.124,
        "b_1": 0.424,
        "alpha": 0.123,
        "a_2": 88.0,
        "b_2": -6.29,
        "beta": -0.1,
        "a_3": -0.021,
        "b_3": 0.5,
        "gamma": 0.169,
    },
    "log_score": {"A": 1e-3, "alpha": 0.5, "beta": 2.0},
    "nested": {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37, "q": 0.6},
    "rectified": {"B": 300.0, "D_l": 100.0, "beta": 0.5, "E": 1.0},
    "rosenfeld": {"b": 5.0, "c": 2e-3, "alpha": 0.5, "beta": 0.4, "eps_0": 0.9, "eta": 0.02},
    "saturating_power": {"beta": 1e3, "gamma": 1e-10, "c": 0.3},
}


def sweep(
    n: int = 60, noise: float = 0.005, seed: int = 0, theta: Mapping[str, float] = CHINCHILLA, budgets: int = 6
) -> Runs:
    """An isoFLOP sweep of the Chinchilla law: sizes around the best one on several budgets, normal log scatter."""
    rng = np.random.default_rng(seed)
    flops_n = np.resize(np.geomspace(6e18, 3e21, budgets), n)
    params_n = 0.09 * np.sqrt(flops_n) * np.exp(rng.uniform(-2.0, 2.0, n))
    tokens_n = flops_n / (6 * params_n)
    law = find("chinchilla")
    loss_n = law.value(np.stack([params_n, tokens_n]), law.theta(theta)) * np.exp(noise * rng.standard_normal(n))
    return Runs({"params": params_n, "tokens": tokens_n, "loss": loss_n}, source=f"a simulated sweep, seed {seed}")


def ray(n: int = 60, noise: float = 0.003, seed: int = 0, ratio: float = 20.0) -> Runs:
    """A sweep that tells little: tokens are always `ratio` times the parameters."""
    rng = np.random.default_rng(seed)
    params_n = np.geomspace(1e7, 1e10, n)
    law = find("chinchilla")
    loss_n = law.value(np.stack([params_n, ratio * params_n]), law.theta(CHINCHILLA))
    loss_n = loss_n * np.exp(noise * rng.standard_normal(n))
    return Runs({"params": params_n, "tokens": ratio * params_n, "loss": loss_n}, source=f"a ray, seed {seed}")


def truth(law: Law) -> np.ndarray:
    """Plausible parameters (p,) of any law over its spans: those of a paper, or such that every term counts.

    Amplitudes of terms that add make their term about as large as 1, of terms that take away at most a third.
    """
    if law.name in AS_PUBLISHED:
        return card(AS_PUBLISHED[law.name]).theta_p
    middle_k1 = np.array([[_middle(*span(law, c))] for c in law.columns])
    theta = {p.name: _plausible(j, p.range) for j, p in enumerate(law.parameters)} | dict(WRITTEN.get(law.name, {}))
    free = [p.name for p in law.parameters if p.range.high > 1e100 and p.name not in WRITTEN.get(law.name, {})]
    for name in free:
        theta[name] = 1.0 if name in law.formula.linear else float(middle_k1.min())
    slopes_p = law.jacobian(middle_k1, law.theta(theta))[0]
    ends_kn = np.array(list(product(*(span(law, c) for c in law.columns)))).T
    lowest_p = law.jacobian(ends_kn, law.theta(theta)).min(axis=0)
    for name in set(free) & set(law.formula.linear):
        j = law.names.index(name)
        theta[name] = 1.0 / float(slopes_p[j]) if slopes_p[j] > 0 else -0.3 / float(lowest_p[j])
    return law.theta(theta)


def made_by(
    law: Law,
    theta_p: np.ndarray,
    n: int = 40,
    noise: float = 0.0,
    seed: int = 0,
    spans: Mapping[str, tuple[float, float]] | None = None,
) -> Runs:
    """Runs of any law at inputs spread over their spans (log-uniform where these are above zero).

    Outputs above zero have normal log scatter; others, scatter in proportion to how far they vary.
    """
    rng = np.random.default_rng(seed)
    ends = [(spans or {}).get(c) or span(law, c) for c in law.columns]
    x_kn = np.array([spread(rng, (low, high), n, log=low > 0) for low, high in ends])
    y_n, error_n = law.value(x_kn, theta_p), noise * rng.standard_normal(n)
    y_n = y_n * np.exp(error_n) if (y_n > 0).all() else y_n + y_n.std() * error_n
    return Runs({**dict(zip(law.columns, x_kn, strict=True)), law.output.name: y_n}, source=f"runs made by {law.name}")


def bound(law: str | Law) -> Law:
    """A law with a free input `x` bound to tokens, and its output to a column that is not an input as well."""
    made = find(law)
    free = {i.symbol: "tokens" for i in made.inputs if i.quantity.name == "x"}
    return made.bind(**free, **({"y": "params"} if made.output.name in made.columns else {}))


def span(law: Law, column: str) -> tuple[float, float]:
    """Between which values a column of a law's simulated runs lies."""
    return SPANS_OF.get(law.name, {}).get(column) or SPANS.get(column) or QUANTITIES[column].typical


def _middle(low: float, high: float) -> float:
    return float(np.sqrt(low * high)) if low > 0 else (low + high) / 2


def _plausible(j: int, known: Range) -> float:
    # Different for each parameter, so that no two exponents agree by chance.
    part, (low, high) = 0.5 + 0.06 * (j % 5), known.typical
    return low * (high / low) ** part if known.log else low + part * (high - low)

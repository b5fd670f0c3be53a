"""Simulated isoFLOP sweeps and training curves of the Chinchilla law, with known best sizes.

Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from simulate import CHINCHILLA

from isoloss.core.law import find
from isoloss.core.runs import Runs

BUDGETS = np.geomspace(6e18, 3e21, 7)


def best_size(flops: np.ndarray, theta: Mapping[str, float] = CHINCHILLA) -> np.ndarray:
    """N_opt by Hoffmann et al. 2022, Eq. 4, written out once more."""
    alpha, beta = theta["alpha"], theta["beta"]
    G = (alpha * theta["A"] / (beta * theta["B"])) ** (1 / (alpha + beta))
    return G * (flops / 6) ** (beta / (alpha + beta))


def exponent(theta: Mapping[str, float] = CHINCHILLA) -> float:
    return theta["beta"] / (theta["alpha"] + theta["beta"])


def losses(params_n: np.ndarray, tokens_n: np.ndarray, theta: Mapping[str, float] = CHINCHILLA) -> np.ndarray:
    law = find("chinchilla")
    return law.value(np.stack([params_n, tokens_n]), law.theta(theta))


def least_loss(flops: float) -> float:
    params = best_size(np.array([flops]))
    return float(losses(params, flops / (6 * params))[0])


def profiles(
    noise: float,
    seed: int = 0,
    *,
    half: float = 1.6,
    centre: float = 0.0,
    drift: float = 0.0,
    sizes: int = 9,
    wobble: float = 0.0,
    theta: Mapping[str, float] = CHINCHILLA,
) -> Runs:
    """Sizes within exp(+-half) of the best one moved by exp(centre), which drifts; compute wobbles about its budget."""
    rng = np.random.default_rng(seed)
    offset_b = centre + np.linspace(-drift, drift, len(BUDGETS))
    middle_b = np.log(best_size(BUDGETS, theta)) + offset_b
    params_n = np.exp(middle_b[:, None] + np.linspace(-half, half, sizes)).ravel()
    flops_n = np.repeat(BUDGETS, sizes) * np.exp(wobble * rng.uniform(-1, 1, len(params_n)))
    tokens_n = flops_n / (6 * params_n)
    loss_n = losses(params_n, tokens_n, theta) * np.exp(noise * rng.standard_normal(len(params_n)))
    columns = {"params": params_n, "flops": flops_n, "tokens": tokens_n, "loss": loss_n}
    return Runs(columns, source=f"a simulated isoFLOP sweep, seed {seed}")


def curves(noise: float, seed: int = 0, *, sizes: int = 24, checkpoints: int = 25) -> Runs:
    """Training curves from 2 to 200 tokens a parameter; each run's losses are shifted together."""
    rng = np.random.default_rng(seed)
    params_r = np.geomspace(3e7, 3e9, sizes)
    params_n = np.repeat(params_r, checkpoints)
    tokens_n = (params_r[:, None] * np.geomspace(2, 200, checkpoints)).ravel()
    shift_n = np.repeat(noise * rng.standard_normal(sizes), checkpoints)
    names = np.repeat([f"r{i}" for i in range(sizes)], checkpoints)
    columns = {"run": names, "params": params_n, "tokens": tokens_n}
    return Runs({**columns, "loss": losses(params_n, tokens_n) * np.exp(shift_n)}, source=f"curves, seed {seed}")

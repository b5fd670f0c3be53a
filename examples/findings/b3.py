"""B3: budgets whose sizes lie beside their optimum, and budgets centred on it."""

from __future__ import annotations

import numpy as np

import isoloss as il
from examples.findings._sweeps import TRUTH, Example, scattered, sweep
from isoloss.core.figure import Figure

BUDGETS = np.geomspace(1e18, 1e20, 5)


def _best(flops: float) -> float:
    # Hoffmann et al. 2022, Eq. 4.
    alpha, beta = TRUTH["alpha"], TRUTH["beta"]
    ratio = alpha * TRUTH["A"] / (beta * TRUTH["B"])
    return float(ratio ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta)))


def _budgets(factors: dict[float, np.ndarray]) -> il.Runs:
    params = np.concatenate([_best(flops) * sizes for flops, sizes in factors.items()])
    flops = np.concatenate([np.full(len(sizes), flops) for flops, sizes in factors.items()])
    return sweep(params, flops / (6 * params), scatter=0.001)


def wrong() -> Example:
    beside = {flops: np.geomspace(0.5, 8.0, 4) for flops in BUDGETS[:3]}
    return Example(_budgets(beside | {flops: np.geomspace(1.5, 8.0, 5) for flops in BUDGETS[3:]}))


def right() -> Example:
    return Example(_budgets({flops: np.geomspace(1 / 3, 3.0, 9) for flops in BUDGETS}))


def picture() -> Figure:
    runs = wrong().runs
    outside = [int(i) for i in np.flatnonzero(runs["params"] * runs["tokens"] > BUDGETS[2] / 6 * 1.5)]
    return scattered(runs, "params", "loss", "Two budgets have no minimum between their sizes", outside)

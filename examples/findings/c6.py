"""C6: losses of Kaplan's law at six budgets, which Chinchilla's law bends away from, and losses of Chinchilla's."""

from __future__ import annotations

import numpy as np

from examples.findings._sweeps import Example, scattered, sweep, under_kaplan
from isoloss.core.figure import Figure
from isoloss.core.runs import Runs

BUDGETS = np.geomspace(1e18, 1e21, 6)


def wrong() -> Example:
    return Example(under_kaplan(_budgets(0.3)))


def right() -> Example:
    return Example(_budgets(0.09))


def picture() -> Figure:
    return scattered(wrong().runs, "params", "loss", "Valleys of Kaplan's law, which Chinchilla's draws elsewhere")


def _budgets(centre: float) -> Runs:
    flops, spread = (a.ravel() for a in np.meshgrid(BUDGETS, np.geomspace(1 / 6, 6, 9)))
    params = centre * np.sqrt(flops) * spread
    return sweep(params, flops / (6 * params), 0.002)

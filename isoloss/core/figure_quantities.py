"""Quantities that pictures measure along an axis and no table of runs has as a column; `quantities` has the rest."""

from __future__ import annotations

import math

from isoloss.core.quantities import QUANTITIES, Quantity, quantity

# fmt: off
_DRAWN = (
    Quantity("epochs", "D/U", "passes", "passes over the distinct data"),
    Quantity("data_shortage", "N^(αN/αD) / D", "parameters^(αN/αD) per token", "shortage of data"),
    Quantity("multiple", "k", "times", "how many times as much as the best run has"),
    Quantity("distance", "d", "decades", "how far beyond the runs fitted"),
    Quantity("rise", "2ΔQ", "1", "rise of twice the objective above its least, as a multiple of its worth"),
    Quantity("parameter", "theta", "1", "a parameter of a law", least=-math.inf),
    Quantity("estimate", "y", "1", "a quantity of a plan", least=-math.inf),
    Quantity("choice", "i", "1", "one of several things"),
)
# fmt: on
DRAWN = {q.name: q for q in _DRAWN}


def drawn(name: str) -> Quantity:
    """The quantity called `name`, of tables or of pictures alone; raises UnknownNameError with near names."""
    return DRAWN[name] if name in DRAWN and name not in QUANTITIES else quantity(name)

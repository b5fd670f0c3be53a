"""From what a page asks to fits: which rows, which law, which of a table's counts is N.

Shapes: `n` rows of the file, `s` draws, `p` parameters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from isoloss.checking import fit as fit_runs
from isoloss.core import law as laws
from isoloss.core.errors import DesignError, UnknownNameError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.core.split import is_held_out
from isoloss.fitting import objectives
from isoloss.planning.cost import SIZES
from isoloss.planning.surface import Surface
from isoloss.web import tables
from isoloss.web.schemas import FitRequest
from isoloss.web.sessions import Stored

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Made:
    """A fit that a page asked for: the request, all runs of the table, which rows (n,) were used, and the fit."""

    request: FitRequest
    runs: Runs
    used_n: np.ndarray
    fit: Fit


def key(owner: str, request: FitRequest) -> str:
    """The id of a fit: the same for the same request of the same session."""
    return hashlib.sha256(f"{owner}\n{request.model_dump_json()}".encode()).hexdigest()[:32]


def check(request: FitRequest, stored: Stored) -> tuple[Runs, np.ndarray]:
    """The runs, and which of them (n,) are to be fitted; raises what can be said before any work is spent."""
    if request.law != AUTO:
        laws.find_one(request.law)
    objectives.find(request.objective)
    runs = tables.runs_of(stored, request.columns)
    outside = [row for row in request.exclude if row >= len(runs)]
    if outside:
        raise UnknownNameError("row", str(outside[0]), [f"0 to {len(runs) - 1}"])
    used_n = ~is_held_out(runs)
    used_n[request.exclude] = False
    if not used_n.any():
        raise DesignError("No run is left to fit.", do="Take some of the rows back in.")
    return runs, used_n


def make(request: FitRequest, stored: Stored, progress: Callable[[int, int], None]) -> Made:
    """Fit, and say how far it is; raises what `isoloss.fit` raises, and whatever `progress` does."""
    runs, used_n = check(request, stored)
    settings = {"objective": request.objective, "draws": request.draws, "seed": request.seed, "progress": progress}
    inputs = bound(request, runs)
    made = fit_runs(runs.take(used_n), request.law, **({"inputs": inputs} if inputs else {}), **settings)
    return Made(request, runs, used_n, made)


def bound(request: FitRequest, runs: Runs) -> dict[str, str]:
    """The inputs bound to quantities: as asked, and a size that the table lacks to the first count that it has."""
    if request.inputs or request.law == AUTO:
        return dict(request.inputs)
    law = laws.find_one(request.law)
    return {
        i.symbol: instead
        for i in law.inputs
        if i.quantity.name in SIZES
        and i.quantity.name not in runs
        and (instead := next((size for size in SIZES if size in runs and size not in law.columns), ""))
    }


@cache
def fittable() -> tuple[dict[str, object], ...]:
    """All laws for the page's menu: name, what it says, its inputs, and whether it tells a best size."""
    return tuple(
        {
            "name": law.name,
            "summary": law.summary,
            "family": law.family.replace("_", " "),
            "inputs": [{"symbol": i.symbol, "quantity": i.quantity.name} for i in law.inputs],
            "output": law.output.name,
            "plans": Surface.of(law) is not None and law.output.name in ("loss", "bits_per_byte", "error"),
        }
        for law in laws.every().values()
    )

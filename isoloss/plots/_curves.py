"""Curves with their bands, solid over the data and dashed beyond it, for laws of any inputs.

Shapes: `m` points of a curve, `n` runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.estimate import Estimate
from isoloss.core.figure import Band, Line, Mark, Points, Role
from isoloss.core.fit import Fit
from isoloss.core.quantities import quantity
from isoloss.core.runs import Runs
from isoloss.core.split import is_held_out

POINTS = 60
AHEAD = 10.0  # how far beyond the data a curve is drawn, unless a picture asks for more
NO_DRAWS = "No interval is drawn: this fit carries no draws."


@dataclass(frozen=True)
class Look:
    """How a curve looks: its words inside the data, beyond it and for the band, and what colours it."""

    label: str = ""
    beyond: str = ""
    band: str = ""
    role: Role = "law"
    value: float | None = None
    series: int | None = None
    tag: str = ""


def curve(x_m: np.ndarray, told: Estimate, within_m: np.ndarray, look: Look) -> list[Mark]:
    """The line of the middle, dashed beyond the data, and before it the band where an interval is known."""
    parts = stretches(within_m)
    tags = [*[""] * (len(parts) - 1), look.tag]
    bands: list[Mark] = []
    lines: list[Mark] = []
    for (part, inside), tag in zip(parts, tags, strict=True):
        style: dict[str, Any] = {"role": look.role, "beyond": not inside, "value": look.value, "series": look.series}
        label = look.label if inside or not look.beyond else look.beyond
        lines.append(Line(label, x=x_m[part], y=np.asarray(told.mid)[part], tag=tag, **style))
        if told.known:
            ends = {"low": np.asarray(told.low)[part], "high": np.asarray(told.high)[part]}
            bands.append(Band(look.band or label, x=x_m[part], **ends, **style))
    return [*bands, *lines]


def stretches(within_m: np.ndarray) -> list[tuple[slice, bool]]:
    """The stretches of a curve that lie within the data and beyond it, in turn; neighbours share a point, so they meet.

    A step counts as within where both its ends are.
    """
    step_m = within_m[1:] & within_m[:-1]
    starts = [0, *(np.flatnonzero(step_m[1:] != step_m[:-1]) + 1), len(step_m)]
    return [(slice(a, b + 1), bool(step_m[a])) for a, b in pairwise(starts) if b > a]


def grid(low: float, high: float, *through: float, points: int = POINTS) -> np.ndarray:
    """An increasing geometric grid from low to high that also holds the values `through`."""
    return np.unique(np.concatenate([np.geomspace(low, high, points), [t for t in through if low <= t <= high]]))


def ranges(fit: Fit, runs: Runs | None = None) -> dict[str, tuple[float, float]]:
    """The least and the largest of each input that was fitted: of the runs where there are any, else as the fit says.

    An input whose range nobody states is left out.
    """
    if runs is None:
        return {name: fit.data.ranges[name] for name in fit.law.columns if name in fit.data.ranges}
    fitted = runs.take(~is_held_out(runs))
    return {name: (float(fitted[name].min()), float(fitted[name].max())) for name in fit.law.columns}


def window(name: str, known: Mapping[str, tuple[float, float]], ahead: float = AHEAD) -> tuple[float, float]:
    """Where a curve over an input begins and ends: `ahead` times beyond the data, or else where values usually lie."""
    low, high = known.get(name, quantity(name).typical)
    low = low if low > 0 else high / 1e4
    return low, (ahead * high if name in known else high)


def inside(known: Mapping[str, tuple[float, float]], at: Mapping[str, Any]) -> np.ndarray:
    """Whether points lie within the known ranges of all inputs: a mask (m,); beyond, where a range is not known."""
    within_m = np.ones(np.broadcast_shapes(*(np.shape(v) for v in at.values())), bool)
    for name, value_m in at.items():
        low, high = known.get(name, (np.inf, -np.inf))
        within_m &= (value_m >= low * (1 - 1e-9)) & (value_m <= high * (1 + 1e-9))
    return within_m


def predicted(fit: Fit, at: Mapping[str, np.ndarray], level: float) -> Estimate:
    """The law's mean curve with its interval at points named by column, (m,) each."""
    return fit.predict(Runs(at, source="a curve"), level=level, kind="mean").estimate


def complete(runs: Runs | None, fit: Fit) -> Runs | None:
    """The runs in the law's columns; raises ColumnError or CellError, DesignError where none of them was fitted."""
    if runs is None:
        return None
    table = runs.complete([*fit.law.columns, fit.law.output.name])
    check_fitted(table)
    return table


def check_fitted(runs: Runs) -> None:
    """Raise DesignError where there are no runs, or every one is held out."""
    if not len(runs):
        raise DesignError("There are no runs to draw.", f"From: {runs.source}.")
    if is_held_out(runs).all():
        raise DesignError(
            "Every one of these runs is held out; a picture needs those that were fitted.", f"From: {runs.source}."
        )


def points(runs: Runs | None, x: str, y: str, colour: str | None = None) -> list[Mark]:
    """The runs, those held out apart, over two of their columns and coloured by a third."""
    marks: list[Mark] = []
    if runs is None:
        return marks
    held_out_n = is_held_out(runs)
    parts: list[tuple[Role, str, np.ndarray]] = [
        ("run", "runs fitted", ~held_out_n),
        ("held-out", "held-out runs", held_out_n),
    ]
    for role, label, mask_n in parts:
        part = runs.take(mask_n)
        if len(part):
            values = part[colour] if colour and role == "run" else np.empty(0)
            marks.append(Points(label, role, role == "held-out", part[x], part[y], values=values, about=about(part)))
    return marks


def about(runs: Runs) -> dict[str, Sequence[Any]]:
    """What a marker says when pointed at: the run's name and its size and data, where it has them."""
    name = runs.named_by
    told: dict[str, Sequence[Any]] = {name: [str(v) for v in runs[name]]} if name else {}
    for letter, column in (("N", "params"), ("D", "tokens")):
        if column in runs:
            told[letter] = [numbers.short(float(v)) for v in runs[column]]
    return told


def spread(values: np.ndarray, most: int) -> list[float]:
    """At most so many of the distinct values, evenly spread over them in order."""
    known = np.unique(values)
    return [float(v) for v in known[np.unique(np.linspace(0, len(known) - 1, most).round().astype(int))]]


def interval_note(fit: Fit, level: float) -> str:
    """What the shading is, or why there is none."""
    return f"Shaded: the {level:.0%} interval of each curve." if len(fit.draws_sp) else NO_DRAWS

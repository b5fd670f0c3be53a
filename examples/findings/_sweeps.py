"""Simulated sweeps with one fault each, or none: what the examples of findings are made from.

Shapes: `n` runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import isoloss as il
from isoloss.core.checkup import Checkup
from isoloss.core.figure import Axis, Figure, Line, Panel, Points
from isoloss.core.law import Law, find

TRUTH = {
    "E": 1.82,
    "A": 482.0,
    "B": 2085.0,
    "alpha": 0.348,
    "beta": 0.366,
}  # near Besiroglu et al. 2024, arXiv 2404.10102

KAPLAN = {"N_c": 8.8e13, "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.095}  # Kaplan et al. 2020, Table 1


@dataclass(frozen=True, eq=False)
class Example:
    """Runs and how they are examined: what `isoloss.check` takes."""

    runs: il.Runs
    law: str | Law = "chinchilla"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"draws": 200})

    def check(self, *only: str) -> Checkup:
        return il.check(self.runs, self.law, only=only, **self.settings)


def loss(params: Any, tokens: Any, scatter: float = 0.005, seed: int = 0) -> np.ndarray:
    """The loss of a Chinchilla law at (n,) sizes and tokens, with a relative scatter."""
    params, tokens = np.broadcast_arrays(np.asarray(params, float), np.asarray(tokens, float))
    law = find("chinchilla")
    exact_n = law.value(np.array([params, tokens]), law.theta(TRUTH))
    return exact_n * np.exp(scatter * np.random.default_rng(seed).standard_normal(len(params)))


def sweep(params: Any, tokens: Any, scatter: float = 0.005, seed: int = 0, **columns: Any) -> il.Runs:
    """Runs of these sizes and tokens, with their loss and further columns."""
    params, tokens = np.broadcast_arrays(np.asarray(params, float), np.asarray(tokens, float))
    made = {"params": params, "tokens": tokens, "loss": loss(params, tokens, scatter, seed)}
    return il.Runs(made, "a simulated sweep").with_columns(**columns)


def grid(sizes: int = 6, horizons: int = 6, scatter: float = 0.005, seed: int = 0, **columns: Any) -> il.Runs:
    """Every one of so many sizes, 10M to 1B, at every one of so many horizons, 0.5B to 50B tokens."""
    params, tokens = np.meshgrid(np.geomspace(1e7, 1e9, sizes), np.geomspace(5e8, 5e10, horizons))
    return sweep(params.ravel(), tokens.ravel(), scatter, seed, **columns)


def ray(sizes: int = 8, ratio: float = 20.0, scatter: float = 0.005, seed: int = 0) -> il.Runs:
    """Runs that all have `ratio` tokens a parameter."""
    params = np.geomspace(1e7, 1e9, sizes)
    return sweep(params, ratio * params, scatter, seed)


def under_kaplan(runs: il.Runs, scatter: float = 0.003, seed: int = 0) -> il.Runs:
    """The same runs with losses that Kaplan's law makes, with a relative scatter."""
    law, noise_n = find("kaplan"), np.random.default_rng(seed).standard_normal(len(runs))
    exact_n = law.value(np.array([runs["params"], runs["tokens"]]), law.theta(KAPLAN))
    return runs.with_columns(loss=exact_n * np.exp(scatter * noise_n))


def scattered(runs: il.Runs, x: str, y: str, title: str, marked: Sequence[int] = (), *lines: Line) -> Figure:
    """Two columns of runs against each other, some of the runs marked."""
    is_marked_n = np.isin(np.arange(len(runs)), list(marked))
    points = [
        Points(x=runs[x][~is_marked_n], y=runs[y][~is_marked_n], label="runs"),
        Points(x=runs[x][is_marked_n], y=runs[y][is_marked_n], label="the runs in question", role="optimum"),
    ]
    marks = (*(p for p in points if len(p.x)), *lines)
    return Figure(title=title, panels=(Panel(x=Axis(x), y=Axis(y), marks=marks),))


def residuals(
    example: Example, x: str, title: str, marked: Sequence[int] = (), fitted: Sequence[int] | None = None
) -> Figure:
    """Measured over fitted loss against a column, some of the runs marked; `fitted` are the runs of the fit, or all."""
    runs = example.runs
    fit = il.fit(runs if fitted is None else runs.take(np.array(fitted)), example.law, draws=0)
    over = runs["loss"] / fit.predict(runs, kind="mean").mid
    is_marked_n = np.isin(np.arange(len(over)), list(marked))
    ends = np.array([runs[x].min(), runs[x].max()])
    points = [
        Points(x=runs[x][~is_marked_n], y=over[~is_marked_n], label="runs"),
        Points(x=runs[x][is_marked_n], y=over[is_marked_n], label="the runs in question", role="optimum"),
    ]
    level = Line(x=ends, y=np.ones(2), label="the law", role="guide")
    y = Axis("loss", "linear", words="loss, measured over fitted", unit="1")
    return Figure(title, (Panel(Axis(x), y, (level, *(p for p in points if len(p.x)))),))

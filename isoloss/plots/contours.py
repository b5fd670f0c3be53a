"""Lines of equal loss over model size and data: what each could be traded for, and the efficient way through them.

Shapes: `m` sizes, `s` draws, `v` levels of loss.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.core import numbers
from isoloss.core.figure import Axis, Band, Figure, Line, Mark, Panel, Points, Region
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.planning import plan
from isoloss.planning.spending import needed_flops
from isoloss.plots import _data, plot
from isoloss.plots._curves import grid, interval_note, stretches
from isoloss.plots._needs import check_size_and_data

LEVELS = 8
SIZES = 90  # along a line
CROWDED = 1.25  # bands on average over each point of the window
DRAWS = 200  # draws enough for the shading of a line
HALVINGS = 48


@plot("What can size be traded for?", check=check_size_and_data)
def contours(runs: Runs, fit: Fit, *, flops: float | None = None, level: float = 0.9) -> Figure:
    """Iso-loss lines and the efficient frontier over N and D, solid over the data and dashed beyond."""
    table = _data.table(runs, fit)
    flops = _data.budget(table, flops)
    fitted = table.fitted
    box = Region("range of the fitted runs", "data", x=_range(fitted.size_n), y=_range(fitted.tokens_n))
    ends = (float(fitted.flops_n.min()), float(fitted.flops_n.max()), flops)
    best = _data.frontier(fit, grid(min(ends), max(ends), *ends), level)
    x, y = _window(table, best)
    lines = _iso_loss(fit, x, y, box, level)
    marks = (box, *lines, *_frontier(fit, best, box, flops, level), *_cheapest(fit, lines, x, y, level), *_runs(table))
    levels = [m.value for m in marks if isinstance(m, Line) and m.value is not None]
    colour = Axis(fit.law.output.name, span=(min(levels), max(levels)) if levels else None)
    panel = Panel(_data.size_axis(fit, x), Axis("tokens", span=y), marks, colour)
    shaded = {m.value for m in lines if isinstance(m, Band) and m.value is not None}
    return Figure(contours.title, (panel,), _notes(fit, shaded, len(set(levels)), level), "contours")


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _window(table: _data.Table, best: _data.Frontier) -> tuple[tuple[float, float], tuple[float, float]]:
    def around(*seen: np.ndarray) -> tuple[float, float]:
        together = np.concatenate(seen)
        return float(together.min() / 1.5), float(together.max() * 1.5)

    return around(table.size_n, best.size.mid), around(table.tokens_n, best.tokens.mid)


def _iso_loss(fit: Fit, x: tuple[float, float], y: tuple[float, float], box: Region, level: float) -> list[Mark]:
    size_m = np.geomspace(*x, SIZES)
    bands: list[Band] = []
    lines: list[Mark] = []
    for value in _levels(fit, x, y):
        tokens_m = tokens_for(fit, fit.theta_p[None], size_m, value, y)[0]
        tokens_m = np.where((tokens_m > y[0]) & (tokens_m < y[1]), tokens_m, np.nan)
        if len(fit.draws_sp):
            tokens_sm = tokens_for(fit, fit.draws_sp[:DRAWS], size_m, value, y)
            low_m, high_m = np.quantile(tokens_sm, [(1 - level) / 2, (1 + level) / 2], axis=0)
            seen = low_m < high_m
            bands.append(Band("", "law", True, size_m[seen], low_m[seen], high_m[seen], value))
        lines += _line(size_m, tokens_m, value, box)
    return [*_thinned(bands, y), *lines]


def _thinned(bands: list[Band], y: tuple[float, float]) -> list[Band]:
    # Every so many, where bands wider than the gaps between lines would cover each other.
    covered = sum(float(np.log(b.high / b.low).sum()) for b in bands) / (SIZES * np.log(y[1] / y[0]))
    step = max(1, math.ceil(covered / CROWDED))
    return bands[step // 2 :: step]


def _line(size_m: np.ndarray, tokens_m: np.ndarray, value: float, box: Region) -> list[Mark]:
    shown = np.isfinite(tokens_m)
    if shown.sum() < 2:
        return []
    x, y = size_m[shown], tokens_m[shown]
    parts = stretches(_inside(x, y, box))
    tags = [*[""] * (len(parts) - 1), numbers.short(value, 5)]
    return [
        Line("", "law", not inside, x[part], y[part], value, tag)
        for (part, inside), tag in zip(parts, tags, strict=True)
    ]


def _levels(fit: Fit, x: tuple[float, float], y: tuple[float, float]) -> list[float]:
    """Losses at even steps along the window's diagonal, so that the lines cross it evenly, rounded."""
    along = _data.inputs(fit, np.geomspace(*x, LEVELS + 2), np.geomspace(*y, LEVELS + 2))
    exact = fit.law.value(np.array([along[c] for c in fit.law.columns]), fit.theta_p)[1:-1]
    steps = np.abs(np.diff(exact))
    apart = np.minimum(np.append(steps, np.inf), np.append(np.inf, steps))
    places = -np.floor(np.log10(np.maximum(0.35 * apart, 1e-9))).astype(int)
    return sorted({round(float(v), int(p)) for v, p in zip(exact, places, strict=True)})


def tokens_for(
    fit: Fit, theta_sp: np.ndarray, size_m: np.ndarray, value: float, span: tuple[float, float]
) -> np.ndarray:
    """The data at which each law (s, p) reaches a loss at each size (m,): (s, m).

    By bisection over log D, for laws whose loss falls with data; an end of `span` where the loss is not met within it.
    """

    def loss(log_sm: np.ndarray) -> np.ndarray:
        named = _data.inputs(fit, size_m, np.exp(log_sm))
        theta = [theta_sp[:, j, None] for j in range(theta_sp.shape[1])]
        return fit.law.formula.value([named[c] for c in fit.law.columns], theta)

    shape = (len(theta_sp), len(size_m))
    low_sm, high_sm = np.full(shape, np.log(span[0])), np.full(shape, np.log(span[1]))
    for _ in range(HALVINGS):
        middle_sm = (low_sm + high_sm) / 2
        above = loss(middle_sm) > value
        low_sm, high_sm = np.where(above, middle_sm, low_sm), np.where(above, high_sm, middle_sm)
    # Where the loss is not crossed the halving ends on the span's end itself, up to its rounding.
    found_sm = np.exp((low_sm + high_sm) / 2)
    found_sm[low_sm == np.log(span[0])] = span[0]
    found_sm[high_sm == np.log(span[1])] = span[1]
    return found_sm


def _inside(size_m: np.ndarray, tokens_m: np.ndarray, box: Region) -> np.ndarray:
    (left, right), (bottom, top) = box.x, box.y
    return (size_m >= left) & (size_m <= right) & (tokens_m >= bottom) & (tokens_m <= top)


def _frontier(fit: Fit, best: _data.Frontier, box: Region, flops: float, level: float) -> list[Mark]:
    marks: list[Mark] = [_frontier_band(fit, best, level)] if best.size.known else []
    for part, inside in stretches(_inside(best.size.mid, best.tokens.mid, box)):
        label = "efficient frontier" if inside else "efficient frontier, beyond the runs"
        marks.append(Line(label, "optimum", not inside, best.size.mid[part], best.tokens.mid[part]))
    end = best.flops_m == flops
    label = f"the plan for {_data.budget_in_words(fit, flops)}"
    return [*marks, Points(label, "optimum", True, best.size.mid[end], best.tokens.mid[end])]


def _frontier_band(fit: Fit, best: _data.Frontier, level: float) -> Band:
    # At one budget a larger model means less data: the ends of an interval lie along the line 6 N D = C, at other sizes
    # than the middle, which budgets well beyond those shown are needed to reach.
    wide = _data.frontier(fit, np.geomspace(best.flops_m[0] / 1e3, best.flops_m[-1] * 1e3, 60), level)
    x = best.size.mid
    upper = np.exp(np.interp(np.log(x), np.log(wide.size.low), np.log(wide.tokens.high)))
    lower = np.exp(np.interp(np.log(x), np.log(wide.size.high), np.log(wide.tokens.low)))
    return Band(f"{level:.0%} interval of the frontier", "optimum", True, x, lower, upper)


def _cheapest(fit: Fit, lines: list[Mark], x: tuple[float, float], y: tuple[float, float], level: float) -> list[Mark]:
    # The run of least 6 N D on each line.
    levels = sorted({m.value for m in lines if isinstance(m, Line) and m.value is not None})
    found = [plan(fit, loss=value, level=level).options[0] for value in levels if _reachable(fit, value)]
    size, tokens = (np.array([o[name].mid for o in found]) for name in (_data.size_of(fit), "tokens"))
    seen = (size > x[0]) & (size < x[1]) & (tokens > y[0]) & (tokens < y[1])
    about = {"compute": [_data.budget_in_words(fit, o["flops"].mid) for o, s in zip(found, seen, strict=True) if s]}
    points = Points("fewest FLOP of a line", "guide", False, size[seen], tokens[seen], about=about)
    return [points] if seen.any() else []


def _reachable(fit: Fit, value: float) -> bool:
    return bool(np.isfinite(needed_flops(fit.law, fit.theta_p[None], np.array([value]))[0]))


def _runs(table: _data.Table) -> list[Mark]:
    marks: list[Mark] = []
    for role, label, part in table.parts():
        loss = {"loss": [numbers.short(float(v), 4) for v in part.loss_n]}
        marks.append(Points(label, role, role == "held-out", part.size_n, part.tokens_n, about=part.about() | loss))
    return marks


def _notes(fit: Fit, shaded: set[float], lines: int, level: float) -> tuple[str, ...]:
    shading = interval_note(fit, level)
    if 0 < len(shaded) < lines:
        told = ", ".join(numbers.short(value, 5) for value in sorted(shaded))
        shading = f"Shaded: the {level:.0%} interval of the lines {told} alone, since those of all would overlap."
    return (
        "Along a line the loss stays the same; its number is the loss. The frontier is the cheapest point of each "
        "line when training FLOP = 6 N D.",
        shading,
        "Inside the dotted box lie the fitted runs; dashed lines are beyond it.",
    )

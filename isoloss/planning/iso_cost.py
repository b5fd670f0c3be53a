"""The best size on the curve of equal cost 6 N D = C, for any law with a size and a data input.

A registered closed form answers where there is one. Elsewhere a scan of log N from one parameter to one token finds
every place where the loss turns from falling to rising, a root of the slope refines each, and the lowest wins. Many
budgets of one parameter set share the scan: a few are searched, the others start between them.
Shapes: `p` parameters, `b` problems solved together (a parameter set and a budget each), `t` parameter sets,
`m` budgets, `k` knots between which the others start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.law import Law
from isoloss.planning import cost, roots
from isoloss.planning.closed_forms import CLOSED_FORMS
from isoloss.planning.surface import Surface, columns_of

SCAN_STEPS = 96
KNOTS = 6
FEW_PROBLEMS = 500  # below this the search of each alone costs no more
SECANT_STEPS = 8
CLOSE = 1e-9  # of log N: a start that comes no closer is searched for instead
STRAGGLERS = 0.005  # the share of starts that is sooner searched for than waited for
START = 1e-6  # of log N: how close what is only a start is found
NEAR = 0.5  # of log N: how far a start may be from where it leads


def size_and_data(law: Law) -> tuple[int, int] | None:
    """Which inputs of a law of exactly one size and the tokens are which, or None for any other law."""
    surface = Surface.of(law)
    return (surface.size, surface.data) if surface is not None and surface.bare else None


def best_sizes(
    law: Law, theta_bp: np.ndarray, flops_b: np.ndarray, held: Mapping[str, float] | None = None, close: float = 0.0
) -> np.ndarray:
    """The size (b,) of least output for each parameter set (b, p) and budget (b,), with other inputs `held`.

    A search ends within `close` of log N, or at rounding. NaN where there is none between a model of one parameter and
    a run of one token: the output only falls, or only rises, along the curve.
    """
    if has_closed_form(law):
        return _closed(law, columns_of(theta_bp), flops_b)
    return _search(law, theta_bp, flops_b, held, close)[0]


def best_sizes_along(
    law: Law, theta_tp: np.ndarray, flops_m: np.ndarray, held: Mapping[str, float] | None = None
) -> np.ndarray:
    """As `best_sizes`, for every parameter set (t, p) at every budget (m,): (t, m)."""
    if has_closed_form(law):
        return _closed(law, [theta_tp[:, j, None] for j in range(theta_tp.shape[1])], flops_m)
    t, m = len(theta_tp), len(flops_m)
    if m <= KNOTS or t * m <= FEW_PROBLEMS or np.ptp(np.log(flops_m)) == 0:
        return _each(law, theta_tp, flops_m, held)
    sizes_tm, sound_tm = _between_knots(law, theta_tp, flops_m, held)
    again_t, again_m = np.nonzero(~sound_tm)
    if len(again_t):
        sizes_tm[again_t, again_m] = search(law, theta_tp[again_t], flops_m[again_m], held)
    return sizes_tm


def search(law: Law, theta_bp: np.ndarray, flops_b: np.ndarray, held: Mapping[str, float] | None = None) -> np.ndarray:
    """As `best_sizes`, by scan and refinement, whether or not there is a closed form."""
    return _search(law, theta_bp, flops_b, held)[0]


def has_closed_form(law: Law) -> bool:
    """Whether the best size of this law, as it is bound, is a formula."""
    return law.name in CLOSED_FORMS and size_and_data(law) == (0, 1)


def _closed(law: Law, columns: Sequence[np.ndarray], flops: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        sizes = CLOSED_FORMS[law.name].size(flops, **dict(zip(law.names, columns, strict=True)))
        return np.where((sizes >= 1) & (cost.partner(flops, sizes) >= 1), sizes, np.nan)


def _each(law: Law, theta_tp: np.ndarray, flops_m: np.ndarray, held: Mapping[str, float] | None) -> np.ndarray:
    t, m = len(theta_tp), len(flops_m)
    return search(law, np.repeat(theta_tp, m, axis=0), np.tile(flops_m, t), held).reshape(t, m)


def _between_knots(
    law: Law, theta_tp: np.ndarray, flops_m: np.ndarray, held: Mapping[str, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    # The sizes (t, m), and which of them hold: one valley at every knot, reached from close by, and a minimum; or no
    # valley at any knot, and then none between.
    t, x_m = len(theta_tp), np.log(flops_m)
    knots_k = _knots(float(x_m.min()), float(x_m.max()))
    best_b, valleys_b = _search(law, np.repeat(theta_tp, KNOTS, axis=0), np.tile(np.exp(knots_k), t), held, START)
    known_tk = np.log(best_b).reshape(t, KNOTS)
    valleys_tk = valleys_b.reshape(t, KNOTS)
    single_t, none_t = (valleys_tk == 1).all(axis=1), (valleys_tk == 0).all(axis=1)
    curve = _Curve(_surface(law, held), [theta_tp[:, j, None] for j in range(theta_tp.shape[1])], flops_m)
    start_tm = known_tk @ _lagrange(knots_k, x_m)
    with np.errstate(all="ignore"):
        u_tm, rising_tm, step_tm = _secant(curve, start_tm)
    sound_tm = single_t[:, None] & (np.abs(step_tm) < CLOSE) & (np.abs(u_tm - start_tm) < NEAR) & (rising_tm > 0)
    return np.exp(u_tm), sound_tm | none_t[:, None]


def _secant(curve: _Curve, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Where the slope is zero, how the slope changes there, and the last step.
    before, at = start - 1e-3, start
    slope_before, slope = curve.slope(before), curve.slope(at)
    rising, step = slope, np.full(start.shape, np.inf)
    for _ in range(SECANT_STEPS):
        moved = at - before
        rising = np.where(moved == 0, rising, (slope - slope_before) / moved)
        step = np.where(slope == 0, 0.0, np.clip(-slope / rising, -1, 1))
        before, slope_before, at = at, slope, at + step
        if np.mean(np.abs(step) > CLOSE / 10) < STRAGGLERS:
            break
        slope = curve.slope(at)
    return at, rising, step


def _knots(low: float, high: float) -> np.ndarray:
    # Chebyshev points of the second kind: the ends belong to them.
    return (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * np.arange(KNOTS) / (KNOTS - 1))


def _lagrange(knots_k: np.ndarray, x_m: np.ndarray) -> np.ndarray:
    others = [np.delete(knots_k, k) for k in range(KNOTS)]
    return np.stack([np.prod((x_m[:, None] - o) / (knots_k[k] - o), axis=1) for k, o in enumerate(others)])


def _search(
    law: Law, theta_bp: np.ndarray, flops_b: np.ndarray, held: Mapping[str, float] | None, close: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    curve = _Curve(_surface(law, held), columns_of(theta_bp), np.asarray(flops_b, float))
    span_b = np.log(cost.partner(curve.flops, 1.0))
    rows, ends = [], []
    with np.errstate(all="ignore"):
        before_b = curve.slope(np.zeros_like(span_b))
        for step in range(SCAN_STEPS):
            low_b, high_b = span_b * step / SCAN_STEPS, span_b * (step + 1) / SCAN_STEPS
            after_b = curve.slope(high_b)
            turns = np.flatnonzero((before_b < 0) & (after_b >= 0))
            if len(turns):
                rows.append(turns)
                ends.append((low_b[turns], high_b[turns]))
            before_b = after_b
    return _lowest(curve, rows, ends, close)


def _lowest(
    curve: _Curve, rows: list[np.ndarray], ends: list[tuple[np.ndarray, np.ndarray]], close: float
) -> tuple[np.ndarray, np.ndarray]:
    # The lowest of all valleys of each problem, every valley refined together, and how many there are.
    best_b = np.full(len(curve.flops), np.nan)
    if not rows:
        return best_b, np.zeros(len(best_b), int)
    valleys = np.concatenate(rows)
    part = curve.take(valleys)
    with np.errstate(all="ignore"):
        low, high = (np.concatenate(side) for side in zip(*ends, strict=True))
        u = roots.between(part.slope, low, high, close)
        value = part.value(u)
    highest_first = np.argsort(value, kind="stable")[::-1]
    kept = highest_first[value[highest_first] < np.inf]
    best_b[valleys[kept]] = np.exp(u[kept])  # the lowest is written last
    return best_b, np.bincount(valleys, minlength=len(best_b))


def _surface(law: Law, held: Mapping[str, float] | None) -> Surface:
    surface = Surface.of(law, held)
    assert surface is not None, "only laws of a size and the tokens have a curve of equal cost"
    return surface


@dataclass(frozen=True)
class _Curve:
    surface: Surface
    columns: Sequence[Any]
    flops: np.ndarray

    def take(self, rows: np.ndarray) -> _Curve:
        return _Curve(self.surface, [column[rows] for column in self.columns], self.flops[rows])

    def value(self, log_size: np.ndarray) -> np.ndarray:
        size = np.exp(log_size)
        return self.surface.value(self.columns, size, cost.partner(self.flops, size))

    def slope(self, log_size: np.ndarray) -> np.ndarray:
        size = np.exp(log_size)
        of_size, of_data = self.surface.slopes(self.columns, size, cost.partner(self.flops, size))
        return np.broadcast_to(of_size - of_data, log_size.shape)

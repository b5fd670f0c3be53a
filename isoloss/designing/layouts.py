"""Candidate ladders, one function a layout: the dearest run's compute is their only dial, a declaration their result.

A layout knows the assumed law's best size of a budget, the dials it may use, and how few and how many tokens a run may
see. It returns the [[runs]] tables of a ladder file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.accounting import count, training_flops
from isoloss.designing.assumed import Truth
from isoloss.designing.targets import best_size
from isoloss.lab import dials

Grid = dict[str, Any]
FEWEST_TOKENS = 100_000  # about 200 steps; shorter runs scatter more than a law tells
FEWEST_SIZES = 4  # of a budget: a valley needs a bottom and two sides


@dataclass(frozen=True)
class Room:
    """What a layout may use: the assumed law, dials in order of size, and the most tokens a run may see."""

    truth: Truth
    dials: tuple[int, ...]
    most_tokens: int

    def best(self, flops: float) -> float:
        """The assumed law's best size for a budget."""
        return float(best_size(self.truth.law, self.truth.theta_p, flops, self.truth.size)[0])

    def size(self, dial: int) -> float:
        """The size at a dial, as the assumed law counts it."""
        return float(getattr(count(dials.shape(dial)), self.truth.size))

    def fits(self, dial: int, flops: float) -> bool:
        """Whether a run of this compute sees neither too few tokens nor more than there are."""
        return FEWEST_TOKENS <= flops / training_flops(dials.shape(dial)) <= self.most_tokens

    def between(self, flops: float, low: float, high: float, most: int) -> list[int]:
        """At most so many dials that fit the budget, evenly from `low` to `high` times the best size for it."""
        best = self.best(flops)
        usable = [d for d in self.dials if self.fits(d, flops) and low * best <= self.size(d) <= high * best]
        places = np.linspace(0, len(usable) - 1, min(most, len(usable)))
        return [usable[round(float(place))] for place in places]


Layout = Callable[[Room, float], list[Grid]]
LAYOUTS: dict[str, Layout] = {}


def layout(name: str) -> Callable[[Layout], Layout]:
    """Register a function from room and the dearest run's FLOPs to [[runs]] tables."""

    def register(function: Layout) -> Layout:
        LAYOUTS[name] = function
        return function

    return register


@layout("isoFLOP, 3 budgets")
def three_budgets(room: Room, flops: float) -> list[Grid]:
    """Five sizes about the best one, at budgets a factor 3 apart."""
    return _isoflop(room, [flops / 9, flops / 3, flops], 8.0, 5)


@layout("isoFLOP, 4 budgets")
def four_budgets(room: Room, flops: float) -> list[Grid]:
    """Five sizes about the best one, at budgets a factor 4 apart."""
    return _isoflop(room, [flops / 64, flops / 16, flops / 4, flops], 8.0, 5)


@layout("isoFLOP, wide")
def wide_budgets(room: Room, flops: float) -> list[Grid]:
    """Seven sizes far to both sides, at budgets a factor 4 apart."""
    return _isoflop(room, [flops / 16, flops / 4, flops], 30.0, 7)


@layout("N x D grid")
def grid(room: Room, flops: float) -> list[Grid]:
    """Every size on every number of tokens: five sizes, four horizons a factor 2.5 apart."""
    return _grid(room, flops, horizons=4, factor=2.5)


@layout("N x D grid, long")
def long_grid(room: Room, flops: float) -> list[Grid]:
    """The same with horizons a factor 4 apart."""
    return _grid(room, flops, horizons=4, factor=4.0)


@layout("staircase")
def staircase(room: Room, flops: float) -> list[Grid]:
    """Common horizons a factor 4 apart, each as far as the dearest run's compute goes: small sizes go on longer."""
    return _staircase(room, flops, factor=4.0)


@layout("staircase, dense")
def dense_staircase(room: Room, flops: float) -> list[Grid]:
    """The same with horizons a factor 2 apart."""
    return _staircase(room, flops, factor=2.0)


@layout("ray and beside it")
def ray(room: Room, flops: float) -> list[Grid]:
    """One number of tokens a parameter, the best at the dearest run; small sizes longer too, large ones shorter."""
    best = room.best(flops)
    chosen = room.between(flops, 1 / 40, 2, 6)
    if not math.isfinite(best) or not chosen:
        return []
    ratio = flops / 6 / best**2
    tables = []
    for place, dial in enumerate(chosen):
        on_ray = ratio * room.size(dial)
        is_small = place < (len(chosen) + 1) // 2
        tables.append({"dials": [dial], "tokens": _within(room, [on_ray, on_ray * 8 if is_small else on_ray / 8])})
    return [table for table in tables if table["tokens"]]


def _isoflop(room: Room, budgets: Sequence[float], reach: float, most: int) -> list[Grid]:
    tables = []
    for c in budgets:
        chosen = room.between(c, 1 / reach, reach, most)
        if len(chosen) >= FEWEST_SIZES:
            tables.append({"dials": chosen, "budgets": [_rounded(c)]})
    return tables


def _grid(room: Room, flops: float, horizons: int, factor: float) -> list[Grid]:
    chosen = room.between(flops, 1 / 40, 4, 5)
    if not chosen:
        return []
    longest = min(flops / training_flops(dials.shape(chosen[-1])), room.most_tokens)
    tokens = _within(room, [longest / factor**place for place in range(horizons)])
    return [{"dials": chosen, "tokens": tokens}] if tokens else []


def _staircase(room: Room, flops: float, factor: float) -> list[Grid]:
    chosen = room.between(flops, 1 / 40, 8, 5)
    if not chosen:
        return []
    longest = min(flops / training_flops(dials.shape(chosen[0])), 0.99 * room.most_tokens)
    steps = int(math.log(longest / FEWEST_TOKENS) / math.log(factor)) if longest > FEWEST_TOKENS else 0
    horizons = [longest / factor**place for place in range(steps + 1)]
    of_each = {d: _within(room, [h for h in horizons if h * training_flops(dials.shape(d)) <= flops]) for d in chosen}
    return [{"dials": [dial], "tokens": tokens} for dial, tokens in of_each.items() if tokens]


def _within(room: Room, tokens: Sequence[float]) -> list[int]:
    return sorted(int(_rounded(d)) for d in tokens if FEWEST_TOKENS <= d <= 0.99 * room.most_tokens)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

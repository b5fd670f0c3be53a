"""Whole schedules of learning rates: read from checkpoints or from rates, and the drops behind each step of them.

A loss that answers to every drop of the rate is a sum over thousands of drops. Those that lie about equally far back
are gathered, so that a few dozen stand for all. Shapes: `n` steps asked about, `r` of them in one schedule, `t`
steps of a schedule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from isoloss.core.errors import FormatError, RequestError, UnknownNameError
from isoloss.core.runs import Runs

NUMBER = "schedule_number"
THINNED = 1e-4  # how far a thinned schedule may stray, as a part of its highest rate
GATHERED = 1.4  # drops are gathered over spans of steps back that grow by this factor
SIZES = 2.0  # and over rates within this factor

ALONE = "rows scatter independently; those of one training run do not quite, so intervals are too narrow"

Knots = tuple[tuple[float, ...], tuple[float, ...]]  # steps, and the rates there


@dataclass(frozen=True)
class Drops:
    """Drops of the rate that lie about equally far behind some of the steps asked about, one for each of `rows`."""

    rows: np.ndarray
    before: np.ndarray
    after: np.ndarray
    since: np.ndarray


@dataclass(frozen=True)
class Schedules:
    """Named schedules of the learning rate, each the straight lines between its knots; numbered from 1 in this order.

    Make them `of` a table of checkpoints, or `from_rates`. A rise of the rate, as in warm-up, is a drop below zero.
    `notes` are what was assumed in making them.
    """

    names: tuple[str, ...]
    knots: tuple[Knots, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, runs: Runs, by: str = "schedule", rate: str = "lr", warmup: int | None = None) -> Schedules:
        """The schedules of a table with one row a checkpoint: columns `steps`, `rate` (at that step), and a name `by`.

        Between rows the rate goes straight. At step 0 it is zero: it rises straight to the first row, or, if `warmup`
        is given, to the first row's rate in that many steps. Raises ColumnError for a missing column, RequestError
        where one step has two rates or the rows begin within the warm-up.
        """
        runs = runs.complete(["steps", rate])
        labels_n = np.array([str(label) for label in runs[by]])
        names = tuple(dict.fromkeys(map(str, labels_n)))
        made = {n: _between(n, runs["steps"][labels_n == n], runs[rate][labels_n == n], warmup) for n in names}
        span = "up to the first row" if warmup is None else f"over {warmup} steps"
        return replace(cls.from_rates(made), notes=(f"learning rates straight between rows, from zero {span}",))

    @classmethod
    def from_rates(cls, rates: Mapping[str, np.ndarray]) -> Schedules:
        """Schedules from the rate at every step from 0 on, (t,) each, all but the first above zero.

        Kept as straight lines that stray by at most 1e-4 of the highest rate. Raises RequestError for other rates.
        """
        for name, rates_t in rates.items():
            if len(rates_t) < 2 or not np.all(np.isfinite(rates_t)) or rates_t[0] < 0 or np.min(rates_t[1:]) <= 0:
                raise RequestError(
                    f"The schedule '{name}' is no list of learning rates.",
                    "All but the first must be above zero and finite.",
                    "Leave out steps at a rate of zero: nothing is learned there.",
                )
        return cls(tuple(rates), tuple(_thinned(np.asarray(rates_t, float)) for rates_t in rates.values()))

    @classmethod
    def from_json(cls, text: str) -> Schedules:
        """The inverse of `to_json`; raises FormatError for anything else."""
        try:
            read = {name: _knots(*knots) for name, knots in json.loads(text).items()}
            return cls(tuple(read), tuple(read.values()))
        except (ValueError, TypeError, AttributeError) as error:
            raise FormatError(f"These are no schedules: {error}.", do="Write them with Schedules.to_json().") from None

    def to_json(self) -> str:
        """Names and knots as JSON text, with full digits."""
        return json.dumps(dict(zip(self.names, self.knots, strict=True)), separators=(",", ":"))

    def __add__(self, other: Schedules) -> Schedules:
        """These schedules, then the others, numbered on; one of the same name takes the place of the first."""
        joined = {**dict(zip(self.names, self.knots, strict=True)), **dict(zip(other.names, other.knots, strict=True))}
        return Schedules(tuple(joined), tuple(joined.values()), tuple(dict.fromkeys([*self.notes, *other.notes])))

    def __repr__(self) -> str:
        return f"Schedules({', '.join(self.names)})"

    def rates(self, name: str) -> np.ndarray:
        """The rate at every step of the schedule called `name`, (t,)."""
        return _rates(self.knots[self._place(name)])

    def numbered(self, runs: Runs, by: str = "schedule") -> Runs:
        """The runs with the column `schedule_number`, for the names in their column `by`.

        Raises UnknownNameError for another name, RequestError for a step beyond the end of its schedule.
        """
        place_n = np.array([self._place(str(name)) for name in runs[by]], int)
        last_n = np.array([knots[0][-1] for knots in self.knots])[place_n]
        if "steps" in runs and (late := np.flatnonzero(runs["steps"] > last_n)).size:
            row = late[0]
            raise RequestError(
                f"Step {runs['steps'][row]:.0f} lies beyond the end of the schedule '{runs[by][row]}'.",
                f"It has rates up to step {last_n[row]:.0f}.",
                "Give a schedule that goes on: Schedules.from_rates.",
            )
        return runs.with_columns(**{NUMBER: place_n + 1.0}).noting(*self.notes, ALONE)

    def drops(self, step_n: np.ndarray, number_n: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Drops]]:
        """The sum of rates up to each step (n,), the rate there (n,), and the gathered drops behind it.

        The rows of each of the drops are the first of those of the one before. NaN beyond the end of a schedule, and
        for a number that is none of these schedules.
        """
        step_n, number_n = np.asarray(step_n, float), np.asarray(number_n, float)
        return _drops(self.knots, step_n.tobytes(), number_n.tobytes())

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise UnknownNameError("schedule", name, self.names)
        return self.names.index(name)


def _knots(steps: list[Any], rates: list[Any]) -> Knots:
    pairs = [(float(step), float(rate)) for step, rate in zip(steps, rates, strict=True)]
    return tuple(step for step, _ in pairs), tuple(rate for _, rate in pairs)


def _between(name: str, steps_r: np.ndarray, rates_r: np.ndarray, warmup: int | None) -> np.ndarray:
    steps, first, place_r = np.unique(steps_r, return_index=True, return_inverse=True)
    rates = rates_r[first]
    if not np.allclose(rates_r, rates[place_r], rtol=1e-6, atol=0.0):
        step = steps_r[np.argmax(np.abs(rates_r / rates[place_r] - 1))]
        raise RequestError(f"Step {step:.0f} of the schedule '{name}' has two learning rates.", do="Name them apart.")
    if warmup is not None and steps[0] < warmup:
        raise RequestError(
            f"The rows of '{name}' begin at step {steps[0]:.0f}, within the {warmup} steps of warm-up.",
            do="Leave warmup out: the rows show it.",
        )
    step_t = np.arange(int(steps[-1]) + 1)
    rise_t = np.minimum(step_t / max(steps[0] if warmup is None else warmup, 1), 1.0)
    return np.interp(step_t, steps, rates) * rise_t


def _thinned(rates_t: np.ndarray) -> Knots:
    # Ramer 1972, Douglas and Peucker 1973, by vertical distance: split where the straight line is furthest off.
    kept, todo, least = {0, len(rates_t) - 1}, [(0, len(rates_t) - 1)], THINNED * rates_t.max()
    while todo:
        start, end = todo.pop()
        line = np.linspace(rates_t[start], rates_t[end], end - start + 1)
        off = np.abs(rates_t[start : end + 1] - line)
        if off.max() > least:
            split = start + int(off.argmax())
            kept.add(split)
            todo += [(start, split), (split, end)]
    steps = sorted(kept)
    return tuple(map(float, steps)), tuple(map(float, rates_t[steps]))


@cache
def _rates(knots: Knots) -> np.ndarray:
    return np.interp(np.arange(knots[0][-1] + 1), *knots)


@cache
def _sums(knots: Knots) -> np.ndarray:
    return np.cumsum(_rates(knots))


def _running(knots: Knots) -> tuple[np.ndarray, ...]:
    # For falls and rises at rates of one size: running totals before each step of the drop, and of it times the rate
    # after and the sum before, (3, t + 1).
    rates_t, sum_t = _rates(knots), _sums(knots)
    drop_t = -np.diff(rates_t, prepend=rates_t[0])
    part_qt = np.stack([drop_t, drop_t * rates_t, drop_t * (sum_t - rates_t)])
    size_t = np.floor(np.log(np.maximum(rates_t, 1e-300)) / np.log(SIZES))
    kinds = np.unique(np.stack([np.sign(drop_t), size_t])[:, drop_t != 0], axis=1).T
    return tuple(_before(part_qt * ((np.sign(drop_t) == sign) & (size_t == size))) for sign, size in kinds)


def _before(part_qt: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(part_qt), 1)), np.cumsum(part_qt, axis=1)], axis=1)


@lru_cache(maxsize=8)
def _drops(every: tuple[Knots, ...], steps: bytes, numbers: bytes) -> tuple[np.ndarray, np.ndarray, list[Drops]]:
    # Fitting asks for those of the same rows hundreds of times.
    step_n, number_n = np.frombuffer(steps), np.frombuffer(numbers)
    sum_n, rate_n = np.full(len(step_n), np.nan), np.full(len(step_n), np.nan)
    found = [np.empty((4, 0))]
    for place, knots in enumerate(every):
        rows = np.flatnonzero((number_n == place + 1) & (step_n >= 0) & (step_n < knots[0][-1] + 1))
        step_r = step_n[rows].astype(int)
        sum_n[rows], rate_n[rows] = _sums(knots)[step_r], _rates(knots)[step_r]
        found += _gathered(knots, step_r, rows)
    return sum_n, rate_n, _dealt(np.concatenate(found, axis=1))


def _gathered(knots: Knots, step_r: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    # Row, rate before, rate after and sum since of each gather, (4, drops).
    edges = _edges(int(knots[0][-1]) + 1)
    for running in _running(knots):
        for near, far in pairwise(edges):
            below, above = np.maximum(step_r + 1 - far, 0), np.maximum(step_r + 1 - near, 0)
            drop_r, rate_r, sum_r = running[:, above] - running[:, below]
            some = np.flatnonzero(np.abs(drop_r) > 1e-12 * max(knots[1]))
            after = rate_r[some] / drop_r[some]
            since = _sums(knots)[step_r[some]] - sum_r[some] / drop_r[some]
            yield np.stack([rows[some], after + drop_r[some], after, np.maximum(since, 0.0)])


def _dealt(found: np.ndarray) -> list[Drops]:
    # The first gather of every row, the second of every row that has two, and so on; rows with the most come first.
    found = found[:, np.argsort(found[0], kind="stable")]
    _, first, count = np.unique(found[0], return_index=True, return_counts=True)
    first, count = first[(order := np.argsort(-count, kind="stable"))], count[order]
    each = (found[:, first[count > rank] + rank] for rank in range(int(count.max(initial=0))))
    return [Drops(rows.astype(int), *rest) for rows, *rest in each]


def _edges(steps: int) -> list[int]:
    # 0, 1, 2, 3 ... and then by a factor, up to the number of steps.
    edges = [0]
    while edges[-1] < steps:
        edges.append(max(edges[-1] + 1, int(edges[-1] * GATHERED)))
    return edges

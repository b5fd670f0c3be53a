"""design(): given a budget and a target, the ladder whose fit will know the loss at the target best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.accounting import count
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.core.storage import write_text
from isoloss.designing.assumed import SIZES, NoiseLike, TruthLike, truth_of
from isoloss.designing.expecting import SIMS, Expected, expected
from isoloss.designing.layouts import FEWEST_TOKENS, LAYOUTS, Grid, Layout, Room
from isoloss.designing.preview import Preview, preview, spent
from isoloss.designing.refusing import every
from isoloss.lab import dials
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import windows
from isoloss.lab.designs import cells_of, compute
from isoloss.lab.ladder import RECIPE, SCHEMA, read_ladder
from isoloss.lab.pace import pace

DIALS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)
FURTHER = 10.0  # times the budget: the target where none is named
TRIAL_SIMS = 120  # sweeps by which layouts are compared
HALVINGS = 12
FEWEST_CELLS = 8
FASTEST = 1e11  # FLOPs a CPU second, which no core exceeds
SEEDS = (1, 2)  # seeds a cell that are tried

Cost = Callable[[Sequence[Spec]], float]


@dataclass(frozen=True)
class Tried:
    """A layout that was simulated: seeds a cell, runs, cells, and the expected answer."""

    layout: str
    seeds: int
    specs: tuple[Spec, ...]
    tables: tuple[Grid, ...]
    expected: Expected

    @property
    def row(self) -> str:
        """The layout in a line: how well it knows the loss and the best size at the target."""
        e = self.expected
        size = "not known" if not e.size.known else f"{numbers.short(e.size.low)} to {numbers.short(e.size.high)}"
        spread = f"{e.loss.low:.3f} to {e.loss.high:.3f}"
        return f"{self.layout:<20} {self.seeds:>5} {e.runs:>5} {e.cells:>5}   {spread:<16} {size}"

    def to_json(self) -> dict[str, Any]:
        """The trial as plain JSON values."""
        e = self.expected
        known = {"loss": e.loss.to_json(), "size": e.size.to_json()}
        return {"layout": self.layout, "seeds": self.seeds, "runs": e.runs, "cells": e.cells, **known}


@dataclass(frozen=True)
class Design:
    """The ladder that is proposed: its declaration, its cells with their cost and expected intervals, and what else was
    tried, best first."""

    chosen: Tried
    preview: Preview
    tried: tuple[Tried, ...]
    corpus: str
    budget: str

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The runs, for `isoloss.train`."""
        return self.chosen.specs

    @property
    def expected(self) -> Expected:
        """What the fit of this ladder is expected to tell."""
        assert self.preview.expected
        return self.preview.expected

    def toml(self) -> str:
        """The ladder as a TOML file."""
        e = self.expected
        head = [
            f"# {self.chosen.layout}, {self.chosen.seeds} of each: {e.runs} runs within {self.budget}.",
            f"# Expected at {compute(e.target['flops'])} ({e.level:.0%} intervals): "
            f"loss {e.loss}, {e.size_name} {e.size}.",
            "",
            f"schema = {SCHEMA}",
            f'corpus = "{self.corpus}"',
            f'recipe = "{RECIPE}"',
        ]
        tables = [
            ["", "[[runs]]", *(f"{key} = {_toml(value)}" for key, value in t.items())] for t in self.chosen.tables
        ]
        return "\n".join([*head, *(line for table in tables for line in table)]) + "\n"

    def write(self, path: str | Path) -> None:
        """Write the TOML file, whole or not at all; raises OutputError where the place cannot be written."""
        write_text(path, self.toml())

    def __str__(self) -> str:
        """What was tried, and the ladder that knows the target best, in at most 100 columns."""
        lines = [
            text.wrapped(
                f"{len(self.tried)} layouts within {self.budget}, by the interval of the loss at "
                f"{compute(self.expected.target['flops'])} that their fits will have"
            ),
            f"  {'layout':<20} {'seeds':>5} {'runs':>5} {'cells':>5}   {'loss':<16} best {self.expected.size_name}",
            *(f"  {trial.row}" for trial in self.tried),
            "",
            f"Proposed: {self.chosen.layout}, {self.chosen.seeds} of each",
            str(self.preview),
        ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The JSON shape of `isoloss design --json`."""
        return {
            "schema": 1,
            "layout": self.chosen.layout,
            "budget": self.budget,
            "tried": [trial.to_json() for trial in self.tried],
            "toml": self.toml(),
            **{key: value for key, value in self.preview.to_json().items() if key != "schema"},
        }


def design(
    flops: float | str | None = None,
    *,
    minutes: float | None = None,
    target: Any = None,
    sizes: tuple[float | str, float | str] | None = None,
    corpus: str = "python",
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
    noise: NoiseLike = None,
    level: float = 0.9,
    sims: int = SIMS,
) -> Design:
    """Return the ladder, within `flops` or so many CPU `minutes` of this machine, that will know the target best.

    Each layout (isoFLOP budgets, grids of sizes and tokens, a ray with runs beside it), with one seed a cell and with
    two, is made as large as the budget allows, its sweeps are simulated and fitted; that with the narrowest interval
    of the loss at the `target` is proposed. `sizes` are the fewest and the most matrix-product parameters. Without a
    target it is ten times the budget. `law`, `truth` and `noise` are those of `expected`. Layouts that would be refused
    are left out. Raises RequestError for a budget that is none, DesignError where no layout fits it.
    """
    budget, words, cost = _budget(flops, minutes, sizes, corpus)
    room = _room(corpus, sizes, truth, law)
    target = FURTHER * budget if target is None and flops is not None else target
    assumed: dict[str, Any] = {"law": law, "truth": truth, "noise": noise, "level": level}
    most = budget if flops is not None else budget * FASTEST
    grown = [
        (name, seeds, *_grown(make, room, seeds, most, lambda specs: cost(specs) <= budget, corpus))
        for name, make in LAYOUTS.items()
        for seeds in SEEDS
    ]
    if target is None:
        target = FURTHER * max((sum(s.flops for s in specs) for *_, specs in grown if specs), default=1.0)
    trials = []
    for name, seeds, tables, specs in grown:
        if specs and not every(specs, law=law, truth=truth):
            told = expected(specs, target=target, sims=min(sims, TRIAL_SIMS), **assumed)
            trials.append(Tried(name, seeds, specs, tuple(tables), told))
    if not trials:
        raise DesignError(
            f"No ladder within {words} can tell size from data.",
            f"Runs see {numbers.short(FEWEST_TOKENS)} to {numbers.short(room.most_tokens)} tokens of the corpus "
            f"'{corpus}', and each layout needs several sizes and horizons.",
            "Give a larger budget, a wider range of sizes, or a larger corpus.",
        )
    trials.sort(key=lambda trial: trial.expected.width)
    seen = preview(trials[0].specs, target=target, sims=sims, **assumed)
    return Design(trials[0], seen, tuple(trials), corpus, words)


def _budget(
    flops: float | str | None, minutes: float | None, sizes: tuple[Any, Any] | None, corpus: str
) -> tuple[float, str, Cost]:
    if (flops is None) == (minutes is None):
        raise RequestError("A design needs one budget.", do="Give flops=1e13, or minutes=10 of CPU time.")
    given = numbers.parse(flops if flops is not None else minutes)  # type: ignore[arg-type]
    if not 0 < given < math.inf:
        raise RequestError(f"A budget of {given:g} trains nothing.", do="Give a positive number.")
    if flops is not None:
        return given, compute(given), lambda specs: math.fsum(spec.flops for spec in specs)
    return given * 60, f"{spent(given * 60)} of CPU time", _cpu_seconds(_dials(sizes), corpus)


def _cpu_seconds(usable: tuple[int, ...], corpus: str) -> Cost:
    # A straight line in tokens, from a short and a long run of each size.
    tables = [{"dials": list(usable), "tokens": [200_000, 3_200_000]}]
    specs = _specs(tables, corpus)
    seconds = pace(specs).seconds
    lines: dict[Any, tuple[float, float]] = {}
    for short, long in zip(specs[::2], specs[1::2], strict=True):
        slope = (seconds[long.id] - seconds[short.id]) / (long.tokens - short.tokens)
        lines[short.shape] = (seconds[short.id] - slope * short.tokens, slope)
    return lambda made: math.fsum(lines[s.shape][0] + lines[s.shape][1] * s.tokens for s in made)


def _room(corpus: str, sizes: tuple[Any, Any] | None, truth: TruthLike, law: str | Law) -> Room:
    usable = _dials(sizes)
    counted = [count(dials.shape(dial)) for dial in usable]
    counts = {name: np.array([getattr(c, name) for c in counted], float) for name in SIZES}
    assumed = truth_of(truth, law, Runs(counts, "the sizes of the dials"))
    context = dials.shape(usable[0]).context
    return Room(assumed, usable, windows(load_corpus(corpus).train_t, context) * context)


def _dials(sizes: tuple[Any, Any] | None) -> tuple[int, ...]:
    if sizes is None:
        return DIALS
    low, high = (numbers.parse(size) for size in sizes)
    found = range(dials.nearest(low), dials.nearest(high) + 1)
    if len(found) < 3:
        raise RequestError(
            f"Between {numbers.short(low)} and {numbers.short(high)} parameters there are {len(found)} sizes.",
            do="Give a wider range.",
        )
    return tuple(found) if len(found) <= len(DIALS) else tuple(d for d in DIALS if d in found) or tuple(found)


def _grown(
    make: Layout, room: Room, seeds: int, most: float, affordable: Callable[[Sequence[Spec]], bool], corpus: str
) -> tuple[list[Grid], tuple[Spec, ...]]:
    # The largest ladder of this layout that the budget pays for: halving the dearest run, then closing in from below.
    def made(flops: float) -> tuple[list[Grid], tuple[Spec, ...]]:
        more = {"seeds": list(range(seeds))} if seeds > 1 else {}
        tables = [{**table, **more} for table in make(room, flops)]
        return tables, _specs(tables, corpus) if tables else ()

    flops, found = most, made(most)
    for _ in range(HALVINGS):
        if len(cells_of(found[1])) >= FEWEST_CELLS and affordable(found[1]):
            break
        flops /= 2
        found = made(flops)
    else:
        return [], ()
    for step in (2**0.5, 2**0.25, 2**0.125):
        larger = made(flops * step)
        if len(cells_of(larger[1])) >= FEWEST_CELLS and affordable(larger[1]):
            flops, found = flops * step, larger
    return found


def _specs(tables: Sequence[Grid], corpus: str) -> tuple[Spec, ...]:
    return read_ladder({"schema": SCHEMA, "corpus": corpus, "recipe": RECIPE, "runs": list(tables)})


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, float):
        return f"{value:.3g}".replace("e+", "e") if value >= 1e6 else f"{value:g}"
    return f"{value:_}" if isinstance(value, int) else repr(value)

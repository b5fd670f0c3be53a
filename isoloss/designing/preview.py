"""What a ladder will cost and tell, on one page, before anything is spent: the dry run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.core import numbers, text
from isoloss.core.errors import DesignError
from isoloss.core.law import Law
from isoloss.core.spec import Spec
from isoloss.designing.assumed import NoiseLike, TruthLike
from isoloss.designing.expecting import SIMS, Expected, expected
from isoloss.designing.refusing import every
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import usable_tokens
from isoloss.lab.designs import HELD_OUT, Refusal, cells_of, compute
from isoloss.lab.engine import cores
from isoloss.lab.pace import Pace, pace
from isoloss.lab.store import load_records
from isoloss.lab.trunks import shares_left

COLUMNS = ("width", "depth", "params", "body", "matmul", "tokens", "a param", "epochs", "FLOP", "runs", "CPU time")


@dataclass(frozen=True)
class Cell:
    """One size on one number of tokens: its counts, its compute and CPU seconds a run, how many runs, how many done."""

    width: int
    depth: int
    params: float
    body_params: float
    matmul_params: float
    tokens: int
    epochs: float
    flops: float
    seconds: float
    runs: int
    done: int
    split: str

    @property
    def row(self) -> tuple[str, ...]:
        """The cell as words, one a column."""
        counts = (numbers.short(n) for n in (self.params, self.body_params, self.matmul_params, self.tokens))
        ratio, epochs = numbers.short(self.tokens / self.params), f"{self.epochs:.2g}"
        done = "" if not self.done else " done" if self.done == self.runs else f" ({self.done} done)"
        runs = f"{self.runs}{done}{' test' if self.split == HELD_OUT else ''}"
        flops, seconds = f"{self.flops:.2e}".replace("e+", "e"), spent(self.seconds)
        return (str(self.width), str(self.depth), *counts, ratio, epochs, flops, runs, seconds)


@dataclass(frozen=True)
class Preview:
    """Every cell, what all of it costs, why it would be refused, and what its fit is expected to tell, or why not.

    `todo` counts the runs that are not recorded yet; `flops`, `cpu_seconds` and `wall_seconds` are what they will
    spend, and `flops_apart` and `cpu_seconds_apart` what they would if no two of them shared a trunk.
    """

    cells: tuple[Cell, ...]
    todo: int
    flops: float
    cpu_seconds: float
    wall_seconds: float
    flops_apart: float
    cpu_seconds_apart: float
    workers: int
    how: str
    corpus: str
    refusals: tuple[Refusal, ...]
    expected: Expected | None
    silent: str = ""

    def __str__(self) -> str:
        """A table of the cells, the total, refusals and expectations, in at most 100 columns."""
        lines = [*_table([cell.row for cell in self.cells]), *self._totals()]
        lines += [text.wrapped(f"REFUSED, unless forced: {r}") for r in self.refusals]
        if self.expected:
            lines += ["", str(self.expected)]
        else:
            lines += [text.wrapped(f"No interval can be expected: {self.silent}")]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The JSON shape of `isoloss train --dry-run --json`."""
        return {
            "schema": 1,
            "cells": [vars(cell) for cell in self.cells],
            "runs": sum(cell.runs for cell in self.cells),
            "todo": self.todo,
            "flops": self.flops,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
            "flops_apart": self.flops_apart,
            "cpu_seconds_apart": self.cpu_seconds_apart,
            "workers": self.workers,
            "timed_by": self.how,
            "corpus": self.corpus,
            "refusals": [refusal.to_json() for refusal in self.refusals],
            "expected": self.expected.to_json() if self.expected else None,
            "expected_nothing": self.silent,
        }

    def _totals(self) -> list[str]:
        runs = sum(cell.runs for cell in self.cells)
        done = f", {runs - self.todo} of them recorded already" if self.todo < runs else ""
        head = f"{runs} runs in {len(self.cells)} cells{done}; on {self.corpus}."
        if not self.todo:
            return [text.wrapped(head), "Nothing is left to train."]
        sides = f"{self.workers} processes side by side" if self.workers > 1 else "one process"
        cost = (
            f"To train: {compute(self.flops)}, {spent(self.cpu_seconds)} of CPU time, about "
            f"{spent(self.wall_seconds)} by {sides} if the cores are free (from {self.how}, final validation "
            "included)."
        )
        if self.flops == self.flops_apart:
            return [text.wrapped(head), text.wrapped(cost)]
        apart = (
            f"Runs that share a trunk train it once: separate runs would cost {compute(self.flops_apart)} and "
            f"{spent(self.cpu_seconds_apart)} of CPU time, for the same records."
        )
        return [text.wrapped(head), text.wrapped(cost), text.wrapped(apart)]


def preview(
    specs: Iterable[Spec],
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
    noise: NoiseLike = None,
    target: Any = None,
    level: float = 0.9,
    sims: int = SIMS,
) -> Preview:
    """Return what training `specs` will cost here and what their fit will tell; nothing is trained.

    Runs recorded in `out` cost nothing more, count in the fit, and tell the pace of their shapes; the rest is timed for
    a few seconds. The other arguments are those of `expected`. Raises RequestError for assumptions that cannot be.
    """
    specs = tuple({spec.id: spec for spec in specs}.values())
    records = _records(out)
    recorded = _beside(specs, records)
    ended = {record["id"] for record in records}
    done = {spec.id for spec in specs} & ended
    todo = [spec for spec in specs if spec.id not in done]
    left = shares_left(todo, Path(out) if out is not None else None)
    timed = pace(specs, records)
    workers = workers or cores()
    told, silent = _expected(
        [*specs, *recorded], law=law, truth=truth, noise=noise, target=target, level=level, sims=sims
    )
    return Preview(
        cells=_cells(specs, done, timed),
        todo=len(todo),
        flops=math.fsum(spec.flops * left[spec.id] for spec in todo),
        cpu_seconds=timed.of(todo, left),
        wall_seconds=timed.wall(todo, workers, left),
        flops_apart=math.fsum(spec.flops for spec in todo),
        cpu_seconds_apart=timed.of(todo),
        workers=min(workers, max(len(todo), 1)),
        how=timed.how,
        corpus=_corpora(specs),
        refusals=every(specs, recorded, law=law, truth=truth),
        expected=told,
        silent=silent,
    )


def recorded_in(out: str | Path, specs: Sequence[Spec]) -> tuple[Spec, ...]:
    """Return the runs of `out` that a fit will see beside `specs`: ended well, with their corpus and recipe."""
    return _beside(specs, _records(out))


def spent(seconds: float) -> str:
    """Return a length of time in words: 4.2 s, 12 min, 3.1 h."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _records(out: str | Path | None) -> list[dict[str, Any]]:
    return load_records(out) if out is not None and Path(out).is_dir() else []


def _beside(specs: Sequence[Spec], records: Iterable[dict[str, Any]]) -> tuple[Spec, ...]:
    shared = {(spec.corpus_digest, spec.recipe) for spec in specs}
    own = {spec.id for spec in specs}
    done = (Spec.from_json(record["spec"]) for record in records if record["status"] == "done")
    return tuple(spec for spec in done if spec.id not in own and (spec.corpus_digest, spec.recipe) in shared)


def _expected(specs: list[Spec], **how: Any) -> tuple[Expected | None, str]:
    try:
        return expected(specs, **how), ""
    except DesignError as error:
        return None, f"{error.given} {error.do}"


def _cells(specs: Sequence[Spec], done: set[str], timed: Pace) -> tuple[Cell, ...]:
    found = []
    for (params, tokens), runs in sorted(cells_of(specs).items()):
        first = runs[0]
        usable = usable_tokens(first, load_corpus(first.corpus))
        found.append(
            Cell(
                width=first.shape.width,
                depth=first.shape.depth,
                params=params,
                body_params=first.counts.body_params,
                matmul_params=first.counts.matmul_params,
                tokens=tokens,
                epochs=tokens / usable,
                flops=first.flops,
                seconds=timed.of(runs) / len(runs),
                runs=len(runs),
                done=sum(run.id in done for run in runs),
                split=first.split,
            )
        )
    return tuple(found)


def _corpora(specs: Sequence[Spec]) -> str:
    told = []
    for spec in {spec.corpus: spec for spec in specs}.values():
        usable = usable_tokens(spec, load_corpus(spec.corpus))
        told.append(f"corpus {spec.corpus}, {numbers.short(usable)} tokens to train on")
    return ", ".join(told)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    return ["  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)) for row in (COLUMNS, *rows)]

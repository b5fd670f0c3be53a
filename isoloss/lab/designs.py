"""Ladders that cannot answer what a ladder is for, known from their geometry alone: refused before anything is spent.

Each refusal has a code, says what is wrong, what to change and what that costs. Runs held out (split = "test") do not
count, since no law is fitted to them; runs recorded already do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.accounting import training_flops
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.spec import Spec
from isoloss.lab.corpus import load_corpus
from isoloss.lab.data import check_repetition

TOGETHER = 0.98  # of the correlation of log N and log D, beyond which size and data are one input
APART = 0.8  # where they are told apart again
FACTOR = 4.0  # of tokens, by which runs are proposed beside a ray
RATE_SPAN = 4.0  # of sizes that one learning rate may serve
HELD_OUT = "test"
NOT_FORCED = ("repetition",)  # what training itself refuses


@dataclass(frozen=True)
class Refusal:
    """Why a ladder is refused: a code, what is wrong, what to change and its cost, the FLOPs of that."""

    code: str
    given: str
    do: str
    flops: float = 0.0

    def __str__(self) -> str:
        return f"{self.code}: {self.given} {self.do}"

    def to_json(self) -> dict[str, Any]:
        """The refusal as plain JSON values."""
        return {"code": self.code, "given": self.given, "do": self.do, "flops": self.flops}


class RefusedDesign(DesignError):
    """A ladder that is refused; `refusals` says why, each with its code."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        forced = [r for r in refusals if r.code not in NOT_FORCED]
        do = "Nothing was trained. " + ("Train it all the same: --force (force=True)." if forced else "")
        super().__init__("This ladder is refused.", "\n".join(text.wrapped(f"  {r}") for r in refusals).lstrip(), do)


def check_ladder(specs: Iterable[Spec], recorded: Iterable[Spec] = (), *, force: bool = False) -> tuple[Refusal, ...]:
    """Raise RefusedDesign where geometry alone says that the ladder cannot answer; with `force`, return why.

    `recorded` are runs that are done already and will be fitted with these. Repetition of data that no max_epochs
    allows is not forced: training would refuse it.
    """
    return settle(refusals(specs, recorded), force)


def settle(found: Sequence[Refusal], force: bool) -> tuple[Refusal, ...]:
    """Raise RefusedDesign for refusals that stand, and return those that are forced."""
    standing = [r for r in found if not force or r.code in NOT_FORCED]
    if standing:
        raise RefusedDesign(standing)
    return tuple(found)


def refusals(specs: Iterable[Spec], recorded: Iterable[Spec] = ()) -> tuple[Refusal, ...]:
    """Return every reason, from geometry alone, why these runs cannot answer what a ladder is for."""
    specs = tuple(specs)
    fitted = [spec for spec in specs if spec.split != HELD_OUT]
    together = list({s.id: s for s in [*fitted, *(r for r in recorded if r.split != HELD_OUT)]}.values())
    checks: list[tuple[Callable[[list[Spec]], Refusal | None], list[Spec]]] = [
        (repeated, list(specs)),
        (few_cells, together),
        (collinear, together),
        (constant_rate, fitted),
    ]
    return tuple(refusal for check, of in checks if of and (refusal := check(of)))


def cells_of(specs: Iterable[Spec]) -> dict[tuple[float, int], list[Spec]]:
    """Return the runs of each cell, a size and a number of tokens: seeds and settings share one."""
    cells: dict[tuple[float, int], list[Spec]] = {}
    for spec in specs:
        cells.setdefault((spec.counts.params, spec.tokens), []).append(spec)
    return cells


def repeated(specs: list[Spec]) -> Refusal | None:
    """Data repeated unasked."""
    for spec in sorted(specs, key=lambda s: -s.tokens / s.max_epochs):
        try:
            check_repetition(spec, load_corpus(spec.corpus))
        except RequestError as error:
            return Refusal("repetition", error.given, f"{error.exists} {error.do}")
    return None


def few_cells(specs: list[Spec]) -> Refusal | None:
    """Fewer cells than the plainest law has parameters: a floor, and two for each input that varies."""
    cells = cells_of(specs)
    varied = sum(len(set(values)) > 1 for values in zip(*cells, strict=True))
    needed = 1 + 2 * varied
    if not varied or (len(cells) >= needed and len(specs) > needed):
        return None
    what = "size and tokens" if varied == 2 else "one input"
    more = max(needed - len(cells), needed + 1 - len(specs))
    dearest = max(spec.flops for spec in specs)
    cost = more * dearest
    return Refusal(
        "few_cells",
        f"{len(specs)} runs in {len(cells)} cells cannot fit {needed} parameters, a floor and two for {what}, and show "
        "how well.",
        f"Add {more} or more cells; as dear as the dearest run, that is {cost_of(cost, specs)}.",
        cost,
    )


def collinear(specs: list[Spec]) -> Refusal | None:
    """Size and data that move together: one curve, where a law of both has two."""
    cells = sorted(cells_of(specs))
    r = correlation(cells)
    if abs(r) <= TOGETHER:
        return None
    added = beside(specs) if r > 0 else {}
    if not added:
        return Refusal(
            "collinear",
            f"Size and data move against each other (correlation of their logarithms {r:.3f}): one budget shows one "
            "curve.",
            f"Add a second budget, a quarter of this one: {cost_of(sum(s.flops for s in specs) / 4, specs)}.",
            sum(spec.flops for spec in specs) / 4,
        )
    told = ", ".join(f"{numbers.short(n)} parameters on {numbers.short(d)} tokens" for n, d in added)
    cost = sum(added.values())
    return Refusal(
        "collinear",
        f"Size and data move together in {len(cells)} cells (correlation of their logarithms {r:.3f}): what a larger "
        "model buys cannot be told from what more data buys, and exponents and best sizes would be made up.",
        f"Add {told}: {cost_of(cost, specs)}, and the correlation falls to {correlation([*cells, *added]):.2f}.",
        cost,
    )


def constant_rate(specs: list[Spec]) -> Refusal | None:
    """One learning rate for sizes far apart."""
    sizes = [spec.counts.matmul_params for spec in specs]
    span = max(sizes) / min(sizes)
    if span <= RATE_SPAN or len({spec.lr for spec in specs}) > 1:
        return None
    return Refusal(
        "constant_rate",
        f"One learning rate, {specs[0].lr:g}, serves sizes that are {span:.3g} times apart: the best rate falls with "
        "size, so one end is badly tuned, and that tilts the exponents.",
        "Leave lr out, and the recipe gives each size its own; that costs nothing. Or train several rates a size.",
    )


def correlation(cells: Sequence[tuple[float, float]]) -> float:
    """Return the correlation of log size and log tokens over the cells; zero where one does not vary."""
    log_2c = np.log(np.array(cells, float)).T
    if len(cells) < 3 or np.ptp(log_2c, axis=1).min() < 1e-9:
        return 0.0
    return float(np.corrcoef(log_2c)[0, 1])


def beside(specs: Sequence[Spec]) -> dict[tuple[float, float], float]:
    """Return the cells, with their FLOPs, that would end a ray: cheap ones first, beside it on both sides in turn."""
    cells = sorted(cells_of(specs).items())
    shapes = [runs[0].shape for _, runs in cells]
    below = [(n, d / FACTOR) for (n, d), _ in reversed(cells)]
    above = [(n, d * FACTOR) for (n, d), _ in cells]
    per_token = {key[0]: training_flops(shape) for (key, _), shape in zip(cells, shapes, strict=True)}
    added: dict[tuple[float, float], float] = {}
    for cell in (c for pair in zip(above, below, strict=True) for c in pair):
        if abs(correlation([*(key for key, _ in cells), *added])) <= APART:
            break
        added[cell] = per_token[cell[0]] * cell[1]
    return added


def compute(flops: float) -> str:
    """Return FLOPs in words, as ladders write them: 2.5e12 FLOP."""
    return f"{flops:.3g} FLOP".replace("e+", "e")


def cost_of(flops: float, specs: Sequence[Spec]) -> str:
    """Return what a change costs, in FLOPs and as a share of the ladder."""
    share = flops / math.fsum(spec.flops for spec in specs)
    return f"{compute(flops)}, {share:.0%} of the ladder's" if share < 10 else compute(flops)

"""The learning-rate basin: how the loss depends on the rate at two sizes, and what the recipe's own rate costs there.

Shapes: `f` factors on the recipe's rate, `r` seeds, `w` factors near the lowest loss, `s` draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.accounting import Shape, count
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.runs import Runs
from isoloss.lab import dials
from isoloss.lab.corpus import load_corpus
from isoloss.lab.recipes import find_recipe

if TYPE_CHECKING:
    from isoloss.core.spec import Spec
    from isoloss.lab.corpus import Corpus

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
TOKENS = 300_000
NEAR = 2  # factors to each side of the lowest loss that the parabola goes through
DRAWS = 2000
LEVEL = 0.9
SPLIT = "probe"


@dataclass(frozen=True)
class Basin:
    """The losses of one shape by factor on the recipe's rate `lr`.

    `losses` (f,) are means over seeds, NaN where a run diverged. `best` is the factor of the least loss and `cost` the
    recipe's loss above it, both of the parabola in log rate through the lowest loss and its neighbours, with 90%
    intervals from `noise`, the standard deviation of one run: that of the seeds if there are several, else of the
    parabola's residual, else unknown. `on_edge` says that no least loss was found inside the grid.
    """

    shape: Shape
    lr: float
    tokens: int
    factors: tuple[float, ...]
    losses: tuple[float, ...]
    best: Estimate
    cost: Estimate
    noise: float
    noise_from: str
    on_edge: bool

    @property
    def matmul_params(self) -> int:
        return int(count(self.shape).matmul_params)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was seen, in words."""
        size = f"At {numbers.short(self.matmul_params)} matrix-product parameters"
        diverged = [f"{f:g}" for f, loss in zip(self.factors, self.losses, strict=True) if math.isnan(loss)]
        lost = (f"{size} runs diverged at {', '.join(diverged)} times the recipe's rate.",) if diverged else ()
        return (*lost, f"{size} {self._found()}")

    def _found(self) -> str:
        if not np.isfinite(self.losses).any():
            return f"no run at or about the recipe's rate of {self.lr:.3g} was trained to its end."
        if self.on_edge:
            lowest = self.factors[int(np.nanargmin(self.losses))]
            return (
                f"no least loss lies inside the grid: the lowest is at {lowest:g} times the recipe's rate of "
                f"{self.lr:.3g}. Add factors beyond it."
            )
        cost = f"costs {self.cost} nats" if math.isfinite(self.cost.mid) else "is too far off to say what it costs"
        noise = f"{self.noise:.2g} nats a run, from {self.noise_from}" if self.noise_from else "unknown"
        best = f"the best rate is {self.best} times the recipe's {self.lr:.3g}"
        return f"{best}; the recipe's own {cost} (noise {noise})."

    def __str__(self) -> str:
        losses = ", ".join(f"{f:g}: {loss:.4f}" for f, loss in zip(self.factors, self.losses, strict=True))
        name = f"width {self.shape.width}, depth {self.shape.depth}, {numbers.short(self.tokens)} tokens"
        return "\n".join([f"  {name}, loss by factor: {losses}", *(f"  {s}" for s in self.sentences)])

    def to_json(self) -> dict[str, Any]:
        """As JSON; the loss of a run that diverged is null."""
        return {
            "width": self.shape.width,
            "depth": self.shape.depth,
            "matmul_params": self.matmul_params,
            "tokens": self.tokens,
            "lr": self.lr,
            "factors": list(self.factors),
            "losses": [_known(loss) for loss in self.losses],
            "best": self.best.to_json(),
            "cost": self.cost.to_json(),
            "noise": _known(self.noise),
            "noise_from": self.noise_from,
            "on_edge": self.on_edge,
            "saw": list(self.sentences),
        }


@dataclass(frozen=True)
class Basins:
    """The basins of one recipe at several sizes, smallest first."""

    recipe: str
    basins: tuple[Basin, ...]

    @property
    def drift(self) -> Estimate:
        """How many times nearer or further the best factor is at the largest size than at the smallest; NaN if unknown.

        The interval takes both ends of both intervals, and so is wider than it need be.
        """
        first, last = self.basins[0], self.basins[-1]
        if first.on_edge or last.on_edge:
            return Estimate(math.nan)
        one, other = first.best, last.best
        return Estimate(other.mid / one.mid, other.low / one.high, other.high / one.low)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was seen at each size, and whether the recipe's rule for the rate carries over."""
        each = tuple(s for basin in self.basins for s in basin.sentences)
        drift = self.drift
        if len(self.basins) < 2 or math.isnan(drift.mid):
            return each
        sizes = " to ".join(numbers.short(b.matmul_params) for b in (self.basins[0], self.basins[-1]))
        verdict = "cannot be told: no interval is known"
        if drift.known:
            verdict = "carries over within the noise" if drift.low <= 1 <= drift.high else "does not carry over"
        return (
            *each,
            f"From {sizes} the best rate moves {drift} times what the recipe makes of it: its rule {verdict}.",
        )

    def __str__(self) -> str:
        drift = self.sentences[sum(len(b.sentences) for b in self.basins) :]
        return "\n".join([f"Learning-rate basin of {self.recipe}", *map(str, self.basins), *drift])

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        basins = [basin.to_json() for basin in self.basins]
        return {"recipe": self.recipe, "basins": basins, "drift": self.drift.to_json(), "saw": list(self.sentences)}


def lr_basin(
    recipe: str = "default",
    corpus: str | Corpus = "python",
    *,
    shapes: Iterable[Shape] | None = None,
    tokens: int = TOKENS,
    factors: Sequence[float] = FACTORS,
    seeds: Iterable[int] = (0,),
    out: str | Path = "probe",
    workers: int | None = None,
) -> Basins:
    """Train each of `shapes` (dials 2 and 4) at the recipe's rate times each of `factors`, and look at the losses.

    The runs are kept in the folder `out` under the split "probe", and those that are there already are not trained
    again. Raises what `isoloss.train` raises, and RequestError for fewer than three factors.
    """
    from isoloss.lab.running import train

    grid, drawn = tuple(sorted(set(factors))), tuple(seeds)
    _check(grid, drawn)
    text = load_corpus(corpus) if isinstance(corpus, str) else corpus
    make = find_recipe(recipe)
    chosen = tuple(shapes) if shapes is not None else (dials.shape(2), dials.shape(4))
    ordered = sorted(chosen, key=lambda shape: count(shape).matmul_params)

    def spec(shape: Shape, factor: float, seed: int) -> Spec:
        return make(shape, tokens, text, seed, lr_scale=factor, split=SPLIT)

    specs = [[[spec(shape, f, seed) for seed in drawn] for f in grid] for shape in ordered]
    runs = train([s for of_shape in specs for of_factor in of_shape for s in of_factor], out, workers=workers)
    loss_of = dict(zip(_column(runs, "id"), _column(runs, "loss"), strict=True))
    found = []
    for shape, of_shape in zip(ordered, specs, strict=True):
        loss_fr = np.array([[loss_of.get(s.id, math.nan) for s in of_factor] for of_factor in of_shape])
        found.append(basin_of(shape, make(shape, tokens, text).lr, of_shape[0][0].tokens, grid, loss_fr))
    return Basins(make.name, tuple(found))


def basin_of(shape: Shape, lr: float, tokens: int, factors: Sequence[float], loss_fr: np.ndarray) -> Basin:
    """Return the basin of losses by factor and seed, NaN where a run diverged; a factor with one such has diverged."""
    loss_f = loss_fr.mean(axis=1)
    log_w, loss_w = _near(np.log(np.asarray(factors, float)), loss_f)
    noise, noise_from = _noise(loss_fr, log_w, loss_w)
    best, cost, on_edge = Estimate(math.nan), Estimate(math.nan), True
    if _is_inside(loss_f) and len(log_w) >= 3:
        (least,), (above,) = _least(log_w, loss_w[None])
        if math.isfinite(least):
            spread = noise / math.sqrt(loss_fr.shape[1])
            scatter_sw = np.random.default_rng(0).normal(0, spread if noise_from else 0, (DRAWS, len(log_w)))
            least_s, above_s = _least(log_w, loss_w + scatter_sw, to_edge=True) if noise_from else (np.empty(0),) * 2
            best, on_edge = Estimate.of(math.exp(least), np.exp(least_s), LEVEL), False
            if log_w[0] <= 0 <= log_w[-1]:
                cost = Estimate.of(float(above), above_s, LEVEL)
    losses = tuple(float(loss) for loss in loss_f)
    return Basin(shape, lr, tokens, tuple(factors), losses, best, cost, noise, noise_from, on_edge)


def _near(log_f: np.ndarray, loss_f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The factors around the lowest loss that did not diverge.
    if not np.isfinite(loss_f).any():
        return np.empty(0), np.empty(0)
    lowest = int(np.nanargmin(loss_f))
    near = np.abs(np.arange(len(log_f)) - lowest) <= NEAR
    kept = near & np.isfinite(loss_f)
    return log_f[kept], loss_f[kept]


def _least(log_w: np.ndarray, loss_sw: np.ndarray, to_edge: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return where each row's parabola is least, and how far it lies above that at the recipe's rate.

    NaN where it has no least value inside the factors; with `to_edge` the lower end of the factors instead.
    """
    curve, slope, _ = np.polyfit(log_w, loss_sw.T, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        best = -slope / (2 * curve)
    ends = log_w[[0, -1]]
    inside = (curve > 0) & (ends[0] <= best) & (best <= ends[1])
    height = np.array([curve * end**2 + slope * end for end in ends])
    other = ends[np.argmin(height, axis=0)] if to_edge else np.full(len(best), math.nan)
    best = np.where(inside, best, other)
    return best, -(curve * best**2 + slope * best)


def _is_inside(loss_f: np.ndarray) -> bool:
    return bool(np.isfinite(loss_f).any()) and 0 < int(np.nanargmin(loss_f)) < len(loss_f) - 1


def _noise(loss_fr: np.ndarray, log_w: np.ndarray, loss_w: np.ndarray) -> tuple[float, str]:
    whole = loss_fr[np.isfinite(loss_fr).all(axis=1)]
    if loss_fr.shape[1] > 1 and len(whole):
        return math.sqrt(float(whole.var(axis=1, ddof=1).mean())), f"{loss_fr.shape[1]} seeds"
    if len(log_w) > 3:
        residual_w = loss_w - np.polyval(np.polyfit(log_w, loss_w, 2), log_w)
        return math.sqrt(float(residual_w @ residual_w) / (len(log_w) - 3)), "the parabola's residual"
    return math.nan, ""


def _check(factors: Sequence[float], seeds: Sequence[int]) -> None:
    if len(factors) < 3 or min(factors) <= 0:
        raise RequestError(
            f"Factors {', '.join(f'{f:g}' for f in factors) or 'none'} show no basin.",
            "",
            "Give three or more above zero, such as 0.25, 0.5, 1, 2, 4.",
        )
    if not seeds:
        raise RequestError("There are no seeds to train.", "", "Give one or more.")


def _column(runs: Runs, name: str) -> list[Any]:
    return runs[name].tolist()


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

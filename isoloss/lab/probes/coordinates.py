"""The coordinate check: whether what a few steps change inside a model depends on the model's width or depth.

Where a parameterisation keeps what it promises, activations move as far in a wide model as in a narrow one, and the
slope of their change against size is zero on log-log axes (Yang et al. 2022, section D.1; Dey et al. 2025).

Shapes: `n` runs (sizes times seeds).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isoloss.core.accounting import Shape
from isoloss.core.errors import RequestError, TrainingError
from isoloss.lab.corpus import load_corpus
from isoloss.lab.extra import require_torch
from isoloss.lab.recipes import find_recipe

if TYPE_CHECKING:
    from torch import Tensor

    from isoloss.core.spec import Spec
    from isoloss.lab.corpus import Corpus
    from isoloss.lab.trainer import Course

HEAD = 16
WIDTHS, DEPTHS = (32, 64, 96, 128), (2, 4, 8)
WIDTH, DEPTH = 32, 2
STEPS = 8
LR_SCALE = 0.02  # small steps, so that what grows with size does not saturate and hide it
BATCH = 2048
LOOKED_AT = 8  # windows
SEEN = {
    "embedding": "embedding",
    "queries, keys and values": "blocks.{middle}.query_key_value",
    "what attention writes": "blocks.{middle}.attention_out",
    "inside the MLP": "blocks.{middle}.mlp_up",
    "what the MLP writes": "blocks.{middle}.mlp_down",
    "stream after all blocks": "blocks.{last}",
    "logits": "",
}  # the block in the middle has half of all others before it, whatever the depth
FLAT = 0.2  # what widths of 32 to 128 leave of slopes that are zero for endless ones
STILL = 1e-12


@dataclass(frozen=True)
class Slope:
    """How one layer's change grows with size: a slope on log-log axes with its standard error, from `changes` (n,).

    `changes` are root mean squares over entries, by size and seed; the slope is NaN for a layer that did not move.
    """

    layer: str
    slope: float
    se: float
    changes: tuple[float, ...]

    @property
    def is_flat(self) -> bool:
        """Whether the change does not depend on size: less than FLAT, or zero within two standard errors."""
        return not abs(self.slope) > max(FLAT, 2 * self.se) and not math.isnan(self.slope)

    def __str__(self) -> str:
        if math.isnan(self.slope):
            return f"{self.layer}: did not move"
        return f"{self.layer}: {self.slope:+.2f} ± {self.se:.2f}"


@dataclass(frozen=True)
class Coordinates:
    """What moved along "width" or "depth": `sizes` (n,) and one slope a layer, after `steps` steps of `recipe`."""

    recipe: str
    parameterisation: str
    along: str
    sizes: tuple[int, ...]
    steps: int
    slopes: tuple[Slope, ...]

    def __getitem__(self, layer: str) -> Slope:
        return next(slope for slope in self.slopes if slope.layer == layer)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was seen, in words."""
        sizes = sorted(set(self.sizes))
        ends = f"{self.along} {sizes[0]} to {sizes[-1]}"
        growing = [s for s in self.slopes if not s.is_flat]
        if not growing:
            return (f"From {ends} every layer moves as far: no slope beyond {FLAT} or two standard errors.",)
        return tuple(self._sentence(s, ends, sizes) for s in growing)

    def _sentence(self, s: Slope, ends: str, sizes: Sequence[int]) -> str:
        if math.isnan(s.slope):
            return f"From {ends} the layer '{s.layer}' did not move at one size or more."
        times = (sizes[-1] / sizes[0]) ** s.slope
        return (
            f"From {ends} the change of the layer '{s.layer}' goes with {self.along}^{s.slope:.2f} (± {s.se:.2f}): "
            f"{times:.2g} times from end to end, so that the same settings do not do the same at both."
        )

    def __str__(self) -> str:
        head = (
            f"Coordinate check of {self.recipe} ({self.parameterisation}) against {self.along}: "
            f"slopes of log change after {self.steps} steps, 0 where nothing depends on {self.along}"
        )
        return "\n".join([head, *(f"  {s}" for s in self.slopes), *self.sentences])

    def to_json(self) -> dict[str, Any]:
        """As JSON; a slope that is not known is null."""
        slopes = [asdict(s) | {"slope": _known(s.slope), "se": _known(s.se)} for s in self.slopes]
        return asdict(self) | {"slopes": slopes, "saw": list(self.sentences)}


def coordinate_check(
    recipe: str = "completep",
    corpus: str | Corpus = "python",
    *,
    widths: Sequence[int] = WIDTHS,
    depths: Sequence[int] = DEPTHS,
    steps: int = STEPS,
    seeds: Iterable[int] = (0, 1, 2),
    lr_scale: float = LR_SCALE,
) -> tuple[Coordinates, ...]:
    """Train a few steps at several widths (of depth 2) and depths (of width 32), heads of 16, and compare the changes.

    The rate is the recipe's times `lr_scale`, constant from the first step; the batch is 2048 tokens. Fewer than two
    sizes along an axis leave it out. The branches of this model start at zero, so that fewer than 4 steps show little.
    Raises MissingExtraError without torch, UnknownNameError for a recipe or corpus, RequestError for too few steps,
    TrainingError for a run that diverges at once.
    """
    require_torch()
    if steps < 4:
        raise RequestError(f"After {steps} steps not every layer has moved.", "", "Take 4 or more.")
    text = load_corpus(corpus) if isinstance(corpus, str) else corpus
    make, drawn = find_recipe(recipe), tuple(seeds)

    def spec(shape: Shape, seed: int) -> Spec:
        tokens, free = steps * BATCH, {"warmup_steps": 0, "cooldown_steps": 0, "schedule": "constant"}
        return make(shape, tokens, text, seed, batch=BATCH, lr_scale=lr_scale, **free)

    axes: dict[str, tuple[Sequence[int], Callable[[int], Shape]]] = {
        "width": (widths, lambda width: Shape(width, DEPTH, width // HEAD)),
        "depth": (depths, lambda depth: Shape(WIDTH, depth, WIDTH // HEAD)),
    }
    found = []
    for along, (sizes, shape_of) in axes.items():
        if len(set(sizes)) > 1:
            specs = [(size, spec(shape_of(size), seed)) for size in sizes for seed in drawn]
            found.append(_compared(along, specs, text))
    return tuple(found)


def changes(spec: Spec, corpus: Corpus) -> dict[str, float]:
    """Train `spec` and return, by layer, the root mean square of what it changed on fixed text; errors as train_run."""
    from isoloss.lab.trainer import train_run

    observer = _Observer(spec, corpus)
    try:
        outcome = train_run(spec, corpus, keeper=observer)
    except _Seen as seen:
        return seen.changes
    raise TrainingError(
        f"The recipe {spec.recipe} diverges at width {spec.shape.width} and depth {spec.shape.depth}: {outcome.why}.",
        "",
        "Take a smaller lr_scale.",
    )


class _Seen(Exception):
    """The last step was seen: nothing is left to do, and no loss is asked for."""

    def __init__(self, changes: dict[str, float]) -> None:
        super().__init__("seen")
        self.changes = changes


class _Observer:
    """Keeps what every layer puts out at the start, and compares it at the end."""

    def __init__(self, spec: Spec, corpus: Corpus) -> None:
        import torch

        from isoloss.lab.data import cut
        from isoloss.lab.evaluate import frozen_windows

        windows = frozen_windows(corpus, spec.shape.context, LOOKED_AT)
        self.inputs = torch.from_numpy(cut(corpus.validation_t, windows, spec.shape.context)[0])
        places = {"middle": spec.shape.depth // 2, "last": spec.shape.depth - 1}
        self.layers = {layer: name.format(**places) for layer, name in SEEN.items()}
        self.steps = spec.steps
        self.before: dict[str, Tensor] = {}

    def bring_back(self, course: Course) -> None:
        self.before = self._activations(course)

    def look(self, course: Course) -> None:
        if course.outcome.steps_done == self.steps:
            after = self._activations(course)
            raise _Seen({layer: (after[layer] - self.before[layer]).square().mean().sqrt().item() for layer in after})

    def _activations(self, course: Course) -> dict[str, Tensor]:
        import torch

        seen: dict[str, Tensor] = {}
        modules = dict(course.model.named_modules())
        hooks = [
            modules[name].register_forward_hook(lambda module, given, out, layer=layer: seen.update({layer: out}))
            for layer, name in self.layers.items()
        ]
        with torch.no_grad():
            course.model(self.inputs)
        for hook in hooks:
            hook.remove()
        return seen


def _compared(along: str, specs: Sequence[tuple[int, Spec]], corpus: Corpus) -> Coordinates:
    first = specs[0][1]
    of_run = [changes(spec, corpus) for _, spec in specs]
    sizes = tuple(size for size, _ in specs)
    slopes = tuple(slope_of(layer, sizes, tuple(run[layer] for run in of_run)) for layer in SEEN)
    return Coordinates(first.recipe, first.parameterisation, along, sizes, first.steps, slopes)


def slope_of(layer: str, sizes: Sequence[int], changed: Sequence[float]) -> Slope:
    """Return the least-squares slope of log change against log size, with its standard error."""
    if min(changed) < STILL:
        return Slope(layer, math.nan, math.nan, tuple(changed))
    x_n, y_n = np.log(np.asarray(sizes, float)), np.log(np.asarray(changed, float))
    x_n = x_n - x_n.mean()
    spread = float(x_n @ x_n)
    slope = float(x_n @ y_n) / spread
    residual_n = y_n - y_n.mean() - slope * x_n
    free = len(y_n) - 2
    se = math.sqrt(float(residual_n @ residual_n) / free / spread) if free > 0 else math.nan
    return Slope(layer, slope, se, tuple(changed))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

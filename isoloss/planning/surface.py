"""A law of size and data as the planner sees it: its output and slopes in one size and the tokens, all else held.

Shapes: every array broadcasts; parameters come as one array a parameter, `columns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoloss.core.law import Law
from isoloss.planning import cost, roots

LOWER_IS_BETTER = ("loss", "bits_per_byte", "error")
LOG_MOST = float(np.log(1e45))  # of parameters or tokens: beyond it a law is taken to have reached its limit


@dataclass(frozen=True)
class Surface:
    """A law in its size (input number `size`) and its tokens (`data`), with the values of its other inputs `held`.

    An input `unique_tokens` that is not held stands for endless data: every token is then new.
    """

    law: Law
    size: int
    data: int
    held: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, law: Law, held: Mapping[str, float] | None = None) -> Surface | None:
        """The surface of a law of a loss to be lowered, or None where inputs are lacking or to spare."""
        held = dict(held or {})
        sizes = [i for i, name in enumerate(law.columns) if name in cost.SIZES and name not in held]
        others = {name for i, name in enumerate(law.columns) if i not in sizes} - {"tokens", "unique_tokens"}
        if len(sizes) != 1 or "tokens" not in law.columns or others - held.keys() or len(law.columns) < 2:
            return None
        return cls(law, sizes[0], law.columns.index("tokens"), {k: v for k, v in held.items() if k in law.columns})

    @property
    def size_name(self) -> str:
        return self.law.columns[self.size]

    @property
    def bare(self) -> bool:
        """Whether the law has no input but size and tokens."""
        return len(self.law.columns) == 2

    def inputs(self, sizes: Any, tokens: Any) -> dict[str, Any]:
        """The law's inputs by name, for `Fit.predict` and `Fit.reach`."""
        return dict(zip(self.law.columns, self._x(sizes, tokens), strict=True))

    def value(self, columns: Sequence[Any], sizes: Any, tokens: Any) -> np.ndarray:
        return self.law.formula.value(self._x(sizes, tokens), columns)

    def slopes(self, columns: Sequence[Any], sizes: Any, tokens: Any) -> tuple[Any, Any]:
        """The derivatives in the logarithms of size and of tokens."""
        x = self._x(sizes, tokens)
        slopes = self.law.formula.slopes(x, columns)
        of_data = x[self.data] * slopes[self.data]
        if "unique_tokens" in self.law.columns and "unique_tokens" not in self.held:
            of_data = of_data + tokens * slopes[self.law.columns.index("unique_tokens")]
        return x[self.size] * slopes[self.size], of_data

    def tokens_for(self, columns: Sequence[Any], sizes_b: np.ndarray, target_b: np.ndarray) -> np.ndarray:
        """The tokens (b,) with which models of `sizes_b` reach the target; infinite where none do."""
        return self._reaching(lambda tokens: self.value(columns, sizes_b, tokens), target_b, np.shape(sizes_b))

    def sizes_for(self, columns: Sequence[Any], tokens_b: np.ndarray, target_b: np.ndarray) -> np.ndarray:
        """The size (b,) that reaches the target with `tokens_b`; infinite where none does."""
        return self._reaching(lambda sizes: self.value(columns, sizes, tokens_b), target_b, np.shape(tokens_b))

    def balanced_tokens(self, columns: Sequence[Any], sizes_b: np.ndarray) -> np.ndarray:
        """The tokens (b,) for which `sizes_b` is the best size of its own budget; NaN where there are none."""

        def lopsided(log_tokens_b: np.ndarray) -> np.ndarray:
            of_size, of_data = self.slopes(columns, sizes_b, np.exp(log_tokens_b))
            return np.broadcast_to(np.log(of_size / of_data), log_tokens_b.shape)

        low_b = np.zeros(np.shape(sizes_b))
        return np.exp(roots.between(lopsided, low_b, low_b + LOG_MOST))

    def _reaching(self, value: Any, target_b: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        def gap(log_b: np.ndarray) -> np.ndarray:
            return np.log(value(np.exp(log_b))) - np.log(target_b)

        with np.errstate(all="ignore"):
            low_b, high_b = np.zeros(shape), np.full(shape, LOG_MOST)
            found_b = np.exp(roots.between(gap, low_b, high_b))
            found_b = np.where(gap(low_b) <= 0, 1.0, found_b)
            return np.where(gap(high_b) > 0, np.inf, found_b)

    def _x(self, sizes: Any, tokens: Any) -> list[Any]:
        x: list[Any] = []
        for i, name in enumerate(self.law.columns):
            x.append(sizes if i == self.size else tokens if i == self.data else self.held.get(name, tokens))
        return x


def columns_of(theta_bp: np.ndarray) -> list[np.ndarray]:
    """Parameter sets (b, p) as p arrays (b,)."""
    return list(np.ascontiguousarray(np.atleast_2d(theta_bp).T))

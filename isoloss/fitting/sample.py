"""How problems that are solved together differ from the runs as they were measured: weights, outputs, priors.

Shapes: `n` runs, `p` coordinates, `b` problems.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sample:
    """For b problems: how often each run counts, what was measured, where each prior is centred; None as they are."""

    weight_bn: np.ndarray | None = None
    y_bn: np.ndarray | None = None
    centre_bp: np.ndarray | None = None

    def take(self, rows_b: Any) -> Sample:
        """The problems of a mask, a slice or an index array."""
        return self._each(lambda array: array[rows_b])

    def repeated(self, times: int) -> Sample:
        """All problems so many times over."""
        return self._each(lambda array: np.concatenate([array] * times))

    def of_runs(self, runs: slice) -> Sample:
        """The same problems about some of the runs; priors stay with the whole."""
        return Sample(*(None if a is None else a[:, runs] for a in (self.weight_bn, self.y_bn)))

    def _each(self, chosen: Any) -> Sample:
        arrays = (getattr(self, field.name) for field in fields(self))
        return Sample(*(None if array is None else chosen(array) for array in arrays))


AS_MEASURED = Sample()

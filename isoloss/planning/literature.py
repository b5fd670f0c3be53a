"""Single values of published laws, for what a plan needs beside its own fit: batches, rates, vocabularies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from isoloss.core.fit import Fit
from isoloss.published import published


def value(fit: Fit, known: Mapping[str, float]) -> float:
    """The mean curve of `fit` at its inputs among `known`."""
    inputs: dict[str, Any] = {column: known[column] for column in fit.law.columns}
    return float(np.ravel(fit.predict(kind="mean", **inputs).estimate.mid)[0])


def asked(keys: Iterable[str], known: Mapping[str, float]) -> dict[str, float]:
    """What each published law says whose inputs are known and whose answer is above 0 (a rate may fall below)."""
    fits = {key: published(key) for key in keys}
    said = {key: value(fit, known) for key, fit in fits.items() if set(fit.law.columns) <= known.keys()}
    return {key: v for key, v in said.items() if 0 < v < np.inf}

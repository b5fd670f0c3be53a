"""Single values of published laws, for what a plan needs beside its own fit: batches, rates, vocabularies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss.core.finding import Finding
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


def warnings(key: str, known: Mapping[str, float] | None = None) -> tuple[Finding, ...]:
    """What is wrong with a published law, notes left out, and how far `known` lies beyond its data; with its name."""
    fit = published(key)
    grave = tuple(f for f in fit.findings if f.severity != "note")
    asked = {column: np.array([known[column]]) for column in fit.law.columns} if known else {}
    return tuple(replace(f, sentence=f"{key}: {f.sentence}") for f in (*grave, *fit.reach(asked)))

"""Fits of known parameters to plan with: a law, its best values, and draws about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tomllib import loads
from typing import Any

import numpy as np
from simulate import CHINCHILLA

from isoloss.core.fit import Data, Fit
from isoloss.core.law import find
from isoloss.core.numbers import parse

PRINTED = loads((Path(__file__).parent / "published_tables.toml").read_text(encoding="utf-8"))


def known(
    theta: Mapping[str, float] = CHINCHILLA,
    law: str = "chinchilla",
    draws: int = 0,
    spread: float = 0.01,
    seed: int = 0,
    **bound: str,
) -> Fit:
    """A fit of given parameters, with draws a share `spread` about them."""
    found = find(law).bind(**bound)
    theta_p = found.theta(theta)
    rng = np.random.default_rng(seed)
    draws_sp = theta_p * np.exp(spread * rng.standard_normal((draws, len(theta_p))))
    return Fit(found, theta_p, draws_sp, "converged", Data(50, f"runs {seed}"))


def half_unit(text: str) -> float:
    """Half a unit of the last digit that a table prints: 0.05e9 for '8.0B'."""
    number = text.partition("e")[0].rstrip("BMT")
    decimals = len(number.partition(".")[2])
    return 0.5 * 10.0**-decimals * parse("1" + text[len(number) :])


def cells(table: str) -> dict[tuple[str, str], str]:
    """What a table prints, by row and column."""
    printed: dict[str, dict[str, Any]] = PRINTED[table]["printed"]
    return {(row, column): text for row, columns in printed.items() for column, text in columns.items()}

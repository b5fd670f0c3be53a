"""The Statistical Reference Datasets of NIST for nonlinear least squares: certified digits, from our own starts.

tests/nist/*.dat are NIST's files, in the public domain: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml. Of a
file's two starting points only the order of magnitude is told to the fit, as a parameter's typical range: a decade
beyond both, with either sign where one of them is negative.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from isoloss.core.formula import Formula
from isoloss.core.law import Input, Law, Parameter, signed
from isoloss.core.maths import exp
from isoloss.core.quantities import Quantity, Range
from isoloss.core.runs import Runs
from isoloss.fitting import fit

FOLDER = Path(__file__).parent / "nist"
DIGITS = 6


def rational(x: Any, b: list[Any], above: int) -> Any:
    """A polynomial with coefficients b[: above + 1] over one with 1 and the others."""
    numerator = sum(c * x**i for i, c in enumerate(b[: above + 1]))
    return numerator / (1 + sum(c * x ** (i + 1) for i, c in enumerate(b[above + 1 :])))


def peaks(x: Any, b: list[Any]) -> Any:
    hill = [height * exp(-((x - at) ** 2) / width**2) for height, at, width in (b[2:5], b[5:8])]
    return b[0] * exp(-b[1] * x) + hill[0] + hill[1]


def decays(x: Any, b: list[Any]) -> Any:
    return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x)


MODELS: dict[str, Callable[..., Any]] = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
    "BoxBOD": lambda b, x: b[0] * (1 - exp(-b[1] * x)),
    "Chwirut1": lambda b, x: exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut2": lambda b, x: exp(-b[0] * x) / (b[1] + b[2] * x),
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "Eckerle4": lambda b, x: b[0] / b[1] * exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss1": lambda b, x: peaks(x, b),
    "Gauss2": lambda b, x: peaks(x, b),
    "Gauss3": lambda b, x: peaks(x, b),
    "Hahn1": lambda b, x: rational(x, b, 3),
    "Kirby2": lambda b, x: rational(x, b, 2),
    "Lanczos1": lambda b, x: decays(x, b),
    "Lanczos2": lambda b, x: decays(x, b),
    "Lanczos3": lambda b, x: decays(x, b),
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * exp(b[1] / (x + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4]),
    "Misra1a": lambda b, x: b[0] * (1 - exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1 + b[1] * x),
    "Nelson": lambda b, x, z: b[0] - b[1] * x * exp(-b[2] * z),
    "Rat42": lambda b, x: b[0] / (1 + exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1 + exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Thurber": lambda b, x: rational(x, b, 3),
}

# Places of the parameters of terms that are alike: the sum does not know which of them is first.
ALIKE: dict[str, list[list[int]]] = {
    "Gauss": [[2, 3, 4], [5, 6, 7]],
    "Lanczos": [[0, 1], [2, 3], [4, 5]],
    "MGH17": [[1, 3], [2, 4]],
}


@dataclass(frozen=True)
class Dataset:
    """A file of NIST's: measurements, both starting points (p, 2), certified parameters, deviations and sum."""

    columns: dict[str, np.ndarray]
    start_p2: np.ndarray
    certified_p: np.ndarray
    deviation_p: np.ndarray
    squares: float


@cache
def dataset(name: str) -> Dataset:
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()
    table = np.array([line.split() for line in lines if re.match(r"\s*b\d+ =", line)])[:, 2:].astype(float)
    squares = next(line.split(":")[1] for line in lines if line.startswith("Residual Sum of Squares"))
    data = np.array([line.split() for line in lines[60:] if line.strip()], float).T
    y_n = np.log(data[0]) if name == "Nelson" else data[0]
    columns: dict[str, np.ndarray] = dict(
        zip(("response", "predictor", "second_predictor"), [y_n, *data[1:]], strict=False)
    )
    return Dataset(columns, table[:, :2], table[:, 2], table[:, 3], float(squares))


def law_of(name: str) -> Law:
    data = dataset(name)
    parameters = tuple(Parameter(f"b{j + 1}", around(start)) for j, start in enumerate(data.start_p2))
    inputs = tuple(Input(symbol, anything(c)) for symbol, c in zip("xz", [*data.columns][1:], strict=False))
    names, symbols = tuple(p.name for p in parameters), tuple(i.symbol for i in inputs)

    def function(*x: Any, **theta: Any) -> Any:
        return MODELS[name]([theta[n] for n in names], *x)

    formula = Formula(function, symbols, names, signed(inputs, parameters))
    return Law(name, inputs, parameters, anything("response"), formula)


def anything(name: str) -> Quantity:
    return Quantity(name, name[0], "1", "whatever NIST measured", least=-1e300, strict=False)


def around(start_2: np.ndarray) -> Range:
    low, high = np.abs(start_2).min() / 10, np.abs(start_2).max() * 10
    if start_2.min() < 0:
        return Range(-1e6 * high, 1e6 * high, (-high, high), log=False)
    return Range(0.0, 1e6 * high, (low, high))


def digits(found: Any, certified: Any) -> float:
    """How many leading digits agree: the log relative error."""
    error = np.abs(np.asarray(found) / np.asarray(certified) - 1).max()
    return float(min(-np.log10(error), 11.0)) if error > 0 else 11.0


def digits_of_terms(name: str, theta_p: np.ndarray, certified_p: np.ndarray) -> float:
    """The digits in whichever order of the terms that are alike there are most."""
    terms = next((places for stem, places in ALIKE.items() if name.startswith(stem)), [])
    best = 0.0
    for order in permutations(terms):
        moved_p = theta_p.copy()
        for to, from_ in zip(terms, order, strict=True):
            moved_p[to] = theta_p[from_]
        best = max(best, digits(moved_p, certified_p))
    return best


@pytest.mark.parametrize("name", MODELS)
def test_certified_digits(name: str) -> None:
    data, law = dataset(name), law_of(name)
    found = fit(Runs(data.columns, source=name), law, objective="squared", draws=0)
    assert found.status == "converged"
    assert digits_of_terms(name, found.theta_p, data.certified_p) > DIGITS
    if name != "Lanczos1":  # whose sum, 1e-25, is below what doubles resolve of outputs near 1
        assert digits(2 * found.objective[1], data.squares) > 9


@pytest.mark.parametrize("name", ["Misra1a", "Kirby2", "Rat42", "DanWood", "Hahn1"])
def test_certified_deviations(name: str) -> None:
    """The linear covariance of Laplace's method, against the spread of its draws."""
    data, law = dataset(name), law_of(name)
    found = fit(Runs(data.columns, source=name), law, objective="squared", uncertainty="laplace", draws=20_000)
    spread_p = (np.percentile(found.draws_sp, 84.134, axis=0) - np.percentile(found.draws_sp, 15.866, axis=0)) / 2
    freedom = found.data.n - len(law.names)
    np.testing.assert_allclose(spread_p, data.deviation_p * stdtrit(freedom, 0.84134), rtol=0.1)

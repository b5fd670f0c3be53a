"""What a fit minimises: the sum over runs of a function of the residual; one function an objective.

An objective returns its value, first and second derivative with respect to the residual r, each shaped like r.
On log residuals r = log(predicted) - log(measured), on linear ones r = predicted - measured.
Shapes: `n` runs.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError, UnknownNameError

Terms = tuple[np.ndarray, np.ndarray, np.ndarray]

SMOOTHING = 1e-4  # within this distance of a corner, a straight line is bent into a parabola
STUDENT_ROUNDS = 30


@dataclass(frozen=True)
class Objective:
    """A named sum over runs, its constants, and the constant (`eased`) that makes it easier to solve when larger.

    `easing` are the factors of the eased constant, easiest first. `settle` finds constants that are None.
    """

    title: str
    function: Callable[..., Terms]
    log: bool
    constants: Mapping[str, float | None] = field(default_factory=dict)
    eased: str = ""
    easing: tuple[float, ...] = ()
    settle: Callable[..., dict[str, float]] | None = None

    @property
    def name(self) -> str:
        """The name with its constants: 'huber_log(delta=0.001)'."""
        shown = [f"{name}={_written(value)}" for name, value in self.constants.items() if value is not None]
        return f"{self.title}({', '.join(shown)})" if shown else self.title

    @property
    def easier(self) -> tuple[Objective, ...]:
        """The same objective at larger scales, easiest first: each one's optimum is a start for the next."""
        scale = self.constants.get(self.eased)
        return tuple(self.having({self.eased: factor * scale}) for factor in self.easing) if scale else ()

    @property
    def settled(self) -> bool:
        """Whether every constant has its value."""
        return None not in self.constants.values()

    def having(self, constants: Mapping[str, float]) -> Objective:
        """The same objective with other constants; RequestError for one that it lacks, or that is not positive."""
        for name, value in constants.items():
            if name not in self.constants:
                has = f"It has: {', '.join(self.constants)}." if self.constants else "It has none."
                raise RequestError(f"The objective {self.title} has no constant '{name}'.", has)
            if not (np.isfinite(value) and value > 0) or (name == "tau" and value >= 1):
                bound = "between 0 and 1" if name == "tau" else "a positive number"
                raise RequestError(f"The constant {name} of {self.title} must be {bound}, not {value:g}.")
        return replace(self, constants={**self.constants, **constants})

    def settled_on(self, residual_n: np.ndarray) -> Objective:
        """The constants that were left open, found from residuals of a first fit."""
        return self.having(self.settle(residual_n, **self.constants)) if self.settle else self

    def terms(self, residual: np.ndarray) -> Terms:
        """Value, slope and curvature at each residual."""
        return self.function(residual, **self.constants)


REGISTERED: dict[str, Objective] = {}


def objective(
    *, log: bool, eased: str = "", easing: tuple[float, ...] = (), settle: Callable[..., dict[str, float]] | None = None
) -> Callable[[Callable[..., Terms]], Objective]:
    """Register a function of the residual and of constants with defaults as an objective."""

    def register(function: Callable[..., Terms]) -> Objective:
        _, *arguments = inspect.signature(function).parameters.values()
        constants: dict[str, Any] = {a.name: a.default for a in arguments}
        made = Objective(function.__name__, function, log, constants, eased, easing, settle)
        REGISTERED[made.title] = made
        return made

    return register


def find(name: str | Objective) -> Objective:
    """The objective called `name`, with constants if it names them ("huber_log(delta=0.01)").

    Raises UnknownNameError for a name, and RequestError for constants, that do not exist.
    """
    if isinstance(name, Objective):
        return name
    written = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", str(name))
    if not written or written[1] not in REGISTERED:
        raise UnknownNameError("objective", str(name), REGISTERED)
    return REGISTERED[written[1]].having(_constants(written[2] or "", name))


def _written(value: float) -> str:
    # As short as it can be read back: a fit's objective may be asked for by the name that it tells.
    return f"{value:g}" if float(f"{value:g}") == value else f"{value:.12g}"


def _constants(words: str, name: str) -> dict[str, float]:
    constants: dict[str, float] = {}
    for word in filter(None, (w.strip() for w in words.split(","))):
        constant, _, value = word.partition("=")
        try:
            constants[constant.strip()] = float(value)
        except ValueError:
            raise RequestError(
                f"Cannot read '{word}' in the objective '{name}'.", do="Write it like huber_log(delta=0.01)."
            ) from None
    return constants


@objective(log=True, eased="delta", easing=(30.0, 10.0, 3.0))
def huber_log(r: np.ndarray, delta: float = 1e-3) -> Terms:
    """Squares of log residuals up to delta, straight lines beyond. Hoffmann et al. 2022, Eq. 3 (delta = 1e-3)."""
    size = np.abs(r)
    inside = np.minimum(size, delta)
    return inside * (size - 0.5 * inside), np.clip(r, -delta, delta), (size < delta).astype(float)


@objective(log=True)
def squared_log(r: np.ndarray) -> Terms:
    """Half the squares of log residuals: the most likely law if relative errors are normal."""
    return _half_squares(r)


@objective(log=False)
def squared(r: np.ndarray) -> Terms:
    """Half the squares of the residuals in the output's own unit: the most likely law if errors are normal."""
    return _half_squares(r)


@objective(log=False, eased="delta", easing=(100.0, 30.0, 10.0, 3.0))
def huber(r: np.ndarray, delta: float = 1e-3) -> Terms:
    """Squares of residuals in the output's own unit up to delta, straight lines beyond. Huber 1964."""
    return REGISTERED["huber_log"].function(r, delta)


@objective(log=True, eased="smooth", easing=(300.0, 100.0, 30.0, 10.0, 3.0))
def absolute(r: np.ndarray, smooth: float = SMOOTHING) -> Terms:
    """Sizes of log residuals: the law that half of the runs lie above, its corner rounded within `smooth`."""
    value, slope, curvature = REGISTERED["huber_log"].function(r, smooth)
    return value / smooth, slope / smooth, curvature / smooth


@objective(log=True, eased="smooth", easing=(300.0, 100.0, 30.0, 10.0, 3.0))
def quantile(r: np.ndarray, tau: float = 0.1, smooth: float = SMOOTHING) -> Terms:
    """The law that a part `tau` of the runs lies below (0.1: near the best runs), its corner rounded within `smooth`.

    Koenker and Bassett 1978, on log residuals.
    """
    value, slope, curvature = absolute.function(r, smooth)
    weight = np.where(r > 0, 1 - tau, tau)
    return weight * value, weight * slope, weight * curvature


@objective(log=True, eased="delta", easing=(30.0, 10.0, 3.0))
def asymmetric(r: np.ndarray, penalty: float = 10.0, delta: float = 1e-3) -> Terms:
    """huber_log in which a prediction above the run costs `penalty` times one below: training noise only adds loss."""
    value, slope, curvature = REGISTERED["huber_log"].function(r, delta)
    weight = np.where(r > 0, penalty, 1.0)
    return weight * value, weight * slope, weight * curvature


def student_scale(residual_n: np.ndarray, nu: float, scale: float | None) -> dict[str, float]:
    """The most likely scale of Student's t with `nu` degrees of freedom, by its fixed-point equation."""
    if scale is not None:
        return {}
    found = 1.4826 * float(np.median(np.abs(residual_n))) or float(np.abs(residual_n).max()) or 1e-9
    for _ in range(STUDENT_ROUNDS):
        weight_n = (nu + 1) / (nu + (residual_n / found) ** 2)
        found = max(float(np.sqrt(np.mean(weight_n * residual_n**2))), 1e-12)
    return {"scale": found}


@objective(log=True, eased="scale", easing=(30.0, 10.0, 3.0), settle=student_scale)
def student_t(r: np.ndarray, nu: float = 4.0, scale: float | None = None) -> Terms:
    """The most likely law if log residuals follow Student's t; the scale is found from the runs unless given.

    Outliers count for less and less, unlike with Huber's. Lange, Little and Taylor 1989.
    """
    assert scale is not None
    spread = nu * scale**2
    inverse = 1.0 / (spread + r * r)
    factor = (nu + 1) * scale**2
    return 0.5 * factor * np.log1p(r * r / spread), factor * r * inverse, factor * (spread - r * r) * inverse**2


def _half_squares(r: np.ndarray) -> Terms:
    return 0.5 * r * r, r, np.ones_like(r)

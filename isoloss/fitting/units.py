"""The units that a law's scales bear: which powers of which inputs each is made of, found by asking the law itself.

A scale s bears the unit of x^e where stretching x by a factor f, and s by f^e, leaves the law's values the same: a
dimensional analysis, done with numbers. The exponent may be a parameter: in `log(A D^alpha)` A bears D^-alpha.
Shapes: `n` points, `k` inputs, `p` parameters, `q` scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from isoloss.core.law import Law
from isoloss.core.quantities import Quantity

UNBOUNDED = 1e100  # a scale allowed beyond this bears units, so its typical range says nothing about these runs
SAMPLES, POINTS = 3, 24
NEAR, STEP, ROUNDING = 1e-6, 1e-4, 1e-11


@dataclass(frozen=True)
class Power:
    """A power of one input: a number, times the parameter of that place in the law (or 1 over it) if there is one."""

    input: int
    times: float
    parameter: int | None = None
    inverse: bool = False

    def at(self, theta_pb: np.ndarray) -> np.ndarray:
        """The exponent for each parameter set (b,)."""
        if self.parameter is None:
            return np.full(theta_pb.shape[1], self.times)
        return self.times * theta_pb[self.parameter] ** (-1 if self.inverse else 1)


def is_scale(law: Law, j: int) -> bool:
    """Whether parameter j is a scale that may bear units."""
    known = law.parameters[j].range
    return known.log and known.high > UNBOUNDED


@cache
def units(law: Law) -> dict[int, tuple[Power, ...] | None]:
    """For each nonlinear scale the powers of inputs that it bears, none for a number; None where they are not told."""
    scales = [j for j, name in enumerate(law.names) if is_scale(law, j) and name not in law.formula.linear]
    if not scales:
        return {}
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        sampled = [_sampled(law, rng) for _ in range(SAMPLES)]
    theta_sp = np.array([theta_p for theta_p, _ in sampled])
    exponent_spk = np.array([exponent_pk for _, exponent_pk in sampled])
    return {j: _powers(exponent_spk[:, j], theta_sp) for j in scales}


def _sampled(law: Law, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    # The exponents (p, k) at one parameter set, NaN where they are not determined.
    theta_p = np.array([_drawn_parameter(law, j, rng) for j in range(len(law.names))])
    x_kn = np.array([_drawn_input(i.quantity, rng) for i in law.inputs])
    stretched = [j for j, name in enumerate(law.names) if is_scale(law, j) or name in law.formula.linear]
    answers = [_answer(lambda f, j=j: law.value(x_kn, _scaled(theta_p, j, f))) for j in stretched]
    rounding = ROUNDING * float(np.linalg.norm(law.value(x_kn, theta_p)))
    found_pk = np.full((len(theta_p), len(x_kn)), np.nan)
    for k in range(len(x_kn)):
        wanted_n = _answer(lambda f, k=k: law.value(_scaled(x_kn, k, f), theta_p))
        found_pk[stretched, k] = _made_of(np.stack(answers, axis=-1), wanted_n, rounding)
    return theta_p, found_pk


def _answer(value: Callable[[float], np.ndarray]) -> np.ndarray:
    # The derivative in the logarithm of a factor.
    return (value(float(np.exp(STEP))) - value(float(np.exp(-STEP)))) / (2 * STEP)


def _made_of(answer_nq: np.ndarray, wanted_n: np.ndarray, rounding: float) -> np.ndarray:
    # The exponents (q,) with which the scales undo a stretched input: 0 where none do, NaN where many would.
    size_q = np.linalg.norm(answer_nq, axis=0)
    if not (np.isfinite(size_q).all() and np.isfinite(wanted_n).all()):
        return np.full(len(size_q), np.nan)
    unit_nq = answer_nq / np.where(size_q > 0, size_q, 1.0)
    exponent_q, _, rank, _ = np.linalg.lstsq(unit_nq, -wanted_n, rcond=1e-6)
    left = np.linalg.norm(unit_nq @ exponent_q + wanted_n)
    if left > NEAR * np.linalg.norm(wanted_n) + rounding:
        return np.zeros(len(size_q))
    free_mq = np.linalg.svd(unit_nq)[2][rank:]
    is_fixed_q = (np.abs(free_mq) < 1e-4).all(axis=0)
    return np.where(is_fixed_q, exponent_q / np.where(size_q > 0, size_q, 1.0), np.nan)


def _powers(exponent_sk: np.ndarray, theta_sp: np.ndarray) -> tuple[Power, ...] | None:
    borne = [(k, exponent_s) for k, exponent_s in enumerate(exponent_sk.T) if not _near(exponent_s, 0.0)]
    named = [_named(k, exponent_s, theta_sp) for k, exponent_s in borne]
    known = tuple(power for power in named if power is not None)
    return known if len(known) == len(named) else None


def _named(k: int, exponent_s: np.ndarray, theta_sp: np.ndarray) -> Power | None:
    if _near(exponent_s, exponent_s[0]):
        return Power(k, float(exponent_s[0]))
    for j, of_s in enumerate(theta_sp.T):
        for sign in (1.0, -1.0):
            for inverse in (False, True):
                if _near(exponent_s, sign * of_s ** (-1 if inverse else 1)):
                    return Power(k, sign, j, inverse)
    return None


def _near(one_s: np.ndarray, other_s: np.ndarray | float) -> bool:
    return bool(np.all(np.abs(one_s - other_s) < 100 * NEAR * (1 + np.abs(other_s))))


def _scaled(values: np.ndarray, j: int, factor: float) -> np.ndarray:
    changed = values.copy()
    changed[j] *= factor
    return changed


def _drawn_parameter(law: Law, j: int, rng: np.random.Generator) -> float:
    # Scales near 1, as the inputs are, so that every term counts.
    known = law.parameters[j].range
    if is_scale(law, j):
        return float(rng.uniform(0.5, 2.0))
    low, high = known.typical
    at = rng.uniform(0.4, 0.9)
    return float(low * (high / low) ** at if known.log else low + (high - low) * at)


def _drawn_input(known: Quantity, rng: np.random.Generator) -> np.ndarray:
    low, high = known.typical
    return rng.uniform(low, high, POINTS) if high < 100 * low or low <= 0 else rng.uniform(1.0, 30.0, POINTS)

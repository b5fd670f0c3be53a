"""Roots of many functions of one number at once, each in its own bracket. Shape: `b` problems solved together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MOST_STEPS = 200
ROUNDING = 4 * np.finfo(float).eps


def between(
    function: Callable[[np.ndarray], np.ndarray], low_b: np.ndarray, high_b: np.ndarray, close: float = 0.0
) -> np.ndarray:
    """Where `function`, from (b,) to (b,), changes sign between low (b,) and high (b,), to `close` or to rounding.

    Inverse quadratic interpolation where it is safe, bisection elsewhere, all problems in step. NaN where the ends have
    one sign, or one of them is NaN; an end that is zero is the root. Chandrupatla 1997.
    """
    with np.errstate(all="ignore"):
        a, b = np.array(low_b, float), np.array(high_b, float)
        fa, fb = (np.array(np.broadcast_to(function(end), a.shape), float) for end in (a, b))
        bracketed = np.sign(fa) * np.sign(fb) <= 0
        root, found = np.where(fa == 0, a, b), (fa == 0) | (fb == 0) | ~bracketed
        share = np.full(a.shape, 0.5)
        for _ in range(MOST_STEPS):
            if found.all():
                break
            x = a + share * (b - a)
            fx = np.broadcast_to(function(x), a.shape)
            same = np.sign(fx) == np.sign(fa)
            c, fc = np.where(same, a, b), np.where(same, fa, fb)
            b, fb = np.where(same, b, a), np.where(same, fb, fa)
            a, fa = x, fx
            best = np.where(np.abs(fa) < np.abs(fb), a, b)
            root = np.where(found, root, np.where(np.isnan(fa), np.nan, best))
            least = np.maximum(ROUNDING * (np.abs(best) + 1e-3), close) / np.abs(b - c)
            found |= (least > 0.5) | (fa == 0) | np.isnan(fa)
            share = np.clip(_interpolated(a, b, c, fa, fb, fc), least, 1 - least)
    return np.where(bracketed, root, np.nan)


def _interpolated(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, fa: np.ndarray, fb: np.ndarray, fc: np.ndarray
) -> np.ndarray:
    place, height = (a - b) / (c - b), (fa - fb) / (fc - fb)
    safe = (height**2 < place) & ((1 - height) ** 2 < 1 - place)
    share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(safe & np.isfinite(share), share, 0.5)

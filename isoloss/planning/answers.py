"""What the questions share: reading what was asked, parameter sets, estimates from draws, options and their findings.

Shapes: `t` parameter sets, the best estimate and then the draws; `p` parameters; `m` conditions asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.core import law as laws
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate, check_level
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.groups import Groups
from isoloss.core.plan import Option
from isoloss.planning import cost
from isoloss.planning.surface import Surface
from isoloss.published import card, keys, published

ALIKE = 1e-12  # draws that differ by less, relatively, differ by rounding
FEW = 0.05  # the share of draws that may lack an answer before the intervals are suspect


def number(given: Any, what: str, least: float = 0.0) -> float:
    """One number above `least`, as people write it; raises RequestError for any other and CellError for a word."""
    if np.size(given) != 1:
        raise RequestError(f"The plan needs one {what}, not {np.size(given)}.")
    value = parsed(np.ravel(np.asarray(given, object))[0])
    if not (np.isfinite(value) and value > least):
        raise RequestError(f"A plan for {what} {value:g} cannot be.", f"It must be above {least:g}.")
    return value


def whole(given: Any, what: str, least: int = 1) -> int:
    """One whole number from `least`, as people write it; raises RequestError for any other and CellError for a word."""
    if np.size(given) != 1:
        raise RequestError(f"The plan needs one number of {what}, not {np.size(given)}.")
    value = parsed(np.ravel(np.asarray(given, object))[0])
    if not (np.isfinite(value) and value >= least and value == int(value)):
        raise RequestError(f"{value:g} {what} cannot be.", do=f"Give a whole number from {least}.")
    return int(value)


def several(given: Any, what: str, least: float = 0.0) -> list[float]:
    """One number or a list of them, each as `number` reads it; raises RequestError for an empty list."""
    listed = list(np.ravel(np.asarray(given, object)))
    if not listed:
        raise RequestError(f"The list of {what} is empty.")
    return [number(one, what, least) for one in listed]


def budgets(flops: Any) -> np.ndarray:
    """Training budgets (m,) in FLOP; raises RequestError for one that trains nothing."""
    flops_m = np.array([numbers.parse(v) for v in np.atleast_1d(np.asarray(flops, object))])
    if not len(flops_m):
        raise RequestError("The list of budgets is empty.", do="Give at least one: flops=1e24.")
    for value in flops_m:
        if not (np.isfinite(value) and cost.partner(value, 1.0) > 1):
            raise RequestError(
                f"A budget of {value:g} FLOP trains nothing.",
                f"One parameter on one token costs {cost.total(1, 1):g} FLOP.",
                "Give the budget in FLOP, for example flops=1e24.",
            )
    return flops_m


def surface_of(fit: Fit | Frontier, held: Mapping[str, float] | None = None) -> Surface:
    """The fit's law as a surface of size and data; raises RequestError, naming laws that are, for any other."""
    surface = None if isinstance(fit, Frontier) else Surface.of(fit.law, held)
    if surface is not None and surface.law.output.name in ("loss", "bits_per_byte", "error"):
        return surface
    whose = f"The {fit.approach} frontier" if isinstance(fit, Frontier) else f"The law '{fit.law.name}'"
    known = [name for name, law in laws.every().items() if Surface.of(law) and law.output.name == "loss"]
    raise RequestError(
        f"{whose} tells no loss for a size and an amount of data, which this question needs.",
        f"Laws that do: {', '.join(known)}.",
        "Fit one of them, or name a published one: isoloss published.",
    )


def sets(fit: Fit) -> np.ndarray:
    """The best parameters and then the draws: (t, p)."""
    return np.vstack([fit.theta_p, fit.draws_sp])


def estimate(values_t: np.ndarray, level: float) -> Estimate:
    """The middle, and the interval of the draws that have a value; those without an end count as infinite.

    Quantiles are draws themselves where some are infinite: between a number and infinity there is nothing to
    interpolate. Shapes (t,) or (t, m).
    """
    mid, draws = values_t[0], values_t[1:]
    if not len(draws) or np.isnan(draws).all():
        return Estimate.of(mid, draws[:0], level)
    if np.ndim(mid) == 0 and np.allclose(draws, mid, rtol=ALIKE, atol=0):
        check_level(level)
        return exact(float(mid))
    if not np.isinf(draws).any():
        return Estimate.of(mid, draws, level)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = (np.nanquantile(draws, end, axis=0, method="inverted_cdf") for end in ends)
    return Estimate(mid, low, high) if np.ndim(mid) else Estimate(float(mid), float(low), float(high))


def exact(value: float) -> Estimate:
    """A number that is given, without doubt."""
    return Estimate(float(value), float(value), float(value))


def option(values: Mapping[str, np.ndarray | Estimate | float], level: float, label: str = "") -> Option:
    """An option whose quantities are parameter sets (t,), estimates, or given numbers."""
    return Option({name: _estimated(value, level) for name, value in values.items()}, label)


def run(surface: Surface, sizes_t: np.ndarray, tokens_t: np.ndarray, **others: Any) -> dict[str, Any]:
    """The quantities of a training run: size, tokens, their ratio, compute, and whatever else is given."""
    return {
        surface.size_name: sizes_t,
        "tokens": tokens_t,
        "tokens_per_param": tokens_t / sizes_t,
        "flops": cost.total(sizes_t, tokens_t),
        **others,
    }


def lost(values_t: np.ndarray, what: str, code: str = "Q1") -> tuple[Finding, ...]:
    """A finding where some draws (t - 1,) have no answer."""
    draws = np.asarray(values_t)[1:]
    if not len(draws):
        return ()
    count = int((~np.isfinite(draws)).sum())
    if count == 0:
        return ()
    share = count / len(draws)
    sentence = f"{count} of {len(draws)} draws have no {what}."
    return (Finding(code, "note" if share <= FEW else "amber", sentence, share),)


def with_curve(fit: Fit, surface: Surface, *more: str) -> tuple[str, ...]:
    """The assumptions of an answer whose losses are those of the law's mean curve."""
    curve = f"the interval of {fit.law.output.name} is that of the mean curve" if len(fit.draws_sp) else ""
    return tuple(filter(None, (*fit.stated(), cost.stated(surface.size_name), curve, *more)))


def reach(fit: Fit, surface: Surface, sizes: Any, tokens: Any) -> tuple[Finding, ...]:
    """How far finite sizes and tokens go beyond the data of the fit."""
    sizes, tokens = (np.atleast_1d(np.asarray(a, float)) for a in np.broadcast_arrays(sizes, tokens))
    kept = np.isfinite(sizes) & np.isfinite(tokens)
    if not kept.any():
        return ()
    asked = surface.inputs(sizes[kept], tokens[kept])
    flops = {cost.count_of_compute(surface.size_name): cost.total(sizes[kept], tokens[kept])}
    return fit.reach({name: np.atleast_1d(value) for name, value in {**asked, **flops}.items()})


def _estimated(value: Any, level: float) -> Estimate:
    if isinstance(value, Estimate):
        return value
    return estimate(np.asarray(value, float), level) if np.ndim(value) else exact(float(value))


def parsed(given: Any) -> float:
    """A number or a share as people write them: "1e24", "7B", "2%"; raises CellError for anything else."""
    written = str(given).strip()
    if written.endswith("%"):
        return numbers.parse(written[:-1]) / 100
    return numbers.parse(given)


def fits(given: Any) -> list[Fit]:
    """Other fits to set beside the first: fits, files, FILE#GROUP of saved groups or published keys; none for None."""
    listed = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    if not all(isinstance(one, Fit | str) for one in listed):
        raise RequestError("What stands beside is a fit, a published key, or a list of these.")
    return [_fit_of(one) for one in listed]


def named(fit: Fit | Frontier) -> str:
    """A fit in few words: its paper, or its law and runs."""
    if isinstance(fit, Frontier):
        return f"{fit.approach} of {fit.data.source}"
    key = _key_of(fit) if fit.origin else None
    if key:
        return f"{key} ({card(key).domain})"
    return fit.origin.partition(" (")[0] or f"{fit.law.name} of {fit.data.source}"


def _key_of(fit: Fit) -> str | None:
    # The published fit that this one is, constants and all.
    known = [key for key in keys() if card(key).source == fit.origin and card(key).kind == "fit"]
    return next((key for key in known if np.array_equal(card(key).theta_p, fit.theta_p)), None)


def _fit_of(given: Fit | str) -> Fit:
    if isinstance(given, Fit):
        return given
    if given not in keys() and Path(given).is_file():
        return Fit.load(given)
    file, _, label = given.rpartition("#")
    if label and Path(file).is_file():
        return Groups.load(file)[label]
    return published(given)

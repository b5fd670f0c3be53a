"""What a prediction says: a run that is not trained yet, the interval of what it will reach, and whose word that is."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from isoloss.core.calibration import Measure, decades
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.lab.table import foreseen
from isoloss.verifying.chain import canonical, digest

SCHEMA = 1
LEVEL = 0.9
WITHIN = np.arange(1, 10) / 10  # levels of the central intervals whose ends are kept as quantiles
ONE_DEVIATION = math.erf(math.sqrt(0.5))
REACHED = ("loss", "bits_per_byte")  # what a record tells of a run that has ended


def forecast(fit: Fit, spec: Spec) -> dict[str, Any]:
    """Return what `fit` says of the run `spec`, as JSON values: all of a prediction but the time when it is made.

    Raises RequestError for a fit that tells no interval of a new run or predicts what no record holds, and what
    `Fit.predict` raises for a law with an input that no Spec tells.
    """
    if fit.law.output.name not in REACHED:
        raise RequestError(
            f"The law '{fit.law.name}' predicts {fit.law.output.name}, which the lab does not measure.",
            f"It measures: {', '.join(REACHED)}.",
            "Fit a law of one of these.",
        )
    points = foreseen(spec)
    told = fit.predict(points, level=LEVEL)
    if told.kind != "run" or not told.estimate.known:
        raise RequestError(
            "This fit tells no interval of a new run, so that nothing could be verified.",
            "It has no draws or no residuals: a published law, or a fit with draws=0.",
            "Fit a law to runs, with draws.",
        )
    mean = fit.predict(points, level=LEVEL, kind="mean").estimate[0]
    mid, low, high = (float(np.ravel(v)[0]) for v in (told.mid, told.low, told.high))
    return {
        "schema": SCHEMA,
        "noun": "prediction",
        "run": spec.id,
        "spec": spec.to_json(),
        "quantity": fit.law.output.name,
        "level": LEVEL,
        "mid": mid,
        "low": low,
        "high": high,
        "mean": {"low": mean.low, "high": mean.high},
        **spread_of(fit, points),
        **{name: float(points[name][0]) for name in ("params", "tokens", "flops")},
        "inputs": {name: float(v[0]) for name, v in told.inputs.items()},
        "beyond": beyond(fit, points),
        "fit": identity(fit),
        "assumptions": list(told.assumptions),
        "findings": [finding.to_json() for finding in told.findings],
        "versions": {"isoloss": version("isoloss"), "numpy": version("numpy"), "python": platform.python_version()},
    }


def spread_of(fit: Fit, points: Runs) -> dict[str, Any]:
    """Return quantiles of a new run's outcome, and half the width of its middle 68 per cent in the logarithm."""
    ends = {level: fit.predict(points, level=float(level)).estimate[0] for level in WITHIN}
    inner = fit.predict(points, level=ONE_DEVIATION).estimate[0]
    lower = [((1 - level) / 2, e.low) for level, e in ends.items()]
    upper = [((1 + level) / 2, e.high) for level, e in ends.items()]
    pairs = sorted([*lower, *upper])
    return {
        "quantiles": {"levels": [round(float(at), 4) for at, _ in pairs], "values": [float(v) for _, v in pairs]},
        "log_spread": float(np.log(inner.high / inner.low) / 2),
    }


def beyond(fit: Fit, points: Runs) -> dict[str, Any]:
    """Return how many decades beyond the fitted runs a run stands, and by what measure."""
    ranges = fit.data.ranges
    if fit.calibration is not None and fit.calibration.measure.grows:
        measure, largest = fit.calibration.measure, fit.calibration.at
    else:
        measure = Measure(("flops",)) if "flops" in ranges else Measure.among(fit.law.columns)
        largest = float(np.prod([ranges[name][1] for name in measure.columns])) if measure.grows else math.inf
    columns = points.complete(measure.columns)
    return {"decades": float(decades(measure.of(columns), largest)[0]), "of": str(measure)}


def identity(fit: Fit) -> dict[str, Any]:
    """Return what tells this fit from any other: its law and numbers, its data, and the hash of all of it."""
    name, value = fit.objective
    return {
        "digest": digest(_plain(fit.to_json())),
        "law": fit.law.name,
        "binding": dict(fit.law.binding),
        "expression": fit.law.latex,
        "theta": fit.theta,
        "objective": {"name": name, "value": _plain(value)},
        "status": fit.status,
        "draws": len(fit.draws_sp),
        "seed": fit.seed,
        "data": {"n": fit.data.n, "source": fit.data.source, "digest": fit.data.digest},
        "calibration": _plain(fit.calibration.to_json()) if fit.calibration else None,
        "origin": fit.origin,
    }


def says_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two predictions differ in nothing but the time and the versions with which they were made."""
    aside = ("when", "versions")
    first, second = ({k: v for k, v in said.items() if k not in aside} for said in (one, other))
    return canonical(first) == canonical(second)


def _plain(value: Any) -> Any:
    # JSON has no NaN: what is not known is null.
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

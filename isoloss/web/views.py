"""The nouns as the page needs them: plain JSON, numbers that are not finite as null.

Shapes: `s` draws, `p` parameters, `k` inputs, `n` runs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from isoloss import __version__
from isoloss.core.errors import IsolossError, RequestError
from isoloss.core.fit import STATUS_MEANING, Fit
from isoloss.core.law import Law
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs
from isoloss.fitting import objectives
from isoloss.loaders.files import readable
from isoloss.planning import cost
from isoloss.planning.compute import plans
from isoloss.planning.hardware import accelerators
from isoloss.planning.surface import Surface
from isoloss.published import keys, published
from isoloss.published.registry import card
from isoloss.reporting import markup
from isoloss.web.fitting import AUTO, Made, fittable
from isoloss.web.jobs import Job, Jobs
from isoloss.web.limits import Limits
from isoloss.web.repeating import lines
from isoloss.web.schemas import Hello, JobView
from isoloss.web.sessions import Stored

SCHEMA = 1


def hello(token: str, stored: list[Stored], limits: Limits) -> Hello:
    """What a page needs to begin."""
    return Hello(
        token=token,
        version=__version__,
        tables=[{"id": one.id, "name": one.name} for one in stored],
        laws=[dict(law) for law in fittable()],
        objectives=sorted(objectives.REGISTERED),
        quantities=[
            {"name": q.name, "symbol": q.symbol, "unit": q.unit, "meaning": q.meaning} for q in QUANTITIES.values()
        ],
        accelerators=[{"key": a.key, "name": a.name} for a in accelerators().values()],
        published=overlays(),
        readable=readable(),
        limits={"upload": limits.upload, "rows": limits.rows, "columns": limits.columns},
    )


def overlays() -> list[dict[str, Any]]:
    """The published laws that a page can draw over runs: a loss for a size and an amount of data."""
    known = (card(key) for key in keys())
    return [
        {"key": c.key, "title": c.title, "year": c.year, "badge": c.badge, "size": size}
        for c in known
        if c.kind == "fit" and (size := _size_of(c.bound_law))
    ]


def _size_of(law: Law) -> str:
    surface = Surface.of(law)
    return surface.size_name if surface is not None and law.output.name == "loss" else ""


def job(one: Job, jobs: Jobs) -> JobView:
    """A job, with what it made if that is a fit and it is done."""
    made = fit(one.id, one.result) if one.status == "done" and one.kind == "fit" else None
    return JobView.model_validate(
        {
            "id": one.id,
            "kind": one.kind,
            "status": one.status,
            "done": one.done,
            "total": one.total,
            "ahead": jobs.ahead(one) if one.status == "waiting" else 0,
            "error": one.error,
            "result": made,
        }
    )


def fit(id: str, made: Made) -> dict[str, Any]:
    """A fit with its draws, its runs and its law, as the page evaluates and draws them."""
    of = made.fit
    return {
        "schema": SCHEMA,
        "id": id,
        "module": f"/api/fits/{id}/law.js",
        **_evaluated(of),
        "request": made.request.model_dump(),
        "auto": made.request.law == AUTO,
        "objective": {"name": of.objective[0], "value": _finite(of.objective[1])},
        "certificate": str(of.certificate) if of.certificate else "",
        "scatter": scatter(of),
        "points": points(made),
        "repeat": lines(made),
    }


def overlay(key: str) -> dict[str, Any]:
    """A published law as the page evaluates it; UnknownNameError for a key that does not exist."""
    of = published(key)
    return {"schema": SCHEMA, "key": key, "module": f"/api/published/{key}/law.js", **_evaluated(of)}


def _evaluated(of: Fit) -> dict[str, Any]:
    return {
        "law": law(of.law),
        "theta": of.theta_p.tolist(),
        "draws": of.draws_sp.ravel().tolist(),
        "status": of.status,
        "status_meaning": STATUS_MEANING[of.status],
        "n": of.data.n,
        "source": of.origin or of.data.source,
        "ranges": {name: [_finite(low), _finite(high)] for name, (low, high) in of.data.ranges.items()},
        "assumptions": list(of.assumptions),
        "findings": [f.to_json() for f in of.findings],
    }


def law(of: Law) -> dict[str, Any]:
    """A law: its formula set in MathML and LaTeX, and what each of its inputs is to the planner."""
    surface = Surface.of(of)
    roles = ["size" if surface and i == surface.size else "data" if surface else "" for i in range(len(of.inputs))]
    return {
        "name": of.name,
        "summary": of.summary,
        "latex": of.latex,
        "mathml": _mathml(of),
        "names": list(of.names),
        "inputs": [
            {**_quantity(i.quantity.name), "symbol": i.symbol, "role": role}
            for i, role in zip(of.inputs, roles, strict=True)
        ],
        "output": _quantity(of.output.name),
        "plans": surface is not None and plans(of),
    }


def _mathml(of: Law) -> str:
    if len(of.names) > 30:  # a blend of many laws fills pages
        return ""
    return markup.formula(of.output.symbol, [i.symbol for i in of.inputs], of.formula.shown)


def _quantity(name: str) -> dict[str, str]:
    q = QUANTITIES[name]
    return {"quantity": q.name, "symbol": q.symbol, "unit": q.unit, "meaning": q.meaning}


def law_module(of: Law) -> str:
    """The law's own JavaScript as a module with one export."""
    return f"export const formula = {of.formula.javascript};\n"


def scatter(of: Fit) -> dict[str, Any] | None:
    """What a new run's interval adds to the curve's: log errors (s,), and how they grow; None where unknown.

    The page does with it what `Fit.predict(kind="run")` does, at any point, without asking.
    """
    if not len(of.residuals_n) or not len(of.draws_sp):
        return None
    s = len(of.draws_sp)
    beyond = None
    if of.calibration:
        beyond = {
            "normals": np.random.default_rng(of.seed).standard_normal(s).tolist(),
            "drift": of.calibration.drift,
            "columns": list(of.calibration.measure.columns),
            "grows": of.calibration.measure.grows,
            "at": of.calibration.at,
        }
    return {"errors": of.new_run_scatter(s).tolist(), "noise": of.noise.to_json(), "beyond": beyond}


def points(made: Made) -> dict[str, Any]:
    """Every run (n,): inputs, output, compute as the page counts it, and whether it was fitted."""
    of, runs = made.fit, made.runs
    columns = {name: _column(runs, name) for name in (*of.law.columns, of.law.output.name)}
    size = next((i for i in of.law.columns if i in cost.SIZES), None)
    if size and "tokens" in of.law.columns:
        with np.errstate(over="ignore"):
            total_n = cost.total(np.array(columns[size], float), np.array(columns["tokens"], float))
        columns["flops_counted"] = [_finite(v) for v in total_n]
    use = np.where(made.used_n, "fitted", "held out").astype(object)
    use[made.request.exclude] = "excluded"
    named = runs.named_by
    names = [str(v)[:60] for v in runs[named]] if named else [f"row {i + 1}" for i in range(len(runs))]
    return {"columns": columns, "use": use.tolist(), "names": names}


def _column(runs: Runs, name: str) -> list[float | None]:
    try:
        found = runs.complete([name])[name]
    except IsolossError:
        found = runs[name] if name in runs else np.full(len(runs), np.nan)
    return [_finite(v) for v in found]


def report_bytes(made: Made, flops: str, level: float) -> bytes:
    """The report of a fit as one page of HTML."""
    import tempfile
    from pathlib import Path

    from isoloss.reporting import report

    if not made.fit.law.names or Surface.of(made.fit.law) is None:
        raise RequestError("A report needs a law of size and data.", do="Choose such a law, and fit again.")
    kept_n = made.used_n.copy()
    kept_n |= np.array([use == "held out" for use in points(made)["use"]], bool)
    with tempfile.TemporaryDirectory(prefix="isoloss-") as folder:
        path = report(made.runs.take(kept_n), made.fit, to=Path(folder) / "report.html", flops=flops, level=level)
        return path.read_bytes()


def finite(value: Any) -> Any:
    """JSON has no infinities: they become null."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return _finite(value) if isinstance(value, float) else value


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None

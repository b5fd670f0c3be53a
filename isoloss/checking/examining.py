"""check(): every diagnosis on runs, and fit(): the quick ones on every fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, overload

from isoloss import comparing
from isoloss.checking import diagnosis
from isoloss.checking.case import Case
from isoloss.comparing.auto import AUTO
from isoloss.core import law as laws
from isoloss.core import numbers
from isoloss.core.checkup import Checkup
from isoloss.core.errors import CellError, DesignError, UnknownNameError
from isoloss.core.finding import Finding, gravest_first
from isoloss.core.fit import Fit
from isoloss.core.groups import Groups
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.fitting.rows import as_runs, grouped


def check(
    runs: Any,
    law: str | Law = "chinchilla",
    *,
    flops: Any = None,
    only: Iterable[str] = (),
    fit: Fit | None = None,
    **settings: Any,
) -> Checkup:
    """Examine runs, and a fit of `law` to them, for everything that is known to make scaling laws go wrong.

    `flops` is the compute of the run that is planned (10 times the largest, if None); `only` names codes; `fit` is one
    that was made before of these runs and `law`, and saves making it; `settings` are those of `isoloss.fit`.
    Runs that no law can be fitted to are examined all the same, as far as a fit is not needed.
    Raises UnknownNameError for a code, a law or a setting that does not exist, and what reading the runs raises.
    """
    given = as_runs(runs)
    chosen = _chosen(only)
    target = None if flops is None else numbers.parse(flops)
    made = fit if fit is not None else _fitted(given, law, settings)
    bound = made.law if made else laws.find(law).bind(**settings.get("inputs") or {})
    case = Case(given, bound, made, settings, target)
    verdicts = {d.code: d.of(case) for d in chosen}
    return Checkup(verdicts, len(given), given.source, bound.name)


@overload
def fit(runs: Any, law: str | Law = ..., *, by: str, **settings: Any) -> Groups: ...
@overload
def fit(runs: Any, law: str | Law = ..., *, by: None = None, **settings: Any) -> Fit: ...
def fit(runs: Any, law: str | Law = "chinchilla", **settings: Any) -> Fit | Groups:
    """Fit a law to runs, or with `law="auto"` the laws that extrapolate best, as one.

    See `isoloss.fitting.engine.fit` for the settings and `isoloss.comparing.auto.fit` for "auto". The quick diagnoses
    of `check` are made on every fit, and their findings are among the fit's.
    """
    given = as_runs(runs)
    fitted = comparing.fit(given, law, **settings)
    if isinstance(fitted, Fit):
        return _examined(fitted, given, settings)
    tables = grouped(given, fitted.by)
    return replace(fitted, fits={label: _examined(f, tables[label], {}) for label, f in fitted.fits.items()})


def _examined(fitted: Fit, runs: Runs, settings: dict[str, Any]) -> Fit:
    case = Case(runs, fitted.law, fitted, settings)
    found: list[Finding] = [f for d in diagnosis.every() if d.quick for f in d.of(case).findings]
    new = [f for f in found if f not in fitted.findings]
    return replace(fitted, findings=gravest_first([*fitted.findings, *new]))


def _fitted(runs: Runs, law: str | Law, settings: dict[str, Any]) -> Fit | None:
    try:
        return comparing.fit(runs, law, **settings)
    except (DesignError, CellError):
        if law == AUTO:
            raise
        return None


def _chosen(only: Iterable[str]) -> list[diagnosis.Diagnosis]:
    known = {d.code: d for d in diagnosis.every()}
    for code in only:
        if code not in known:
            raise UnknownNameError("finding", code, known)
    return [d for code, d in known.items() if not only or code in only]

"""`isoloss fit` and `isoloss predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import leave, show
from isoloss.cli.source import fit_from, fit_groups, fit_runs, inputs_from, runs_from, settings
from isoloss.core import storage
from isoloss.core.estimate import check_level


@command
def fit(
    *,
    runs: o.RunsFile,
    how: o.Fitting,
    by: o.By = None,
    share: o.Share = None,
    level: o.Level = 0.9,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the fit, draws and all, to this JSON file.")
    ] = None,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
) -> None:
    """Fit a law to runs: parameters with intervals, status, certificate, findings."""
    check_level(level)
    if save:
        storage.check_writable(save)
    table = runs_from(runs, how.column, how.where)
    fitted = fit_groups(table, how, by, share) if by or share else fit_runs(table, how)
    if save:
        fitted.save(save)
    show(fitted, fitted.summary(level), as_json)
    leave(fitted.findings, strict)


@command
def profile(
    *,
    runs: o.RunsFile,
    parameter: Annotated[str, typer.Option("--of", help="The parameter.")],
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
) -> None:
    """Move one parameter away from its optimum, the others following: its curve, and the interval that this gives."""
    from isoloss.fitting import profile

    found = profile(runs_from(runs, how.column, how.where), how.law, parameter=parameter, level=level, **settings(how))
    show(found, found.to_json(), as_json)


@command
def predict(
    *,
    source: o.Source,
    point: o.Point,
    mean: Annotated[bool, typer.Option("--mean", help="The interval of the curve instead of a new run's.")] = False,
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
    strict: o.Strict = False,
) -> None:
    """Predict the loss of a run that has not been trained, with its interval."""
    check_level(level)
    inputs = inputs_from(point)
    fitted = fit_from(source, how)
    prediction = fitted.predict(level=level, kind="mean" if mean else "run", **inputs)
    show(prediction, {"law": fitted.law.name, **prediction.to_json()}, as_json)
    leave([*fitted.findings, *prediction.findings], strict)

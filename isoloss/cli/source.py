"""From the words of a command to runs and fits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoloss.cli.options import Fitting, Point
from isoloss.core import numbers
from isoloss.core.errors import FormatError, RequestError, UnknownNameError
from isoloss.core.fit import Fit
from isoloss.core.groups import Groups
from isoloss.core.runs import Runs

LADDER = "ladder"


def runs_from(source: str, columns: Sequence[str] | None = None, where: str | None = None) -> Runs:
    """Read a file of runs, or the embedded ladder by its name."""
    from isoloss import loaders, samples

    table = samples.ladder() if source == LADDER and not Path(source).exists() else source
    return loaders.read(table, columns=pairs(columns, "--column"), where=where)


def fit_runs(runs: Runs, how: Fitting) -> Fit:
    """Fit the runs as the options say."""
    from isoloss.checking import fit

    return fit(runs, how.law, **settings(how))


def fit_groups(runs: Runs, how: Fitting, by: str | None, share: str | None) -> Groups:
    """Fit the law to every group, as the options say."""
    from isoloss.checking import fit

    return fit(runs, how.law, by=by, share=share or "", **settings(how))  # type: ignore[arg-type]


def settings(how: Fitting) -> dict[str, Any]:
    """What `isoloss.fit` takes, from the words of the options."""
    return {
        "inputs": pairs(how.bind, "--input"),
        "objective": how.objective,
        "hold": {name: numbers.parse(value) for name, value in pairs(how.hold, "--hold").items()},
        "tie": [names.split(",") for names in how.tie or ()],
        "prior": {name: _prior(value) for name, value in pairs(how.prior, "--prior").items()},
        "weights": how.weights,
        "uncertainty": how.uncertainty,
        "cluster": False if how.cluster == "none" else how.cluster,
        "strata": how.strata,
        "draws": how.draws,
        "seed": how.seed,
    }


def fit_from(source: str, how: Fitting) -> Fit:
    """A fit, from whatever the source names: a saved fit, a table of runs, the embedded ladder, a published key.

    `groups.json#dense` is one fit of saved groups.
    """
    path = Path(source)
    if path.exists() or source == LADDER:
        noun = noun_in(path)
        if noun == "groups":
            known = ", ".join(Groups.load(path))
            raise RequestError(f"{source} holds groups: {known}.", do=f"Name one of them: '{source}#GROUP'.")
        if noun == "fit":
            return Fit.load(path)
        return fit_runs(runs_from(source, how.column, how.where), how)
    file, _, label = source.rpartition("#")
    if label and Path(file).is_file():
        return Groups.load(file)[label]
    from isoloss.published import keys, published

    if source in keys():
        return published(source)
    raise UnknownNameError("file or published law", source, [*keys(), LADDER], "List laws with: isoloss published.")


def pairs(words: Sequence[str] | None, option: str) -> dict[str, str]:
    """Read options written NAME=VALUE."""
    split = [word.partition("=") for word in words or ()]
    for name, equals, value in split:
        if not (name and equals and value):
            raise RequestError(f"{option} '{name}{equals}{value}' is not of the form NAME=VALUE.")
    return {name: value for name, _, value in split}


def inputs_from(point: Point) -> dict[str, Any]:
    """The inputs asked about, from options by name and `--at QUANTITY=VALUE`; numbers as people write them."""
    written = {"params": point.params, "tokens": point.tokens, "flops": point.flops, **pairs(point.at, "--at")}
    return {name: numbers.parse(value) for name, value in written.items() if value is not None}


def _prior(words: str) -> tuple[float, float]:
    mean, sign, deviation = words.replace("+-", "±").partition("±")
    if not sign:
        raise RequestError(f"--prior '{words}' has no width.", do="Write it like alpha=0.35±0.05 or alpha=0.35+-0.05.")
    return numbers.parse(mean), numbers.parse(deviation)


def noun_in(path: Path) -> str:
    """Which noun a JSON file holds, "fit", "groups" or "frontier"; FormatError for JSON that cannot be read."""
    if path.suffix != ".json" or not path.is_file():
        return ""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"Cannot read {path}: {error}.", do="It may have been cut short; write it again.") from None
    return str(content.get("noun", "")) if isinstance(content, dict) else ""

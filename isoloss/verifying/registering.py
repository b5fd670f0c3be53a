"""Writes predictions down before their runs begin; what comes after the fact is refused, or kept apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.spec import Spec
from isoloss.lab.locks import HeldError
from isoloss.lab.store import begun
from isoloss.verifying.chain import Log, add, read_log, writing_to
from isoloss.verifying.forecast import forecast, says_the_same


class AfterTheFactError(RequestError):
    """A prediction of runs whose training has begun or ended; `begun` says of each what is there."""

    def __init__(self, begun: dict[str, str]) -> None:
        self.begun = begun
        super().__init__(
            "What is known already cannot be predicted:\n  "
            + "\n  ".join(f"run {run}: {what}" for run, what in begun.items()),
            "Nothing was registered.",
            "Predict a run that is not trained yet; or keep these apart from the tally: --retrospective "
            "(retrospective=True).",
        )


def register(
    fit: Fit, specs: Sequence[Spec], out: Path, *, retrospective: bool = False, known: frozenset[str] = frozenset()
) -> Log:
    """Write down what `fit` predicts of each run, and return the log.

    The first prediction of a run counts; another that says otherwise is kept as "later" while the run has not begun,
    and is not made after that. `known` are ids of runs that the fit's maker had before him.
    Raises AfterTheFactError for runs that began before any prediction of them, unless `retrospective`; BrokenLogError
    for a log that was changed; what `forecast` raises.
    """
    late = begun_unpredicted(out, specs, known)
    if late and not retrospective:
        raise AfterTheFactError(late)
    log = read_log(out)
    due = [spec for spec in specs if spec.id in late or not begun_already(out, spec, known)]
    forecasts = [(spec, forecast(fit, spec)) for spec in due]
    for spec, content in forecasts:
        log = _register_one(out, spec, content, retrospective, known)
    return log


def begun_unpredicted(out: Path, specs: Sequence[Spec], known: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the runs that began before anything was predicted of them, and what shows it."""
    log = read_log(out)
    return {spec.id: why for spec in specs if not log.first(spec.id) and (why := begun_already(out, spec, known))}


def begun_already(out: Path, spec: Spec, known: frozenset[str] = frozenset()) -> str:
    """Say what shows that the training of a run has begun; nothing where it has not."""
    folder = out / spec.id
    if spec.id in known:
        return "it is among the runs given"
    if (folder / "record.json").exists():
        return f"its record is in {folder}"
    if _size(folder / "metrics.jsonl") or (folder / "checkpoint").exists():
        return f"its training has begun in {folder}"
    return ""


def _register_one(out: Path, spec: Spec, content: dict[str, Any], retrospective: bool, known: frozenset[str]) -> Log:
    # Under the run's own lock: nobody begins to train it between the look and the entry.
    with writing_to(out) as log:
        try:
            with begun(out, spec):
                late = begun_already(out, spec, known)
                kind = _kind(log, spec, content, late, retrospective)
                return add(log, kind, _dated(content)) if kind else log
        except HeldError as error:
            if log.first(spec.id):
                return log
            raise AfterTheFactError({spec.id: f"it is being trained: {error.given}"}) from error


def _kind(log: Log, spec: Spec, content: dict[str, Any], late: str, retrospective: bool) -> str:
    last = log.last(spec.id)
    if last is None and late and not retrospective:
        raise AfterTheFactError({spec.id: late})
    if last is None:
        return "retrospective" if late else "prediction"
    return "" if late or says_the_same(last.content, content) else "later"


def _dated(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

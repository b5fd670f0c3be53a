"""How a prediction fared: what the run reached beside what was said of it."""

from __future__ import annotations

import calendar
import hashlib
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isoloss.core import numbers
from isoloss.core.spec import Spec
from isoloss.lab.store import Record, read_record
from isoloss.verifying.chain import Entry, Fault, Log, add, faults_of_chain, read_log, writing_to

CLOCKS = 60.0  # seconds by which the clocks of machines that share a folder may differ
Standing = Literal["inside", "outside", "diverged", "waiting", "late"]


@dataclass(frozen=True)
class Score:
    """A prediction and its run.

    `standing` is inside or outside the interval, diverged, waiting (not trained), or late (begun before the
    prediction). `reached`, `miss` (reached / predicted - 1), `z` (the miss in standard deviations of a new run) and
    `crps` (the continuous ranked probability score, in the unit of the loss) are NaN where there is no outcome.
    """

    run: str
    prediction: str
    kind: str
    when: str
    fit: str
    split: str
    params: float
    tokens: float
    flops: float
    decades: float
    of: str
    quantity: str
    mid: float
    low: float
    high: float
    standing: Standing
    reached: float = math.nan
    z: float = math.nan
    crps: float = math.nan

    @property
    def miss(self) -> float:
        return self.reached / self.mid - 1

    @property
    def counts(self) -> bool:
        """Whether it is part of the tally: predicted first, before the run, and trained to its end."""
        return self.kind == "prediction" and self.standing in ("inside", "outside")

    def to_json(self) -> dict[str, Any]:
        values = {**vars(self), "miss": self.miss}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}

    def __str__(self) -> str:
        size = f"{numbers.short(self.params)} parameters on {numbers.short(self.tokens)} tokens"
        width = self.high - self.low
        mid, low, high = (numbers.fixed(v, width) for v in (self.mid, self.low, self.high))
        said = f"{self.run}  {size}: predicted {mid} ({low} to {high})"
        apart = "" if self.kind == "prediction" else f" [{self.kind}, not counted]"
        if self.standing in ("waiting", "diverged"):
            return f"{said}, {'not trained yet' if self.standing == 'waiting' else 'diverged'}{apart}"
        held = {"late": "begun before it was predicted, not counted"}.get(self.standing, self.standing)
        return f"{said}, reached {numbers.fixed(self.reached, width)}: {held}, {self.miss:+.2%}, z {self.z:+.1f}{apart}"


def settle(out: Path) -> Log:
    """Write down the score of every prediction whose run has ended since, and return the log.

    Nothing is added to a log that was changed. Raises FormatError for a record that cannot be read.
    """
    log = read_log(out)
    if not _due(log, out) or faults_of_chain(log):
        return log
    with writing_to(out) as log:
        for entry in _due(log, out):
            log = add(log, "score", _outcome(entry, out / entry.run / "record.json"))
        return log


def scores(log: Log) -> tuple[Score, ...]:
    """Return every prediction that counts or would, in the order in which they were made, with its outcome."""
    return tuple(_score(entry, log.score(entry.id)) for entry in _firsts(log))


def faults_of_records(log: Log, out: Path) -> tuple[Fault, ...]:
    """Return the records that are not what they were when they were scored; one that is gone is no fault."""
    found = []
    for entry in (e for e in log.entries if e.kind == "score"):
        path = out / entry.run / "record.json"
        if path.exists() and _sha256(path) != entry.content["record_sha256"]:
            found.append(Fault("record", f"the record of run {entry.run} was changed after it was scored"))
    return tuple(found)


def waiting(log: Log, out: Path) -> tuple[Spec, ...]:
    """Return the runs that are predicted and not trained."""
    return tuple(
        Spec.from_json(dict(entry.content["spec"]))
        for entry in _firsts(log)
        if not log.score(entry.id) and not (out / entry.run / "record.json").exists()
    )


def _firsts(log: Log) -> Iterable[Entry]:
    return [entry for entry in log.entries if log.first(entry.run) is entry]


def _due(log: Log, out: Path) -> list[Entry]:
    return [e for e in _firsts(log) if not log.score(e.id) and (out / e.run / "record.json").exists()]


def _outcome(entry: Entry, path: Path) -> dict[str, Any]:
    record = read_record(path)
    return {
        "prediction": entry.id,
        "run": entry.run,
        "status": record["status"],
        "why": record["why"],
        "reached": record.get(entry.content["quantity"]),
        "began": _began(record),
        "ended": record["ended"],
        "record_sha256": _sha256(path),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _began(record: Record) -> str:
    # A fork's time holds that of its trunk, which may well be older than the prediction.
    spent = 0.0 if record.get("forked_from") else record["seconds"]
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_seconds(record["ended"]) - spent))


def _score(entry: Entry, outcome: Entry | None) -> Score:
    said = entry.content
    reached = outcome.content["reached"] if outcome else None
    after = {} if reached is None else {"reached": reached, "z": _z(said, reached), "crps": _crps(said, reached)}
    return Score(
        run=entry.run,
        prediction=entry.id,
        kind=entry.kind,
        when=said["when"],
        fit=said["fit"]["digest"],
        split=said["spec"]["split"],
        decades=said["beyond"]["decades"],
        of=said["beyond"]["of"],
        standing=_standing(entry, outcome),
        **{name: said[name] for name in ("params", "tokens", "flops", "quantity", "mid", "low", "high")},
        **after,
    )


def _standing(entry: Entry, outcome: Entry | None) -> Standing:
    if outcome is None:
        return "waiting"
    came = outcome.content
    if entry.kind == "prediction" and _seconds(came["began"]) + CLOCKS < _seconds(entry.content["when"]):
        return "late"
    if came["reached"] is None:
        return "diverged"
    return "inside" if entry.content["low"] <= came["reached"] <= entry.content["high"] else "outside"


def _z(said: Any, reached: float) -> float:
    spread = said["log_spread"]
    return float(np.log(reached / said["mid"]) / spread) if spread > 0 and reached > 0 else math.nan


def _crps(said: Any, reached: float) -> float:
    # Twice the mean pinball loss over the quantiles that were kept (Gneiting and Raftery 2007, section 4.2).
    at_q, value_q = (np.array(said["quantiles"][name]) for name in ("levels", "values"))
    return float(2 * np.mean(np.where(reached >= value_q, at_q, at_q - 1) * (reached - value_q)))


def _seconds(when: str) -> float:
    return float(calendar.timegm(time.strptime(when, "%Y-%m-%dT%H:%M:%SZ")))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

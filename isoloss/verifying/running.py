"""verify(): predict, write it down, train, score, and count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isoloss.checking import fit as fit_runs
from isoloss.comparing import calibrated
from isoloss.core.errors import DataError, DesignError, OutputError, RequestError
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.fitting.rows import as_runs
from isoloss.lab.designs import HELD_OUT
from isoloss.lab.extra import require_torch
from isoloss.lab.running import check_all
from isoloss.lab.running import train as train_runs
from isoloss.lab.store import is_recorded, load_records, missing
from isoloss.verifying.chain import PREDICTIONS, Log, faults, read_log
from isoloss.verifying.registering import AfterTheFactError, begun_already, begun_unpredicted, register
from isoloss.verifying.scoring import Score, faults_of_records, scores, settle, waiting
from isoloss.verifying.tally import Tally, tally
from isoloss.verifying.targets import Target, best_for, targets

UNCALIBRATED = "too few runs for a back-test: the interval of a new run is not calibrated beyond the data"
HIDDEN = f"runs labelled split = {HELD_OUT} were left out of the fit"


@dataclass(frozen=True)
class Verification:
    """The predictions asked about with their outcomes, and the tally over all that the folder ever saw."""

    scores: tuple[Score, ...]
    tally: Tally

    @property
    def missed(self) -> tuple[Score, ...]:
        """Those whose runs ended outside their interval."""
        return tuple(score for score in self.scores if score.standing == "outside")

    def to_json(self) -> dict[str, Any]:
        """The JSON shape of `isoloss verify --json`."""
        return {"schema": 1, "predictions": [s.to_json() for s in self.scores], "tally": self.tally.to_json()}

    def __str__(self) -> str:
        return "\n".join([*(f"  {score}" for score in self.scores), str(self.tally)])


def verify(
    fit: Fit | Runs | str | Path | None = None,
    target: Target | None = None,
    out: str | Path = "runs",
    *,
    compute: Any = None,
    split: str | None = HELD_OUT,
    train: bool = True,
    retrospective: bool = False,
    head: str | None = None,
    workers: int | None = None,
    law: str | Law = "chinchilla",
    **settings: Any,
) -> Verification:
    """Predict runs, write the predictions down, train the runs, and score: how often do the intervals hold?

    `fit` is a fit, or runs (a table, or the folder that they were trained into) to which `law` is fitted, those held
    out left aside, with the interval of a new run calibrated on back-tests where there are runs enough. `target` is a
    Spec, several, or a ladder's path, of which the runs labelled `split` are taken; with `compute`, a number of FLOPs,
    it is the best run for it in the family of the ladder, or of the runs given. Without a fit, the runs that were
    predicted before are gone on with. With `train=False` nothing is trained: predictions are written down, and runs
    that have been trained since are scored. `settings` are those of `isoloss.fit`.

    OUT/predictions keeps every prediction, in a log whose entries are chained by their hashes (see chain.py): `head` is
    the hash of an entry that was published, and is looked for. A run that has begun is not predicted any more: that
    raises AfterTheFactError, or with `retrospective` is kept apart from the tally. Raises BrokenLogError where the log
    was changed, RequestError for a fit without an interval of a new run, and what fitting and training raise.
    """
    out = Path(out)
    if fit is None:
        if target is not None or compute is not None:
            raise RequestError("There is no fit to predict with.", "", "Give a fit, or runs to make one of.")
        if not out.is_dir():
            raise OutputError(f"There is no folder {out}.", "", "Name the folder given as --out.")
        asked = waiting(read_log(out), out)
    else:
        if train:
            require_torch()
        asked = _named(target, split) if compute is None else ()
        check_all(asked)
        if (late := begun_unpredicted(out, asked)) and not retrospective:
            raise AfterTheFactError(late)
        if not asked or _open(asked, out):
            made, known = fitted(fit, law, settings)
            asked = asked or (best_for(made, compute, _family(fit, target, out)),)
            register(made, asked, out, retrospective=retrospective, known=known)
    if train:
        _train(asked, out, workers)
    settle(out)
    return verification(out, None if fit is None else [spec.id for spec in asked], head)


def verification(out: Path, runs: Sequence[str] | None = None, head: str | None = None) -> Verification:
    """Return how the predictions kept in `out` stand: of these runs, or of all."""
    log = read_log(out)
    found = scores(log)
    changed = (*faults(log, head), *faults_of_records(log, out))
    chosen = found if runs is None else tuple(score for score in found if score.run in runs)
    return Verification(chosen, tally(found, _later(log), changed, log.head, len(log.entries)))


def fitted(fit: Fit | Runs | str | Path, law: str | Law, settings: dict[str, Any]) -> tuple[Fit, frozenset[str]]:
    """Return the fit that predicts, and the ids of the runs that its maker had, held-out ones included."""
    if isinstance(fit, Fit):
        return fit, frozenset()
    if isinstance(fit, str | Path) and _holds_a_fit(Path(fit)):
        return Fit.load(fit), frozenset()
    given = as_runs(fit)
    used = given.take([str(label) != HELD_OUT for label in given["split"]]) if "split" in given else given
    used = used.noting(HIDDEN) if len(used) < len(given) else used
    made = fit_runs(used, law, **settings)
    if not isinstance(made, Fit):
        raise RequestError("Fits of groups predict no single run.", "", "Fit one group, and give its fit.")
    known = frozenset(map(str, given["id"])) if "id" in given else frozenset()
    try:
        return (made if made.calibration else calibrated(made, used)), known
    except DesignError:
        return replace(made, assumptions=(*made.assumptions, UNCALIBRATED)), known


def _holds_a_fit(path: Path) -> bool:
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # what is wrong with it, the reader of tables says
    return isinstance(content, dict) and content.get("noun") == "fit"


def _named(target: Target | None, split: str | None) -> tuple[Spec, ...]:
    if target is None:
        raise RequestError(
            "There is no run to predict.", "", "Name a ladder (--ladder), give Specs, or name a budget (--compute)."
        )
    return targets(target, split)


def _open(specs: Sequence[Spec], out: Path) -> bool:
    """Whether anything is left to predict of these runs: what has begun after its prediction is only scored."""
    log = read_log(out)
    return any(not log.first(spec.id) or not begun_already(out, spec) for spec in specs)


def _family(fit: Any, target: Target | None, out: Path) -> tuple[Spec, ...]:
    if target is not None:
        return targets(target, None)
    folder = Path(fit) if isinstance(fit, str | Path) and Path(fit).is_dir() else out
    read = [Spec.from_json(record["spec"]) for record in load_records(folder)] if folder.is_dir() else []
    return tuple(spec for spec in read if spec.split != HELD_OUT)


def _train(specs: Sequence[Spec], out: Path, workers: int | None) -> None:
    todo = missing(out, specs)
    if not todo:
        return
    try:
        train_runs(todo, out, workers=workers)
    except DataError:  # all of them diverged, which is an outcome
        if not all(is_recorded(out, spec) for spec in todo):
            raise


def _later(log: Log) -> int:
    return sum(e.kind in PREDICTIONS and log.first(e.run) is not e for e in log.entries)

"""D2: are rows of one training drawn together?"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core.finding import Finding
from isoloss.fitting.rows import CHECKPOINTED, checkpointed

DONE = 0.99
NAMING = ("model", "model_name", "config", "experiment", "run_name", "name")


@diagnosis("D2", "are rows of one training drawn together?", quick=True)
def clusters(case: Case) -> Seen:
    """Checkpoints of one training share its seed, its data and its luck: a hundred of them are not a hundred runs.

    Drawn row by row they give intervals that are too narrow, the more so the denser the curve was logged. Several rows
    of one run (`run`, `run_id`, `id`) are therefore drawn together, unless there are fewer than 8 runs or hardly more
    than parameters. What the fit says of this is repeated here; rows that a column calls parts of a training
    (`portion`, `frac_of_training`) but that no column joins are amber.
    """
    found = case.found("D2")
    if found:
        return found
    if case.fit is not None and case.fit.clusters:
        return Fine(f"{len(case.runs)} rows of {case.fit.clusters} runs, drawn by run")
    parts = _parts(case)
    if parts:
        return parts
    if column := checkpointed(case.runs):
        return Unseen(f"column '{column}' joins rows of one run; without a fit nothing was drawn")
    return Fine(f"{len(case.runs)} rows, each a run of its own as far as the columns tell")


def _parts(case: Case) -> list[Finding]:
    for name in labels.columns(case.runs, "progress"):
        share_n = labels.numbers(case.runs, name)
        if share_n is None or np.isnan(share_n).all():
            continue
        early = int((share_n < DONE * (100 if np.nanmax(share_n) > 1.5 else 1)).sum())
        if early:
            sentence = (
                f"{early} of {len(case.runs)} rows are parts of longer trainings (column '{name}'), "
                "but each is drawn as a run of its own: the intervals are too narrow."
            )
            return [Finding("D2", "amber", sentence, early / len(case.runs), _fix(case, len(case.runs) - early))]
    return []


def _fix(case: Case, finished: int) -> str:
    joining = [n for n in NAMING if n in case.runs and len(labels.distinct(case.runs, n)) < len(case.runs) / 2]
    if joining:
        return f'Draw the rows of one training together: cluster="{joining[0]}".'
    return f"Name the training of each row in a column '{CHECKPOINTED[0]}', or keep the {finished} finished rows."

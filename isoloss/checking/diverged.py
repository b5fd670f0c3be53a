"""R2: did every run train to its end?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels, pointing, rungs
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core.finding import Finding

UNIFORM = 0.97  # of log(vocab): no better than a guess
FAR, TIMES = 0.1, 8.0  # above a smaller, shorter run: in logarithms, and in scatters about the law
REACHED = ("nats/token",)


@diagnosis("R2", "did every run train to its end?", quick=True)
def diverged(case: Case) -> Seen:
    """A run that blew up, crashed or was cut short says nothing of its size and its data.

    Counted are losses that are missing or at least 97% of log(vocabulary), what a guess among all tokens has; rows that
    a column `status` calls diverged, failed or unfinished; and losses more than 10%, and 8 times the scatter, above
    that of a smaller and shorter run of the same kind. Red where such a loss is among those that are fitted and more
    than suspicious; a run that is only far above others is amber.
    """
    reached_n = pointing.output(case)
    if reached_n is None:
        return Unseen(f"the runs have no {case.law.output.name}")
    known_n = np.isfinite(reached_n)
    called = _called(case)
    is_uniform_n = _uniform(case, reached_n)
    above_n, whose_n = rungs.above(case, rungs.comparable(case))
    is_sure_n = called["broken"] | called["cut short"] | is_uniform_n
    is_far_n = (above_n > threshold(case)) & ~is_sure_n
    found = [
        *_told(case, ~known_n & ~is_sure_n, "without a loss", "amber"),
        *_told(
            case,
            called["broken"] & ~is_uniform_n,
            "called diverged or failed",
            "red" if (called["broken"] & known_n).any() else "amber",
        ),
        *_told(
            case, called["cut short"], "called unfinished", "red" if (called["cut short"] & known_n).any() else "amber"
        ),
        *_told(case, is_uniform_n, "no better than a guess among all tokens", "red"),
        *_far(case, is_far_n, above_n, whose_n),
    ]
    return found or Fine(f"{len(reached_n)} runs with a loss, none far above a smaller and shorter one")


def threshold(case: Case) -> float:
    """How far, in logarithms, a loss may lie above that of a smaller and shorter run and still be a run's."""
    about = pointing.scatter(case)
    return FAR if np.isnan(about) else max(FAR, TIMES * about)


def _called(case: Case) -> dict[str, np.ndarray]:
    none_n = np.zeros(len(case.runs), bool)
    found = {"broken": none_n, "cut short": none_n}
    for name in labels.columns(case.runs, "status"):
        word_n = labels.words(case.runs, name)
        found["broken"] = found["broken"] | labels.is_any(word_n, labels.DIVERGED + labels.FAILED)
        found["cut short"] = found["cut short"] | labels.is_any(word_n, labels.CUT_SHORT)
    return found


def _uniform(case: Case, reached_n: np.ndarray) -> np.ndarray:
    if "vocab" not in case.runs or case.law.output.unit not in REACHED:
        return np.zeros(len(reached_n), bool)
    with np.errstate(all="ignore"):
        return reached_n >= UNIFORM * np.log(case.runs["vocab"])


def _told(case: Case, is_bad_n: np.ndarray, what: str, severity: str) -> list[Finding]:
    bad = np.flatnonzero(is_bad_n)
    if not len(bad):
        return []
    sentence = f"{pointing.are(len(bad), len(is_bad_n))} {what}: {pointing.rows(case.runs, bad)}."
    fix = f"Leave out what did not finish, or train it again{pointing.cost(case, bad)}."
    return [Finding("R2", "red" if severity == "red" else "amber", sentence, len(bad) / len(is_bad_n), fix)]


def _far(case: Case, is_far_n: np.ndarray, above_n: np.ndarray, whose_n: np.ndarray) -> list[Finding]:
    far = np.flatnonzero(is_far_n)
    if not len(far):
        return []
    far = far[np.argsort(-above_n[far], kind="stable")]
    first = int(far[0])
    told = pointing.rows(case.runs, far)
    sentence = (
        f"{pointing.are(len(far), len(is_far_n))} far worse than a smaller and shorter one: {told}; the first by "
        f"{np.expm1(above_n[first]):.0%}, against row {whose_n[first] + 1}."
    )
    fix = f"Look at their training curves; leave out what diverged, or repeat it{pointing.cost(case, far)}."
    return [Finding("R2", "amber", sentence, float(np.expm1(above_n[first])), fix)]

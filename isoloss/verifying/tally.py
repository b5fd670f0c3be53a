"""How often predictions held: the share of runs inside their intervals, with the interval of that share."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isoloss.core import text
from isoloss.core.estimate import Estimate
from isoloss.verifying.chain import Fault
from isoloss.verifying.forecast import LEVEL
from isoloss.verifying.scoring import Score

BANDS = ((0.0, "within the data"), (0.5, "up to 0.5 decades beyond"), (1.0, "0.5 to 1 decade beyond"))
FARTHER = "more than 1 decade beyond"
PROVES = (
    "an entry that was edited, removed or moved is found; a whole log made anew is not, unless its head was published",
    "the times are those of this machine's clock, and a run that was trained in another folder first is not seen",
)


@dataclass(frozen=True)
class Count:
    """`inside` of `n` runs were in their interval; `share` with its 90% interval; `miss` the median of |miss|."""

    label: str
    n: int
    inside: int
    share: Estimate
    miss: float | None
    crps: float | None

    @classmethod
    def of(cls, scores: Sequence[Score], label: str) -> Count:
        """Count those that count."""
        n, inside = len(scores), sum(score.standing == "inside" for score in scores)
        miss = statistics.median(abs(score.miss) for score in scores) if scores else None
        crps = statistics.fmean(score.crps for score in scores) if scores else None
        return cls(label, n, inside, clopper_pearson(inside, n), miss, crps)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "share": self.share.to_json()}

    def __str__(self) -> str:
        if not self.n:
            return f"{self.label}: no run yet"
        share = f"{self.share.low:.0%} to {self.share.high:.0%}"
        held = f"{self.inside} of {self.n} inside ({self.share.mid:.0%}; {share})"
        return f"{self.label}: {held}, median miss {self.miss:.2%}"


@dataclass(frozen=True)
class Tally:
    """What all verifications of a folder come to, and whether their log is as it was written.

    `whole` counts the predictions made before their runs, `bands` the same by decades beyond the fitted data,
    `retrospective` those made after, which prove nothing; `fits` is how many fits made them. `later` counts predictions
    after the first of a run.
    """

    whole: Count
    bands: tuple[Count, ...]
    retrospective: Count
    fits: int
    waiting: tuple[str, ...]
    diverged: tuple[str, ...]
    late: tuple[str, ...]
    later: int
    faults: tuple[Fault, ...]
    head: str
    entries: int

    @property
    def sound(self) -> bool:
        """Whether nothing was changed after it was written."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        return {
            "level": LEVEL,
            **self.whole.to_json(),
            "bands": [band.to_json() for band in self.bands],
            "retrospective": self.retrospective.to_json(),
            "fits": self.fits,
            "waiting": list(self.waiting),
            "diverged": list(self.diverged),
            "late": list(self.late),
            "later": self.later,
            "faults": [fault.to_json() for fault in self.faults],
            "head": self.head,
            "entries": self.entries,
            "assumptions": [*self.assumptions],
        }

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the tally takes for granted, and what it cannot show."""
        n = self.whole.n
        shared = f"runs are counted as independent, but these {n} share the errors of their fits, of which there are"
        return (*((f"{shared} {self.fits}",) if n > self.fits else ()), *PROVES)

    def __str__(self) -> str:
        lines = [str(self.whole), *(f"  {band}" for band in self.bands if band.n)]
        lines += [str(self.retrospective)] if self.retrospective.n else []
        for names, what in (
            (self.waiting, "predicted and not trained yet"),
            (self.diverged, "diverged, with no loss to score"),
            (self.late, "begun before they were predicted, not counted"),
        ):
            lines += [text.wrapped(f"{len(names)} {what}: {', '.join(names)}")] if names else []
        lines += [f"{self.later} later predictions of the same runs, not counted"] if self.later else []
        state = "the log is whole" if self.sound else f"THE LOG WAS CHANGED, in {len(self.faults)} places"
        lines += [f"{state}; {self.entries} entries, head {self.head}"]
        lines += [text.wrapped(f"  [red {fault.code}] {fault.sentence}") for fault in self.faults]
        return "\n".join([*lines, *text.notes(self.assumptions, ())])


def tally(scores: Sequence[Score], later: int, faults: Sequence[Fault], head: str, entries: int) -> Tally:
    """Count the scores of a folder."""
    counted = [score for score in scores if score.counts]
    ended = [s for s in scores if s.kind == "retrospective" and s.standing in ("inside", "outside")]
    labels = [label for _, label in BANDS] + [FARTHER]
    return Tally(
        whole=Count.of(counted, f"{LEVEL:.0%} intervals of new runs"),
        bands=tuple(Count.of([s for s in counted if _band(s.decades) == label], label) for label in labels),
        retrospective=Count.of(ended, "made after the fact, not counted"),
        fits=len({score.fit for score in counted}),
        waiting=_runs(scores, "waiting"),
        diverged=_runs(scores, "diverged"),
        late=_runs(scores, "late"),
        later=later,
        faults=tuple(faults),
        head=head,
        entries=entries,
    )


def clopper_pearson(k: int, n: int, level: float = 0.9) -> Estimate:
    """Return k / n with its exact interval (Clopper and Pearson 1934), at least `level` whatever the true share."""
    from scipy.stats import beta

    if n == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    return Estimate(k / n, low, high)


def _band(decades: float) -> str:
    return next((label for most, label in BANDS if decades <= most), FARTHER)


def _runs(scores: Sequence[Score], standing: str) -> tuple[str, ...]:
    return tuple(score.run for score in scores if score.standing == standing)

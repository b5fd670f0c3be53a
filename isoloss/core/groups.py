"""The same law fitted to several groups of runs at once: one Fit each, with draws that belong together.

Shapes: `g` groups, `s` draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import storage
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import STATUS_MEANING, Fit
from isoloss.core.shown import Shown
from isoloss.core.text import WIDTH, notes

DRAWS_PER_CONTRAST = 20  # fewer draws for each difference that is tested tell no covariance
UNLIKELY = 0.05
UNBOUNDED = 1e100  # a parameter that may be larger than this is an amplitude or a scale


@dataclass(frozen=True)
class Equality:
    """Whether parameters are the same in all groups: Wald's chi-square, and the chance of one as large if they were.

    The chance is that of F with `freedom` and `left` degrees, since the covariance is itself estimated.
    """

    names: tuple[str, ...]
    chi_square: float
    freedom: int
    left: int
    p_value: float

    def to_json(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "chi2": self.chi_square,
            "freedom": self.freedom,
            "left": self.left,
            "p_value": self.p_value,
        }

    def __str__(self) -> str:
        alone = len(self.names) == 1
        verdict = ("differs" if alone else "differ") if self.p_value < UNLIKELY else "may be equal"
        return (
            f"{', '.join(self.names)} {verdict} between groups: "
            f"F({self.freedom}, {self.left}) = {self.chi_square / self.freedom:.3g}, p = {self.p_value:.2g}"
        )


@dataclass(frozen=True, eq=False)
class Groups(Shown, Mapping[str, Fit]):
    """Fits by the value of column `by`; parameters `share` are common to all; draw i of each is of one resample."""

    by: str
    fits: Mapping[str, Fit]
    share: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all groups, each once."""
        return tuple(dict.fromkeys(f for fit in self.fits.values() for f in fit.findings))

    def __getitem__(self, label: str) -> Fit:
        if label not in self.fits:
            raise UnknownNameError(f"group of {self.by}", label, self.fits)
        return self.fits[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fits)

    def __len__(self) -> int:
        return len(self.fits)

    def difference(self, name: str, one: str, other: str, level: float = 0.9) -> Estimate:
        """A parameter of `one` less that of `other`, with the interval of the paired draws."""
        a, b = self[one], self[other]
        a.law.theta({**a.theta, name: 0.0})
        j = a.law.names.index(name)
        return Estimate.of(a.theta_p[j] - b.theta_p[j], a.draws_sp[:, j] - b.draws_sp[:, j], level)

    def equal(self, *names: str) -> Equality:
        """Test that parameters are equal in all groups, by Wald's statistic with the covariance of the paired draws.

        Amplitudes and scales are compared by their logarithms, whose draws are nearer to normal.
        Raises RequestError where they are the same by construction, so that there is nothing to test, or where there
        are too few draws; UnknownNameError for a name.
        """
        from scipy.stats import f

        names = tuple(dict.fromkeys(names))
        if not names:
            raise RequestError("There is no parameter to test.", do='For example equal("alpha", "beta").')
        self._check_names(names)
        contrast_q, draws_sq = self._contrasts(names)
        needed = DRAWS_PER_CONTRAST * len(contrast_q)
        if len(draws_sq) < needed:
            raise RequestError(
                f"{len(draws_sq)} draws are too few to test {', '.join(names)} over {len(self)} groups.",
                do=f"Fit with draws={needed} or more.",
            )
        spread_q = draws_sq.std(axis=0)
        if not (spread_q > 0).all():
            raise RequestError(f"{' and '.join(names)} are held, tied or shared: nothing is left to test.")
        correlation_qq = np.atleast_2d(np.corrcoef(draws_sq.T))
        apart_q = contrast_q / spread_q
        freedom = int(np.linalg.matrix_rank(correlation_qq, hermitian=True))
        statistic = float(apart_q @ np.linalg.pinv(correlation_qq, rcond=1e-12, hermitian=True) @ apart_q)
        left = max(min(self._left(), len(draws_sq) - freedom), 1)
        return Equality(names, statistic, freedom, left, float(f.sf(statistic / freedom, freedom, left)))

    def _left(self) -> int:
        # Runs of all groups less free parameters, each shared one counted once.
        fits = list(self.fits.values())
        free = [name for name in fits[0].law.names if name not in fits[0].fixed]
        shared = sum(name in self.share for name in free)
        return sum(fit.data.n for fit in fits) - len(fits) * (len(free) - shared) - shared

    def _check_names(self, names: tuple[str, ...]) -> None:
        first, *others = self.fits.values()
        for name in names:
            j = int(np.flatnonzero(first.law.theta({**dict.fromkeys(first.law.names, 0.0), name: 1.0}))[0])
            if all(np.array_equal(f.draws_sp[:, j], first.draws_sp[:, j]) for f in others) and len(first.draws_sp):
                raise RequestError(
                    f"{name} is the same in all groups of this fit, because it is {self._why_same(name)}.",
                    do=f"Fit with {name} free in each group.",
                )

    def _why_same(self, name: str) -> str:
        return "shared" if name in self.share else "held, or tied to one that is shared"

    def _contrasts(self, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        # Every other group less the first: at the best estimates (q,), and draw by draw (s, q).
        first, *others = (_compared(fit, names) for fit in self.fits.values())
        return (
            np.concatenate([best_p - first[0] for best_p, _ in others]),
            np.concatenate([draws_sp - first[1] for _, draws_sp in others], axis=1),
        )

    def save(self, path: Any) -> None:
        """Write all fits as JSON, exactly; raises OutputError where the place cannot be written."""
        storage.write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Any) -> Groups:
        """Read what `save` wrote; raises FormatError for anything else."""
        return storage.read_json(path, "groups", cls.from_json)

    def to_json(self) -> dict[str, Any]:
        fits = {label: fit.to_json() for label, fit in self.fits.items()}
        return {"schema": 1, "noun": "groups", "by": self.by, "share": list(self.share), "fits": fits}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Groups:
        return cls(d["by"], {label: Fit.from_json(fit) for label, fit in d["fits"].items()}, tuple(d["share"]))

    def summary(self, level: float = 0.9) -> dict[str, Any]:
        """What `isoloss fit --by --json` says: the summary of each fit."""
        fits = {label: fit.summary(level) for label, fit in self.fits.items()}
        return {"schema": 1, "by": self.by, "share": list(self.share), "groups": fits}

    def __str__(self) -> str:
        """A table with a column a group, in at most 100 columns, and what holds of all groups once."""
        first = next(iter(self.fits.values()))
        lines = [f"{first.law.name}: {len(self)} groups by {self.by}, fitted together"]
        lines += [f"status {first.status}: {STATUS_MEANING[first.status]}"]
        lines += [f"objective {first.objective[0]} = {first.objective[1]:.8g}, of all groups"]
        names = first.law.names
        rows = [self.by, "runs", "scatter", *names]
        columns = [
            [label, f"{fit.data.n}", f"{fit.scatter:.2%}", *(str(fit.interval(name)) for name in names)]
            for label, fit in self.fits.items()
        ]
        lines += _table(rows, [*columns, ["equal?", "", "", *map(self._equal_in_words, names)]])
        lines += [str(first.certificate)] if first.certificate else []
        return "\n".join([*lines, *notes(first.assumptions, self.findings)])

    def _equal_in_words(self, name: str) -> str:
        if name in self.share:
            return "shared"
        try:
            found = self.equal(name)
        except RequestError:
            return "-"
        return f"{'no' if found.p_value < UNLIKELY else 'may be'}, p = {found.p_value:.2g}"


def _compared(fit: Fit, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    # Values and draws of parameters as they are compared: logarithms where the size may be anything.
    index = [fit.law.names.index(name) for name in names]
    best_p, draws_sp = fit.theta_p[index].copy(), fit.draws_sp[:, index].copy()
    for k, j in enumerate(index):
        if fit.law.parameters[j].range.high > UNBOUNDED and best_p[k] > 0 and (draws_sp[:, k] > 0).all():
            best_p[k], draws_sp[:, k] = np.log(best_p[k]), np.log(draws_sp[:, k])
    return best_p, draws_sp


def _table(rows: list[str], columns: list[list[str]]) -> list[str]:
    # Columns beyond the width go below, under the names of the rows again.
    lines: list[str] = []
    head = [f"  {name:<{max(map(len, rows))}}" for name in rows]
    block = head
    for column in columns:
        width = max(map(len, column))
        if len(block[0]) + 2 + width > WIDTH and block is not head:
            lines += [line.rstrip() for line in block]
            block = head
        block = [f"{line}  {cell:<{width}}" for line, cell in zip(block, column, strict=True)]
    return lines + [line.rstrip() for line in block]

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
from isoloss.core.fit import Fit


@dataclass(frozen=True)
class Equality:
    """Whether parameters are the same in all groups: Wald's chi-square, and the chance of one as large if they were."""

    names: tuple[str, ...]
    chi_square: float
    freedom: int
    p_value: float

    def to_json(self) -> dict[str, Any]:
        return {"names": list(self.names), "chi2": self.chi_square, "freedom": self.freedom, "p_value": self.p_value}

    def __str__(self) -> str:
        verdict = "differ" if self.p_value < 0.05 else "may be equal"
        return (
            f"{', '.join(self.names)} {verdict} between groups: "
            f"chi2({self.freedom}) = {self.chi_square:.3g}, p = {self.p_value:.2g}"
        )


@dataclass(frozen=True, eq=False)
class Groups(Mapping[str, Fit]):
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

        Raises RequestError where they are shared, so that there is nothing to test, or where there are too few draws.
        """
        from scipy.stats import chi2

        fits = list(self.fits.values())
        law = fits[0].law
        for name in names:
            law.theta({**fits[0].theta, name: 0.0})
            if name in self.share or name in fits[0].fixed:
                raise RequestError(f"{name} is the same in all groups of this fit.", do=f"Fit without sharing {name}.")
        index = [law.names.index(name) for name in names]
        if not index or len(fits[0].draws_sp) < 10 * len(index) * len(fits):
            raise RequestError("There are no parameters to test, or too few draws to test them with.")
        difference = np.concatenate([f.theta_p[index] - fits[0].theta_p[index] for f in fits[1:]])
        draws = np.concatenate([f.draws_sp[:, index] - fits[0].draws_sp[:, index] for f in fits[1:]], axis=1)
        statistic = float(difference @ np.linalg.pinv(np.atleast_2d(np.cov(draws.T)), hermitian=True) @ difference)
        freedom = len(difference)
        return Equality(names, statistic, freedom, float(chi2.sf(statistic, freedom)))

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
        shared = f"; shared: {', '.join(self.share)}" if self.share else ""
        lines = [f"{len(self)} groups by {self.by}{shared}"]
        for label, fit in self.fits.items():
            lines += [f"{self.by} = {label}: {fit.data.n} runs, status {fit.status}, scatter {fit.scatter:.2%}"]
            lines += [f"  {name:>8} = {fit.interval(name)}" for name in fit.law.names]
        first = next(iter(self.fits.values()))
        return "\n".join([*lines, *(f"  assuming {a}" for a in first.assumptions), *(f"  {f}" for f in first.findings)])

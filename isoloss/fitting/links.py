"""What is asked of parameters: held at a value, tied to each other, shared between groups, or with a prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.law import Law


@dataclass(frozen=True)
class Links:
    """What links parameters: values that are held, names that are tied, names shared by all groups, normal priors.

    A prior is a mean and a standard deviation of the parameter; on a scale it is log-normal, of that relative width.
    """

    hold: Mapping[str, float] = field(default_factory=dict)
    tie: tuple[tuple[str, ...], ...] = ()
    share: tuple[str, ...] = ()
    prior: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.hold or self.tie or self.share or self.prior)

    def check(self, law: Law) -> None:
        """Raise UnknownNameError or RequestError for links that this law cannot have."""
        _check_names(self, law)
        for name, value in self.hold.items():
            span = law.parameters[law.names.index(name)].range
            if not span.low <= value <= span.high:
                raise RequestError(
                    f"{name} cannot be held at {value:g}.", f"It goes from {span.low:g} to {span.high:g}."
                )
        for name, (mean, deviation) in self.prior.items():
            if not (np.isfinite(mean) and 0 < deviation < np.inf):
                raise RequestError(
                    f"The prior of {name} is {mean:g} with standard deviation {deviation:g}.",
                    do="Give a number and a positive width: alpha=0.35±0.05.",
                )

    def of(self, name: str) -> str:
        """The name of the coordinate that a parameter belongs to: 'alpha=beta' where these two are tied."""
        return next(("=".join(names) for names in self.tie if name in names), name)

    @property
    def fixed(self) -> tuple[str, ...]:
        """The parameters that are held, and of those tied all but the first."""
        return (*self.hold, *(name for names in self.tie for name in names[1:]))

    @property
    def stated(self) -> tuple[str, ...]:
        """The links in sentences."""
        return (
            *(f"{name} is held at {value:g}" for name, value in self.hold.items()),
            *(f"{' and '.join(names)} are tied" for names in self.tie),
            *(f"{name} is the same in all groups" for name in self.share),
            *(f"{name} has the prior {mean:g} ± {sd:g}" for name, (mean, sd) in self.prior.items()),
        )


def _check_names(links: Links, law: Law) -> None:
    tied = [name for names in links.tie for name in names]
    for name in [*links.hold, *tied, *links.share, *links.prior]:
        if name not in law.names:
            raise UnknownNameError(f"parameter of the law '{law.name}'", name, law.names)
    for names in links.tie:
        if len(set(names)) < 2:
            raise RequestError(f"'{','.join(names)}' ties nothing.", do="Name two or more: tie=('alpha', 'beta').")
    if len(set(tied)) < len(tied):
        raise RequestError("A parameter is tied twice.", do="Name all that are equal in one tie.")
    for name in [*links.prior, *tied]:
        if name in links.hold:
            raise RequestError(f"{name} is held at {links.hold[name]:g}, and tied or given a prior as well.")

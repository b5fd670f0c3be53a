"""Why an optimum is believed to be the lowest, and how well the runs hold each parameter: numbers, not a flag."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from isoloss.core import numbers
from isoloss.core.text import together, wrapped


@dataclass(frozen=True)
class Certificate:
    """What the solver saw at the optimum that it reports.

    `agreed` of `starts` starts reached it; the next optimum that any found is `gap` higher (a part of the objective).
    `gradient` is the steepest slope there, and `moved` the longest move from the start, both in natural steps of each
    parameter. `condition` is that of the Jacobian with columns of equal length. `bounds` names parameters at an end
    of their range, `flat` those in a direction that the runs cannot see; `play` says how far each parameter may move,
    the others following, before the objective grows by 1%.
    """

    starts: int
    agreed: int
    gap: float = math.inf
    gradient: float = math.nan
    moved: float = math.nan
    condition: float = math.nan
    bounds: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    play: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, null for what is not known or without limit."""
        plain = {k: _plain(v) for k, v in asdict(self).items()}
        return plain | {"play": {name: _plain(v) for name, v in self.play.items()}}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Certificate:
        """The inverse of `to_json`."""
        unknown = {"gap": math.inf, "gradient": math.nan, "moved": math.nan, "condition": math.nan}
        known = {**d, **{name: worst for name, worst in unknown.items() if d[name] is None}}
        play = {name: math.inf if v is None else v for name, v in d["play"].items()}
        return cls(**known | {"play": play, "bounds": tuple(d["bounds"]), "flat": tuple(d["flat"])})

    def __str__(self) -> str:
        """A few sentences, in lines of at most 100 columns."""
        rival = "no other optimum was found" if math.isinf(self.gap) else f"the next optimum is {self.gap:.2%} higher"
        parts = [f"{self.agreed} of {self.starts} starts agree", rival, f"steepest slope {self.gradient:.1g}"]
        parts += [f"condition {numbers.short(self.condition, 2)}"]
        lines = [wrapped(f"certificate: {together(parts, '; ')}")]
        lines += [wrapped(f"  at the end of the range: {', '.join(self.bounds)}")] if self.bounds else []
        lines += [wrapped(f"  unseen: {', '.join(self.flat)}")] if self.flat else []
        if self.play:
            play = together(f"{name} ± {numbers.short(v, 2)}" for name, v in self.play.items())
            lines.append(wrapped(f"  1% more of the objective lets move, the others following: {play}"))
        return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if not isinstance(value, float) or math.isfinite(value) else None

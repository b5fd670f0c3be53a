"""Answers with intervals, and the assumptions behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoloss.core import text
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.shown import Shown

BOUNDS = "bounds of what is assumed"
IN_FULL = 1e6


@dataclass(frozen=True)
class Option:
    """One thing to do: an estimate for each quantity, read as attributes: `option.params.mid`."""

    estimates: Mapping[str, Estimate]
    label: str = ""

    def __getattr__(self, name: str) -> Estimate:
        try:
            return self.__dict__["estimates"][name]
        except KeyError:
            raise AttributeError(
                f"this option has no '{name}'; it has {', '.join(self.__dict__.get('estimates', {}))}"
            ) from None

    def __getitem__(self, name: str) -> Estimate:
        return self.estimates[name]


@dataclass(frozen=True)
class Plan(Shown):
    """Options for a goal, best first, at one level, with the assumptions and findings behind them.

    `bounds` names the quantities whose ends are not quantiles at `level` but the least and most that assumptions allow
    together; `level` is None where all are.
    """

    goal: str
    options: tuple[Option, ...]
    level: float | None
    assumptions: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    bounds: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The answer in sentences: numbers with intervals first, then what they rest on."""
        lines = [text.wrapped(f"{self.goal}{self._intervals()}")]
        for option in self.options:
            lines += [f"  {option.label}"] if option.label else []
            lines += [f"  {name:>17}  {_shown(estimate)}" for name, estimate in option.estimates.items()]
        lines += text.notes(self.assumptions, self.findings)
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The JSON shape of `isoloss plan --json`."""
        options = [
            {**({"label": o.label} if o.label else {}), **{n: e.to_json() for n, e in o.estimates.items()}}
            for o in self.options
        ]
        return {
            "schema": 1,
            "goal": self.goal,
            "level": self.level,
            "bounds": list(self.bounds),
            "options": options,
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

    def _intervals(self) -> str:
        # What the ends that are printed are: quantiles, bounds, or some of each.
        doubtful = {
            name: None
            for o in self.options
            for name, e in o.estimates.items()
            if e.known and not e.low == e.mid == e.high
        }
        bounded = [name for name in doubtful if name in self.bounds]
        if self.level is None or (bounded and len(bounded) == len(doubtful)):
            return f" ({BOUNDS})" if doubtful else ""
        quantiles = f"{self.level:.0%} intervals" if doubtful else ""
        return f" ({quantiles}; {BOUNDS}: {', '.join(bounded)})" if bounded else f" ({quantiles})" if quantiles else ""


def _shown(estimate: Estimate) -> str:
    # Whole numbers that are exact, such as a shape's, in full.
    exact = estimate.low == estimate.mid == estimate.high
    if exact and abs(estimate.mid) < IN_FULL and estimate.mid == int(estimate.mid):
        return f"{int(estimate.mid)}"
    return str(estimate)

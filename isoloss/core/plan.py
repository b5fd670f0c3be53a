"""Answers with intervals, and the assumptions behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoloss.core import text
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding


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
class Plan:
    """Options for a goal, best first, at one level, with the assumptions and findings behind them."""

    goal: str
    options: tuple[Option, ...]
    level: float
    assumptions: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        """The answer in sentences: numbers with intervals first, then what they rest on."""
        known = any(e.known and e.low != e.high for option in self.options for e in option.estimates.values())
        lines = [text.wrapped(f"{self.goal} ({self.level:.0%} intervals)" if known else self.goal)]
        for option in self.options:
            lines += [f"  {option.label}"] if option.label else []
            lines += [f"  {name:>17}  {estimate}" for name, estimate in option.estimates.items()]
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
            "options": options,
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

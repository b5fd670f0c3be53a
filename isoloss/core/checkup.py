"""What an examination of runs found, code by code: what is wrong, what was looked at and is fine, what could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoloss.core import text
from isoloss.core.finding import Finding, gravest_first
from isoloss.core.shown import Shown


@dataclass(frozen=True)
class Verdict:
    """One code and what it `asks`: either `findings`, or why all is `fine`, or why it stays `unseen`."""

    code: str
    asks: str
    findings: tuple[Finding, ...] = ()
    fine: str = ""
    unseen: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.asks} {self.fine or self.unseen}"

    def to_json(self) -> dict[str, Any]:
        found = [f.to_json() for f in self.findings]
        return {"code": self.code, "asks": self.asks, "findings": found, "fine": self.fine, "unseen": self.unseen}


@dataclass(frozen=True)
class Checkup(Shown):
    """Every verdict on `n` runs under one law, by code."""

    verdicts: Mapping[str, Verdict]
    n: int
    source: str
    law: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the gravest first."""
        return gravest_first(f for verdict in self.verdicts.values() for f in verdict.findings)

    def __getitem__(self, code: str) -> Verdict:
        return self.verdicts[code]

    def __str__(self) -> str:
        """Findings first, then what is fine, then what could not be looked at, in at most 100 columns."""
        told = [v for v in self.verdicts.values() if not v.findings]
        lines = [f"{self.n} runs of {self.source}, examined under {self.law}"[: text.WIDTH]]
        lines += text.notes((), self.findings) or ["  nothing was found"]
        for head, shown in (("fine", [v for v in told if v.fine]), ("not to be seen", [v for v in told if v.unseen])):
            lines += [head, *(text.wrapped(f"  {v}") for v in shown)] if shown else []
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The JSON shape of `isoloss check --json`."""
        return {
            "schema": 1,
            "n": self.n,
            "source": self.source,
            "law": self.law,
            "findings": [f.to_json() for f in self.findings],
            "verdicts": [v.to_json() for v in self.verdicts.values()],
        }

"""A finding: a coded diagnosis, the same in the terminal, the page and the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Severity = Literal["red", "amber", "note"]


@dataclass(frozen=True)
class Finding:
    """What is wrong or worth knowing: a code, how bad, one sentence, the number behind it, and the remedy."""

    code: str
    severity: Severity
    sentence: str
    number: float | None = None
    fix: str = ""

    def __str__(self) -> str:
        return f"[{self.severity} {self.code}] {self.sentence}" + (f" {self.fix}" if self.fix else "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Red findings, then amber ones, then notes."""
    return tuple(sorted(findings, key=lambda f: get_args(Severity).index(f.severity)))

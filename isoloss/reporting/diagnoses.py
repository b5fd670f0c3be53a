"""The report's findings: what is wrong, what was looked at and is fine, and what these runs do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoloss.core.finding import Finding, gravest_first
from isoloss.reporting.markup import Html, facts, section, tag

if TYPE_CHECKING:
    from isoloss.reporting.page import Content

SEVERITY = {"red": "Serious", "amber": "Caution", "note": "Note"}


def findings(content: Content) -> Html:
    """Every diagnosis, with its remedy."""
    found = [finding(f) for f in every_finding(content)] or [tag("p", "No check found anything to report.")]
    return section("Findings", *found, *_without_findings(content))


def _without_findings(content: Content) -> list[Html]:
    """What was looked at and is fine, and what could not be looked at and why."""
    verdicts = content.checkup.verdicts.values() if content.checkup else ()
    fine = [(f"{v.code} {v.asks}", v.fine) for v in verdicts if v.fine]
    unseen = [(f"{v.code} {v.asks}", v.unseen) for v in verdicts if v.unseen]
    parts = (("Looked at, and fine", fine), ("Not to be seen in these runs", unseen))
    return [tag("details", tag("summary", f"{title}: {len(told)}"), facts(dict(told))) for title, told in parts if told]


def finding(found: Finding) -> Html:
    """One diagnosis in words."""
    words = f"{found.sentence} {found.fix}".strip()
    label = f"{SEVERITY[found.severity]} {found.code}:"
    return tag("div", tag("b", label), words, class_=f"finding {found.severity}")


def every_finding(content: Content) -> list[Finding]:
    """The findings of the fit, of the plan and of the examination, each once, the gravest first."""
    checked = content.checkup.findings if content.checkup else ()
    return list(gravest_first({str(f): f for f in (*content.fit.findings, *content.plan.findings, *checked)}.values()))

"""The report's findings: what is wrong, what was looked at and is fine, and what these runs do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoloss.core.finding import Finding, gravest_first
from isoloss.reporting.markup import Html, facts, joined, section, tag

if TYPE_CHECKING:
    from isoloss.reporting.page import Content

SEVERITY = {"red": "Serious", "amber": "Caution", "note": "Note"}


def findings(content: Content) -> Html:
    """Every diagnosis, with its remedy."""
    found = [finding(f) for f in every_finding(content)] or [tag("p", "No check found anything to report.")]
    return section("Findings", *found, *_without_findings(content), id="findings")


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
    """The findings of the fit, of the plan and of the examination, each once, the gravest first.

    Where the examination, made for this budget, has findings of a code, they stand for all others of that code.
    """
    examined = content.checkup.findings if content.checkup else ()
    told = {f.code for f in examined}
    others = [f for f in (*content.fit.findings, *content.plan.findings) if f.code not in told]
    return list(gravest_first({str(f): f for f in (*others, *examined)}.values()))


def serious(content: Content) -> Html:
    """What stands beside the answer: red findings whole, and which cautions there are."""
    found = every_finding(content)
    cautions = [f for f in found if f.severity == "amber"]
    codes = ", ".join(dict.fromkeys(f.code for f in cautions))
    count = f"{len(cautions)} caution{'s' if len(cautions) > 1 else ''} ({codes})"
    line = [tag("div", tag("b", f"{count}:"), tag("a", "see the findings", href="#findings"), class_="finding amber")]
    return joined(*(finding(f) for f in found if f.severity == "red"), *(line if cautions else []))

"""HTML in which every word is escaped unless it was built here, and a policy under which a page fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoloss.core.finding import Finding
    from isoloss.core.sheets import Sheet


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *children: Any, **attributes: str) -> Html:
    """An element: children that are not Html are escaped; `class_` stands for class, `aria_label` for aria-label."""
    named = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(v)}"' for key, v in attributes.items())
    return Html(f"<{name}{named}>{joined(*children)}</{name}>")


def joined(*children: Any) -> Html:
    """Children one after another, escaped where they are not Html."""
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in children))


def items(lines: Iterable[Any], **attributes: str) -> Html:
    """A bulleted list."""
    return tag("ul", *(tag("li", line) for line in lines), **attributes)


def data(content: Any, identity: str) -> Html:
    """A block of JSON that no word in it can end: '<', '>' and '&' are written as escapes."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{identity}">{text}</script>')


def policy(scripts: Sequence[str]) -> str:
    """A content security policy under which these scripts run, no other, and nothing is fetched."""
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{d}'" for d in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def of_sheet(sheet: Sheet) -> Html:
    """A noun's sheet for a notebook: no script, no style sheet, nothing fetched; it takes the notebook's colours."""
    parts: list[Html] = [tag("p", tag("strong", sheet.title))]
    if sheet.table is not None:
        head = tag("tr", *(tag("th", words, scope="col") for words in sheet.table.head))
        rows = [tag("tr", *(tag("td", cell) for cell in row)) for row in sheet.table.rows]
        inner = tag("table", tag("thead", head), tag("tbody", *rows))
        parts.append(tag("div", inner, style="overflow-x: auto"))
    if sheet.text:
        parts.append(tag("pre", sheet.text))
    parts += [tag("p", fact) for fact in sheet.facts]
    if sheet.findings:
        parts.append(items([_finding(finding) for finding in sheet.findings]))
    if sheet.notes:
        told = tag("summary", f"{len(sheet.notes)} assumptions and notes")
        parts.append(tag("details", told, items(sheet.notes)))
    return tag("div", *parts, class_="isoloss")


def _finding(finding: Finding) -> Html:
    words = f" {finding.sentence} {finding.fix}".rstrip()
    return joined(tag("strong", f"{finding.severity} {finding.code}"), words)

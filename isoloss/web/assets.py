"""The page's own files, and Plotly's script from the installed package: nothing is fetched from any other host."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from importlib.metadata import version

from isoloss.web.limits import Refused

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PLOTLY = "plotly.js"


@cache
def asset(name: str) -> tuple[bytes, str]:
    """A file of `static/` by its bare name, and its type; Refused (404) for any other."""
    if name == PLOTLY:
        return _plotly(), TYPES[".js"]
    if name not in _names():
        raise Refused(404, f"There is no page '{name[:80]}'.", do="Go to /.")
    content = resources.files("isoloss.web").joinpath("static", name).read_bytes()
    if name == "index.html":
        content = content.replace(PLOTLY.encode(), f"{PLOTLY}?v={version('plotly')}".encode())
    return content, TYPES[name[name.rindex(".") :]]


@cache
def _names() -> frozenset[str]:
    folder = resources.files("isoloss.web").joinpath("static")
    return frozenset(entry.name for entry in folder.iterdir() if entry.name[entry.name.rfind(".") :] in TYPES)


def _plotly() -> bytes:
    # A part of it for maps adds a style of its own unless an element with a certain name is there. The page's policy
    # forbids that style, and the page has no maps: so the element is there.
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    names = dict.fromkeys(re.findall(r'getElementById\("([0-9a-f]{64})"\)', script))
    made = [
        f'document.head.append(Object.assign(document.createElement("style"), {{ id: "{name}" }}));' for name in names
    ]
    return "\n".join([*made, script]).encode()

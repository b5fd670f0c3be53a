"""Figures as files and in notebooks: a page that holds all it needs, pictures, and what a notebook is given."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from isoloss.core import html, storage
from isoloss.core.errors import MissingExtraError, RequestError

if TYPE_CHECKING:
    from isoloss.core.figure import Figure, Theme

PICTURES = (".png", ".svg", ".pdf")
SUFFIXES = (".html", ".json", *PICTURES)
DPI = 150

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="$policy">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1f2328; --faint: #57606a; --page: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --faint: #9aa4af; --page: #14171a; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 70rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
section { margin-bottom: 3rem; }
ul { color: var(--faint); padding-left: 1.2rem; }
.chart { width: 100%; min-height: 460px; }
</style>
</head>
<body>
$body
$figures
<script>$plotly</script>
<script>$script</script>
</body>
</html>
""")

_SCRIPT = """"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const darkness = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  figures.forEach((figure, i) => {
    const { data, layout } = figure[darkness.matches ? "dark" : "light"];
    Plotly.react(document.getElementById(`chart-${i}`), data, layout, { responsive: true, displaylogo: false });
  });
}
draw();
darkness.addEventListener("change", draw);
"""


def save(figure: Figure, path: Any, theme: Theme) -> None:
    """Write the figure as the path's suffix says; raises RequestError, OutputError, MissingExtraError."""
    suffix = Path(path).suffix.lower()
    check_suffix(path)
    if suffix == ".json":
        storage.write_json(path, figure.to_json())
    elif suffix == ".html":
        storage.write_text(path, page([figure]))
    else:
        storage.write_bytes(path, picture(figure, suffix[1:], theme))


def check_suffix(path: Any) -> None:
    """Raise RequestError unless the path ends as a file that a figure can be written to."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise RequestError(
            f"A figure cannot be written as '{Path(path).name}'.",
            f"It can be written to files that end on {', '.join(SUFFIXES)}.",
        )


def picture(figure: Figure, kind: str, theme: Theme = "light", dpi: int = DPI) -> bytes:
    """The figure drawn by Matplotlib as 'png', 'svg' or 'pdf', the same bytes every time; raises MissingExtraError."""
    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError("paper", "matplotlib") from None

    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    written = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": figure.name, "svg.fonttype": "none"}):
        figure.to_matplotlib(theme).savefig(written, format=kind, dpi=dpi, metadata=dated)
    return written.getvalue()


def page(figures: Sequence[Figure], title: str = "") -> str:
    """An HTML page with the figures, which asks no other host for anything and runs no script but its own two."""
    from plotly.offline import get_plotlyjs

    scripts = (get_plotlyjs(), _SCRIPT)
    return _PAGE.substitute(
        policy=html.policy(scripts),
        title=html.joined(title or "isoloss: " + ", ".join(figure.name or figure.title for figure in figures)),
        body=html.joined(*(_section(figure, i) for i, figure in enumerate(figures))),
        figures=html.data([_drawn(figure) for figure in figures], "figures"),
        plotly=scripts[0],
        script=scripts[1],
    )


def mimebundle(figure: Figure) -> dict[str, Any]:
    """What a notebook is given: Plotly's kind, an SVG where Matplotlib is there, and words; no address is asked."""
    drawn = json.loads(figure.to_plotly().to_json())
    bundle: dict[str, Any] = {"application/vnd.plotly.v1+json": drawn, "text/plain": repr(figure)}
    try:
        return bundle | {"image/svg+xml": picture(figure, "svg").decode()}
    except MissingExtraError:
        return bundle


def _section(figure: Figure, i: int) -> html.Html:
    return html.tag("section", html.tag("div", class_="chart", id=f"chart-{i}"), html.items(figure.notes))


def _drawn(figure: Figure) -> dict[str, Any]:
    return {theme: json.loads(figure.to_plotly(theme).to_json()) for theme in ("light", "dark")}

"""Draws a figure with Plotly, for pages and notebooks. Plotly is imported on first use.

Plotly reads some HTML in its text, so every word that came from outside is escaped.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from isoloss.core import figure_style as style
from isoloss.core import numbers
from isoloss.core.figure import Axis, Band, Figure, Line, Panel, Points, Region, Theme

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"

ROW_HEIGHT = 360  # in pixels, where there are several rows of panels


def draw(figure: Figure, theme: Theme) -> Any:
    """The figure as a `plotly.graph_objects.Figure`, its panels side by side."""
    import plotly.graph_objects as go

    drawn = go.Figure(layout=_layout(figure, theme))
    owners = style.legend_owners(list(figure.marks()))
    numbered = iter(range(10**9))
    for i, panel in enumerate(figure.panels):
        for mark in panel.marks:
            in_legend = next(numbered) in owners
            if isinstance(mark, Region):
                drawn.add_shape(**_region(mark, panel, i, figure.grid[1], theme))
                continue
            trace = {Points: _points, Line: _line, Band: _band}[type(mark)](mark, panel, theme)
            named = {"name": escape(mark.label), "legendgroup": escape(mark.label), "showlegend": in_legend}
            drawn.add_trace(go.Scatter(**trace, **named, xaxis=_ref("x", i), yaxis=_ref("y", i)))
            if isinstance(mark, Line) and mark.tag:
                drawn.add_annotation(**_tag(mark, panel, i, theme))
    return drawn


def _ref(letter: str, i: int) -> str:
    return letter + (str(i + 1) if i else "")


def _layout(figure: Figure, theme: Theme) -> dict[str, Any]:
    ink, faint = style.INK[theme], style.FAINT_INK[theme]
    layout: dict[str, Any] = {
        "template": "none",
        "title": _title(figure, ink),
        "font": {"family": FONT, "size": 12, "color": ink},
        "paper_bgcolor": style.PAGE[theme],
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "font": {"size": 11, "color": faint}},
        "margin": {"l": 64, "r": 16, "t": 96, "b": 56},
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
        "hovermode": "closest",
    }
    for i, panel in enumerate(figure.panels):
        layout["xaxis" + (str(i + 1) if i else "")] = _axis(panel, "x", i, figure.grid, theme)
        layout["yaxis" + (str(i + 1) if i else "")] = _axis(panel, "y", i, figure.grid, theme)
    if figure.grid[0] > 1:
        layout["height"] = ROW_HEIGHT * figure.grid[0]
    coloured = next((p for p in figure.panels if p.colour and any(_coloured_each(m) for m in p.marks)), None)
    if coloured is not None and coloured.colour is not None:
        layout |= _colour_axis(coloured, coloured.colour, theme)
    return layout


def _title(figure: Figure, ink: str) -> dict[str, Any]:
    # At the top of the page, so that a legend of several lines has room below it.
    placed = {"x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 14}}
    return {"text": escape(figure.title), "font": {"size": 16, "color": ink}} | placed


def _coloured_each(mark: Any) -> bool:
    return isinstance(mark, Points) and len(mark.values) > 0


def _axis(panel: Panel, which: str, i: int, grid: tuple[int, int], theme: Theme) -> dict[str, Any]:
    axis: Axis = getattr(panel, which)
    rows, columns = grid
    title = "<br>".join(map(escape, style.label_lines(axis, columns if which == "x" else 1)))
    made: dict[str, Any] = {
        "title": {"text": title, "font": {"size": 12, "color": style.FAINT_INK[theme]}, "standoff": 8},
        "type": axis.scale,
        "range": [style.on_scale(axis, v) for v in style.ends(panel, which)],
        "anchor": _ref("y" if which == "x" else "x", i),
        "gridcolor": style.GRID[theme],
        "zeroline": False,
        "linecolor": style.FAINT_INK[theme],
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": style.FAINT_INK[theme],
        "tickfont": {"size": 11, "color": style.FAINT_INK[theme]},
        "automargin": True,
        "exponentformat": "B" if style.counted(axis) else "power",
        "minexponent": 4,
    }
    if which == "x":
        made["tickangle"] = 0
        made["domain"] = _share(i % columns, columns, 0.09)
    elif rows > 1:
        made["domain"] = _share(rows - 1 - i // columns, rows, 0.3 / rows)
    if axis.names:
        shown = style.named_ticks(axis)
        made |= {"tickmode": "array", "tickvals": [at for at, _ in shown], "ticklen": 0}
        made["ticktext"] = ["<br>".join(map(escape, lines)) for _, lines in shown]
    elif axis.scale == "log":
        # Between powers of ten Plotly would label with bare leading digits.
        shown = style.ticks(axis, *style.ends(panel, which), most=style.most_ticks(columns) if which == "x" else 7)
        made |= {"tickmode": "array", "tickvals": [v for v, _ in shown], "ticktext": [words for _, words in shown]}
    return made


def _share(place: int, places: int, gap: float) -> list[float]:
    # The part of the whole width or height that one of several panels gets.
    width = (1 - gap * (places - 1)) / places
    return [place * (width + gap), min(1.0, place * (width + gap) + width)]


def _colour_axis(panel: Panel, axis: Axis, theme: Theme) -> dict[str, Any]:
    low, high = style.value_span(panel)
    shown = style.ticks(axis, low, high, most=5) if axis.scale == "log" and high > low else [(low, f"{low:g}")]
    shown_as = numbers.short if style.counted(axis) else style.scientific if high > 1e4 else numbers.short
    bar = {
        "title": {"text": escape(axis.label), "side": "right", "font": {"size": 11}},
        "tickvals": [style.on_scale(axis, v) for v, _ in shown],
        "ticktext": [words for _, words in shown],
        "thickness": 10,
        "len": 0.9,
        "outlinewidth": 0,
        "tickfont": {"size": 11, "color": style.FAINT_INK[theme]},
    }
    words = {"label": axis.label, "low": shown_as(low), "high": shown_as(high)}
    return {
        "coloraxis": {
            "colorscale": [list(s) for s in style.stops(theme)],
            "cmin": style.on_scale(axis, low),
            "cmax": style.on_scale(axis, high),
            "colorbar": bar,
        },
        "meta": {"colour": words},
    }


def _points(mark: Points, panel: Panel, theme: Theme) -> dict[str, Any]:
    colour = style.colour(mark, panel, theme)
    hollow = mark.role in ("law", "held-out", "guide")
    marker: dict[str, Any] = {
        "symbol": style.symbols(mark)[0],
        "size": {"optimum": 13, "held-out": 10, "law": 12}.get(mark.role, 7.5),
        "opacity": 0.95 if mark.role != "run" else 0.85,
        "color": colour,
        "line": {"width": 2.2 if hollow else 0.8, "color": colour if hollow else style.PAGE[theme]},
    }
    if len(mark.values) and panel.colour is not None:
        marker |= {"color": [style.on_scale(panel.colour, v) for v in mark.values], "coloraxis": "coloraxis"}
        marker["line"] = {"width": 0.8, "color": colour}  # the legend knows no colour axis, and shows this
    trace = {"mode": "markers", "x": _plain(mark.x), "y": _plain(mark.y), "marker": marker}
    if len(mark.low):
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": _plain(mark.high - mark.y),
            "arrayminus": _plain(mark.y - mark.low),
            "color": colour,
            "thickness": 2,
            "width": 4,
        }
    return trace | {"hoverinfo": "text", "hovertext": [_hover(mark, panel, j) for j in range(len(mark.x))]}


def _hover(mark: Points, panel: Panel, j: int) -> str:
    lines = [f"<b>{escape(mark.label)}</b>"] if mark.label else []
    lines += [style.in_words(panel.x, float(mark.x[j])), style.in_words(panel.y, float(mark.y[j]))]
    if len(mark.low):
        lines[-1] += f" ({style.in_words(panel.y, mark.low[j])} to {style.in_words(panel.y, mark.high[j])})"
    lines += [f"{escape(name)} {escape(str(column[j]))}" for name, column in mark.about.items()]
    return "<br>".join(lines)


def _line(mark: Line, panel: Panel, theme: Theme) -> dict[str, Any]:
    thin = mark.role == "guide"
    stroke = {
        "color": style.colour(mark, panel, theme),
        "width": 1 if thin else 2,
        "dash": "dash" if mark.beyond else "solid",
    }
    words = [_said(mark, panel, float(x), float(y)) for x, y in zip(mark.x, mark.y, strict=True)]
    hover = {"hoverinfo": "skip"} if thin else {"hoverinfo": "text", "hovertext": words}
    return {"mode": "lines", "x": _plain(mark.x), "y": _plain(mark.y), "line": stroke} | hover


def _said(mark: Line, panel: Panel, x: float, y: float) -> str:
    if not np.isfinite(x) or not np.isfinite(y):
        return ""
    named = mark.label
    if not named and mark.value is not None and panel.colour is not None:
        named = style.in_words(panel.colour, mark.value)
    return f"<b>{escape(named)}</b><br>{style.in_words(panel.x, x)}<br>{style.in_words(panel.y, y)}"


def _band(mark: Band, panel: Panel, theme: Theme) -> dict[str, Any]:
    known = np.isfinite(mark.x) & np.isfinite(mark.low) & np.isfinite(mark.high)
    x, low, high = mark.x[known], mark.low[known], mark.high[known]
    return {
        "mode": "lines",
        "x": [*_plain(x), *_plain(x[::-1])],
        "y": [*_plain(low), *_plain(high[::-1])],
        "fill": "toself",
        "fillcolor": style.translucent(style.colour(mark, panel, theme), 0.12 if mark.beyond else 0.24),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _region(mark: Region, panel: Panel, i: int, columns: int, theme: Theme) -> dict[str, Any]:
    colour = style.colour(mark, panel, theme)
    (x0, x1), (y0, y1) = style.filled(mark, panel)
    beyond = mark.role == "beyond"
    return {
        "type": "rect",
        "layer": "below",
        "xref": _ref("x", i),
        "yref": _ref("y", i),
        "x0": x0,
        "x1": x1,
        "y0": y0,
        "y1": y1,
        "fillcolor": style.translucent(colour, 0.09 if beyond else 0.07),
        "line": {"width": 0} if beyond else {"width": 1, "dash": "dot", "color": colour},
        "label": {
            "text": escape(style.region_words(mark, panel, columns)),
            "textposition": "top left" if beyond else "bottom left",
            "padding": 6,
            "font": {"size": 11, "color": style.FAINT_INK[theme]},
        },
    }


def _tag(mark: Line, panel: Panel, i: int, theme: Theme) -> dict[str, Any]:
    last = int(np.flatnonzero(np.isfinite(mark.x) & np.isfinite(mark.y))[-1])
    return {
        "text": escape(mark.tag),
        "xref": _ref("x", i),
        "yref": _ref("y", i),
        "x": style.on_scale(panel.x, float(mark.x[last])),
        "y": style.on_scale(panel.y, float(mark.y[last])),
        "showarrow": False,
        "xanchor": "right",
        "yanchor": "bottom",
        "font": {"size": 11, "color": style.colour(mark, panel, theme)},
        "bgcolor": style.translucent(style.PAGE[theme], 0.75),
        "borderpad": 0,
    }


def _plain(values: Any) -> list[float | None]:
    # Six digits are finer than any screen and halve the page.
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]

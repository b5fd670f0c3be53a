"""Draws a figure with Matplotlib, for papers. Matplotlib is imported on first use and is an optional extra."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core import figure_style as style
from isoloss.core.errors import MissingExtraError
from isoloss.core.figure import Axis, Band, Figure, Line, Mark, Panel, Points, Region, Theme


def draw(figure: Figure, theme: Theme) -> Any:
    """The figure as a `matplotlib.figure.Figure`, its panels side by side; raises MissingExtraError."""
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtraError("paper", "matplotlib") from None

    rows, columns = figure.grid
    owners = style.legend_owners(list(figure.marks()))
    width = max(6.4, 4.0 * columns)
    across, down = _legend_grid([m.label for i, m in enumerate(figure.marks()) if i in owners], width)
    size = (width, (3.9 if rows == 1 else 3.0 * rows) + 0.17 * down)
    canvas = Canvas(figsize=size, layout="constrained", facecolor=_page(theme))
    canvas.get_layout_engine().set(w_pad=0.09)  # type: ignore[union-attr]
    grid = canvas.subplots(rows, columns, squeeze=False).ravel()
    for empty in grid[len(figure.panels) :]:
        empty.set_visible(False)
    grid = grid[: len(figure.panels)]
    first = 0
    for axes, panel in zip(grid, figure.panels, strict=True):
        _frame(axes, panel, columns, theme)
        for i, mark in enumerate(panel.marks, start=first):
            _mark(axes, mark, panel, columns, theme, mark.label if i in owners else "_nolegend_")
        first += len(panel.marks)
        _colour_bar(canvas, axes, panel, theme)
    canvas.suptitle(_text(figure.title), x=0.01, ha="left", fontsize=12, color=style.INK[theme])
    _legend(canvas, grid, across, theme)
    return canvas


def _page(theme: Theme) -> str:
    return style.PAGE[theme]


def _text(words: str) -> str:
    return words.replace("$", r"\$")


def _frame(axes: Any, panel: Panel, columns: int, theme: Theme) -> None:
    faint = style.FAINT_INK[theme]
    axes.set(xscale=panel.x.scale, yscale=panel.y.scale, xlim=style.ends(panel, "x"), ylim=style.ends(panel, "y"))
    axes.set_xlabel(_text("\n".join(style.label_lines(panel.x, columns))), color=faint)
    axes.set_ylabel(_text(panel.y.label), color=faint)
    axes.set_facecolor(_page(theme))
    axes.grid(color=style.GRID[theme], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=faint, which="both", labelsize=9)
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=faint)
    _ticks(axes.xaxis, panel.x, style.ends(panel, "x"), style.most_ticks(columns))
    _ticks(axes.yaxis, panel.y, style.ends(panel, "y"))


def _ticks(drawn: Any, axis: Axis, ends: tuple[float, float], most: int = 7) -> None:
    from matplotlib.ticker import NullFormatter

    if axis.names:
        shown = style.named_ticks(axis)
        drawn.set_ticks([at for at, _ in shown], [_text("\n".join(lines)) for _, lines in shown])
        drawn.set_tick_params(length=0)
    elif axis.scale == "log":
        shown = style.ticks(axis, *ends, most=most)
        drawn.set_ticks([v for v, _ in shown], [_text(words) for _, words in shown])
        drawn.set_minor_formatter(NullFormatter())


def _mark(axes: Any, mark: Mark, panel: Panel, columns: int, theme: Theme, label: str) -> None:
    colour, label = style.colour(mark, panel, theme), _text(label)
    if isinstance(mark, Region):
        _region(axes, mark, panel, columns, colour, theme)
    elif isinstance(mark, Band):
        opacity = 0.12 if mark.beyond else 0.24
        axes.fill_between(mark.x, mark.low, mark.high, color=colour, alpha=opacity, linewidth=0, label=label)
    elif isinstance(mark, Line):
        width, dash = (0.9 if mark.role == "guide" else 1.7), ("--" if mark.beyond else "-")
        axes.plot(mark.x, mark.y, color=colour, linewidth=width, linestyle=dash, label=label)
        _tag(axes, mark, colour, theme)
    else:
        _points(axes, mark, panel, colour, theme, label)


def _region(axes: Any, mark: Region, panel: Panel, columns: int, colour: str, theme: Theme) -> None:
    from matplotlib.patches import Rectangle

    (x0, x1), (y0, y1) = style.filled(mark, panel)
    beyond = mark.role == "beyond"
    box = Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=(colour, 0.08), zorder=0)
    if not beyond:
        box.set(edgecolor=colour, linestyle=":")
    axes.add_patch(box)
    inset = {"xytext": (5, -5 if beyond else 5), "textcoords": "offset points", "va": "top" if beyond else "bottom"}
    corner = (x0, y1 if beyond else y0)
    axes.annotate(
        _text(style.region_words(mark, panel, columns)), corner, color=style.FAINT_INK[theme], fontsize=8, **inset
    )


def _tag(axes: Any, mark: Line, colour: str, theme: Theme) -> None:
    from matplotlib.patheffects import withStroke

    known = np.flatnonzero(np.isfinite(mark.x) & np.isfinite(mark.y))
    if mark.tag and len(known):
        at = (float(mark.x[known[-1]]), float(mark.y[known[-1]]))
        words = axes.annotate(_text(mark.tag), at, color=colour, fontsize=8, ha="right", va="bottom")
        words.set(annotation_clip=True, path_effects=[withStroke(linewidth=2.5, foreground=_page(theme))], zorder=4)


def _points(axes: Any, mark: Points, panel: Panel, colour: str, theme: Theme, label: str) -> None:
    fill: dict[str, Any] = {"color": colour}
    if len(mark.values) and panel.colour is not None:
        fill = {"color": [style.sequential(style.fraction(float(v), panel), theme) for v in mark.values]}
    size = {"optimum": 90, "held-out": 42, "law": 60}.get(mark.role, 26)
    edge = {} if mark.role == "law" else {"edgecolors": style.PAGE[theme], "linewidths": 0.6}
    if mark.role in ("held-out", "guide"):
        fill, edge = {"facecolors": "none"}, {"edgecolors": colour, "linewidths": 1.6}
    if len(mark.low):
        bars = np.array([mark.y - mark.low, mark.high - mark.y])
        axes.errorbar(mark.x, mark.y, bars, fmt="none", ecolor=colour, elinewidth=1.4, capsize=2.5, zorder=2.5)
    axes.scatter(mark.x, mark.y, s=size, marker=style.symbols(mark)[1], label=label, zorder=3, **fill, **edge)


def _colour_bar(canvas: Any, axes: Any, panel: Panel, theme: Theme) -> None:
    if panel.colour is None or not any(isinstance(m, Points) and len(m.values) for m in panel.marks):
        return
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

    low, high = style.value_span(panel)
    norm = LogNorm(low, high) if panel.colour.scale == "log" else Normalize(low, high)
    scale = ScalarMappable(norm, LinearSegmentedColormap.from_list("sequential", style.stops(theme)))
    bar = canvas.colorbar(scale, ax=axes, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.set_label(_text(panel.colour.label), color=style.FAINT_INK[theme], fontsize=9)
    bar.ax.tick_params(colors=style.FAINT_INK[theme], labelsize=8, which="both")
    if high > low:
        _ticks(bar.ax.yaxis, panel.colour, (low, high))


def _legend_grid(labels: list[str], width: float) -> tuple[int, int]:
    # Columns and rows of a legend no wider than the picture, in inches; it is filled column by column.
    for across in range(min(len(labels), 6), 1, -1):
        down = -(-len(labels) // across)
        columns = [labels[i : i + down] for i in range(0, len(labels), down)]
        if sum(0.65 + 0.058 * max(map(len, column)) for column in columns) <= width:
            return len(columns), down
    return 1, len(labels)


def _legend(canvas: Any, grid: Any, across: int, theme: Theme) -> None:
    entries = [pair for axes in grid for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    if entries:
        handles, labels = zip(*entries, strict=True)
        canvas.legend(
            handles,
            labels,
            loc="outside lower left",
            ncols=across,
            frameon=False,
            fontsize=8,
            labelcolor=style.FAINT_INK[theme],
        )

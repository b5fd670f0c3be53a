"""A figure: a picture as data, which any backend can draw and JSON can carry.

A figure has panels, a panel has two axes that are quantities and a list of marks, a mark has columns of numbers.
Nothing here knows a colour, a pixel or a plotting library; `figure_plotly` and `figure_matplotlib` do.
Shapes: `m` points of a mark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.figure_quantities import drawn

Scale = Literal["log", "linear"]
Theme = Literal["light", "dark"]
Role = Literal["run", "held-out", "law", "optimum", "data", "beyond", "guide"]
Array = np.ndarray


def _none() -> Array:
    return np.empty(0)


@dataclass(frozen=True)
class Axis:
    """An axis that measures a quantity: its scale, and where it departs from the glossary, its words and unit.

    `span` fixes the ends, in base units; left at None, the marks decide. With `names` the axis is discrete: the i-th
    name stands at i, the first one on top where the axis is upright. Raises UnknownNameError.
    """

    quantity: str
    scale: Scale = "log"
    words: str = ""
    unit: str = ""
    span: tuple[float, float] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        drawn(self.quantity)

    @property
    def label(self) -> str:
        """What stands beside the axis: 'training compute C (FLOP)'."""
        known = drawn(self.quantity)
        if self.names:
            return self.words
        words = self.words or f"{known.meaning.split(',')[0]} {known.symbol}"
        unit = self.unit or known.unit
        return words if unit in ("", "1") else f"{words} ({unit})"


@dataclass(frozen=True, eq=False)
class _Mark:
    # Every mark: its words in the legend (marks that share them share one entry), what it stands for, whether it lies
    # beyond the data, and the number of what it is one of several of, such as laws, each of which has a colour.
    label: str = ""
    role: Role = "run"
    beyond: bool = False
    series: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True, eq=False)
class Points(_Mark):
    """Markers at x (m,), y (m,); with `low` and `high` (m,), bars.

    `value` colours them all, `values` (m,) each its own, by the panel's colour axis; `about` holds further columns of m
    entries, shown when a marker is pointed at.
    """

    x: Array = field(default_factory=_none)
    y: Array = field(default_factory=_none)
    low: Array = field(default_factory=_none)
    high: Array = field(default_factory=_none)
    value: float | None = None
    values: Array = field(default_factory=_none)
    about: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Line(_Mark):
    """A curve through x (m,), y (m,); NaN breaks it. `value` colours it; `tag` is written at its end."""

    x: Array = field(default_factory=_none)
    y: Array = field(default_factory=_none)
    value: float | None = None
    tag: str = ""


@dataclass(frozen=True, eq=False)
class Band(_Mark):
    """The area between `low` (m,) and `high` (m,) over x (m,), such as an interval."""

    x: Array = field(default_factory=_none)
    low: Array = field(default_factory=_none)
    high: Array = field(default_factory=_none)
    value: float | None = None


@dataclass(frozen=True, eq=False)
class Region(_Mark):
    """A rectangle such as the range of the data; an end that is None is the edge of the panel."""

    x: tuple[float | None, float | None] = (None, None)
    y: tuple[float | None, float | None] = (None, None)


Mark = Points | Line | Band | Region
_KINDS: dict[str, type[Mark]] = {kind.__name__.lower(): kind for kind in get_args(Mark)}


@dataclass(frozen=True, eq=False)
class Panel:
    """Marks over two axes; `colour` is the quantity that the marks' values are coloured by, with its span."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    colour: Axis | None = None


@dataclass(frozen=True, eq=False)
class Figure:
    """Titled panels, and the notes that any reader of the picture needs.

    Panels stand side by side, or with `columns` in rows of so many.
    """

    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    columns: int = 0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of panels."""
        across = min(self.columns or len(self.panels), len(self.panels)) or 1
        return -(-len(self.panels) // across), across

    def __repr__(self) -> str:
        named = f"{self.name}: " if self.name else ""
        return f"Figure({named}{self.title}; {len(self.panels)} panels, {len(list(self.marks()))} marks)"

    def marks(self) -> Iterator[Mark]:
        """Every mark of every panel."""
        return (mark for panel in self.panels for mark in panel.marks)

    def split(self) -> tuple[Figure, ...]:
        """One figure a panel, for a page that lays panels out itself."""
        return tuple(Figure(self.title, (panel,), self.notes, self.name) for panel in self.panels)

    def to_plotly(self, theme: Theme = "light") -> Any:
        """A `plotly.graph_objects.Figure`."""
        from isoloss.core import figure_plotly

        return figure_plotly.draw(self, theme)

    def to_matplotlib(self, theme: Theme = "light") -> Any:
        """A `matplotlib.figure.Figure`, for `savefig`; raises MissingExtraError where matplotlib is absent."""
        from isoloss.core import figure_matplotlib

        return figure_matplotlib.draw(self, theme)

    def save(self, path: Any, theme: Theme = "light") -> None:
        """Write the figure as its suffix says: .html (a page that needs no other file), .json, .png, .svg or .pdf.

        A page is light or dark as its reader's screen is, and takes no theme. Raises RequestError for another suffix,
        OutputError where the place cannot be written, MissingExtraError where a picture needs matplotlib.
        """
        from isoloss.core import figure_file

        figure_file.save(self, path, theme)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # What a notebook shows: Plotly's own kind, and a still picture for one that does not know it.
        from isoloss.core import figure_file

        return figure_file.mimebundle(self)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON values; NaN and infinity become null."""
        panels = [
            {
                "x": _plain_axis(p.x),
                "y": _plain_axis(p.y),
                "colour": _plain_axis(p.colour) if p.colour else None,
                "marks": [_plain_mark(m) for m in p.marks],
            }
            for p in self.panels
        ]
        return {
            "schema": 1,
            "noun": "figure",
            "name": self.name,
            "title": self.title,
            "panels": panels,
            "notes": list(self.notes),
            "columns": self.columns,
        }

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Figure:
        """The inverse of `to_json`; raises RequestError for a mark of an unknown kind."""
        panels = tuple(
            Panel(
                _read_axis(p["x"]),
                _read_axis(p["y"]),
                tuple(_read_mark(m) for m in p["marks"]),
                _read_axis(p["colour"]) if p["colour"] else None,
            )
            for p in d["panels"]
        )
        return cls(d["title"], panels, tuple(d["notes"]), d["name"], d.get("columns", 0))


def _plain_axis(axis: Axis) -> dict[str, Any]:
    span = list(axis.span) if axis.span else None
    names = list(axis.names)
    return {"quantity": axis.quantity, "scale": axis.scale, "words": axis.words, "unit": axis.unit} | {
        "span": span,
        "names": names,
    }


def _read_axis(d: Mapping[str, Any]) -> Axis:
    return Axis(**{**d, "span": tuple(d["span"]) if d["span"] else None, "names": tuple(d.get("names", ()))})


def _plain_mark(mark: Mark) -> dict[str, Any]:
    named = {f.name: _plain(getattr(mark, f.name)) for f in fields(mark)}
    return {"kind": type(mark).__name__.lower(), **named}


def _read_mark(d: Mapping[str, Any]) -> Mark:
    if d["kind"] not in _KINDS:
        raise RequestError(f"A figure has no mark '{d['kind']}'.", f"Its marks: {', '.join(_KINDS)}.")
    kind = _KINDS[d["kind"]]
    return kind(**{name: _read(kind, name, value) for name, value in d.items() if name != "kind"})


def _read(kind: type[Mark], name: str, value: Any) -> Any:
    if kind is Region and name in ("x", "y"):
        return tuple(value)
    return np.array([math.nan if v is None else v for v in value], float) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(list(column)) for name, column in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value

"""What every backend agrees on when it draws a figure: colours, the ends of axes, words for numbers.

Categories take Okabe and Ito's colours, told apart with any colour vision (Okabe and Ito 2008, "Color universal
design"), or near ones whose lightness differs more; values take viridis, cut where it would fade into the page. Roles
differ in shape and dash as well.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

import numpy as np

from isoloss.core import numbers
from isoloss.core.figure import Axis, Band, Line, Mark, Panel, Points, Region, Role, Theme
from isoloss.core.figure_quantities import drawn

INK: dict[Theme, str] = {"light": "#1f2328", "dark": "#e6e8eb"}
FAINT_INK: dict[Theme, str] = {"light": "#57606a", "dark": "#9aa4af"}
GRID: dict[Theme, str] = {"light": "#e4e7eb", "dark": "#2b3138"}
PAGE: dict[Theme, str] = {"light": "#ffffff", "dark": "#14171a"}

_ROLE: dict[Theme, dict[Role, str]] = {
    "light": {
        "run": "#3b4754",
        "held-out": "#d55e00",
        "law": "#0072b2",
        "optimum": "#b03a86",
        "data": "#6e7781",
        "beyond": "#e69f00",
        "guide": "#57606a",
    },
    "dark": {
        "run": "#c3ccd5",
        "held-out": "#ff8c3a",
        "law": "#56b4e9",
        "optimum": "#f29ad0",
        "data": "#9aa4af",
        "beyond": "#e69f00",
        "guide": "#9aa4af",
    },
}
_SERIES: dict[Theme, tuple[str, ...]] = {
    "light": ("#0072b2", "#d55e00", "#12a37c", "#a3237a", "#6fb8ea", "#d9a400", "#2b333b"),
    "dark": ("#3f94d6", "#ff9f5a", "#3ddc97", "#e05a9c", "#8a6bf2", "#f0e442", "#dfe8f0"),
}
_STOPS: dict[Theme, tuple[str, ...]] = {
    "light": ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d"),
    "dark": ("#5b7fd1", "#2fa0b5", "#28ae80", "#5ec962", "#addc30", "#fde725"),
}


def colour(mark: Mark, panel: Panel, theme: Theme) -> str:
    """The mark's colour '#rrggbb': that of its series, of its value where it has a single one, or else of its role."""
    if mark.series is not None:
        return _SERIES[theme][mark.series % len(_SERIES[theme])]
    if not isinstance(mark, Region) and mark.value is not None and panel.colour is not None:
        return sequential(fraction(mark.value, panel), theme)
    return _ROLE[theme][mark.role]


def sequential(at: float, theme: Theme) -> str:
    """The colour at a fraction from 0 to 1 of the sequential scale."""
    stops = np.array([_channels(s) for s in _STOPS[theme]])
    place = min(max(at, 0.0), 1.0) * (len(stops) - 1)
    red, green, blue = (np.interp(place, range(len(stops)), stops[:, c]) for c in range(3))
    return f"#{round(red):02x}{round(green):02x}{round(blue):02x}"


def stops(theme: Theme) -> list[tuple[float, str]]:
    """The sequential scale as (fraction, colour) pairs."""
    colours = _STOPS[theme]
    return [(i / (len(colours) - 1), c) for i, c in enumerate(colours)]


def translucent(hexadecimal: str, opacity: float) -> str:
    """The colour as CSS 'rgba(r,g,b,opacity)'."""
    return "rgba({},{},{},{})".format(*_channels(hexadecimal), opacity)


def fraction(value: float, panel: Panel) -> float:
    """Where a value stands on the panel's colour axis, from 0 to 1."""
    if panel.colour is None:
        return 0.5
    low, high = (on_scale(panel.colour, v) for v in value_span(panel))
    return (on_scale(panel.colour, value) - low) / (high - low) if high > low else 0.5


def on_scale(axis: Axis, value: float) -> float:
    """The value itself, or its power of ten on a logarithmic axis."""
    return math.log10(value) if axis.scale == "log" else value


def value_span(panel: Panel) -> tuple[float, float]:
    """The ends of the panel's colour axis: those it states, else the values of its marks."""
    if panel.colour is not None and panel.colour.span:
        return panel.colour.span
    values = [v for m in panel.marks if isinstance(m, Points) for v in m.values]
    values += [m.value for m in panel.marks if not isinstance(m, Region) and m.value is not None]
    return (float(min(values)), float(max(values))) if values else (1.0, 1.0)


def ends(panel: Panel, which: str) -> tuple[float, float]:
    """The ends of the panel's 'x' or 'y' axis: those it states, else the marks' extremes and a margin."""
    axis: Axis = getattr(panel, which)
    if axis.span:
        return axis.span
    if axis.names:
        first, last = -0.6, len(axis.names) - 0.4
        return (last, first) if which == "y" else (first, last)
    seen = np.concatenate([np.empty(0), *_extents(panel, which)])
    seen = seen[np.isfinite(seen) & (seen > 0 if axis.scale == "log" else True)]
    if not len(seen):
        return (1.0, 10.0)
    low, high = (on_scale(axis, float(v)) for v in (seen.min(), seen.max()))
    margin = 0.05 * (high - low) or 0.5
    return (10 ** (low - margin), 10 ** (high + margin)) if axis.scale == "log" else (low - margin, high + margin)


def filled(region: Region, panel: Panel) -> tuple[tuple[float, float], tuple[float, float]]:
    """The region's corners ((x, x), (y, y)), open ends replaced by those of the axes."""
    (left, right), (bottom, top) = ends(panel, "x"), ends(panel, "y")
    x = (left if region.x[0] is None else region.x[0], right if region.x[1] is None else region.x[1])
    y = (bottom if region.y[0] is None else region.y[0], top if region.y[1] is None else region.y[1])
    return x, y


def region_words(region: Region, panel: Panel, columns: int) -> str:
    """A region's label, or nothing where it is too narrow for it in one of so many panels side by side."""
    if region.role != "beyond":
        return region.label
    left, right = (on_scale(panel.x, v) for v in ends(panel, "x"))
    x0, x1 = (on_scale(panel.x, v) for v in filled(region, panel)[0])
    return region.label if (x1 - x0) / (right - left) * 110 / columns >= len(region.label) else ""


def _extents(panel: Panel, which: str) -> Iterator[np.ndarray]:
    for mark in panel.marks:
        if isinstance(mark, Region):
            yield np.array([v for v in getattr(mark, which) if v is not None])
        elif which == "x":
            yield mark.x
        elif isinstance(mark, Line):
            yield mark.y
        elif isinstance(mark, Band):
            yield from (mark.low, mark.high)
        else:
            yield from (mark.y, mark.low, mark.high)


def in_words(axis: Axis, value: float) -> str:
    """A number of this axis with its unit: '1.3M parameters', '3×10¹⁴ FLOP', '2.105 nats/token', '-0.40%'."""
    unit = axis.unit or drawn(axis.quantity).unit
    if axis.names:
        at = round(value)
        return axis.names[at] if 0 <= at < len(axis.names) else ""
    if unit == "%":
        signed = axis.span is not None and axis.span[0] < 0
        return f"{value:{'+' if signed else ''}.2f}%"
    if not counted(axis) and abs(value) >= 1e4:
        written = scientific(value)
    else:
        written = numbers.short(value, 4 if unit in ("nats/token", "bits/byte") else 3)
    return written if unit == "1" else f"{written} {unit}"


def scientific(value: float, digits: int = 3) -> str:
    """'3×10¹⁴', '5.76×10²³', '10¹⁸'."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    factor = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return ("" if factor == "1" else f"{factor}×") + "10" + raised(int(exponent))


def raised(number: int) -> str:
    """A whole number as superscript digits."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def counted(axis: Axis) -> bool:
    """Whether the axis counts things that people write with prefixes (7B, 140k) and not with powers of ten."""
    return (axis.unit or drawn(axis.quantity).unit) in ("parameters", "tokens", "steps", "layers")


def most_ticks(columns: int) -> int:
    """How many labelled ticks have room along one of so many panels side by side."""
    return {1: 7, 2: 5, 3: 4}.get(columns, 3)


def ticks(axis: Axis, low: float, high: float, most: int = 7) -> list[tuple[float, str]]:
    """Labelled ticks of a logarithmic axis: whole powers of ten where they suffice, else 1-2-5 or finer."""
    decades = math.log10(high / low)
    if decades >= 2.5:
        every = max(1, math.ceil(decades / most))
        exponents = range(math.ceil(math.log10(low) / every - 1e-9) * every, math.floor(math.log10(high) + 1e-9) + 1)
        return [(10.0**e, power_of_ten(axis, e)) for e in exponents if e % every == 0]
    steps = (1, 2, 5) if decades >= 1 else (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    grid = [s * 10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for s in steps]
    shown = [v for v in grid if low <= v <= high]
    if len(shown) < 3:
        step = _round_step((high - low) / 4)
        shown = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    shown = shown[:: max(1, math.ceil(len(shown) / (most + 1)))]
    write = scientific if not counted(axis) and high >= 1e5 else numbers.short
    return [(v, write(v)) for v in shown]


def label_lines(axis: Axis, columns: int) -> list[str]:
    """What stands beside the axis, in lines short enough for one of so many panels side by side."""
    return textwrap.wrap(axis.label, max(96 // columns, 20), break_long_words=False) or [""]


def named_ticks(axis: Axis, width: int = 26) -> list[tuple[int, list[str]]]:
    """Where the names of a discrete axis stand, each in lines of at most `width` columns."""
    return [(i, textwrap.wrap(name, width, break_long_words=False) or [""]) for i, name in enumerate(axis.names)]


def power_of_ten(axis: Axis, exponent: int) -> str:
    """'10M' for things that are counted; '10¹⁵' for the rest, plain between a thousandth and a thousand."""
    if counted(axis) and 0 <= exponent < 15:
        return numbers.short(10.0**exponent)
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return "10" + raised(exponent)


def legend_owners(figure_marks: list[Mark]) -> set[int]:
    """Indices of the marks that stand in the legend: of those that share a label, the first in ink and not in dash."""
    rank = {Region: 3, Band: 2, Line: 0, Points: 0}
    owners: dict[str, tuple[int, int]] = {}
    for i, mark in enumerate(figure_marks):
        claim = (rank[type(mark)] + (isinstance(mark, Line) and mark.beyond), i)
        if mark.label and claim < owners.get(mark.label, (9, 0)):
            owners[mark.label] = claim
    return {i for _, i in owners.values()}


def symbols(mark: Points) -> tuple[str, str]:
    """The marker of a role, in Plotly's word and in Matplotlib's letter."""
    of_role = {
        "held-out": ("diamond-open", "D"),
        "law": ("line-ew-open", "_"),
        "optimum": ("star", "*"),
        "guide": ("circle-open", "o"),
    }
    return of_role.get(mark.role, ("circle", "o"))


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * (1 - 1e-9))


def _channels(hexadecimal: str) -> tuple[int, int, int]:
    red, green, blue = (int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue

"""A figure as data: it round-trips, it measures its axes from its marks, and both backends draw what it holds."""

import builtins
import json
from typing import Any

import browser
import numpy as np
import pytest

from isoloss.core import figure_style as style
from isoloss.core.errors import MissingExtraError, OutputError, RequestError, UnknownNameError
from isoloss.core.figure import Axis, Band, Figure, Line, Panel, Points, Region

HOSTILE = "<img src=x onerror=alert(1)>"


def example() -> Figure:
    x = np.array([1e12, 1e13, 1e14])
    y = np.array([4.0, 3.5, 3.25])
    marks = (
        Region("beyond the data", "beyond", x=(1e13, None)),
        Band("interval", "law", False, x, y - 0.1, y + 0.1),
        Line("interval", "law", False, x, np.array([4.0, np.nan, 3.25]), tag="end"),
        Line("extrapolated", "law", True, x, y),
        Points("runs", "run", False, x, y, values=np.array([1e5, 2e5, 1e6]), about={"run": [HOSTILE, "b", "c"]}),
        Points("held out", "held-out", True, x, y, y - 0.05, y + 0.1),
    )
    return Figure("Loss <b>", (Panel(Axis("flops"), Axis("loss"), marks, Axis("params")),), ("a note",), "example")


def test_survives_json_exactly() -> None:
    plain = example().to_json()
    text = json.dumps(plain, allow_nan=False)
    again = Figure.from_json(json.loads(text))
    assert again.to_json() == plain
    line = again.panels[0].marks[2]
    assert isinstance(line, Line)
    np.testing.assert_array_equal(line.y, [4.0, np.nan, 3.25])
    assert again.panels[0].marks[0].x == (1e13, None)


def test_an_unknown_mark_is_refused() -> None:
    plain = example().to_json()
    plain["panels"][0]["marks"][0]["kind"] = "spiral"
    with pytest.raises(RequestError, match="spiral"):
        Figure.from_json(plain)


def test_an_axis_is_a_quantity_with_its_unit() -> None:
    assert Axis("flops").label == "training compute C (FLOP)"
    assert Axis("loss", "linear", "measured / predicted − 1", "%").label == "measured / predicted − 1 (%)"
    assert "(" not in Axis("accuracy").label
    with pytest.raises(UnknownNameError):
        Axis("flop")


def test_the_axes_end_beyond_every_mark() -> None:
    panel = example().panels[0]
    low, high = style.ends(panel, "x")
    assert low < 1e12
    assert high > 1e14
    low, high = style.ends(panel, "y")
    assert low < 3.15
    assert high > 4.1
    assert style.ends(Panel(Axis("flops", span=(1.0, 2.0)), Axis("loss"), ()), "x") == (1.0, 2.0)


def test_plotly_draws_every_mark_and_escapes_words() -> None:
    drawn = example().to_plotly().to_plotly_json()
    assert len(drawn["data"]) == 5
    assert [s["label"]["text"] for s in drawn["layout"]["shapes"]] == ["beyond the data"]
    assert drawn["layout"]["annotations"][0]["text"] == "end"
    assert drawn["layout"]["xaxis"]["type"] == "log"
    text = json.dumps(drawn, default=list)
    assert "<img" not in text
    assert "&lt;img" in text
    assert drawn["layout"]["title"]["text"] == "Loss &lt;b&gt;"
    lines = {t["name"]: t["line"]["dash"] for t in drawn["data"] if t["mode"] == "lines" and "fill" not in t}
    assert lines == {"interval": "solid", "extrapolated": "dash"}


def test_marks_that_share_a_label_share_a_legend_entry() -> None:
    drawn = example().to_plotly()
    owners = [t.name for t in drawn.data if t.showlegend]
    assert owners == ["interval", "extrapolated", "runs", "held out"]
    assert not drawn.data[0].showlegend, "the line speaks for its band"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_backends_draw_both_themes(theme: Any, tmp_path: Any) -> None:
    example().to_plotly(theme).to_json()
    canvas = example().to_matplotlib(theme)
    canvas.savefig(tmp_path / "figure.pdf")
    axes = canvas.axes[0]
    assert axes.get_xlabel() == "training compute C (FLOP)"
    assert axes.get_xscale() == "log"
    assert len(axes.lines) >= 2
    assert len(axes.collections) >= 3


def test_a_dollar_in_a_word_is_not_mathematics(tmp_path: Any) -> None:
    panel = Panel(Axis("flops"), Axis("loss"), (Points("$x_$ {", "run", False, np.array([1.0]), np.array([2.0])),))
    Figure("$$ \\", (panel,)).to_matplotlib().savefig(tmp_path / "figure.png")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"isoloss\[paper\]"):
        example().to_matplotlib()


@pytest.mark.parametrize(
    ("name", "low", "high", "expected"),
    [
        ("params", 1e4, 1e8, ["10k", "100k", "1M", "10M", "100M"]),
        ("flops", 1e11, 1e15, ["10¹¹", "10¹²", "10¹³", "10¹⁴", "10¹⁵"]),
        ("loss", 2.4, 2.6, ["2.4", "2.45", "2.5", "2.55", "2.6"]),
        ("loss", 0.02, 0.5, ["0.02", "0.05", "0.1", "0.2", "0.5"]),
        ("tokens", 1e3, 1e27, None),
    ],
)
def test_ticks_are_few_and_readable(name: str, low: float, high: float, expected: list[str] | None) -> None:
    shown = style.ticks(Axis(name), low, high)
    assert 3 <= len(shown) <= 9
    assert all(low * (1 - 1e-9) <= v <= high * (1 + 1e-9) for v, _ in shown)
    assert expected is None or [words for _, words in shown] == expected


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_stands_out_from_the_page(theme: Any) -> None:
    page = _luminance(style.PAGE[theme])
    ramp = [style.sequential(at, theme) for at in np.linspace(0, 1, 9)]
    panel = Panel(Axis("flops"), Axis("loss"), ())
    roles = [style.colour(Points("", role), panel, theme) for role in ("run", "held-out", "law", "optimum", "guide")]
    for colour in [*ramp, *roles]:
        bright, dim = sorted((_luminance(colour), page), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) > 2.1, colour
    brightness = [_luminance(c) for c in ramp]
    assert brightness == sorted(brightness), "a sequential scale rises"


def _luminance(hexadecimal: str) -> float:
    return float(_linear(hexadecimal) @ [0.2126, 0.7152, 0.0722])


def _linear(hexadecimal: str) -> np.ndarray:
    channels = np.array([int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    xyz = np.array(to_xyz) @ np.clip(linear, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def several() -> Figure:
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 2.0])
    named = Axis("choice", "linear", names=("first", "a second one with a longer name", HOSTILE))
    marks = tuple(Points(f"law {i}", "run", False, x * (i + 1), y, series=i) for i in range(3))
    panel = Panel(Axis("loss", "linear"), named, marks)
    return Figure("Several", (panel,) * 5, ("a note",), "several", columns=3)


class TestSeveralThings:
    def test_survives_json_and_reads_what_was_written_before(self) -> None:
        plain = several().to_json()
        assert Figure.from_json(json.loads(json.dumps(plain, allow_nan=False))).to_json() == plain
        older = example().to_json()
        del older["columns"]
        for panel in older["panels"]:
            for mark in panel["marks"]:
                del mark["series"]
            for axis in filter(None, (panel["x"], panel["y"], panel["colour"])):
                del axis["names"]
        assert Figure.from_json(older).to_json() == example().to_json()

    def test_panels_stand_in_rows(self, tmp_path: Any) -> None:
        assert several().grid == (2, 3)
        assert example().grid == (1, 1)
        layout = several().to_plotly().to_plotly_json()["layout"]
        tops = [layout[f"yaxis{i or ''}"]["domain"] for i in ("", 2, 3, 4, 5)]
        assert tops[0] == tops[1] == tops[2] and tops[3] == tops[4]
        assert tops[3][1] < tops[0][0]
        lefts = [layout[f"xaxis{i or ''}"]["domain"] for i in ("", 2, 3, 4, 5)]
        assert lefts[0] == lefts[3] and lefts[0][1] < lefts[1][0]
        canvas = several().to_matplotlib()
        assert sum(axes.get_visible() for axes in canvas.axes) == 5

    def test_names_stand_on_their_axis_the_first_on_top(self) -> None:
        axis = several().to_plotly().to_plotly_json()["layout"]["yaxis"]
        assert axis["range"][0] > axis["range"][1]
        assert axis["tickvals"] == [0, 1, 2]
        assert axis["ticktext"][1] == "a second one with a longer<br>name"
        assert "<img" not in axis["ticktext"][2]
        panel = several().panels[0]
        assert style.in_words(panel.y, 1.0) == "a second one with a longer name"
        assert style.in_words(panel.y, -0.6) == ""
        labels = [t.get_text() for t in several().to_matplotlib().axes[0].get_yticklabels()]
        assert labels[0] == "first"

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_each_has_its_own_colour_that_stands_out(self, theme: Any) -> None:
        panel = Panel(Axis("flops"), Axis("loss"), ())
        colours = [style.colour(Line(series=i), panel, theme) for i in range(7)]
        assert len(set(colours)) == 7
        page = _luminance(style.PAGE[theme])
        for colour in colours:
            bright, dim = sorted((_luminance(colour), page), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) > 2.1, colour


# What is left of linear red, green and blue without one kind of cone (Machado, Oliveira and Fernandes 2009).
VISION = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_series_are_told_apart_with_any_colour_vision(theme: Any, vision: str) -> None:
    panel = Panel(Axis("flops"), Axis("loss"), ())
    seen = [_lab(np.array(VISION[vision]) @ _linear(style.colour(Line(series=i), panel, theme))) for i in range(7)]
    apart = [float(np.linalg.norm(a - b)) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 14, "CIE 1976 colour differences above 14 are plain at a glance"


class TestFiles:
    @pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".json", ".html"])
    def test_is_written_as_its_suffix_says(self, suffix: str, tmp_path: Any) -> None:
        path = tmp_path / f"figure{suffix}"
        example().save(path)
        head = path.read_bytes()[:200]
        begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".json": b"{", ".html": b"<!doctype html>"}
        assert head.startswith(begins[suffix])
        assert [p.name for p in tmp_path.iterdir()] == [path.name], "nothing half-written is left"
        if suffix == ".json":
            assert Figure.from_json(json.loads(path.read_text())).to_json() == example().to_json()

    def test_an_unknown_suffix_is_refused(self, tmp_path: Any) -> None:
        with pytest.raises(RequestError, match=r"\.svg"):
            example().save(tmp_path / "figure.doc")
        with pytest.raises(OutputError):
            example().save(tmp_path / "no" / "figure.json")

    @pytest.mark.parametrize("dark", [False, True])
    def test_the_page_draws_in_a_browser_and_fetches_nothing(self, dark: bool, tmp_path: Any) -> None:
        path = tmp_path / "figure.html"
        example().save(path)
        assert "<img" not in path.read_text(encoding="utf-8").split("<script>")[0]
        with browser.running() as chromium, browser.visit(chromium, path.as_uri(), dark=dark) as seen:
            seen.page.wait_for_selector(".chart .scatterlayer")
            assert not seen.errors
            assert not seen.outside
            drawn = seen.page.evaluate("document.querySelector('.chart').layout.paper_bgcolor")
            assert drawn == style.PAGE["dark" if dark else "light"]


def test_numbers_in_words() -> None:
    assert style.in_words(Axis("flops"), 3e14) == "3×10¹⁴ FLOP"
    assert style.in_words(Axis("flops"), 1e18) == "10¹⁸ FLOP"
    assert style.in_words(Axis("params"), 7.4e9) == "7.4B parameters"
    assert style.in_words(Axis("loss"), 2.1049) == "2.105 nats/token"


@pytest.mark.parametrize("labels", [["short"] * 7, ["a label of some thirty letters"] * 6, ["x" * 50] * 3, []])
def test_the_legend_is_no_wider_than_the_picture(labels: list[str]) -> None:
    x = np.array([1.0, 2.0])
    marks = tuple(Line(f"{i} {label}", x=x, y=x + i, series=i) for i, label in enumerate(labels))
    canvas = Figure("Legend", (Panel(Axis("flops"), Axis("loss"), marks),)).to_matplotlib()
    canvas.draw_without_rendering()
    for legend in canvas.legends:
        assert legend.get_window_extent().x1 <= canvas.bbox.x1

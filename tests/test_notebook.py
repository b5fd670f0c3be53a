"""What nouns show in a notebook and in a terminal: all that they say, nothing that runs, no line beyond 100 columns."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import small_ladder

import isoloss as il
from examples.gallery import EXAMPLES
from isoloss.core import sheets
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.plan import Plan
from isoloss.core.runs import Runs

HOSTILE = "<script>broken=1</script>[red]&amp;"
RUNS = small_ladder.ladder()
FIT = small_ladder.fitted(RUNS)

NOUNS: dict[str, Callable[[], Any]] = {
    "runs": lambda: RUNS,
    "fit": lambda: FIT,
    "plan": lambda: il.plan(FIT, flops=3e14),
    "options": lambda: il.plan(FIT, flops=3e14, size_ratio=[0.5, 1, 2]),
    "budgets": lambda: il.plan(FIT, flops=[1e14, 3e14, 1e15, 3e15, 1e16]),
    "prediction": lambda: FIT.predict(params=[1e6, 2e6], tokens=1e8),
    "comparison": lambda: EXAMPLES["comparison"].given[0],
    "backtest": lambda: EXAMPLES["backtest"].given[0],
    "profile": lambda: EXAMPLES["profile"].given[0],
    "groups": lambda: EXAMPLES["groups"].given[0],
    "frontier": lambda: EXAMPLES["profiles"].given[1],
    "multiverse": lambda: EXAMPLES["multiverse"].given[0],
}
FRAMED = ("runs", "fit", "plan", "options", "budgets", "prediction", "comparison")


@cache
def noun_called(name: str) -> Any:
    return NOUNS[name]()


class Reader(HTMLParser):
    """The tags and the visible text of a piece of HTML; an end without a start is an error."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(markup)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def in_terminal(noun: Any, width: int = 100) -> str:
    from rich.console import Console

    written = io.StringIO()
    Console(file=written, width=width, color_system=None).print(noun)
    return written.getvalue()


@pytest.mark.parametrize("name", NOUNS)
class TestEveryNoun:
    def test_prints_within_a_hundred_columns(self, name: str) -> None:
        if name == "runs":
            pytest.skip("a table prints as its name; its sheet is shown instead")
        assert all(len(line) <= 100 for line in str(noun_called(name)).splitlines())

    def test_is_whole_html_that_runs_and_fetches_nothing(self, name: str) -> None:
        page = Reader(noun_called(name)._repr_html_())
        assert not {tag for tag, _ in page.tags} & {"script", "style", "img", "link", "iframe"}
        assert not any(key.startswith("on") or key in ("src", "href") for _, attrs in page.tags for key in attrs)
        assert ("table" in {tag for tag, _ in page.tags}) == (name in FRAMED)

    def test_the_terminal_and_the_notebook_say_the_same_numbers(self, name: str) -> None:
        sheet = sheets.of(noun_called(name))
        page, terminal = Reader(noun_called(name)._repr_html_()).text, in_terminal(noun_called(name), 400)
        cells = [cell for row in sheet.table.rows for cell in row] if sheet.table else sheet.text.splitlines()
        for cell in cells:
            assert cell in page
            assert cell.strip() in terminal

    def test_stays_within_a_hundred_columns_in_a_terminal(self, name: str) -> None:
        shown = in_terminal(noun_called(name))
        assert all(len(line) <= 100 for line in shown.splitlines())
        assert "…" not in shown, "what has no room in a cell goes on below"


def test_a_fit_shows_its_parameters_status_and_findings() -> None:
    page = Reader(FIT._repr_html_()).text
    for words in ("alpha", "90% interval", "status converged", "amber B2", "Add runs off the diagonal.", "huber_log"):
        assert words in page
    for name in FIT.law.names:
        mid = str(FIT.interval(name)).partition(" (")[0]
        assert mid in page


def test_a_fit_without_draws_shows_no_interval() -> None:
    bare = dataclasses.replace(FIT, draws_sp=np.empty((0, 5)))
    assert "interval" not in Reader(bare._repr_html_()).text.partition("status")[0]


def test_long_findings_formulas_and_sources_stay_within_a_hundred_columns() -> None:
    long = "unbroken" * 3 + " " + "words that go on and on " * 20
    finding = Finding("X1", "red", long, fix=long)
    data = dataclasses.replace(FIT.data, source="a/very/long/path/" * 12)
    fit = dataclasses.replace(FIT, findings=(finding,), assumptions=(long,), data=data)
    for text in (str(fit), str(il.plan(fit, flops=1e14)), in_terminal(fit)):
        assert max(map(len, text.splitlines())) <= 100


def test_what_users_wrote_is_text_and_not_markup() -> None:
    runs = RUNS.with_columns(**{HOSTILE: np.array([HOSTILE] * len(RUNS))})
    runs = Runs({HOSTILE: runs[HOSTILE], **runs.columns}, HOSTILE, (HOSTILE,))
    finding = Finding("X1", "red", HOSTILE, fix=HOSTILE)
    data = dataclasses.replace(FIT.data, source=HOSTILE)
    fit: Fit = dataclasses.replace(FIT, findings=(finding,), assumptions=(HOSTILE,), data=data)
    plan: Plan = dataclasses.replace(il.plan(fit, flops=1e14), goal=HOSTILE, findings=(finding,))
    for noun in (runs, fit, plan, fit.predict(params=1e6, tokens=1e7)):
        page = Reader(noun._repr_html_())
        assert "script" not in {tag for tag, _ in page.tags}
        assert HOSTILE in page.text
        assert HOSTILE in in_terminal(noun, 400), "Rich would have read [red] as a colour"


def test_a_long_table_shows_its_first_runs_and_says_how_many_more() -> None:
    page = Reader(RUNS._repr_html_())
    assert [tag for tag, _ in page.tags].count("tr") == 1 + sheets.ROWS
    assert f"{len(RUNS) - sheets.ROWS} more runs" in page.text
    assert page.text.startswith(f"{len(RUNS)} runs of small_ladder.csv")
    assert Reader(RUNS.take(np.arange(0))._repr_html_()).text.startswith("0 runs")


class TestFigures:
    def test_a_notebook_is_given_plotlys_kind_and_a_still_picture(self) -> None:
        bundle = il.plot(RUNS, FIT, name="residuals")._repr_mimebundle_()
        drawn = bundle["application/vnd.plotly.v1+json"]
        json.dumps(drawn, allow_nan=False)
        assert len(drawn["data"]) > 3
        assert bundle["image/svg+xml"].lstrip().startswith("<?xml")
        assert "text/html" not in bundle
        assert len(bundle["text/plain"]) < 100

    def test_without_matplotlib_the_interactive_kind_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from isoloss.core import figure_file
        from isoloss.core.errors import MissingExtraError

        def absent(*_: Any) -> bytes:
            raise MissingExtraError("paper", "matplotlib")

        monkeypatch.setattr(figure_file, "picture", absent)
        bundle = il.plot(RUNS, FIT, name="residuals")._repr_mimebundle_()
        assert set(bundle) == {"application/vnd.plotly.v1+json", "text/plain"}

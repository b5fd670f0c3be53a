"""The report: one page that holds all it needs, says the answer first, and lets no word in it become markup."""

import dataclasses
import json
import re
import shlex
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import small_ladder

from isoloss.core.errors import ColumnError, OutputError, RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.law import find
from isoloss.planning import plan
from isoloss.reporting import report, target_budget

RUNS = small_ladder.ladder()
FIT = small_ladder.fitted(RUNS)
HOSTILE = "</script><script>parent.broken=1</script><img src='https://outside.example/x.png' onerror='broken=1'>${b}"


class Reader(HTMLParser):
    """Collects the tags, the attributes and the visible text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(RUNS, FIT, to=tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def page(written: Path) -> Reader:
    return Reader(written.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.running() as running:
        yield running


class TestThePage:
    def test_says_the_answer_first(self, page: Reader) -> None:
        option = plan(FIT, flops=target_budget(RUNS)).options[0]
        size, tokens, loss = (str(option[name]).partition(" (")[0] for name in ("params", "tokens", "loss"))
        head = page.text.split("The law's parameters")[0]
        assert f"train {size} parameters on {tokens} tokens, and expect a loss of {loss}" in head
        assert str(option["loss"]).partition(" (")[2].rstrip(")") in head
        assert "100 times beyond them" in head
        assert "caution" in head and "see the findings" in head

    def test_its_parts_are_there_in_order(self, page: Reader) -> None:
        titles = [
            "The law's parameters",
            "Has it predicted before?",
            "What loss does a budget buy?",
            "Which size is best for a budget?",
            "What can size be traded for?",
            "What does the law miss?",
            "Findings",
            "Assumptions",
            "How it was computed",
            "Provenance",
        ]
        places = [page.text.index(title) for title in titles]
        assert places == sorted(places)

    def test_shows_every_parameter_with_its_interval_and_the_status(self, page: Reader) -> None:
        for name in FIT.law.names:
            middle, _, interval = str(FIT.interval(name)).partition(" (")
            assert middle in page.text
            assert interval.rstrip(")") in page.text
        assert "Status: converged" in page.text

    def test_sets_every_held_out_run_beside_its_prediction(self, page: Reader) -> None:
        test = RUNS.where(split="test")
        told = FIT.predict(test)
        for i, name in enumerate(test["run"]):
            assert str(name) in page.text
            assert f"{test['loss'][i]:.4f}" in page.text
            assert f"{test['loss'][i] / told.mid[i] - 1:+.2%}" in page.text
        inside = int(np.sum((told.low <= test["loss"]) & (test["loss"] <= told.high)))
        assert f"{inside} of 6 lie inside their 90% intervals" in page.text
        assert page.text.count("inside") >= inside

    def test_says_where_it_came_from_and_how_to_repeat_it(self, page: Reader) -> None:
        for words in (
            RUNS.digest,
            FIT.data.digest,
            "small_ladder.csv",
            "seed 0",
            "isoloss 0.1.0",
            "numpy",
            "hoffmann2022",
        ):
            assert words in page.text
        assert re.search(
            r"isoloss report small_ladder\.csv --law chinchilla .*--flops 3e14 .*--to \S+report\.html", page.text
        )
        assert FIT.law.latex in page.text

    def test_states_its_assumptions(self, page: Reader) -> None:
        for assumption in (*plan(FIT, flops=1e15).assumptions, *RUNS.notes):
            assert assumption[1:] in page.text

    def test_names_no_other_host_outside_the_embedded_library(self, page: Reader) -> None:
        for tag, attributes in page.tags:
            for name, value in attributes.items():
                assert not (
                    name in ("src", "href", "srcset", "action") and not (value or "").startswith(("data:", "#"))
                ), tag
        policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a) or ""
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "http" not in policy
        assert "unsafe-eval" not in policy

    def test_is_the_same_twice(self, written: Path, tmp_path: Path) -> None:
        again = report(RUNS, FIT, to=tmp_path / "report.html")
        assert again.read_text().replace(str(tmp_path), str(written.parent)) == written.read_text()


class TestInABrowser:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [390, 1200])
    def test_opens_without_an_error_or_a_request_and_fits(
        self, chromium: Any, written: Path, width: int, dark: bool
    ) -> None:
        with browser.visit(chromium, written.as_uri(), width=width, dark=dark, touch=width < 600) as visit:
            assert visit.errors == []
            assert visit.outside == []
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width

    def test_every_picture_is_drawn(self, chromium: Any, written: Path) -> None:
        with browser.visit(chromium, written.as_uri()) as visit:
            drawn = visit.page.evaluate(DRAWN)
            assert [figure["id"] for figure in drawn] == [
                "figure-compute",
                "figure-isoflop",
                "figure-contours",
                "figure-residuals",
            ]
            for figure in drawn:
                assert figure["charts"] == (3 if figure["id"] == "figure-residuals" else 1)
                assert figure["empty"] == 0
                assert figure["points"] > 20
                assert figure["legend"] >= 3
            assert drawn[0]["ramp"] == 1

    def test_the_legend_hides_and_shows(self, chromium: Any, written: Path) -> None:
        with browser.visit(chromium, written.as_uri()) as visit:
            held_out = visit.page.locator("#figure-residuals .legend button", has_text="held-out")
            count = "document.querySelectorAll('#figure-residuals .points path').length"
            before = visit.page.evaluate(count)
            held_out.click()
            assert visit.page.evaluate(count) == before - 3 * 6
            held_out.click()
            assert visit.page.evaluate(count) == before
            assert visit.errors == []

    def test_prints_in_light_ink_whatever_the_screen(self, chromium: Any, written: Path) -> None:
        with browser.visit(chromium, written.as_uri(), dark=True) as visit:
            assert len(visit.page.pdf(format="A4")) > 50_000
            visit.page.emulate_media(media="print")
            visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
            ink = "getComputedStyle(document.querySelector('#figure-compute .xtick text')).fill"
            assert visit.page.evaluate(ink) == "rgb(87, 96, 106)"
            widest = "Math.max(...[...document.querySelectorAll('.main-svg')].map((s) => s.clientWidth))"
            assert visit.page.evaluate(widest) <= 680
            visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
            assert visit.page.evaluate(ink) != "rgb(87, 96, 106)"

    def test_the_watch_sees_a_planted_error_and_request(self, chromium: Any, tmp_path: Path) -> None:
        bad = tmp_path / "bad.html"
        bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>throw new Error('planted')</script>")
        with browser.visit(chromium, bad.as_uri()) as visit:
            assert visit.outside == ["http://127.0.0.1:9/x.png"]
            assert any("planted" in e for e in visit.errors)

    def test_the_policy_stops_a_script_and_an_image_that_found_a_way_in(
        self, chromium: Any, written: Path, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.html"
        planted = "<script>window.broken = 1</script><img src='http://127.0.0.1:9/x.png'><main>"
        bad.write_text(written.read_text(encoding="utf-8").replace("<main>", planted), encoding="utf-8")
        with browser.visit(chromium, bad.as_uri()) as visit:
            assert visit.page.evaluate("window.broken") is None
            assert visit.page.evaluate("document.querySelectorAll('.main-svg').length") > 0
            assert len([e for e in visit.errors if "Content Security Policy" in e]) >= 2


DRAWN = """() => [...document.querySelectorAll("figure")].map((figure) => {
  const charts = [...figure.querySelectorAll(".chart")];
  const seen = (chart) => [...chart.querySelectorAll(".trace")].some((t) => t.getBoundingClientRect().width > 40);
  return {
    id: figure.id,
    charts: charts.length,
    empty: charts.filter((chart) => !seen(chart)).length,
    points: figure.querySelectorAll(".points path").length,
    legend: figure.querySelectorAll(".legend button").length,
    ramp: figure.querySelectorAll(".ramp").length,
  };
})"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = np.array([f"{HOSTILE}{i}" for i in range(len(RUNS))])
    runs = dataclasses.replace(RUNS.with_columns(run=names), source=HOSTILE, notes=(HOSTILE,))
    fit = dataclasses.replace(
        FIT,
        assumptions=(HOSTILE,),
        findings=(Finding("X1", "red", HOSTILE, None, HOSTILE),),
        data=dataclasses.replace(FIT.data, source=HOSTILE, digest=HOSTILE),
    )
    return report(runs, fit, to=tmp_path_factory.mktemp("hostile") / "report.html")


class TestHostileWords:
    def test_they_stay_words(self, written: Path, hostile: Path) -> None:
        plain, attacked = (Reader(p.read_text(encoding="utf-8")) for p in (written, hostile))
        assert {t for t, _ in attacked.tags} == {t for t, _ in plain.tags}
        assert sum(t == "script" for t, _ in attacked.tags) == sum(t == "script" for t, _ in plain.tags)
        assert HOSTILE in attacked.text

    def test_they_do_nothing_in_a_browser(self, chromium: Any, hostile: Path) -> None:
        with browser.visit(chromium, hostile.as_uri()) as visit:
            visit.page.hover("#figure-compute .points path >> nth=3", force=True)
            visit.page.wait_for_timeout(200)
            assert visit.page.evaluate("window.broken") is None
            assert visit.page.evaluate("document.querySelectorAll('main img').length") == 0
            assert visit.errors == []
            assert visit.outside == []

    def test_the_command_is_quoted(self, hostile: Path) -> None:
        text = Reader(hostile.read_text(encoding="utf-8")).text
        line = next(line for line in text.splitlines() if "isoloss report " in line)
        assert shlex.split(line[line.index("isoloss report") :])[2] == HOSTILE

    def test_the_figures_data_cannot_end_their_block(self, hostile: Path) -> None:
        block = re.search(r'id="figures">(.*?)</script>', hostile.read_text(encoding="utf-8"), re.DOTALL)
        assert block is not None
        assert "<" not in block[1]
        assert unescape(json.dumps(json.loads(block[1]))).count("outside.example") >= len(RUNS)


class TestRequests:
    def test_a_budget_may_be_written_as_people_do(self, tmp_path: Path) -> None:
        text = Reader(report(RUNS, FIT, to=tmp_path / "r.html", flops="2e16 FLOP").read_text()).text
        assert "For 2×10¹⁶ FLOP, train" in text
        assert "6.67" in text or "6,700" in text or "6.7k times beyond them" in text

    def test_another_level_is_named_everywhere(self, tmp_path: Path) -> None:
        text = Reader(report(RUNS, FIT, to=tmp_path / "r.html", level=0.5).read_text()).text
        assert "50% interval" in text
        told, _, rest = text.partition("Findings")  # diagnoses are made at a level of their own, and say which
        assert "90%" not in told + rest.partition("Assumptions")[2]

    def test_without_held_out_runs_it_says_that_nothing_was_checked(self, tmp_path: Path) -> None:
        train = RUNS.where(split="train")
        text = Reader(report(train, FIT, to=tmp_path / "r.html").read_text()).text
        assert "No run was held out" in text

    def test_a_law_from_the_literature_without_draws_says_so(self, tmp_path: Path) -> None:
        fit = dataclasses.replace(
            FIT, draws_sp=np.empty((0, 5)), residuals_n=np.empty(0), status="published", origin="Somebody 2024"
        )
        text = Reader(report(RUNS, fit, to=tmp_path / "r.html").read_text()).text
        assert "Somebody 2024" in text
        assert "no interval is known" in text
        assert not re.search(r"\b(nan|inf|None)\b", text)

    def test_kaplans_law_is_reported_by_its_own_count(self, tmp_path: Path) -> None:
        law = find("kaplan")
        theta_p = law.theta({"N_c": 8.8e13, "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.103})
        runs = RUNS.rename(body_params="params")
        fit = Fit(law, theta_p, np.tile(theta_p, (20, 1)), "converged", FIT.data)
        assert "embeddings left out" in Reader(report(runs, fit, to=tmp_path / "r.html").read_text()).text

    def test_nothing_is_done_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError):
            report(RUNS, FIT, to=tmp_path / "absent" / "r.html")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("level", [0.0, 1.0, 1.5])
    def test_an_impossible_level_is_refused(self, level: float, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="level"):
            report(RUNS, FIT, to=tmp_path / "r.html", level=level)
        assert list(tmp_path.iterdir()) == []

    def test_a_refused_report_leaves_the_old_one(self, tmp_path: Path) -> None:
        old = tmp_path / "r.html"
        old.write_text("old")
        lacking = RUNS.take(slice(None)).rename(cost="loss")
        with pytest.raises(ColumnError, match="loss"):
            report(lacking, FIT, to=old)
        assert old.read_text() == "old"
        assert list(tmp_path.iterdir()) == [old]

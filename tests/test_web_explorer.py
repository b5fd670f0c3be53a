"""The explorer in a real browser: opened, dragged, linked, mended, compared, exported; by mouse and by keyboard."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
from web_server import SMALL, running

import isoloss as il

READY = "body[data-ready]"
PHONE = 390


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.running() as found:
        yield found


class Opened:
    """A page on the explorer that must end without an error and without having asked any other host."""

    def __init__(self, visit: browser.Visit, base: str) -> None:
        self.visit, self.page, self.base = visit, visit.page, base

    def until(self, expression: str, arg: Any = None) -> None:
        """Wait for an expression to hold; the page's policy lets Playwright's own way of waiting evaluate nothing."""
        end = time.monotonic() + 30
        while not self.page.evaluate(expression, arg):
            assert time.monotonic() < end, f"{expression} never held: {self.page.inner_text('body')[:2000]}"
            self.page.wait_for_timeout(30)

    def ready(self, times: int = 1) -> None:
        self.until(f"Number(document.body.dataset.ready ?? 0) >= {times}")

    def again(self) -> int:
        """How often a fit must have been shown for the next one to be there."""
        return int(self.page.evaluate("Number(document.body.dataset.ready ?? 0)")) + 1

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def drag(self, step: int) -> None:
        self.page.evaluate(
            """(step) => { const budget = document.getElementById("budget"); budget.value = step;
               for (const kind of ["input", "change"]) budget.dispatchEvent(new Event(kind, { bubbles: true })); }""",
            step,
        )

    def upload(self, content: bytes, name: str = "runs.csv") -> None:
        self.page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})

    def wait(self, selector: str, words: str) -> None:
        self.until("([s, w]) => document.querySelector(s)?.innerText.includes(w)", [selector, words])

    def close(self, allowed: tuple[str, ...] = ()) -> None:
        assert [e for e in self.visit.errors if not any(word in e for word in allowed)] == []
        assert [url for url in self.visit.outside if not url.startswith(self.base)] == []


@pytest.fixture(scope="module")
def context(chromium: Any) -> Iterator[Any]:
    made = chromium.new_context(viewport={"width": 1400, "height": 1000})
    yield made
    made.close()


@pytest.fixture
def opened(context: Any, base: str) -> Iterator[Opened]:
    made = Opened(browser.watched(context.new_page()), base)
    made.page.goto(f"{base}/")
    made.ready()
    yield made
    made.page.close()
    made.close()


def open_at(chromium: Any, base: str, hash_: str = "", **how: Any) -> Any:
    return browser.visit(chromium, f"{base}/{hash_}", **how)


def test_it_opens_on_the_ladder_with_an_answer(opened: Opened) -> None:
    fit = il.fit(il.samples.ladder().where(split="train"), draws=500)
    now = opened.page.evaluate("isoloss.now")
    there = il.plan(fit, flops=now["flops"]).options[0]
    assert now["size"]["mid"] == pytest.approx(there.params.mid, rel=1e-6)
    assert now["size"]["high"] == pytest.approx(there.params.high, rel=1e-6)
    assert now["loss"]["low"] == pytest.approx(there.loss.low, rel=1e-6)
    assert opened.text("h1").startswith("For 691T FLOP, train ")
    assert opened.page.locator("#tiles .tile").count() == 4
    assert "Amber" in opened.text("#findings")
    assert opened.page.locator("#formula math").count() == 1
    assert "il.plan(fit, flops=6.91e14)" in opened.text("#python")


def test_dragging_moves_everything_without_asking(opened: Opened) -> None:
    asked: list[str] = []
    opened.page.on("request", lambda request: asked.append(request.url))
    seen = set()
    for step in range(300, 620, 10):
        opened.page.evaluate(
            "(s) => { const b = document.getElementById('budget'); b.value = s; b.dispatchEvent(new Event('input')); }",
            step,
        )
        seen.add(opened.text("h1"))
    assert len(seen) > 25
    assert asked == []
    measured = opened.page.evaluate("performance.getEntriesByName('redraw').length")
    assert measured >= 30
    x = opened.page.evaluate("document.getElementById('chart').data.at(-1).x[0]")
    assert x == pytest.approx(opened.page.evaluate("isoloss.state.flops"))


def test_a_link_is_a_view(chromium: Any, base: str, opened: Opened) -> None:
    page = opened.page
    times = opened.again()
    page.select_option("#objective", "squared_log")
    opened.ready(times)
    page.select_option("#over", "besiroglu2024")
    page.wait_for_selector("#overlays button")
    page.click("#tab-map")
    opened.drag(420)
    opened.until("Number(new URLSearchParams(location.hash.slice(1)).get('flops')) === isoloss.state.flops")
    told = "[isoloss.now, document.querySelector('h1').innerText, document.getElementById('legend').innerText]"
    here = page.evaluate(told)
    with browser.visit(chromium, page.url, width=1400, height=1000) as visit:
        other = Opened(visit, base)
        other.ready()
        there = visit.page.evaluate(told)
        assert there[1:] == here[1:]
        assert there[0] == here[0]
        assert visit.page.get_attribute("#tab-map", "aria-selected") == "true"
        other.close()


def test_a_table_is_uploaded_mended_and_survives_a_reload(opened: Opened) -> None:
    page = opened.page
    opened.upload(SMALL.replace(b"params,tokens,loss", b"weights,tokens,<b onclick=x>loss</b>"))
    page.wait_for_selector("#alert .alert")
    assert page.locator("#columns b").count() == 0
    page.evaluate("document.getElementById('mend').open = true")
    page.select_option("select[aria-label='What weights is']", "params")
    opened.until("document.querySelector(\"select[aria-label='What weights is']\").value === 'params'")
    times = opened.again()
    page.select_option("select[aria-label='What <b onclick=x>loss</b> is']", "loss")
    opened.ready(times)
    assert "fitted to 9 runs" in opened.text("#standing")
    assert "runs.csv" in page.inner_text("#table option:checked")
    head = opened.text("h1")
    page.reload()
    opened.ready()
    assert opened.text("h1") == head
    opened.visit.errors[:] = [e for e in opened.visit.errors if "422" not in e]


def test_a_link_to_a_table_that_is_gone_says_so(chromium: Any, base: str) -> None:
    with open_at(chromium, base, "#table=0123456789abcdef&law=chinchilla&flops=1e15") as visit:
        gone = Opened(visit, base)
        gone.wait("h1", "is not here")
        assert "Drop the file again" in gone.text("#alert")
        gone.upload(SMALL)
        gone.ready()
        assert gone.text("h1").startswith("For 1e15 FLOP")
        gone.close(allowed=("404",))


def test_a_run_is_left_out_by_a_click_and_taken_back_by_key(opened: Opened) -> None:
    page = opened.page
    where = page.evaluate(
        """() => {
             const chart = document.getElementById("chart"), { _size: size, xaxis, yaxis } = chart._fullLayout;
             const runs = chart.data.find((trace) => trace.name === "runs fitted");
             const i = runs.x.indexOf(Math.max(...runs.x));
             const box = chart.getBoundingClientRect(), [left, top] = [box.left + size.l, box.top + size.t];
             return [left + xaxis.d2p(runs.x[i]), top + yaxis.d2p(runs.y[i]), runs.customdata[i]]; }"""
    )
    times = opened.again()
    page.mouse.move(where[0], where[1])
    page.mouse.click(where[0], where[1])
    opened.ready(times)
    assert page.evaluate("isoloss.state.exclude") == [where[2]]
    assert "fitted to 72 runs" in opened.text("#standing")
    assert page.is_visible("#moved")
    assert "exponent of N in C" in opened.text("#moved-body")
    assert f"without={where[2]}" in page.url
    box = page.locator(f"input[aria-label='Fit row {where[2] + 1}']")
    times = opened.again()
    box.focus()
    page.keyboard.press("Space")
    opened.ready(times)
    assert "fitted to 73 runs" in opened.text("#standing")
    assert not page.is_visible("#moved")


def test_two_fits_are_compared(opened: Opened) -> None:
    page = opened.page
    times = opened.again()
    page.click("#keep")
    opened.ready(times)
    times = opened.again()
    page.select_option("#law", "kaplan")
    opened.ready(times)
    assert page.is_visible("#moved")
    assert "kept" in opened.text("#moved-body")
    assert "the fit kept beside" in opened.text("#legend")


def test_the_planner_answers_further_questions(opened: Opened) -> None:
    page = opened.page
    page.fill("#unique", "20M")
    page.press("#unique", "Tab")
    page.select_option("#accelerator", "h100-sxm")
    opened.wait("#plans", "dollars")
    assert "epochs" in opened.text("#plans")
    page.fill("#served", "many")
    page.press("#served", "Tab")
    opened.wait("#plans", "is not a number")
    opened.visit.errors[:] = [e for e in opened.visit.errors if "422" not in e]


def test_which_count_is_n(opened: Opened) -> None:
    times = opened.again()
    opened.page.select_option("#size", "matmul_params")
    opened.ready(times)
    assert "size=matmul_params" in opened.page.url
    assert "matmul_params" in opened.text("#shell")


def test_a_law_of_one_resource_takes_any_column(opened: Opened) -> None:
    page = opened.page
    times = opened.again()
    page.select_option("#law", "power_floor")
    opened.ready(times)
    assert opened.text("label[for=size]") == "Take as x"
    assert "tells no best size" in opened.text("h1")
    assert page.evaluate("document.getElementById('chart').data.length") >= 3
    times = opened.again()
    page.select_option("#size", "tokens")
    opened.ready(times)
    assert "--input x=tokens" in opened.text("#shell")


def test_nothing_of_another_view_stays_beside_an_error(opened: Opened) -> None:
    opened.upload(b"params,tokens,loss\n1e6,1e7,3\n2e6,2e7,2.9\n")
    opened.wait("h1", "There is no such fit")
    assert not opened.page.is_visible("#tiles")
    assert not opened.page.is_visible("#chart")
    assert opened.page.is_visible("#columns")
    opened.visit.errors[:] = [e for e in opened.visit.errors if "422" not in e]


def test_a_fit_can_be_stopped(opened: Opened) -> None:
    opened.page.select_option("#law", "auto")
    opened.page.wait_for_selector("#stop", state="visible")
    opened.page.click("#stop")
    opened.wait("#status", "Stopped.")
    assert not opened.page.is_visible("#progress")


def test_an_error_is_a_reply_and_can_be_closed(opened: Opened) -> None:
    opened.upload(b"\x80\x04K\x01.", "model.pkl")
    opened.page.wait_for_selector("#alert .alert")
    assert "no known format" in opened.text("#alert")
    opened.page.click("#alert button")
    assert opened.text("#alert") == ""
    opened.page.fill("#flops", "a lot")
    opened.page.press("#flops", "Tab")
    opened.wait("#alert", "is no budget")
    opened.visit.errors[:] = [e for e in opened.visit.errors if "422" not in e]


TAKEN = {
    "json": ("isoloss-fit.json", b'{"schema": 1'),
    "plan-json": ("isoloss-plan.json", b"["),
    "svg": ("isoloss-loss.svg", b"<svg"),
    "png": ("isoloss-loss.png", b"\x89PNG"),
    "report": ("isoloss-report.html", b"<!DOCTYPE html>"),
}


def test_everything_can_be_taken_away(opened: Opened, tmp_path: Path) -> None:
    for button, (name, begin) in TAKEN.items():
        with opened.page.expect_download(timeout=60_000) as waiting:
            opened.page.click(f"#{button}")
        assert waiting.value.suggested_filename == name
        waiting.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert json.loads((tmp_path / "isoloss-fit.json").read_text())["noun"] == "fit"


def test_it_fits_a_phone(chromium: Any, base: str) -> None:
    with open_at(chromium, base, width=PHONE, height=800, touch=True) as visit:
        phone = Opened(visit, base)
        phone.ready()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE
        assert visit.page.evaluate("document.getElementById('chart').getBoundingClientRect().width") <= PHONE
        shown = "[...document.querySelectorAll('button, select')].filter((e) => e.offsetParent)"
        small = f"{shown}.filter((e) => e.offsetHeight < 28).length"
        assert visit.page.evaluate(small) == 0
        phone.close()


def test_everything_is_reached_by_keyboard(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = []
    for _ in range(45):
        page.keyboard.press("Tab")
        told = "[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
        reached.append(page.evaluate(told))
    ids = [identity for identity, _ in reached]
    wanted = ["table", "open", "copy", "budget", "flops", "law", "objective", "size", "level", "over", "keep", "report"]
    assert [w for w in wanted if w not in ids] == []
    assert all(outline != "none" for identity, outline in reached if identity in wanted)
    before = page.evaluate("isoloss.state.flops")
    page.focus("#budget")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("isoloss.state.flops") > before
    assert "FLOP" in page.get_attribute("#budget", "aria-valuetext")
    page.focus("#tab-loss")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-size", "aria-selected") == "true"
    opened.wait("#status", "For ")


@pytest.mark.parametrize(("dark", "width"), [(False, 1400), (True, 1400), (False, PHONE)])
def test_no_serious_barrier_is_found_by_axe(chromium: Any, base: str, dark: bool, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.base").AXE_FILE_PATH
    hash_ = "#without=3&over=besiroglu2024&unique=20M"
    with open_at(chromium, base, hash_, width=width, height=900, dark=dark) as visit:
        page = Opened(visit, base)
        page.ready()
        page.wait("#plans", "epochs")
        everything = not dark and width > PHONE
        visit.page.evaluate(
            "(open) => document.querySelectorAll('details').forEach((d) => (d.open = open))", everything
        )
        visit.page.evaluate(Path(axe).read_text(encoding="utf-8"))
        found = visit.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        grave = [
            (v["id"], [n["html"][:120] for n in v["nodes"][:3]])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert grave == []
        page.close()


def test_dark_and_light_differ_and_follow_the_reader(opened: Opened) -> None:
    page = opened.page
    colour = (
        "[getComputedStyle(document.body).backgroundColor, document.getElementById('chart').data.at(-1).marker.color]"
    )
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    opened.until(f"({colour})[1] !== {json.dumps(light[1])}")
    assert page.evaluate(colour)[0] != light[0]

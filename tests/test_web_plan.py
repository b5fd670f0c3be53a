"""The page's own planner beside the library's: best sizes, intervals and losses from one formula, in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
from test_conformance import plausible

import isoloss as il
from isoloss.core.fit import Data, Fit
from isoloss.core.law import Law, every
from isoloss.planning.iso_cost import best_sizes_along
from isoloss.planning.surface import LOWER_IS_BETTER, Surface
from isoloss.web.fitting import Made
from isoloss.web.schemas import FitRequest
from isoloss.web.views import fit as view_of

STATIC = Path(__file__).parents[1] / "isoloss" / "web" / "static"
BUDGETS = np.array([1e16, 3e20, 1e24])
SURFACES = [law for law in every().values() if Surface.of(law) and law.output.name in LOWER_IS_BETTER]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser.running() as chromium, browser.visit(chromium, "about:blank") as visit:
        modules = {name: (STATIC / f"{name}.js").read_text(encoding="utf-8") for name in ("law", "plan")}
        visit.page.evaluate(
            """async (modules) => { for (const [name, text] of Object.entries(modules))
               window[name] = await import("data:text/javascript," + encodeURIComponent(text)); }""",
            modules,
        )
        yield visit.page


def asked(page: Any, fit: Fit, script: str, *arguments: Any) -> Any:
    """Run a script over the page's model of a fit."""
    made = Made(FitRequest(), il.samples.ladder(), np.ones(75, bool), fit)
    view = view_of("0" * 32, made)
    model = f"new law.Model(view, {fit.law.formula.javascript})"
    given = [json.loads(json.dumps(view)), list(arguments)]
    return page.evaluate(f"([view, rest]) => ({script})({model}, ...rest)", given)


def plain_fit(law: Law, theta_tp: np.ndarray) -> Fit:
    return Fit(law, theta_tp[0], theta_tp[1:], "converged", Data(0, "nothing"))


@pytest.mark.parametrize("law", SURFACES, ids=lambda law: law.name)
def test_best_sizes_agree_for_every_law(page: Any, law: Law) -> None:
    _, theta_tp = plausible(law, sets=25, points=2, seed=5)
    here_mt = asked(
        page,
        plain_fit(law, theta_tp),
        "(m, budgets) => budgets.map((c) => [...plan.bestSizes(m, c)].map((n) => (Number.isNaN(n) ? null : n)))",
        BUDGETS.tolist(),
    )
    with np.errstate(all="ignore"):
        there_tm = best_sizes_along(law, theta_tp, BUDGETS)
    here_tm = np.array(here_mt, float).T
    assert np.array_equal(np.isnan(here_tm), np.isnan(there_tm))
    both = np.isfinite(here_tm)
    if both.any():
        worst = float(np.max(np.abs(here_tm[both] / there_tm[both] - 1)))
        print(f"{law.name}: {worst:.2g} at worst, of {both.sum()} optima")
        assert worst < 1e-6


@pytest.fixture(scope="module")
def ladder() -> Fit:
    return il.fit(il.samples.ladder().where(split="train"), draws=300)


@pytest.mark.parametrize("how", [{}, {"weights": "scale"}, {"law": "kaplan"}, {"law": "quanta"}])
def test_the_answer_agrees_with_the_plan(page: Any, how: dict[str, Any]) -> None:
    fit = il.fit(il.samples.ladder().where(split="train"), draws=300, **how)
    if not Surface.of(fit.law):
        pytest.skip("a law of one resource")
    for flops in (1e12, 1e15, 1e18):
        option = il.plan(fit, flops=flops).options[0]
        here = asked(page, fit, "(m, c) => plan.answer(m, c, 0.9)", flops)
        size = fit.law.columns[0]
        for name, there in (("size", option[size]), ("tokens", option["tokens"]), ("loss", option["loss"])):
            for end in ("mid", "low", "high"):
                assert here[name][end] == pytest.approx(getattr(there, end), rel=1e-6), (name, end, flops)


@pytest.mark.slow
def test_the_answer_of_a_calibrated_blend_agrees(page: Any) -> None:
    fit = il.fit(il.samples.ladder().where(split="train"), law="auto", draws=100)
    for flops in (1e12, 1e16):
        there = il.plan(fit, flops=flops).options[0].loss
        here = asked(page, fit, "(m, c) => plan.answer(m, c, 0.9)", flops)["loss"]
        for end in ("mid", "low", "high"):
            assert here[end] == pytest.approx(getattr(there, end), rel=1e-6)


def test_a_planted_fault_is_seen(page: Any, ladder: Fit) -> None:
    there = best_sizes_along(ladder.law, ladder.theta_p[None], BUDGETS)[0, 0]
    here = asked(page, ladder, "(m, c) => plan.bestSizes(m, c * 1.0001, 1)[0]", BUDGETS[0])
    assert abs(here / there - 1) > 1e-6


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7.4e9, "7.4B"),
        (5.76e23, "5.76e23"),
        (999.6, "1k"),
        (0.5, "0.5"),
        (123456, "123k"),
        (1e15, "1e15"),
        (2e-4, "2e-4"),
    ],
)
def test_numbers_are_written_as_everywhere(page: Any, value: float, words: str) -> None:
    from isoloss.core import numbers

    text = (STATIC / "numbers.js").read_text(encoding="utf-8")
    script = "async ([text, v]) => (await import('data:text/javascript,' + encodeURIComponent(text))).short(v)"
    assert page.evaluate(script, [text, value]) == numbers.short(value) == words

"""Every finding: a sweep that has it, one that has not, and its section in the docs."""

from __future__ import annotations

import pytest

import isoloss as il
from examples.findings import build
from isoloss.checking.diagnosis import every

CODES = [d.code for d in every()]


def test_every_code_has_an_example_and_every_example_a_code() -> None:
    assert set(build.examples()) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_fault_is_found(code: str) -> None:
    found = build.examples()[code].wrong().check(code)[code].findings
    assert [f for f in found if f.code == code and f.severity in ("red", "amber")], found
    assert all(f.sentence.endswith(".") and f.fix.endswith(".") for f in found if f.severity != "note")


@pytest.mark.parametrize("code", CODES)
def test_runs_without_the_fault_are_not_accused(code: str) -> None:
    verdict = build.examples()[code].right().check(code)[code]
    assert not [f for f in verdict.findings if f.severity != "note"], verdict.findings
    assert verdict.findings or verdict.fine, verdict.unseen


def test_the_page_says_what_the_code_says() -> None:
    assert build.PAGE.read_text(encoding="utf-8") == build.page()


@pytest.mark.parametrize("code", CODES)
def test_every_section_has_a_picture(code: str) -> None:
    assert (build.PAGE.parent / "findings" / f"{code.lower()}.svg").stat().st_size > 2000


def test_quick_diagnoses_are_made_on_every_fit() -> None:
    assert "B1" in {f.code for f in il.fit(build.examples()["B1"].wrong().runs, draws=0).findings}


def test_an_unknown_code_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(il.IsolossError, match="Near names: B"):
        build.examples()["B1"].right().check("B9")

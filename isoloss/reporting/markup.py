"""The parts that a page is built from, on top of `core/html.py`: tables, formulae, sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isoloss.core.html import Html, data, items, joined, tag

__all__ = ["Html", "data", "facts", "formula", "items", "joined", "section", "symbol", "table", "tag"]


def table(head: list[str], rows: list[list[Any]], caption: str) -> Html:
    """A table under its caption; the first cell of a row is its heading. A phone shows a wide one as cards."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = [tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:], head[1:])) for row in rows]
    inner = tag("table", tag("thead", top), tag("tbody", *body), class_="wide" if len(head) > 3 else "narrow")
    scrolled = tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return joined(tag("p", caption, class_="caption"), scrolled)


def _cell(content: Any, heading: str) -> Html:
    return tag("td", content, data_label=heading)


def formula(left: str, arguments: list[str], expression: Any) -> Html:
    """The equation left(arguments) = expression as MathML, which browsers set without any help."""
    inside = "<mo>,</mo>".join(_letter(a) for a in arguments)
    sides = f"{_letter(left)}<mo>(</mo>{inside}<mo>)</mo><mo>=</mo>{_mathml(expression)}"
    return Html(f'<div class="scroll"><math display="block"><mrow>{sides}</mrow></math></div>')


def symbol(name: str) -> Html:
    """A parameter's name as a letter: 'alpha_N' becomes α with the index N."""
    return Html(f"<math>{_letter(name)}</math>")


def _letter(name: str) -> str:
    import sympy

    return _mathml(sympy.Symbol(name))


def _mathml(expression: Any) -> str:
    from sympy.printing.mathml import mathml

    return mathml(expression, printer="presentation")


def section(title: str, *children: Any, **attributes: str) -> Html:
    """A part of the page under its heading."""
    return tag("section", tag("h2", title), *children, **attributes)


def facts(told: Mapping[str, Any]) -> Html:
    """Names and what is said of each."""
    return tag("dl", *(joined(tag("dt", name), tag("dd", words)) for name, words in told.items()), class_="facts")

"""Makes docs/findings.md: for every finding what it asks and why, a sweep that has it, what is said of it, a picture.

python -m examples.findings.build [CODE ...]
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import examples.findings as folder
from isoloss.checking.diagnosis import every
from isoloss.core.checkup import Verdict

PAGE = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
HEAD = """# Findings

`isoloss check RUNS` asks all of this of a table of runs and of a fit to it; `isoloss fit` and the report carry what it
finds. Each section has a sweep with the fault, what is said of it, and what is said of one without. This page is made
by `python -m examples.findings.build`.
"""


def examples() -> dict[str, ModuleType]:
    """The example of each code, by code."""
    names = sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_"))
    return {n.upper(): importlib.import_module(f"examples.findings.{n}") for n in names if n != "build"}


def page() -> str:
    """The page's text."""
    shown = examples()
    sections = [_section(d.code, d.asks, inspect.getdoc(d.look) or "", shown[d.code]) for d in every()]
    return "\n\n".join([HEAD.strip(), *sections]) + "\n"


def draw(code: str) -> None:
    """Write the picture of one code."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams |= {"svg.hashsalt": code, "svg.fonttype": "none"}
    drawn = examples()[code].picture().to_matplotlib()
    drawn.savefig(PAGE.parent / "findings" / f"{code.lower()}.svg", metadata={"Date": None})


def _section(code: str, asks: str, docstring: str, example: ModuleType) -> str:
    wrong, right = (example.wrong().check(code)[code], example.right().check(code)[code])
    found = "\n".join(f"> {f}" for f in wrong.findings)
    return "\n\n".join(
        [f"## {code}: {asks}", docstring, f"![{code}](findings/{code.lower()}.svg)", found, _without(right)]
    )


def _without(verdict: Verdict) -> str:
    notes = " ".join(str(f) for f in verdict.findings)
    return f"Without the fault: {verdict.fine or notes or verdict.unseen}"


def main(codes: list[str]) -> None:
    (PAGE.parent / "findings").mkdir(exist_ok=True)
    for code in codes or list(examples()):
        draw(code.upper())
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

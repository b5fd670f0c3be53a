"""The import picture of docs/design.md: downwards only, never sideways between folders."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "isoloss"

ROWS = [
    {"core"},
    {"laws", "loaders", "lab"},
    {"fitting", "published", "samples"},
    {"planning", "comparing", "designing"},
    {"checking"},
    {"verifying"},
    {"plots"},
    {"reporting"},
    {"web"},
    {"cli"},
]
RANK = {folder: rank for rank, row in enumerate(ROWS) for folder in row}
FACES = {"__init__", "__main__"}


def imports_of(source: str) -> set[str]:
    """The folders of isoloss that a file's import statements name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            names = [f"{node.module}.{a.name}" for a in node.names] if node.module == "isoloss" else [node.module or ""]
        found |= {n.split(".")[1] for n in names if n.startswith("isoloss.")}
    return found


def offences(folder: str, source: str) -> set[str]:
    return {other for other in imports_of(source) if other != folder and RANK.get(other, 99) >= RANK[folder]}


FILES = sorted(p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0].removesuffix(".py") not in FACES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    allowed = {"__version__"}
    assert offences(folder, path.read_text()) - allowed == set()


def test_every_folder_has_a_row() -> None:
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and list(p.glob("*.py"))}
    assert folders <= set(RANK)


@pytest.mark.parametrize(
    ("folder", "source", "wrong"),
    [
        ("core", "from isoloss.laws import joint", {"laws"}),
        ("laws", "def f():\n    import isoloss.loaders.columns", {"loaders"}),
        ("plots", "from isoloss import reporting", {"reporting"}),
        ("plots", "from isoloss.core.runs import Runs", set()),
    ],
)
def test_the_check_sees_planted_faults(folder: str, source: str, wrong: set[str]) -> None:
    assert offences(folder, source) == wrong

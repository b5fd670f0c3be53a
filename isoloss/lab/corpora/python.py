"""Source code in Python: the standard library as it is installed, alone or with SymPy's."""

from __future__ import annotations

import importlib.util
import sysconfig
from importlib.metadata import version
from pathlib import Path

from isoloss.lab.building import Documents, build_corpus
from isoloss.lab.corpus import Corpus, corpus_source
from isoloss.lab.kept import kept_build


@corpus_source("python", about="Python's own standard library, as installed here", licence="PSF-2.0")
def python_library(name: str) -> Corpus:
    """The source of Python's own standard library, as installed here; its tests are included where they are."""
    documents, notes = standard_library()
    return build_corpus(name, documents, notes, "PSF-2.0")


@corpus_source(
    "python-large", about="the standard library and SymPy, as installed here", licence="PSF-2.0 and BSD-3-Clause"
)
def python_large(name: str) -> Corpus:
    """The standard library and SymPy, near-duplicates removed."""
    found = importlib.util.find_spec("sympy")
    assert found is not None and found.submodule_search_locations, "isoloss depends on SymPy"
    root = Path(found.submodule_search_locations[0])
    sympy = ((f"sympy/{path.relative_to(root).as_posix()}", path.read_bytes()) for path in root.rglob("*.py"))
    documents, notes = standard_library()
    notes = (*notes, f"source of SymPy {version('sympy')}, its tests included")
    return kept_build(name, [*documents, *sympy], notes, "PSF-2.0 and BSD-3-Clause")


def standard_library() -> tuple[Documents, tuple[str, ...]]:
    """Return the files of the standard library, and notes about them."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [path for path in root.rglob("*.py") if not _is_foreign(path.relative_to(root))]
    tests = "included" if (root / "test" / "test_grammar.py").exists() else "not installed here"
    version = sysconfig.get_python_version()
    notes = (f"source of the standard library of Python {version}", f"its tests: {tests}")
    return ((path.relative_to(root).as_posix(), path.read_bytes()) for path in files), notes


def _is_foreign(path: Path) -> bool:
    """What is not part of the library, or is written anew for each machine."""
    top = path.parts[0]
    return top in ("site-packages", "dist-packages") or top.startswith(("config-", "_sysconfigdata"))

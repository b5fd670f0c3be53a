"""What is kept of a formula is what tracing made, whole and of this version; anything else is made anew."""

import ast
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from law_values import spread

import isoloss
from isoloss.core import formula_cache
from isoloss.core.formula import Formula
from isoloss.core.implicit import Implicit
from isoloss.core.law import Law, every, find

LAWS = every()
SAMPLE = ("chinchilla", "data_constrained", "mixing_2", "mixing_3", "bounded_power", "kaplan_frontier", "multi_power")
CALLS = ("value", "jacobian", "hessian", "slopes")
FACTS = ("linear", "offsets", "latex", "javascript")
is_posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
is_not_root = pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anything")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Counts how often a text is made."""

    def __init__(self, text: str = "made\nof two lines") -> None:
        self.text, self.times = text, 0

    def __call__(self) -> str:
        self.times += 1
        return self.text


def files(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.txt"))


def everything(law: Law) -> list[Any]:
    """All that a fresh formula gives, numbers as they are in memory."""
    formula = replace(law.formula)
    rng = np.random.default_rng(0)
    x = [spread(rng, i.quantity.typical, 5, log=False) for i in law.inputs]
    theta = [spread(rng, p.range.typical, 3, p.range.log)[:, None] for p in law.parameters]
    with np.errstate(all="ignore"):
        numbers = [np.asarray(part).tobytes() for call in CALLS for part in getattr(formula, call)(x, theta)]
    return [*numbers, *(getattr(formula, fact) for fact in FACTS)]


def assert_same_with_and_without(law: Law, monkeypatch: pytest.MonkeyPatch) -> None:
    written = everything(law)
    read = everything(law)
    monkeypatch.setenv("ISOLOSS_CACHE", "off")
    assert written == read == everything(law)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_kept_formula_is_the_traced_one_bit_for_bit(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_with_and_without(LAWS[name], monkeypatch)
    assert len(files(cache)) == len(CALLS) + len(FACTS) + 4 * isinstance(LAWS[name].formula, Implicit)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_every_kept_formula_is_the_traced_one(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_with_and_without(LAWS[name], monkeypatch)


def test_a_kept_formula_needs_no_sympy(cache: Path) -> None:
    everything(find("chinchilla"))
    code = (
        "import sys, isoloss\nfrom isoloss.core.law import find\nlaw = find('chinchilla').formula\n"
        f"for call in {CALLS}: getattr(law, call)([1e9, 1e10], [1.8, 400.0, 2000.0, 0.35, 0.37])\n"
        f"for fact in {FACTS}: getattr(law, fact)\n"
        "print([name for name in ('sympy', 'scipy') if name in sys.modules])"
    )
    assert run(code, cache) == "[]"


def run(code: str, cache: Path) -> str:
    root = str(Path(isoloss.__file__).parents[1])
    environment = {**os.environ, "ISOLOSS_CACHE": str(cache), "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_text_is_made_once_for_a_key(cache: Path) -> None:
    make, other = Maker(), Maker("other")
    assert [formula_cache.kept("a", make) for _ in range(3)] == [make.text] * 3
    assert formula_cache.kept("b", other) == "other"
    assert (make.times, other.times, len(files(cache))) == (1, 1, 2)


def test_closures_over_different_numbers_are_kept_apart(cache: Path) -> None:
    def made(k: int) -> Formula:
        return Formula(lambda x, *, a: a * x**k, ("x",), ("a",))

    assert [float(made(k).value([3.0], [2.0])) for k in (1, 2, 1)] == [6.0, 18.0, 6.0]
    assert len(files(cache)) == 2


def test_what_is_assumed_of_symbols_is_part_of_the_key(cache: Path) -> None:
    def function(x: Any, *, a: Any) -> Any:
        return (x**2) ** 0.5 * a

    positive, signed = Formula(function, ("x",), ("a",)), Formula(function, ("x",), ("a",), frozenset("x"))
    assert (float(positive.value([3.0], [1.0])), float(signed.value([-3.0], [1.0]))) == (3.0, 3.0)


def test_a_formula_of_another_kind_is_not_kept(cache: Path) -> None:
    class Doubled(Formula):
        def _differentiate(self, expression: Any, symbol: Any) -> Any:
            return 2 * super()._differentiate(expression, symbol)

    assert Formula(lambda x, *, a: a * x, ("x",), ("a",)).jacobian([3.0], [1.0]) == [3.0]
    assert Doubled(lambda x, *, a: a * x, ("x",), ("a",)).jacobian([3.0], [1.0]) == [6.0]
    assert len(files(cache)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-1],
        lambda whole: whole[:30],
        lambda whole: bytes(range(256)),
        lambda whole: whole.replace(b"made", b"mode"),
        lambda whole: b"0" * 64 + whole[64:],
        lambda whole: whole + b"\n",
    ],
    ids=["empty", "last byte lost", "cut in the checksum", "garbage", "one letter", "wrong checksum", "one byte more"],
)
def test_a_damaged_file_is_made_anew(damage: Callable[[bytes], bytes], cache: Path) -> None:
    make = Maker()
    formula_cache.kept("a", make)
    (file,) = files(cache)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert formula_cache.kept("a", make) == make.text
    assert (make.times, file.read_bytes()) == (2, whole)


def test_a_whole_file_of_another_key_is_made_anew(cache: Path) -> None:
    formula_cache.kept("a", Maker("of a"))
    formula_cache.kept("b", Maker("of b"))
    one, other = files(cache)
    one.write_bytes(other.read_bytes())
    assert formula_cache.kept("a", Maker("of a")) == "of a"
    assert formula_cache.kept("b", Maker("of b")) == "of b"


def test_a_folder_in_place_of_a_file_is_left_alone(cache: Path) -> None:
    make = Maker()
    formula_cache.kept("a", make)
    (file,) = files(cache)
    file.unlink()
    file.mkdir()
    assert formula_cache.kept("a", make) == make.text
    assert make.times == 2
    assert list(file.parent.iterdir()) == [file]


def test_a_file_in_place_of_the_folder_is_left_alone(cache: Path) -> None:
    cache.write_text("mine")
    assert formula_cache.kept("a", Maker()) == Maker().text
    assert cache.read_text() == "mine"


@is_posix
@is_not_root
def test_a_folder_that_cannot_be_written_is_read(cache: Path) -> None:
    formula_cache.kept("a", Maker())
    place = files(cache)[0].parent
    place.chmod(0o500)
    old, new = Maker(), Maker("new")
    assert formula_cache.kept("a", old) == old.text
    assert [formula_cache.kept("b", new) for _ in range(2)] == ["new"] * 2
    assert (old.times, new.times) == (0, 2)
    place.chmod(0o700)


def test_a_full_disk_costs_nothing_but_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    formula_cache.kept("a", Maker())
    monkeypatch.setattr(os, "replace", full)
    assert formula_cache.kept("b", Maker("b")) == "b"
    assert len(list(files(cache)[0].parent.iterdir())) == 1


@is_posix
@pytest.mark.parametrize("depth", range(4), ids=["file", "version", "formulas", "cache"])
@pytest.mark.parametrize("mode", [stat.S_IWGRP, stat.S_IWOTH], ids=["group", "all"])
def test_what_others_may_write_is_not_run(depth: int, mode: int, cache: Path) -> None:
    make = Maker()
    formula_cache.kept("a", make)
    (file,) = files(cache)
    part = [file, *file.parents][depth]
    part.chmod(part.stat().st_mode | mode)
    assert formula_cache.kept("a", make) == make.text
    assert make.times == 2


@is_posix
def test_what_belongs_to_another_user_is_not_run(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    formula_cache.kept("a", make)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert formula_cache.kept("a", make) == make.text
    assert (make.times, len(files(cache))) == (2, 1)


@is_posix
def test_nobody_else_may_write_what_is_kept_whatever_the_umask(cache: Path) -> None:
    before = os.umask(0)
    try:
        make = Maker()
        formula_cache.kept("a", make)
    finally:
        os.umask(before)
    formula_cache.kept("a", make)
    assert make.times == 1


def test_many_that_write_one_file_leave_a_whole_one(cache: Path) -> None:
    text = "x" * 1_000_000
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: formula_cache.kept("a", Maker(text)), range(40)))
    unused = Maker()
    assert set(made) == {text} == {formula_cache.kept("a", unused)}
    assert unused.times == 0
    assert len(list(files(cache)[0].parent.iterdir())) == 1


def test_processes_that_race_agree(cache: Path) -> None:
    code = (
        "from isoloss.core.law import find\nlaw = find('bnsl_0').formula\n"
        "print([float(d) for d in law.hessian([1e9], [1.5, 400.0, 0.3])], law.javascript, flush=True)"
    )
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: run(code, cache), range(2)))
    assert answers[0] == answers[1] == run(code, cache)
    assert all(file.suffix == ".txt" for file in files(cache)[0].parent.iterdir())


def test_off_keeps_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOLOSS_CACHE", "off")
    make = Maker()
    assert [formula_cache.kept("a", make) for _ in range(2)] == [make.text] * 2
    assert (make.times, cache.exists(), formula_cache.folder()) == (2, False, None)


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, "home/.cache/isoloss"),
        ("linux", {"XDG_CACHE_HOME": "/elsewhere"}, "/elsewhere/isoloss"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache/isoloss"),
        ("darwin", {"XDG_CACHE_HOME": "/elsewhere"}, "home/Library/Caches/isoloss"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/isoloss/Cache"),
        ("linux", {"ISOLOSS_CACHE": "/named"}, "/named"),
        ("linux", {"ISOLOSS_CACHE": "~/named"}, "home/named"),
    ],
)
def test_the_platform_says_where(
    platform: str, variables: dict[str, str], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ISOLOSS_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path / "home"), **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    found = formula_cache.folder()
    assert found is not None
    assert found.parents[1] == tmp_path / place


def test_versions_unused_for_a_month_are_removed_when_a_new_one_comes(cache: Path) -> None:
    formulas = cache / "formulas"
    old, recent, not_ours = (formulas / name for name in ("0" * 16, "1" * 16, "something else"))
    for place, days in ((old, 31), (recent, 29), (not_ours, 400)):
        place.mkdir(parents=True)
        (place / "x.txt").write_text("x")
        then = time.time() - days * 86400
        os.utime(place, (then, then))
    formula_cache.kept("a", Maker())
    assert [place.exists() for place in (old, recent, not_ours)] == [False, True, True]


@pytest.mark.parametrize("changed", ["numpy", "sympy", "python", "isoloss"])
def test_another_version_makes_its_own(changed: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    formula_cache.kept("a", make)
    if changed == "python":
        monkeypatch.setattr(formula_cache.platform, "python_version", lambda: "3.99")
    elif changed == "isoloss":
        monkeypatch.setattr(formula_cache, "MAKERS", formula_cache.MAKERS[:-1])
    else:
        real = formula_cache.version
        monkeypatch.setattr(formula_cache, "version", lambda name: "99" if name == changed else real(name))
    formula_cache._made_by.cache_clear()
    formula_cache.kept("a", make)
    formula_cache._made_by.cache_clear()
    assert make.times == 2


def test_the_version_covers_every_module_that_makes_a_text() -> None:
    folder = Path(formula_cache.__file__).parent
    for maker in formula_cache.MAKERS:
        tree = ast.parse((folder / f"{maker.rpartition('.')[2]}.py").read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        own = {f"{i.module}.{a.name}" if i.module == "isoloss.core" else i.module for i in imports for a in i.names}
        assert {name for name in own if name and name.startswith("isoloss")} <= set(formula_cache.MAKERS)


def test_what_is_kept_is_text(cache: Path) -> None:
    everything(find("chinchilla"))
    shown = [file.read_text() for file in files(cache)]
    assert sum("def formula(N, D, E, A, B, alpha, beta):" in text for text in shown) == len(CALLS)
    assert json.dumps(shown)

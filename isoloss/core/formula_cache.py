"""Keeps what tracing a formula made, as text in a folder of the user's, so that it is traced once and not once a run.

Some of that text is Python that is run, so a text is used only as it was written, for the key it was written for, and
out of files and folders that nobody but the user can write. Where that cannot be had, every formula is traced anew.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VARIABLE = "ISOLOSS_CACHE"
MAKERS = tuple(f"isoloss.core.{name}" for name in ("formula", "formula_cache", "implicit", "maths", "recording"))
IDLE_DAYS = 30


def kept(key: str, make: Callable[[], str]) -> str:
    """What `make` returned when it was last called for this key, here or in an earlier run.

    The key must say all that the text depends on, but for the versions of isoloss, Python, NumPy and SymPy: those are
    added here. Texts lie in the folder that ISOLOSS_CACHE names, or in the platform's folder for caches; with
    ISOLOSS_CACHE=off, or where the folder cannot be used safely, `make` is called each time.
    """
    place = folder()
    if place is None:
        return make()
    key = f"{place.name}\n{key}"
    file = place / f"{_digest(key)}.txt"
    text = _read(file, key)
    if text is None:
        text = make()
        _write(file, f"{_checksum(key, text)}\n{text}")
    return text


def folder() -> Path | None:
    """The folder of this version's texts, whether or not it is there yet; None where nothing is to be kept."""
    above, made_by = above_all(), _made_by()
    return above / "formulas" / made_by if above and made_by else None


def above_all() -> Path | None:
    """The folder of all that isoloss keeps for the user, whether or not it is there yet; None where nothing is kept."""
    setting = os.environ.get(VARIABLE, "")
    if setting == "off":
        return None
    try:
        return Path(setting).expanduser() if setting else _of_platform()
    except RuntimeError:  # the user has no home
        return None


def _of_platform() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "isoloss" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "isoloss"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "isoloss"


@functools.cache
def _made_by() -> str | None:
    here = Path(__file__).parent
    try:
        makers = [(here / f"{name.rpartition('.')[2]}.py").read_text(encoding="utf-8") for name in MAKERS]
        versions = [platform.python_version(), version("numpy"), version("sympy")]
    except (OSError, PackageNotFoundError):
        return None
    return _digest(repr([*makers, *versions]))[:16]


def _read(file: Path, key: str) -> str | None:
    try:
        if not all(_is_own(os.stat(part)) for part in file.parents[:3]):
            return None
        with file.open("rb") as opened:
            if not _is_own(os.fstat(opened.fileno())):
                return None
            checksum, _, text = opened.read().decode("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if checksum == _checksum(key, text) else None


def _write(file: Path, content: str) -> None:
    with contextlib.suppress(OSError):  # a full disk, a read-only one: this run has its text, the next makes its own
        if not file.parent.exists():
            _make_folder(file.parent)
        if all(_is_own(os.stat(part)) for part in file.parents[:3]):
            _replace(file, content)


def _replace(file: Path, content: str) -> None:
    handle, draft = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content.encode("utf-8"))
        os.replace(draft, file)
    except BaseException:
        os.unlink(draft)
        raise


def _make_folder(place: Path) -> None:
    place.parents[1].mkdir(parents=True, exist_ok=True, mode=0o700)
    place.parent.mkdir(exist_ok=True, mode=0o700)
    place.mkdir(exist_ok=True, mode=0o700)
    for other in place.parent.iterdir():
        if re.fullmatch("[0-9a-f]{16}", other.name) and other.stat().st_mtime < time.time() - IDLE_DAYS * 86400:
            shutil.rmtree(other, ignore_errors=True)


def _is_own(status: os.stat_result) -> bool:
    if os.name != "posix":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _checksum(key: str, text: str) -> str:
    return _digest(f"{len(key)}\n{key}{text}")


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8")).hexdigest()

"""Reads and writes files so that nothing that existed is lost and nothing is left half-written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from isoloss.core.errors import FormatError, OutputError

T = TypeVar("T")


def write_text(path: Any, text: str) -> None:
    """Write a whole file of text or nothing. Raises OutputError."""
    write_bytes(path, text.encode())


def write_bytes(path: Any, content: bytes) -> None:
    """Write a whole file or nothing: to a temporary file beside it, then moved over it. Raises OutputError."""
    path = Path(path)
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(draft, 0o666 & ~_umask())
        os.replace(draft, path)
    except OSError as error:
        Path(draft).unlink(missing_ok=True)
        raise _unwritable(path, error) from None
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def check_writable(path: Any) -> None:
    """Raise OutputError before any work is spent, if `path` could not be written."""
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"Cannot write {path}: it is a folder.", do="Name a file.")
    if not path.parent.is_dir():
        raise OutputError(
            f"Cannot write {path}: the folder {path.parent} does not exist.", do="Make it, or name another."
        )
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise OutputError(f"Cannot write {path}: permission denied.", do="Name a file in a folder that you may write.")


def write_json(path: Any, content: Mapping[str, Any]) -> None:
    """Write JSON with full digits, whole or not at all. Raises OutputError."""
    check_writable(path)
    write_text(path, json.dumps(content))


def read_json(path: Any, noun: str, build: Callable[[Mapping[str, Any]], T]) -> T:
    """Read what `write_json` wrote of the kind `noun`; anything else is a FormatError."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError as error:
        raise FormatError(
            f"{path} is not whole JSON: {error}.", do="It may have been cut short; write it again."
        ) from None
    if not isinstance(content, dict) or content.get("noun") != noun or content.get("schema") != 1:
        raise FormatError(f"{path} does not hold a {noun} of schema 1.")
    try:
        return build(content)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} does not hold a whole {noun}: {error!r}.") from None


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write {path}: {error.strerror}.", do="Name a file in a folder that exists and that you may write."
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

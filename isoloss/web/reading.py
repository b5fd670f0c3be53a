"""Reads an uploaded file in a process of its own, with limits on time and memory: python -m isoloss.web.reading FILE

Small files of text are read where they are. All others may claim to be small and unfold to anything, so that the
process that reads them can be ended. What it found comes back as JSON; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from isoloss.core import errors
from isoloss.core.errors import FormatError, IsolossError
from isoloss.loaders.files import from_path
from isoloss.loaders.parquet import SUFFIXES as UNFOLDING
from isoloss.loaders.table import Table
from isoloss.web.limits import Limits, Refused, too_many

SMALL = 200_000  # bytes that are read at once
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".json", ".jsonl", ".ndjson", *UNFOLDING)


def read_upload(content: bytes, name: str, limits: Limits) -> Table:
    """The raw cells of an uploaded file that any loader recognises.

    Raises FormatError and the loaders' other errors, with the file under the name it had; Refused (413 or 408) for a
    table that is too large, or takes too long to read.
    """
    suffix = Path(name).suffix.lower()
    with tempfile.TemporaryDirectory(prefix="isoloss-") as folder:
        path = Path(folder) / f"upload{suffix if suffix in SUFFIXES else ''}"
        path.write_bytes(content)
        try:
            apart = len(content) > SMALL or suffix in UNFOLDING or content.startswith(b"PAR1")
            table = _apart(path, name, limits) if apart else from_path(path)
        except IsolossError as error:
            error.given, error.exists, error.do = (
                words.replace(str(path), name).replace(folder, "its folder")
                for words in (error.given, error.exists, error.do)
            )
            raise
    if not len(table):
        raise FormatError(f"{name} holds no runs.", do="Give at least one row.")
    if len(table) > limits.rows:
        raise too_many("rows", len(table), limits.rows)
    if len(table.columns) > limits.columns:
        raise too_many("columns", len(table.columns), limits.columns)
    return table


def _apart(path: Path, name: str, limits: Limits) -> Table:
    asked = [sys.executable, "-m", "isoloss.web.reading", str(path), str(limits.read_memory), str(limits.rows)]
    quiet = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(asked, capture_output=True, timeout=limits.read_seconds, env=quiet, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(
            408,
            f"{name} took more than {limits.read_seconds:g} seconds to read.",
            "A table of runs has one row for each run.",
            "Keep the last row of each run, and the columns that matter.",
        ) from None
    if done.returncode:
        raise FormatError(
            f"{name} could not be read within {limits.read_memory / 2**30:.3g} GB of memory.",
            "It is broken, or unfolds to far more than it is.",
            "Save it as CSV, one row for each run.",
        )
    return _table(json.loads(done.stdout), limits)


def _table(found: dict[str, Any], limits: Limits) -> Table:
    if "rows" in found:
        raise too_many("rows", int(found["rows"]), limits.rows)
    if "error" in found:
        kind = getattr(errors, found["error"])
        made = kind.__new__(kind)
        IsolossError.__init__(made, found["given"], found["exists"], found["do"])
        raise made
    return Table(found["columns"], found["places"], tuple(found["notes"]))


def _main(path: str, memory: str, rows: str) -> None:
    _limit(int(memory))
    try:
        table = from_path(Path(path))
        found: dict[str, Any] = {"columns": table.columns, "places": list(table.places), "notes": table.notes}
        if len(table) > int(rows):
            found = {"rows": len(table)}
    except IsolossError as error:
        found = {"error": type(error).__name__, "given": error.given, "exists": error.exists, "do": error.do}
    json.dump(found, sys.stdout, default=str)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system: the time limit is left
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main(*sys.argv[1:])

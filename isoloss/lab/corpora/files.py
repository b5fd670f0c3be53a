"""Text of the user's own: a folder or a file of text, JSON lines (key "text") or Parquet (column "text"), maybe .gz.

The corpus is called files:NAME@DIGEST after the folder and its content, whatever its path, so that a folder may move
and its runs stay the same runs. What was built is kept in the user's cache under that name: training processes take it
from there, and it stays the same while they train even if the folder does not.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from isoloss.core.errors import ColumnError, FormatError, MissingExtraError, RequestError, TrainingError
from isoloss.lab.building import build_corpus
from isoloss.lab.corpus import Corpus, corpus_source
from isoloss.lab.kept import checked, keep_corpus, kept_corpus, needed_folder

KEY = "text"
LIMIT = 2**30  # bytes of text in all
BUILT = re.compile(r"[^/\\]+@[0-9a-f]{12}")
PARQUET_ROWS = 1024


@corpus_source(
    "files",
    form="files:PATH",
    pattern=r"files:(.+)",
    about='text of your own: a folder, .jsonl (key "text"), .parquet (column "text") or text, maybe .gz; up to 1 GiB',
    licence="your own",
)
def files(name: str, path: str) -> Corpus:
    """The documents at `path`, near-duplicates removed, or the corpus that was built of them before.

    Raises FormatError for what cannot be read, ColumnError where the text is lacking, RequestError above 1 GiB,
    TrainingError where the corpus was built and is no longer kept, or where nothing is kept.
    """
    if BUILT.fullmatch(path) and not Path(path).exists():
        return _built(name)
    place = Path(path).expanduser().resolve()
    needed_folder("built")
    corpus = build_corpus(name, limited(documents(place), place), (), "not known", near=True)
    corpus = replace(corpus, name=f"files:{checked(place.name.partition('+')[0])}@{corpus.digest[:12]}")
    keep_corpus(corpus.name, corpus)
    return corpus


def _built(name: str) -> Corpus:
    corpus = kept_corpus(name)
    if corpus is None:
        raise TrainingError(
            f"The corpus '{name}' is not kept on this machine.",
            "It was built from a folder or file, which its name does not tell the place of.",
            "Name its place again: files:PATH. The same content gets the same name.",
        )
    return corpus


def limited(found: Iterator[tuple[str, bytes]], place: Path) -> Iterator[tuple[str, bytes]]:
    """Pass documents on until they are more than the limit; raise RequestError then."""
    total = 0
    for key, text in found:
        total += len(text)
        if total > LIMIT:
            raise RequestError(
                f"{place} holds more than 1 GiB of text.", "It is read into memory.", "Take a part of it."
            )
        yield key, text


def documents(place: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every document at `place` with its key: its path below it, and its number within a file of several."""
    if not place.exists():
        raise FormatError(f"There is no file or folder {place}.", "", "Name a folder of texts, or a file of them.")
    if not place.is_dir():
        yield from _of_file(place, place.name)
        return
    inside = sorted(f for f in place.rglob("*") if f.is_file() and not _is_hidden(f.relative_to(place)))
    if not inside:
        raise FormatError(f"The folder {place} holds no files.", "", "Name a folder of texts, or a file of them.")
    for file in inside:
        yield from _of_file(file, file.relative_to(place).as_posix())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _of_file(file: Path, key: str) -> Iterator[tuple[str, bytes]]:
    kind = file.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        texts = _of_parquet(file)
    elif kind in ("jsonl", "ndjson"):
        texts = _of_lines(file)
    else:
        yield key, _content(file)
        return
    for number, text in texts:
        yield f"{key}:{number:09}", text


def _content(file: Path) -> bytes:
    """Return the bytes of a text, unpacked; bytes of 0, which separate documents, are left out."""
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as opened:
            content = opened.read(LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(
            f"{file} cannot be read: {error}.", "It may have been cut short.", "Write it again."
        ) from error
    return content.replace(b"\0", b"")


def _of_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(_content(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise FormatError(
                f"Line {number} of {file} is no JSON: {error}.", "It may have been cut short.", "Correct it there."
            ) from None
        text = row.get(KEY) if isinstance(row, dict) else None
        if not isinstance(text, str):
            has = f"It has {', '.join(map(str, row)) or 'no keys'}." if isinstance(row, dict) else "It is no object."
            raise ColumnError(f'Line {number} of {file} has no text under the key "{KEY}".', has, "Name the key so.")
        yield number, text.encode("utf-8", "surrogatepass").replace(b"\0", b"")


def _of_parquet(file: Path) -> Iterator[tuple[int, bytes]]:
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("parquet", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"{file} is no whole Parquet file: {error}.", "", "Write it again.") from error
    with opened:
        columns = opened.schema_arrow.names
        if KEY not in columns:
            raise ColumnError(f'{file} has no column "{KEY}".', f"It has {', '.join(columns)}.", "Name the column so.")
        number = 0
        try:
            for batch in opened.iter_batches(PARQUET_ROWS, columns=[KEY]):
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield number, _bytes(value, number, file)
        except (pa.ArrowException, OSError) as error:
            raise FormatError(f"{file} cannot be read: {error}.", "", "Write it again.") from error


def _bytes(value: object, number: int, file: Path) -> bytes:
    if not isinstance(value, str | bytes):
        raise ColumnError(f'Row {number} of {file} has {value!r} in "{KEY}", where text is needed.')
    return (value.encode() if isinstance(value, str) else value).replace(b"\0", b"")

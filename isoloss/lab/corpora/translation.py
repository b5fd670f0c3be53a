"""Translation pairs: what programs say in English and in another language, from gettext catalogues.

`translation-XX` reads the compiled catalogues (.mo) that lie on this machine, in place: their licences are those of
their programs, mostly GPL, and they are not to be shipped. `django-XX` reads the catalogues (.po) of one version of
Django: the same everywhere, and the same sentences in some 90 languages.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from isoloss.core.errors import TrainingError
from isoloss.lab.building import build_pairs
from isoloss.lab.corpus import Pairs, corpus_source
from isoloss.lab.fetching import members

FOLDERS = tuple(Path(top) for top in ("/usr/share/locale", "/usr/local/share/locale", f"{sys.prefix}/share/locale"))
LANGUAGE = r"([a-z]{2,3}(?:_[A-Z][A-Za-z]+)?)"
MAGIC = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
OF_PROGRAMS = "those of the programs, mostly GPL: for use in place"


@corpus_source(
    "translation",
    kind="pairs",
    form="translation-XX",
    pattern=f"translation-{LANGUAGE}",
    about="English and its translation: messages of the programs on this machine; XX as de, fr, pt_BR",
    licence=OF_PROGRAMS,
)
def translation(name: str, language: str) -> Pairs:
    """Pairs from every catalogue of `language` on this machine."""
    files = sorted({file for top in FOLDERS for file in (top / language / "LC_MESSAGES").glob("*.mo")})
    if not files:
        here = sorted({place.parent.parent.name for top in FOLDERS for place in top.glob("*/LC_MESSAGES/*.mo")})
        raise TrainingError(
            f"There are no translations to '{language}' on this machine.",
            f"There are: {', '.join(here)}." if here else "It has no catalogues of messages at all.",
            f"Take the corpus 'django-{language}', which is fetched.",
        )
    pairs = [pair for file in files for pair in of_mo(file.read_bytes())]
    return build_pairs(name, pairs, (f"{len(files)} catalogues of messages on this machine",), OF_PROGRAMS)


@corpus_source(
    "django",
    kind="pairs",
    form="django-XX",
    pattern=f"django-{LANGUAGE}",
    about="English and its translation: messages of Django, the same in 90 languages; XX as de, fr, pt_BR",
    licence="BSD-3-Clause",
    needs=("Django",),
)
def django(name: str, language: str) -> Pairs:
    """Pairs from every catalogue of `language` in Django."""
    inside = re.compile(rf".*/locale/{language}/LC_MESSAGES/.*\.po")
    catalogues = [content for _, content in members("Django", name, lambda file: bool(inside.fullmatch(file)))]
    if not catalogues:
        raise TrainingError(f"Django has no translations to '{language}'.", "", "Name another language: de, fr, pt_BR.")
    return build_pairs(name, (p for c in catalogues for p in of_po(c.decode("utf-8"))), ("Django 5.2",), "BSD-3-Clause")


def of_mo(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs of a compiled catalogue in UTF-8, the singular of each; nothing where it is broken.

    The format is that of GNU gettext: a magic number, a version, a count and the places of two tables of (length,
    place). A context ends at the byte 4, a singular at 0; the message "" holds the header.
    """
    order = MAGIC.get(content[:4])
    if order is None or len(content) < 20:
        return
    _, count, sources, targets = struct.unpack_from(f"{order}4I", content, 4)
    if max(sources, targets) + 8 * count > len(content):
        return
    for number in range(count):
        source, target = (_string(content, order, table + 8 * number) for table in (sources, targets))
        if not source and b"charset=utf-8" not in target.lower():
            return
        source, target = source.rpartition(b"\4")[2].partition(b"\0")[0], target.partition(b"\0")[0]
        if source and target and source != target:
            yield source, target


def _string(content: bytes, order: str, place: int) -> bytes:
    length, start = struct.unpack_from(f"{order}2I", content, place)
    return content[start : start + length]


def of_po(text: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs of a catalogue in source form, the singular of each; what is fuzzy or obsolete is left out."""
    for entry in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = entry.splitlines()
        if any(line.startswith("#,") and "fuzzy" in line for line in lines):
            continue
        said = _fields([line for line in lines if not line.startswith("#")])
        source, target = said.get("msgid", ""), said.get("msgstr", "") or said.get("msgstr[0]", "")
        if source and target and source != target:
            yield source.encode(), target.encode()


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in lines:
        head, quote, _ = line.partition('"')
        key = head.strip() or key
        written = STRING.search(line) if quote else None
        if written:
            text = re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), written[1])
            fields[key] = fields.get(key, "") + text
    return fields

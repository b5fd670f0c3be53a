"""Corpora: bytes to train on and bytes to be judged on, split by document and named by their digest."""

from __future__ import annotations

import functools
import hashlib
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isoloss.core.errors import TrainingError, UnknownNameError

SEPARATOR = b"\0"
VALIDATION_SHARE = 0.1
VOCAB = 256  # a token is a byte


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is known of all data to train on: their name, the SHA-256 of their exact content, how they were made.

    `documents` are kept, `duplicates` were dropped; `licence` is that of the content, as its publisher names it.
    """

    name: str
    digest: str
    documents: int
    duplicates: int
    licence: str = "not known"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Corpus(Source):
    """Tokens of a text corpus, split by document.

    `train_t` and `validation_t` are arrays of tokens (uint8 or uint16), each document followed by the token 0;
    `starts_f` holds the place in `validation_t` at which each of its documents starts. `vocab` tokens exist, and one of
    the validation set stands for `bytes_per_token` bytes of text on average.
    """

    train_t: np.ndarray
    validation_t: np.ndarray
    starts_f: np.ndarray
    vocab: int = VOCAB
    bytes_per_token: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Pairs(Source):
    """Pairs of texts, a source and its translation, as bytes: `train` and `validation` hold (source, target)."""

    train: tuple[tuple[bytes, bytes], ...]
    validation: tuple[tuple[bytes, bytes], ...]
    vocab: int = VOCAB


@dataclass(frozen=True, kw_only=True)
class Examples(Source):
    """Examples with a class each: images, float32 in 0 to 1 of shape (n, height, width, channels), or rows (n, k).

    The classes `train_y` and `validation_y` are int64 from 0 to `classes` - 1.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray
    classes: int


Documents = Iterable[tuple[str, bytes]]
Collector = Callable[[], tuple[Documents, tuple[str, ...]]]
CORPORA: dict[str, Collector] = {}


def corpus_source(name: str) -> Callable[[Collector], Collector]:
    """Register a function that returns the documents of the corpus `name`, as (key, bytes), and notes about them."""

    def register(source: Collector) -> Collector:
        CORPORA[name] = source
        return source

    return register


@functools.lru_cache(maxsize=2)
def load_corpus(name: str) -> Corpus:
    """Return the corpus called `name`; raise UnknownNameError if there is none."""
    if name not in CORPORA:
        raise UnknownNameError("corpus", name, CORPORA)
    documents, notes = CORPORA[name]()
    return build_corpus(name, documents, notes)


def build_corpus(name: str, documents: Documents, notes: tuple[str, ...] = ()) -> Corpus:
    """Return the corpus of these documents: sorted by key, exact duplicates and empty ones dropped, split by key."""
    train, validation, seen, duplicates = [], [], set(), 0
    for key, text in sorted(documents):
        fingerprint = hashlib.sha256(text).digest()
        if fingerprint in seen or not text:
            duplicates += 1
            continue
        seen.add(fingerprint)
        (validation if in_validation(key) else train).append(text + SEPARATOR)
    if not train or not validation:
        raise TrainingError(
            f"The corpus '{name}' has {len(train)} documents to train on and {len(validation)} to be judged on.",
            "",
            "Both need at least one: use a corpus with more documents.",
        )
    train_bytes, validation_bytes = b"".join(train), b"".join(validation)
    digest = hashlib.sha256(train_bytes + b"\1" + validation_bytes).hexdigest()
    return Corpus(
        name=name,
        train_t=np.frombuffer(train_bytes, np.uint8),
        validation_t=np.frombuffer(validation_bytes, np.uint8),
        starts_f=np.cumsum([0, *map(len, validation[:-1])]),
        digest=digest,
        documents=len(train) + len(validation),
        duplicates=duplicates,
        notes=notes,
    )


def in_validation(key: str) -> bool:
    """Say whether the document called `key` is one of those that are never trained on, by a hash of its key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") < VALIDATION_SHARE * 2**32


@corpus_source("python")
def python_library() -> tuple[Documents, tuple[str, ...]]:
    """The source of Python's own standard library, as installed here; its tests are included where they are."""
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

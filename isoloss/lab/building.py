"""How documents, pairs and examples become data to train on: duplicates dropped, split, named by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss.core.errors import TrainingError
from isoloss.lab.corpus import VOCAB, Corpus, Examples, Pairs

SEPARATOR = b"\0"
VALIDATION_SHARE = 0.1

Documents = Iterable[tuple[str, bytes]]


def build_corpus(
    name: str, documents: Documents, notes: Sequence[str] = (), licence: str = "not known", *, near: bool = False
) -> Corpus:
    """Return the corpus of these documents: sorted by key, exact duplicates and empty ones dropped, split by key.

    With `near`, documents that are much like another (see near.py) are dropped too: of two in training the later one,
    and of one in training and one to be judged on the latter. Raises TrainingError if one side has no document.
    """
    from isoloss.lab.near import STATEMENT, without_near

    train, validation, seen, duplicates = [], [], set(), 0
    for key, text in sorted(documents):
        fingerprint = hashlib.sha256(text).digest()
        if fingerprint in seen or not text:
            duplicates += 1
            continue
        seen.add(fingerprint)
        (validation if in_validation(key) else train).append(text)
    kept_train, kept_validation = without_near(train, validation) if near else (train, validation)
    dropped = len(train) + len(validation) - len(kept_train) - len(kept_validation)
    corpus = assemble(name, kept_train, kept_validation, notes, licence)
    said = (*corpus.notes, STATEMENT if near else "exact duplicates dropped, near-duplicates kept")
    return replace(corpus, duplicates=duplicates + dropped, near_duplicates=dropped, notes=said)


def assemble(
    name: str,
    train: Sequence[bytes],
    validation: Sequence[bytes],
    notes: Sequence[str] = (),
    licence: str = "not known",
    vocab: int = VOCAB,
) -> Corpus:
    """Return the corpus of these documents as they are; raise TrainingError if one side has none."""
    check_sides(name, len(train), len(validation), "documents")
    return of_arrays(
        name,
        np.frombuffer(b"".join(text + SEPARATOR for text in train), np.uint8),
        np.frombuffer(b"".join(text + SEPARATOR for text in validation), np.uint8),
        np.cumsum([0, *(len(text) + 1 for text in validation[:-1])]),
        documents=len(train) + len(validation),
        notes=tuple(notes),
        licence=licence,
        vocab=vocab,
    )


def of_arrays(name: str, train_t: np.ndarray, validation_t: np.ndarray, starts_f: np.ndarray, **more: Any) -> Corpus:
    """Return the corpus of these tokens, named by their digest."""
    digest = digest_of(train_t, validation_t)
    more = {"duplicates": 0, **more}
    return Corpus(name=name, digest=digest, train_t=train_t, validation_t=validation_t, starts_f=starts_f, **more)


def digest_of(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of the bytes of arrays, a byte 1 between each two."""
    digest = hashlib.sha256()
    for place, array in enumerate(arrays):
        digest.update(b"\1" if place else b"")
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def build_pairs(
    name: str, pairs: Iterable[tuple[bytes, bytes]], notes: Sequence[str] = (), licence: str = "not known"
) -> Pairs:
    """Return the corpus of these pairs: one for each source, split by source, so that no source is on both sides.

    Sources are the same if they differ in case and blanks alone; of several translations the first in order is kept.
    Raises TrainingError if one side has no pair.
    """
    kept: dict[bytes, tuple[bytes, bytes]] = {}
    given = sorted(pair for pair in pairs if pair[0].strip() and pair[1].strip())
    for source, target in given:
        kept.setdefault(plain(source), (source, target))
    sides: tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]] = ([], [])
    for key, pair in sorted(kept.items()):
        sides[in_validation(key.decode("utf-8", "replace"))].append(pair)
    train, validation = sides
    check_sides(name, len(train), len(validation), "pairs")
    content = b"\1".join(b"".join(s + b"\0" + t + b"\0" for s, t in side) for side in sides)
    return Pairs(
        name=name,
        digest=hashlib.sha256(content).hexdigest(),
        documents=len(kept),
        duplicates=len(given) - len(kept),
        licence=licence,
        notes=(*notes, "one translation a source; sources that differ in case and blanks alone are one"),
        train=tuple(train),
        validation=tuple(validation),
    )


def build_examples(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    notes: Sequence[str] = (),
    licence: str = "not known",
) -> Examples:
    """Return the corpus of these examples (x, y): exact duplicates dropped, from validation also those of training.

    Raises TrainingError if one side has no example.
    """
    seen: set[bytes] = set()
    (train_x, train_y), (validation_x, validation_y) = (_unseen(*side, seen) for side in (train, validation))
    check_sides(name, len(train_y), len(validation_y), "examples")
    kept = len(train_y) + len(validation_y)
    return Examples(
        name=name,
        digest=digest_of(train_x, train_y, validation_x, validation_y),
        documents=kept,
        duplicates=len(train[1]) + len(validation[1]) - kept,
        licence=licence,
        notes=(*notes, "exact duplicates dropped"),
        train_x=train_x,
        train_y=train_y,
        validation_x=validation_x,
        validation_y=validation_y,
        classes=int(max(train_y.max(), validation_y.max())) + 1,
    )


def _unseen(x: np.ndarray, y: np.ndarray, seen: set[bytes]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.ascontiguousarray(x, np.float32), np.asarray(y, np.int64)
    kept = []
    for place, example in enumerate(x):
        fingerprint = hashlib.sha256(example.tobytes()).digest()
        if fingerprint not in seen:
            seen.add(fingerprint)
            kept.append(place)
    return x[kept], y[kept]


def check_sides(name: str, train: int, validation: int, what: str) -> None:
    """Raise TrainingError unless there is something to train on and something to be judged on."""
    if not train or not validation:
        raise TrainingError(
            f"The corpus '{name}' has {train} {what} to train on and {validation} to be judged on.",
            "",
            f"Both need at least one: use a corpus with more {what}.",
        )


def in_validation(key: str) -> bool:
    """Say whether the document called `key` is one of those that are never trained on, by a hash of its key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") < VALIDATION_SHARE * 2**32


def plain(text: bytes) -> bytes:
    """Return the text in small letters with single blanks: what texts are compared by."""
    return b" ".join(text.lower().split())

"""Corpora: what is trained on and what is judged on, split by document and named by the digest of their content.

This file owns the nouns (Corpus, Pairs, Examples) and how documents become them; where documents come from is a file
of `lab/corpora/` each, which registers itself here.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from isoloss.core.errors import RequestError, TrainingError, UnknownNameError

SEPARATOR = b"\0"
VALIDATION_SHARE = 0.1
VOCAB = 256  # a token is a byte
BPE = re.compile(r"(.+)\+bpe(\d+)")

Documents = Iterable[tuple[str, bytes]]
Kind = Literal["text", "pairs", "examples"]


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
    the validation set stands for `bytes_per_token` bytes of text on average; `bytes_v` holds the bytes of each token of
    the vocabulary where they differ. `near_duplicates` of the `duplicates` were like another document, not the same.
    """

    train_t: np.ndarray
    validation_t: np.ndarray
    starts_f: np.ndarray
    vocab: int = VOCAB
    bytes_per_token: float = 1.0
    bytes_v: np.ndarray | None = None
    near_duplicates: int = 0


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


Builder = Callable[..., Source]


@dataclass(frozen=True)
class Entry:
    """A corpus, or a family of them, that can be asked for by name.

    `form` is how the name is written, `build` is called with the name and the groups of `pattern`; `needs` are the
    packages (see fetching.py) that must have been fetched. `entropy` returns, for the same arguments and the context of
    a model (None: unlimited), the entropy in nats per token and its standard error, where the truth is known; and
    `exponents` the exponents by which a learner's excess loss falls, where those are.
    """

    form: str
    pattern: re.Pattern[str]
    build: Builder
    about: str
    licence: str
    kind: Kind
    needs: tuple[str, ...] = ()
    entropy: Callable[..., tuple[float, float]] | None = None
    exponents: Callable[..., dict[str, float]] | None = None


CORPORA: dict[str, Entry] = {}


def corpus_source(
    name: str, *, about: str, licence: str, kind: Kind = "text", form: str = "", pattern: str = "", **more: Any
) -> Callable[[Builder], Builder]:
    """Register a function that builds the corpus `name`, or those whose names `pattern` matches (see Entry)."""

    def register(build: Builder) -> Builder:
        compiled = re.compile(pattern or re.escape(name))
        CORPORA[name] = Entry(form or name, compiled, build, about, licence, kind, **more)
        return build

    return register


@functools.lru_cache(maxsize=4)
def load_corpus(name: str) -> Any:
    """Return the corpus called `name`: a Corpus, or for other data Pairs or Examples.

    "+bpeN" after the name of a text asks for N tokens in place of bytes. Raises UnknownNameError if there is none of
    this name, TrainingError where its data are not here, and says how to get them.
    """
    if of_tokens := BPE.fullmatch(name):
        from isoloss.lab.tokens import with_tokens

        return with_tokens(load_corpus(of_tokens[1]), int(of_tokens[2]))
    entry, arguments = find(name)
    return entry.build(name, *arguments)


def load_beside(name: str, corpus: Source) -> Corpus:
    """Return the text `name` in the tokens of `corpus`, so that a model of `corpus` can be judged on it.

    Raises RequestError if either is no text.
    """
    other = load_corpus(name)
    if not isinstance(other, Corpus) or not isinstance(corpus, Corpus):
        no_text = corpus.name if isinstance(other, Corpus) else name
        raise RequestError(f"'{no_text}' is no text.", "Models of text are judged on texts.", "Name another corpus.")
    if of_tokens := BPE.fullmatch(corpus.name):
        from isoloss.lab.tokens import in_tokens_of

        return in_tokens_of(load_corpus(of_tokens[1]), int(of_tokens[2]), other)
    if other.vocab > corpus.vocab:
        raise RequestError(
            f"'{name}' has {other.vocab} tokens and '{corpus.name}' has {corpus.vocab}.",
            "A model knows the tokens of its own corpus alone.",
            "Judge on a corpus with the same tokens.",
        )
    return other


def find(name: str) -> tuple[Entry, tuple[str | None, ...]]:
    """Return the entry whose names include `name`, and what the name says; raise UnknownNameError if there is none."""
    for entry in CORPORA.values():
        if match := entry.pattern.fullmatch(name):
            return entry, match.groups()
    do = "A text takes +bpeN after its name, for N tokens in place of bytes; text of your own: files:PATH."
    raise UnknownNameError("corpus", name, [entry.form for entry in CORPORA.values()], do)


def known_entropy(name: str, context: int | None = None) -> tuple[float, float]:
    """Return the entropy of the synthetic corpus `name` in nats per token, and the standard error of that.

    The error is 0 where the entropy is exact. With `context`, the least mean loss of a model that sees windows of that
    many tokens and nothing before. Raises RequestError where the entropy is not known.
    """
    entry, arguments = find(name)
    if entry.entropy is None:
        known = ", ".join(e.form for e in CORPORA.values() if e.entropy)
        raise RequestError(f"Nobody knows the entropy of '{name}'.", f"It is known of: {known}.", "Name one of them.")
    return entry.entropy(context, *arguments)


def known_exponents(name: str) -> dict[str, float]:
    """Return the exponents by which the excess loss on the synthetic corpus `name` falls, by what it falls with.

    Raises RequestError where they are not known.
    """
    entry, arguments = find(name)
    if entry.exponents is None:
        known = ", ".join(e.form for e in CORPORA.values() if e.exponents)
        raise RequestError(f"Nobody knows exponents of '{name}'.", f"They are known of: {known}.", "Name one of them.")
    return entry.exponents(*arguments)


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

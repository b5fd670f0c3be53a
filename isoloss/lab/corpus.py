"""Corpora: what is trained on and what is judged on, split by document and named by the digest of their content.

This file owns the nouns (Corpus, Pairs, Examples) and their names; how documents become them is in `building.py`, and
where documents come from is a file of `lab/corpora/` each, which registers itself here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from isoloss.core.errors import RequestError, UnknownNameError

VOCAB = 256  # a token is a byte
BPE = re.compile(r"(.+)\+bpe(\d+)")

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

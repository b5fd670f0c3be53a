"""Tokens larger than bytes: byte pair encoding, trained on the training side of a corpus alone.

Every byte is a token, its own number, and the separator is token 0 as before; tokens from 256 on are merges, trained by
the library `tokenizers`. Text is handed to it as Latin-1, one character a byte, so that any bytes come back as they
were. Merges do not cross between words, runs of digits, of marks and of blanks.
"""

from __future__ import annotations

import importlib.util
import json
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoloss.core.errors import MissingExtraError, OutputError, RequestError, TrainingError
from isoloss.core.storage import write_text
from isoloss.lab.building import digest_of
from isoloss.lab.corpus import VOCAB, Corpus
from isoloss.lab.kept import folder, keep_corpus, kept_corpus

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZES = (VOCAB + 1, 2**16)
WORDS = r" ?[A-Za-z_\x80-\xff]+| ?[0-9]{1,3}| ?[^\sA-Za-z0-9_\x80-\xff]+|\s+(?!\S)|\s+"
BATCH = 512  # documents handed over together


def with_tokens(corpus: Corpus, vocab: int) -> Corpus:
    """Return the corpus in `vocab` tokens, made once and then kept in the user's cache.

    Raises RequestError if it is no text of bytes or `vocab` is not 257 to 65536, MissingExtraError without
    `tokenizers`, TrainingError if the text is too little for so many tokens.
    """
    _check(corpus, vocab)
    key = _key(corpus, vocab)
    if kept := kept_corpus(key):
        return replace(kept, name=f"{corpus.name}+bpe{vocab}")
    tokenizer = _tokenizer(corpus, vocab)
    made = _encoded(tokenizer, corpus, f"{corpus.name}+bpe{vocab}")
    with suppress(OutputError):  # a full disk, a read-only one: this run has its tokens, the next makes its own
        keep_corpus(key, made)
    return made


def in_tokens_of(corpus: Corpus, vocab: int, other: Corpus) -> Corpus:
    """Return the text `other` in the tokens that `with_tokens(corpus, vocab)` has; errors as there."""
    _check(other, vocab)
    return _encoded(_tokenizer(corpus, vocab), other, other.name)


def _check(corpus: Corpus, vocab: int) -> None:
    if not isinstance(corpus, Corpus) or corpus.vocab != VOCAB:
        raise RequestError(
            f"'{corpus.name}' is no text of bytes.",
            "+bpeN is for texts of bytes.",
            "Leave it out, or name a text.",
        )
    if not SIZES[0] <= vocab <= SIZES[1]:
        raise RequestError(
            f"There is no +bpe{vocab}.", f"It goes from +bpe{SIZES[0]} to +bpe{SIZES[1]}.", "Choose one."
        )
    if importlib.util.find_spec("tokenizers") is None:
        raise MissingExtraError("train", "tokenizers")


def _key(corpus: Corpus, vocab: int) -> str:
    return f"{corpus.digest[:32]}+bpe{vocab}-{version('tokenizers')}"


def _tokenizer(corpus: Corpus, vocab: int) -> Tokenizer:
    """Return the tokenizer trained on the corpus's training side, from the cache if it was trained before."""
    from tokenizers import Tokenizer

    above = folder("tokenizers")
    place = above / f"{_key(corpus, vocab)}.json" if above else None
    if place and place.is_file() and (kept := _read(place)):
        return Tokenizer.from_str(kept)
    tokenizer = _trained(corpus, vocab)
    if place:
        with suppress(OutputError, OSError):
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_text(place, tokenizer.to_str())
    return tokenizer


def _read(place: Path) -> str:
    """Return the tokenizer kept there as text; nothing if it is none."""
    try:
        text = place.read_text(encoding="utf-8")
        return text if json.loads(text)["model"]["type"] == "BPE" else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _trained(corpus: Corpus, vocab: int) -> Tokenizer:
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import Split
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Split(Regex(WORDS), "isolated")  # type: ignore[assignment]
    alphabet = [chr(byte) for byte in range(VOCAB)]
    trainer = BpeTrainer(vocab_size=vocab, initial_alphabet=alphabet, show_progress=False)  # type: ignore[call-arg]
    tokenizer.train_from_iterator(_texts(corpus.train_t), trainer)
    if tokenizer.get_vocab_size() != vocab or [tokenizer.id_to_token(b) for b in range(VOCAB)] != alphabet:
        raise TrainingError(
            f"'{corpus.name}' has text for {tokenizer.get_vocab_size()} tokens, and {vocab} were asked for.",
            "",
            "Ask for fewer tokens, or use a larger corpus.",
        )
    return tokenizer


def _encoded(tokenizer: Tokenizer, corpus: Corpus, name: str) -> Corpus:
    vocab = tokenizer.get_vocab_size()
    sides = [_tokens(tokenizer, side_t) for side_t in (corpus.train_t, corpus.validation_t)]
    (train_t, _), (validation_t, starts_f) = sides
    lengths = [len(tokenizer.id_to_token(token) or "") for token in range(vocab)]
    return replace(
        corpus,
        name=name,
        digest=digest_of(train_t, validation_t),
        train_t=train_t,
        validation_t=validation_t,
        starts_f=starts_f,
        vocab=vocab,
        bytes_v=np.array(lengths, np.int64),
        bytes_per_token=len(corpus.validation_t) / len(validation_t),
        notes=(*corpus.notes, f"{vocab} tokens, byte pairs of tokenizers {version('tokenizers')}, from training text"),
    )


def _tokens(tokenizer: Tokenizer, bytes_t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens of all documents, each followed by token 0, and the place at which each starts."""
    texts, parts = _texts(bytes_t), []
    for start in range(0, len(texts), BATCH):
        for encoded in tokenizer.encode_batch(texts[start : start + BATCH], add_special_tokens=False):
            parts.append(np.array([*encoded.ids, 0], np.uint16))
    return np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts[:-1])])


def _texts(bytes_t: np.ndarray) -> list[str]:
    """Return the documents, one character a byte. A document that holds a separator counts as two here."""
    ends = np.flatnonzero(bytes_t == 0)
    text = bytes_t.tobytes().decode("latin-1")
    return [text[start : end - 1] for start, end in pairwise([0, *(ends + 1).tolist()])]

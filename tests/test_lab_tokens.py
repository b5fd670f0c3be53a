"""Tokens in place of bytes: nothing lost, trained on the training side alone, kept, and judged in bits per byte."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("tokenizers")

from isoloss.core.accounting import Shape
from isoloss.core.errors import RequestError, TrainingError, UnknownNameError
from isoloss.core.spec import Spec
from isoloss.lab import corpus as corpora
from isoloss.lab import load_corpus, table, tokens
from isoloss.lab.building import build_corpus
from isoloss.lab.corpus import Corpus, load_beside
from isoloss.lab.evaluate import frozen_windows, validate
from isoloss.lab.ladder import declare
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.record import record_of
from isoloss.lab.trainer import train_run

WORDS = ["tree", "river", "mountain", "Über", "naïve", "42", "3.14159", "def f(x):", "\n    return", "\t", "  "]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))
    load_corpus.cache_clear()
    yield tmp_path / "cache"
    load_corpus.cache_clear()


def small(seed: int = 0, documents: int = 120, words: int = 300) -> Corpus:
    draws = np.random.RandomState(seed)
    texts = [" ".join(draws.choice(WORDS, words)).encode() for _ in range(documents)]
    texts[3] += bytes(range(1, 256)) + b"\xff\xfe \x80"
    return build_corpus(f"small{seed}", [(f"text {n}", text) for n, text in enumerate(texts)])


def text_of(tokens_t: np.ndarray, tokenizer: Any) -> bytes:
    return "".join(tokenizer.id_to_token(int(token)) for token in tokens_t).encode("latin-1")


def test_every_byte_comes_back_and_documents_start_where_it_says() -> None:
    plain = small()
    made = tokens.with_tokens(plain, 300)
    tokenizer = tokens._tokenizer(plain, 300)
    assert made.train_t.dtype == np.uint16 and made.vocab == 300 and made.name == "small0+bpe300"
    assert text_of(made.train_t, tokenizer) == bytes(plain.train_t)
    assert text_of(made.validation_t, tokenizer) == bytes(plain.validation_t)
    assert len(made.starts_f) == len(plain.starts_f) and made.starts_f[0] == 0
    assert all(made.validation_t[start - 1] == 0 for start in made.starts_f[1:])
    assert (made.validation_t == 0).sum() == len(plain.starts_f)
    assert len(made.validation_t) * made.bytes_per_token == pytest.approx(len(plain.validation_t))
    assert made.bytes_v is not None and made.bytes_v[made.validation_t].sum() == len(plain.validation_t)
    assert made.bytes_per_token > 2 and made.digest != plain.digest


def test_merges_come_from_training_text_alone() -> None:
    plain = small()
    other = replace(plain, validation_t=np.frombuffer(b"zyxzyxzyx" * 500 + b"\0", np.uint8), starts_f=np.array([0]))
    assert tokens._trained(plain, 300).to_str() == tokens._trained(other, 300).to_str()


def test_it_is_made_once_and_what_was_kept_is_the_same(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small()
    made = tokens.with_tokens(plain, 300)
    monkeypatch.setattr(tokens, "_trained", lambda *_: pytest.fail("trained again"))
    kept = tokens.with_tokens(plain, 300)
    assert (kept.name, kept.digest, kept.vocab, kept.notes) == (made.name, made.digest, made.vocab, made.notes)
    assert np.array_equal(kept.train_t, made.train_t) and np.array_equal(kept.starts_f, made.starts_f)
    (file,) = (cache / "corpora" / "tokenizers").iterdir()
    monkeypatch.undo()
    monkeypatch.setenv("ISOLOSS_CACHE", str(cache))
    file.write_text("{}")
    assert tokens.in_tokens_of(plain, 300, small(1)).vocab == 300, "what is no tokenizer is trained anew"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("python+bpe200", RequestError, r"goes from \+bpe257"),
        ("python+bpe99999", RequestError, r"goes from \+bpe257"),
        ("templates:10k+bpe300", RequestError, "no text of bytes"),
        ("markov-1:20k+bpe300", RequestError, "no text of bytes"),
        ("nothing+bpe300", UnknownNameError, "no corpus 'nothing'"),
        ("python+bpe", UnknownNameError, "takes [+]bpeN"),
    ],
)
def test_what_cannot_be_is_answered(name: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        load_corpus(name)


def test_too_little_text_for_so_many_tokens_is_answered() -> None:
    with pytest.raises(TrainingError, match=r"text for .* tokens, and 5000 were asked for"):
        tokens.with_tokens(small(documents=40, words=20), 5000)


def test_a_cache_that_cannot_be_written_keeps_nothing_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    for place in (str(tmp_path / "a file" / "below"), "off"):
        monkeypatch.setenv("ISOLOSS_CACHE", place)
        assert tokens.with_tokens(small(), 300).vocab == 300


# -- judging


class Even(torch.nn.Module):
    """A model that knows nothing: the loss is ln of the vocabulary, whatever it sees."""

    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.vocab = vocab

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, self.vocab)


def test_bits_per_byte_are_of_the_windows_judged_on() -> None:
    plain = small()
    made = tokens.with_tokens(plain, 300)
    seen = validate(Even(300), made, 32, limit=10)
    window_v = frozen_windows(made, 32, 10)
    tokenizer = tokens._tokenizer(plain, 300)
    targets = np.concatenate([made.validation_t[w * 32 + 1 : w * 32 + 33] for w in window_v])
    total_bits = len(targets) * math.log2(300)
    assert seen.bits_per_byte == pytest.approx(total_bits / len(text_of(targets, tokenizer)))
    assert validate(Even(256), plain, 32).bits_per_byte == pytest.approx(8)
    assert validate(Even(256), plain, 32).loss == pytest.approx(math.log(256))


@pytest.fixture
def two_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small texts that have names: small0 and small1."""
    for seed in (0, 1):
        register = corpora.corpus_source(f"small{seed}", about="a test's", licence="none")
        monkeypatch.setitem(corpora.CORPORA, f"small{seed}", None)
        register(lambda name, seed=seed: small(seed))


@pytest.mark.parametrize("name", ["small0", "small0+bpe300"])
def test_a_ladder_judges_on_other_texts_in_its_own_tokens(two_texts: None, name: str) -> None:
    grid = {"shapes": [{"width": 16, "depth": 1, "heads": 1, "context": 32}], "tokens": [4000], "batch": 128}
    (spec,) = declare(name, judged_on=["small1"], **grid)
    (alone,) = declare(name, **grid)
    assert (
        spec.id == alone.id
        and spec.judged_on == ("small1",)
        and getattr(spec.shape, "vocab", 0) == load_corpus(name).vocab
    )
    assert Spec.from_json(spec.to_json()).judged_on == ("small1",) and "judged_on" not in alone.to_json()
    corpus = load_corpus(name)
    outcome = train_run(spec, corpus)
    record = record_of(spec, corpus, outcome)
    other = load_beside("small1", corpus)
    assert other.vocab == corpus.vocab and record["offsets"]["small1"]["digest"] == other.digest
    assert record["bits_per_byte"] == pytest.approx(record["loss"] / math.log(2) / corpus.bytes_per_token, rel=0.02)
    judged = record["offsets"]["small1"]
    assert judged["bits_per_byte"] == pytest.approx(judged["loss"] / math.log(2) / other.bytes_per_token, rel=0.02)
    assert judged["loss"] == pytest.approx(record["loss"], rel=0.05), "the same words in another order"
    without = {**record_of(alone, corpus, replace(outcome, offsets={})), "id": "other"}
    runs = table([record, without])
    assert runs["loss_on_small1"][0] == judged["loss"] and np.isnan(runs["loss_on_small1"][1])


def test_judging_on_what_is_no_text_or_has_more_tokens_is_refused() -> None:
    grid: dict[str, Any] = {"dials": [1], "tokens": [4000]}
    with pytest.raises(RequestError, match="is no text"):
        declare("markov-1:20k", judged_on=["templates:10k"], **grid)
    with pytest.raises(RequestError, match="has 256 tokens and 'markov-1:20k' has 17"):
        declare("markov-1:20k", judged_on=["pydoc"], **grid)
    assert declare("markov-1:20k", judged_on=["markov-2:20k"], **grid)[0].judged_on == ("markov-2:20k",)


def test_a_model_with_fewer_tokens_than_the_corpus_is_refused() -> None:
    corpus = tokens.with_tokens(small(), 300)
    spec = wsd_adamw(Shape(width=16, depth=1, heads=1, context=32), 2000, corpus, batch=128)
    with pytest.raises(RequestError, match=r"256 cannot hold the 300 tokens of 'small0\+bpe300'"):
        train_run(spec, corpus)

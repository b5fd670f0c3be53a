"""Corpora and the order in which they are seen: no document on both sides, no window twice, the same for every size."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from lab_help import SMALL, TINY, markov_corpus, markov_spec

from isoloss.core.errors import RequestError, TrainingError, UnknownNameError
from isoloss.lab.building import build_corpus, in_validation
from isoloss.lab.corpus import CORPORA, load_corpus
from isoloss.lab.data import batches, check_repetition, windows
from isoloss.lab.near import BINS, signature, without_near

DOCUMENTS = [(f"folder/file {n}.py", f"text number {n}\n".encode() * (n + 1)) for n in range(200)]


def test_no_document_is_on_both_sides_and_none_is_lost() -> None:
    corpus = build_corpus("some", DOCUMENTS)
    train = set(bytes(corpus.train_t).split(b"\0")) - {b""}
    validation = set(bytes(corpus.validation_t).split(b"\0")) - {b""}
    assert not train & validation
    assert train | validation == {text for _, text in DOCUMENTS}
    assert validation == {text for key, text in DOCUMENTS if in_validation(key)}
    assert corpus.documents == 200 and len(corpus.starts_f) == len(validation)


def test_documents_start_where_it_says() -> None:
    corpus = build_corpus("some", DOCUMENTS)
    starts = [0, *(np.flatnonzero(corpus.validation_t == 0)[:-1] + 1)]
    assert corpus.starts_f.tolist() == starts


def test_duplicates_and_empty_documents_are_dropped_and_counted() -> None:
    plain = build_corpus("some", DOCUMENTS)
    padded = build_corpus("some", [*DOCUMENTS, ("zz/copy.py", DOCUMENTS[3][1]), ("zz/empty.py", b"")])
    assert padded.digest == plain.digest and padded.duplicates == 2


def test_the_digest_is_of_the_exact_bytes_and_does_not_know_the_order_of_files() -> None:
    corpus = build_corpus("some", DOCUMENTS)
    both = corpus.train_t.tobytes() + b"\1" + corpus.validation_t.tobytes()
    assert corpus.digest == hashlib.sha256(both).hexdigest()
    assert build_corpus("some", DOCUMENTS[::-1]).digest == corpus.digest
    changed = [(key, text.replace(b"number 7\n", b"number 8\n")) for key, text in DOCUMENTS]
    assert build_corpus("some", changed).digest != corpus.digest


def test_too_few_documents_for_two_sides_are_refused() -> None:
    with pytest.raises(TrainingError, match="1 documents to train on and 0"):
        build_corpus("one", [("0", b"text")])


def test_an_unknown_corpus_is_answered_with_near_names() -> None:
    assert "python" in CORPORA
    with pytest.raises(UnknownNameError, match="Near names: python"):
        load_corpus("pyton")


def test_the_library_of_python_is_there_without_what_is_not_its_own() -> None:
    corpus = load_corpus("python")
    text = corpus.train_t.tobytes() + corpus.validation_t.tobytes()
    assert len(corpus.train_t) > 5_000_000 and len(corpus.validation_t) > 262_144
    assert b"def urlopen(" in text and b"build_time_vars = {" not in text
    assert any("standard library of Python" in note for note in corpus.notes)


def test_an_epoch_sees_no_window_twice_and_targets_are_the_next_tokens() -> None:
    corpus = markov_corpus()
    spec = markov_spec(corpus, tokens=150_000)
    seen = []
    for inputs, targets in batches(spec, corpus):
        assert inputs.shape == targets.shape == (spec.batch // 128, 128)
        assert np.array_equal(inputs[:, 1:], targets[:, :-1])
        seen += [row.tobytes() for row in inputs]
    assert len(set(seen)) == len(seen) == spec.tokens // 128


def test_sizes_share_their_order_and_seeds_do_not() -> None:
    corpus = markov_corpus()
    specs = markov_spec(corpus, TINY), markov_spec(corpus, SMALL), markov_spec(corpus, TINY, seed=1)
    tiny, small, other = (next(batches(spec, corpus))[0] for spec in specs)
    assert np.array_equal(tiny, small) and not np.array_equal(tiny, other)


def test_repetition_is_refused_unless_asked_for() -> None:
    corpus = markov_corpus()
    usable = windows(corpus.train_t, 128) * 128
    check_repetition(markov_spec(corpus, tokens=usable - 4000), corpus)
    with pytest.raises(RequestError, match="ask for repetition with max_epochs"):
        check_repetition(markov_spec(corpus, tokens=2 * usable), corpus)
    spec = markov_spec(corpus, tokens=2 * usable, max_epochs=2.5)
    check_repetition(spec, corpus)
    counts: dict[bytes, int] = {}
    for inputs, _ in batches(spec, corpus):
        for row in inputs:
            counts[row.tobytes()] = counts.get(row.tobytes(), 0) + 1
    assert len(counts) == usable // 128 and set(counts.values()) <= {1, 2, 3}


# -- near-duplicates

WORDS = [f"word{n}" for n in range(2000)]


def essay(seed: int, words: int = 400) -> bytes:
    return " ".join(np.random.RandomState(seed).choice(WORDS, words)).encode()


def changed(text: bytes, share: float) -> bytes:
    """The text with its last `share` written anew, so that the shingles both have are known."""
    words = text.split()
    kept = round(len(words) * (1 - share))
    fresh = int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
    return b" ".join([*words[:kept], *essay(fresh, len(words) - kept).split()])


def jaccard(first: bytes, second: bytes) -> float:
    """The index itself, of the sets of pieces of 32 bytes."""
    sets = [{text[i : i + 32] for i in range(len(text) - 31)} for text in (first, second)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.3, 0.36, 0.5, 0.8])
def test_the_estimate_is_the_share_of_shingles_in_common(share: float) -> None:
    text = essay(1, 3000)
    other = changed(text, share)
    exact = jaccard(text, other)
    agree = (signature(text) == signature(other)).mean()
    assert agree == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / BINS) + 0.01)


def test_planted_near_duplicates_are_dropped_and_counted_and_others_kept() -> None:
    documents = [(f"essay {n}", essay(n)) for n in range(100)]
    plain = build_corpus("some", documents, near=True)
    assert (plain.documents, plain.near_duplicates, plain.duplicates) == (100, 0, 0)
    planted = [(f"zz {n}", changed(essay(n), 0.1)) for n in range(0, 100, 10)]
    loose = [(f"yy {n}", changed(essay(n), 0.7)) for n in range(5, 100, 10)]
    shouted = [("zz shouted", essay(3).upper().replace(b" ", b"\n\n"))]
    corpus = build_corpus("some", [*documents, *planted, *loose, *shouted], near=True)
    assert (corpus.documents, corpus.near_duplicates, corpus.duplicates) == (110, 11, 11)
    assert any("near-duplicates dropped" in note for note in corpus.notes)
    assert build_corpus("some", [*documents, *planted, *loose, *shouted][::-1], near=True).digest == corpus.digest
    assert build_corpus("some", [*documents, *planted]).near_duplicates == 0


def test_a_document_to_be_judged_on_that_is_nearly_one_of_training_is_dropped() -> None:
    keys = [f"essay {n}" for n in range(200)]
    judged, trained = [k for k in keys if in_validation(k)], [k for k in keys if not in_validation(k)]
    documents = {key: essay(number) for number, key in enumerate(keys)}
    leak = changed(documents[max(trained)], 0.05)
    assert min(judged) < max(trained), "the leak comes first in order, and goes all the same"
    corpus = build_corpus("some", {**documents, min(judged): leak}.items(), near=True)
    text = bytes(corpus.train_t), bytes(corpus.validation_t)
    assert corpus.near_duplicates == 1 and leak not in text[1] and documents[max(trained)] in text[0]
    assert len(corpus.starts_f) == len(judged) - 1


def test_short_documents_are_near_duplicates_only_if_they_are_the_same() -> None:
    texts = [f"short text {n}".encode() for n in range(50)]
    kept, judged = without_near(texts, [b"SHORT  text 7", b"another"])
    assert kept == texts and judged == [b"another"]


def test_the_library_of_python_is_byte_for_byte_what_it_was() -> None:
    """Exact duplicates alone are dropped there, as in records from before near-duplicates were looked for."""
    corpus = load_corpus("python")
    assert corpus.near_duplicates == 0 and corpus.duplicates > 0 and corpus.licence == "PSF-2.0"
    assert "exact duplicates dropped, near-duplicates kept" in corpus.notes

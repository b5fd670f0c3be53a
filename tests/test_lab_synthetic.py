"""Sources whose truth is known: entropies against counting and closed forms, an exponent against a learner that counts.

Shapes: `t` places, `n` facts, `k` keys, `v` answers.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from isoloss.core.errors import IsolossError, RequestError
from isoloss.lab import known_entropy, known_exponents, load_corpus
from isoloss.lab.corpora import hidden, markov, skills


def score_of_truth(order: int, tokens_t: np.ndarray) -> np.ndarray:
    """-ln p of each token of the stream under the chain itself."""
    next_cv = markov.transitions(order)
    letters = np.concatenate([np.zeros(order, int), tokens_t.astype(int)])
    context_t = np.zeros(len(tokens_t), int)
    fresh_t = np.ones(len(tokens_t), bool)
    for back in range(order, 0, -1):
        digit_t = letters[order - back : len(letters) - back]
        context_t = np.where(digit_t == 0, 0, context_t * markov.TOKENS + digit_t)
        fresh_t &= digit_t == 0
    return -np.log(next_cv[context_t, tokens_t])


@pytest.mark.parametrize("order", [1, 2])
def test_the_text_of_a_chain_costs_its_truth_the_exact_entropy(order: int) -> None:
    corpus = load_corpus(f"markov-{order}:1M")
    stream_t = np.concatenate([corpus.train_t, corpus.validation_t])
    cost_t = score_of_truth(order, stream_t)
    documents = np.cumsum(np.concatenate([[0], stream_t[:-1] == 0]).astype(int))
    sums, lengths = np.bincount(documents, cost_t), np.bincount(documents)
    rate = sums.sum() / lengths.sum()
    error = math.sqrt(np.sum((sums - rate * lengths) ** 2)) / lengths.sum()
    exact, spread = known_entropy(corpus.name)
    assert spread == 0 and error < 0.003 and abs(rate - exact) < 3 * error, (rate, exact, error)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_first_tokens_of_a_window_cost_what_is_not_seen(order: int) -> None:
    """A window of one token from the stream knows one token before it: the entropy of pairs, counted."""
    corpus = load_corpus(f"markov-{order}:1M")
    pairs = np.bincount(corpus.train_t[:-1].astype(int) * 17 + corpus.train_t[1:], minlength=289).reshape(17, 17)
    shares = pairs / pairs.sum()
    seen = shares.sum(axis=1, keepdims=True)
    counted = -np.sum(shares[shares > 0] * np.log((shares / np.where(seen > 0, seen, 1))[shares > 0]))
    assert known_entropy(corpus.name, 1)[0] == pytest.approx(counted, abs=0.01)
    rising = [known_entropy(corpus.name, context)[0] for context in (1, 2, 8, 128, 10**6)]
    exact = known_entropy(corpus.name)[0]
    if order == 1:
        assert rising == pytest.approx([exact] * 5)
    else:
        assert rising == sorted(rising, reverse=True) and rising[-1] == pytest.approx(exact, abs=1e-5)
        assert rising[3] - exact == pytest.approx((rising[0] - exact) / 128, rel=order - 1)


def test_an_independent_chain_of_one_order_agrees() -> None:
    """The entropy rate from the transition matrix's eigenvector, for the chain of order one."""
    matrix = markov.transitions(1)
    values, vectors = np.linalg.eig(matrix.T)
    share = np.real(vectors[:, np.argmax(np.real(values))])
    share /= share.sum()
    assert known_entropy("markov-1")[0] == pytest.approx(-np.sum(share[:, None] * matrix * np.log(matrix)), abs=1e-12)


def test_sizes_are_what_is_asked_for_and_the_bytes_are_always_the_same() -> None:
    small, large = load_corpus("markov-2:100k"), load_corpus("markov-2:1M")
    for corpus, size in ((small, 1e5), (large, 1e6)):
        assert len(corpus.train_t) + len(corpus.validation_t) == pytest.approx(size, rel=0.15)
        assert corpus.vocab == 17 and corpus.train_t.max() == 16 and corpus.duplicates == 0
    assert small.digest == "06165eb46b2e0706ad67ef552b4351441fce26bef6b26b9dc4594a3d104f2525"


@pytest.mark.parametrize("name", ["markov-2:9k", "markov-2:1e9", "markov-2:many", "skills-0.5:1", "hmm:10"])
def test_sizes_that_cannot_be_are_answered(name: str) -> None:
    with pytest.raises(IsolossError):
        load_corpus(name)


@pytest.mark.parametrize("name", ["python", "skills-9", "files:x"])
def test_where_nothing_is_known_it_says_so(name: str) -> None:
    with pytest.raises(RequestError):
        known_entropy(name)
    with pytest.raises(RequestError):
        known_exponents(name)


def test_the_entropy_of_a_hidden_model_is_that_of_its_own_filter() -> None:
    """A model whose letters tell the state is a chain; and another sample gives the same rate within its error."""
    exact, error = known_entropy("hmm")
    assert 0 < error < 0.002
    texts = hidden.documents(1500, seed=99)
    rate = hidden._losses(texts).sum() / sum(len(text) + 1 for text in texts)
    assert abs(rate - exact) < 4 * error
    moves, letters = hidden.model()
    by_hand = np.eye(hidden.STATES)[0]
    total = -math.log(hidden.END)
    for letter in texts[7]:
        chance = by_hand * letters[:, letter - 1]
        total -= math.log(chance.sum() * (1 - hidden.END))
        by_hand = chance @ moves / chance.sum()
    assert hidden._losses(texts)[7] == pytest.approx(total)


def test_arithmetic_is_right_and_its_entropy_is_that_of_the_questions() -> None:
    corpus = load_corpus("arithmetic-3:100k")
    lines = bytes(corpus.train_t).replace(b"\0", b"").decode().splitlines()
    for line in lines:
        question, answer = line.split("=")
        first, second = question.split("+")
        assert int(first) + int(second) == int(answer) and len(line) == 12
    per_line = known_entropy(corpus.name)[0] * (13 + 1 / 50)
    assert per_line - 2 * 3 * math.log(10) == pytest.approx(0.098, abs=0.001), "the rest is where documents end"
    with pytest.raises(RequestError, match="without limit"):
        known_entropy(corpus.name, 128)


# -- facts


def ranks_of(fact_n4: np.ndarray) -> np.ndarray:
    """The rank of each fact's key."""
    letters = fact_n4[:, :3].astype(int) - 1 - 64 * np.arange(3)
    return np.argsort(skills.keys())[letters @ np.array([64**2, 64, 1])]


def facts_of(tokens_t: np.ndarray) -> np.ndarray:
    """The stream's facts, (n, 4), separators left out."""
    return tokens_t[tokens_t > 0].reshape(-1, 4)


def test_the_text_of_facts_costs_its_truth_the_exact_entropy() -> None:
    corpus = load_corpus("skills-0.5:1M")
    assert corpus.vocab == 209 and corpus.train_t.max() == 208
    fact_n4 = facts_of(corpus.train_t)
    rank_n, answer_n = ranks_of(fact_n4), fact_n4[:, 3].astype(int) - 193
    cost_n = -np.log(skills.frequencies(0.5)[rank_n]) - np.log(skills.answers()[skills.kinds()[rank_n], answer_n])
    ends = -0.01 * math.log(0.01) - 0.99 * math.log(0.99)
    exact = known_entropy(corpus.name)[0] * 4.01 - ends
    assert abs(cost_n.mean() - exact) < 4 * cost_n.std() / math.sqrt(len(cost_n))


def test_a_window_that_begins_within_a_key_costs_more() -> None:
    """What it loses, counted over all keys: the answer without the first letter or two, the third without the first."""
    rate, short, long = (known_entropy("skills-0.5", context)[0] for context in (None, 16, 160))
    assert short - rate == pytest.approx(10 * (long - rate), rel=1e-6)
    shares = np.zeros((64, 64, 64, 16))
    key = skills.keys()
    shares[key // 4096, key // 64 % 64, key % 64] = skills.frequencies(0.5)[:, None] * skills.answers()[skills.kinds()]

    def bits(*kept: int) -> float:
        table = shares.sum(axis=tuple(axis for axis in range(4) if axis not in kept))
        return float(-np.sum(table[table > 0] * np.log(table[table > 0])))

    answer = bits(0, 1, 2, 3) - bits(0, 1, 2)
    third = bits(0, 1, 2) - bits(0, 1)
    lost = (bits(1, 2, 3) - bits(1, 2) - answer) + (bits(2, 3) - bits(2) - answer) + (bits(1, 2) - bits(1) - third)
    assert (short - rate) * 16 * 4.01 == pytest.approx(lost) and lost > 0


@pytest.mark.parametrize(("a", "first", "last"), [(0.5, 1000, 32_000), (1.0, 4000, 256_000)])
def test_a_learner_that_counts_improves_by_the_stated_exponent(a: float, first: int, last: int) -> None:
    """It knows nothing but how often each answer followed each key: no network, no luck with settings."""
    facts_seen = np.geomspace(first, last, 6).astype(int)
    share_k, truth_kv, kind_k = skills.frequencies(a), skills.answers(), skills.kinds()
    log_excess = []
    for seed in range(3):
        fact_n4 = skills.facts(a, last, np.random.RandomState(seed))
        cell_n = ranks_of(fact_n4) * 16 + fact_n4[:, 3] - 193
        log_excess.append([math.log(counted_excess(cell_n[:n], share_k, truth_kv, kind_k)) for n in facts_seen])
    slope = -np.polyfit(np.log(facts_seen), np.mean(log_excess, axis=0), 1)[0]
    assert known_exponents(f"skills-{a}") == {"tokens": a / (1 + a), "params": a}
    assert slope == pytest.approx(a / (1 + a), abs=0.03), slope


def counted_excess(cell_n: np.ndarray, share_k: np.ndarray, truth_kv: np.ndarray, kind_k: np.ndarray) -> float:
    """What answers cost above their entropy if told from counts of (key, answer), a tenth of one added to each."""
    cells, counts = np.unique(cell_n, return_counts=True)
    seen, row = np.unique(cells // 16, return_inverse=True)
    count_kv = np.full((len(seen), 16), 0.1)
    count_kv[row, cells % 16] += counts
    learnt_kv = count_kv / count_kv.sum(axis=1, keepdims=True)
    truth = truth_kv[kind_k[seen]]
    known = share_k[seen] @ np.sum(truth * np.log(truth / learnt_kv), axis=1)
    blank_v = np.sum(truth_kv * np.log(truth_kv * 16), axis=1)
    return float(known + share_k @ blank_v[kind_k] - share_k[seen] @ blank_v[kind_k[seen]])

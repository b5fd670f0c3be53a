"""Facts whose frequencies fall as a power: a source for which the exponent of loss against data is known.

This is the picture of Michaud et al. 2023 (The Quantization Model of Neural Scaling): knowledge comes in discrete
pieces, used with frequencies p_k ~ k^-(1 + a), and each is learnt when it has been met often enough. A learner that has
seen n facts knows those with p_k above about 1 / n, and what the others cost it, their share sum_{p_k < 1/n} p_k, falls
as n^(-a / (1 + a)); the error left in those it knows, a count of v - 1 free probabilities over 2 n p_k each (Clarke and
Barron 1990), falls with the same exponent. With room for N facts alone the loss falls as N^-a. Here a fact is a key of
three letters, followed by one of 16 answers drawn from a distribution of the key's own, one of a thousand. There are
262,144 keys; the facts beyond them are lacking, which steepens the curve where their share, 262144^-a, is no longer
small beside the excess: at a = 0.5 from about a million facts on, four million tokens.

Shapes: `k` keys, `v` answers, `n` facts.
"""

from __future__ import annotations

import functools

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.lab.building import assemble, in_validation
from isoloss.lab.corpora.markov import DEFAULT_SIZE, LICENCE, size_of
from isoloss.lab.corpus import Corpus, corpus_source

SIDE = 64  # letters in each third of a key
KEYS = SIDE**3
ANSWERS = 16
KINDS = 1000  # of distributions of answers
CONCENTRATION = 0.1
FACTS = 100  # of a document, on average
END = 1 / FACTS
LENGTH = 4  # tokens of a fact
TOKENS = 1 + 3 * SIDE + ANSWERS
RANGE = (0.1, 3.0)


def entropy(context: int | None, exponent: str, size: str | None) -> tuple[float, float]:
    """Return the entropy of what comes next, in nats per token, and 0, for it is exact.

    With a `context`, its mean over the places of a window that begins anywhere: one that begins within a key has to
    tell the rest of it, and the answer, from the letters that it sees.
    """
    shares_k = frequencies(power(exponent))
    per_fact = _entropy(shares_k) + float(shares_k @ answer_entropies()) + _entropy(np.array([END, 1 - END]))
    tokens = LENGTH + END
    unseen = 0.0 if context is None else _unseen(power(exponent)) / context
    return (per_fact + unseen) / tokens, 0.0


@functools.cache
def _unseen(a: float) -> float:
    """Return what the windows that begin at the second and third letter of a key lose by it together, in nats."""
    shares_k, key_k = frequencies(a), keys()
    kind_kv = answers()[kinds()]
    answer = float(shares_k @ answer_entropies())
    third_given_both = _entropy(shares_k) - _grouped(shares_k, key_k // SIDE)
    lost = 0.0
    for letters in (2, 1):  # seen of the key
        group_k = key_k % SIDE**letters
        joint = np.stack([np.bincount(group_k, shares_k * column) for column in kind_kv.T], axis=1)
        lost += _entropy(joint[joint > 0]) - _grouped(shares_k, group_k) - answer
    second_and_third = _grouped(shares_k, key_k % SIDE**2)
    second = _grouped(shares_k, key_k // SIDE % SIDE)
    return lost + second_and_third - second - third_given_both


def _grouped(shares_k: np.ndarray, group_k: np.ndarray) -> float:
    shares = np.bincount(group_k, shares_k)
    return _entropy(shares[shares > 0])


def exponents(exponent: str, size: str | None) -> dict[str, float]:
    """Return the exponents of data and of size (Michaud et al. 2023, section 2)."""
    a = power(exponent)
    return {"tokens": a / (1 + a), "params": a}


@corpus_source(
    "skills",
    form="skills-A[:SIZE]",
    pattern=r"skills-(\d*\.?\d+)(?::([^:+]+))?",
    about="facts of frequencies k^-(1 + A): a learner's excess loss falls with its data to the power A / (1 + A)",
    licence=LICENCE,
    entropy=entropy,
    exponents=exponents,
)
def skills(name: str, exponent: str, size: str | None) -> Corpus:
    """Text of facts, about `size` tokens."""
    wanted = size_of(name, size or DEFAULT_SIZE)
    count = max(20, round(wanted / (FACTS * LENGTH + 1)))
    stream = np.random.RandomState(17)
    facts_d = stream.geometric(END, count)
    fact_nt = facts(power(exponent), int(facts_d.sum()), stream)
    texts = (part.astype(np.uint8).tobytes() for part in np.split(fact_nt, np.cumsum(facts_d)[:-1]))
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    for number, text in enumerate(texts):
        sides[in_validation(f"document {number}")].append(text)
    rate, _ = entropy(None, exponent, size)
    notes = (f"facts of frequencies k^-{1 + power(exponent):g}, entropy {rate:.6f} nats per token",)
    return assemble(name, *sides, notes, LICENCE, vocab=TOKENS)


def power(exponent: str) -> float:
    """Return the number that a name gives; raise RequestError outside 0.1 to 3."""
    a = float(exponent)
    if not RANGE[0] <= a <= RANGE[1]:
        raise RequestError(f"There are no skills-{exponent}.", "The exponent goes from 0.1 to 3.", "Choose one.")
    return a


def facts(a: float, count: int, stream: np.random.RandomState) -> np.ndarray:
    """Return `count` facts as tokens, shape (count, 4): three letters of a key, an answer."""
    rank_n = np.searchsorted(frequencies(a).cumsum(), stream.random_sample(count)).clip(max=KEYS - 1)
    drawn_n = stream.random_sample(count)
    cumulative_kv = answers().cumsum(axis=1)[:, :-1]
    answer_n = (drawn_n[:, None] > cumulative_kv[kinds()[rank_n]]).sum(axis=1)
    key_n = keys()[rank_n]
    letters = [1 + place * SIDE + key_n // SIDE ** (2 - place) % SIDE for place in range(3)]
    return np.stack([*letters, 1 + 3 * SIDE + answer_n], axis=1)


@functools.cache
def frequencies(a: float) -> np.ndarray:
    """Return the share of the facts that is of each rank, shape (KEYS,)."""
    weights_k = np.arange(1.0, KEYS + 1) ** -(1 + a)
    return weights_k / weights_k.sum()


@functools.cache
def keys() -> np.ndarray:
    """Return the key of each rank, a number below KEYS, shape (KEYS,)."""
    return np.random.RandomState(11).permutation(KEYS)


@functools.cache
def kinds() -> np.ndarray:
    """Return which distribution the answers to the key of each rank have, shape (KEYS,)."""
    return np.random.RandomState(19).randint(0, KINDS, KEYS)


@functools.cache
def answers() -> np.ndarray:
    """Return the probability of each answer of each kind, shape (KINDS, ANSWERS)."""
    weights_kv = np.random.RandomState(13).gamma(CONCENTRATION, size=(KINDS, ANSWERS)) + 1e-4
    return weights_kv / weights_kv.sum(axis=1, keepdims=True)


def answer_entropies() -> np.ndarray:
    """Return the entropy of the answer to the key of each rank, shape (KEYS,), in nats."""
    return -np.sum(answers() * np.log(answers()), axis=1)[kinds()]


def _entropy(shares: np.ndarray) -> float:
    return float(-np.sum(shares * np.log(shares)))

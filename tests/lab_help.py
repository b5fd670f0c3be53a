"""A corpus whose entropy is known exactly, and small runs on it: what the lab's tests share."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from isoloss.core.accounting import Shape
from isoloss.core.spec import Spec
from isoloss.lab.building import build_corpus
from isoloss.lab.corpus import Corpus
from isoloss.lab.recipes.wsd_adamw import wsd_adamw

LETTERS = 16
TINY = Shape(width=16, depth=1, heads=1)
SMALL = Shape(width=32, depth=2, heads=2)


@functools.cache
def markov_corpus(documents: int = 60, length: int = 4000) -> Corpus:
    """Return text of a first-order Markov chain: the same bytes everywhere, for the legacy stream is frozen."""
    cumulative = markov_transitions().cumsum(axis=1)
    letters = np.zeros((length + 1, documents), int)
    for place, draws in enumerate(np.random.RandomState(7).random_sample((length, documents))):
        letters[place + 1] = (draws[:, None] > cumulative[letters[place], :-1]).sum(axis=1)
    texts = [(f"document {number}", bytes(97 + letters[1:, number].astype(np.uint8))) for number in range(documents)]
    return build_corpus("markov", texts)


def markov_transitions() -> np.ndarray:
    """Return the chain's transition probabilities, shape (LETTERS, LETTERS), rows summing to one."""
    weights = np.random.RandomState(3).gamma(0.15, size=(LETTERS, LETTERS)) + 1e-3
    return weights / weights.sum(axis=1, keepdims=True)


def entropies() -> tuple[float, float]:
    """Return the chain's entropy rate and the entropy of its letters taken alone, in nats."""
    transitions = markov_transitions()
    stationary = np.linalg.matrix_power(transitions, 1000)[0]
    rate = -np.sum(stationary[:, None] * transitions * np.log(transitions))
    return float(rate), float(-np.sum(stationary * np.log(stationary)))


def markov_spec(corpus: Corpus, shape: Shape = TINY, tokens: int = 20_000, seed: int = 0, **options: Any) -> Spec:
    """Return a run of a second or so on the Markov corpus."""
    return wsd_adamw(shape, tokens, corpus, seed, **options)

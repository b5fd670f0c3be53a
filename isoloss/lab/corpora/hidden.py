"""Text of a hidden Markov model: its entropy has no closed form, and is estimated with its standard error.

Unlike a chain's, the best prediction needs all that came before: the longer the context, the less is lost.

Shapes: `s` states, `v` tokens, `d` documents.
"""

from __future__ import annotations

import functools

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.lab.building import assemble, in_validation
from isoloss.lab.corpora.markov import DEFAULT_SIZE, LICENCE, MEAN_LENGTH, gathered, size_of
from isoloss.lab.corpus import Corpus, corpus_source

STATES, LETTERS = 8, 12
TOKENS = LETTERS + 1
END = 1 / (MEAN_LENGTH + 1)
LONG = 3000  # documents that the entropy is estimated from


def entropy(context: int | None, size: str | None) -> tuple[float, float]:
    """Return the entropy of what comes next, in nats per token, and its standard error over 3000 documents.

    It is the mean of -ln p(next | all before), by the forward recursion (Rabiner 1989, section III). Raises
    RequestError for a limited context.
    """
    if context is not None:
        raise RequestError(
            "The entropy of hmm is known without limit on the context alone.", "", "Leave the context out."
        )
    return _estimate()


@corpus_source(
    "hmm",
    form="hmm[:SIZE]",
    pattern=r"hmm(?::([^:+]+))?",
    about="letters of a hidden Markov model of 8 states, whose entropy is known to a standard error",
    licence=LICENCE,
    entropy=entropy,
)
def hmm(name: str, size: str | None) -> Corpus:
    """Text of the model, about `size` tokens."""
    count = max(20, round(size_of(name, size or DEFAULT_SIZE) / (MEAN_LENGTH + 1)))
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    for number, text in enumerate(documents(count, seed=31)):
        sides[in_validation(f"document {number}")].append(text)
    notes = (f"hidden Markov model of {STATES} states on {LETTERS} letters",)
    return assemble(name, *sides, notes, LICENCE, vocab=TOKENS)


@functools.cache
def model() -> tuple[np.ndarray, np.ndarray]:
    """Return the chances, given the state, of the next state (STATES, STATES) and of a letter (STATES, LETTERS)."""
    stream = np.random.RandomState(29)
    weights = [stream.gamma(shape, size=(STATES, n)) + 1e-3 for shape, n in ((0.2, STATES), (0.3, LETTERS))]
    moves_ss, letters_sv = (w / w.sum(axis=1, keepdims=True) for w in weights)
    return moves_ss, letters_sv


def documents(count: int, seed: int) -> list[bytes]:
    """Return `count` documents, each begun in state 0, all drawn side by side."""
    moves_ss, letters_sv = (table.cumsum(axis=1)[:, :-1] for table in model())
    stream = np.random.RandomState(seed)
    state_d, alive_d, columns = np.zeros(count, int), np.arange(count), []
    while len(alive_d):
        drawn_d3 = stream.random_sample((len(alive_d), 3))
        goes_on = drawn_d3[:, 0] >= END
        alive_d, state_d, drawn_d3 = alive_d[goes_on], state_d[goes_on], drawn_d3[goes_on]
        letter_d = 1 + (drawn_d3[:, 1:2] > letters_sv[state_d]).sum(axis=1)
        state_d = (drawn_d3[:, 2:] > moves_ss[state_d]).sum(axis=1)
        columns.append((alive_d, letter_d.astype(np.uint8)))
    return gathered(columns, count)


@functools.cache
def _estimate() -> tuple[float, float]:
    texts = documents(LONG, seed=37)
    loss_d, length_d = _losses(texts), np.array([len(text) + 1 for text in texts])
    rate = loss_d.sum() / length_d.sum()
    return float(rate), float(np.sqrt(np.sum((loss_d - rate * length_d) ** 2)) / length_d.sum())


def _losses(texts: list[bytes]) -> np.ndarray:
    """Return -ln p of each document, its end included."""
    moves_ss, letters_sv = model()
    order = sorted(range(len(texts)), key=lambda d: -len(texts[d]))
    belief_ds = np.eye(STATES)[np.zeros(len(texts), int)]
    loss_d = np.full(len(texts), -np.log(END))
    lengths = np.array([len(texts[d]) for d in order])
    padded = np.zeros((len(texts), lengths.max()), np.uint8)
    for row, d in enumerate(order):
        padded[row, : lengths[row]] = np.frombuffer(texts[d], np.uint8)
    for place in range(lengths.max()):
        alive = int(np.searchsorted(-lengths, -place, side="left"))
        seen_ds = belief_ds[:alive] * letters_sv[:, padded[:alive, place] - 1].T
        chance_d = seen_ds.sum(axis=1)
        loss_d[:alive] -= np.log(chance_d) + np.log(1 - END)
        belief_ds[:alive] = (seen_ds / chance_d[:, None]) @ moves_ss
    return loss_d[np.argsort(order)]

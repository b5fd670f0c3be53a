"""Text of order-k Markov chains, whose entropy is exactly known: a fitted floor can be held against it.

A chain writes 16 letters and the separator. After a separator it knows nothing of what came before, and a separator
comes with the same probability at every place, so that the whole stream, separators included, is one chain on the
contexts (the letters since the last separator, k at most), and its entropy rate is a sum over them. The probabilities
of what follows a context are drawn once, from a Dirichlet distribution of concentration 0.15.

Shapes: `c` contexts, `v` tokens, `d` documents.
"""

from __future__ import annotations

import functools

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.lab.building import assemble, in_validation
from isoloss.lab.corpus import Corpus, corpus_source

LETTERS = 16
TOKENS = LETTERS + 1  # the separator is token 0
CONCENTRATION = 0.15
MEAN_LENGTH = 500  # of a document, in letters
DEFAULT_SIZE = "4M"
SIZES = (1e4, 1e8)  # in tokens
LICENCE = "none needed, made here"


def entropy(context: int | None, order: str, size: str | None) -> tuple[float, float]:
    """Return the entropy of what comes next, in nats per token, and 0, for it is exact.

    With a `context`, its mean over the places of a window that begins anywhere: the first of them know fewer than k
    letters. Token t of the window is told from the t before it (Cover and Thomas 2006, chapter 4).
    """
    k = int(order)
    rate = conditional_entropy(k, k)
    if context is None:
        return rate, 0.0
    short = min(k, context + 1)
    early = sum(conditional_entropy(k, seen) for seen in range(1, short))
    return (early + (context - short + 1) * rate) / context, 0.0


@corpus_source(
    "markov",
    form="markov-K[:SIZE]",
    pattern=r"markov-([1-4])(?::([^:+]+))?",
    about="letters of a Markov chain of order K, 1 to 4, whose entropy is exactly known; SIZE as 10M",
    licence=LICENCE,
    entropy=entropy,
)
def markov(name: str, order: str, size: str | None) -> Corpus:
    """Text of a chain of order `order`, about `size` tokens."""
    wanted = size_of(name, size or DEFAULT_SIZE)
    texts = documents(int(order), max(20, round(wanted / (MEAN_LENGTH + 1))))
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    for number, text in enumerate(texts):
        sides[in_validation(f"document {number}")].append(text)
    rate = conditional_entropy(int(order), int(order))
    notes = (f"Markov chain of order {order} on {LETTERS} letters, entropy {rate:.6f} nats per token",)
    return assemble(name, *sides, notes, LICENCE, vocab=TOKENS)


def size_of(name: str, size: str) -> int:
    """Return the tokens that a size such as 10M stands for; raise RequestError if it cannot be."""
    tokens = numbers.parse(size)
    if not SIZES[0] <= tokens <= SIZES[1]:
        raise RequestError(
            f"'{name}' asks for {tokens:g} tokens.", "Synthetic corpora have 10k to 100M.", "Ask for a size between."
        )
    return round(tokens)


@functools.cache
def transitions(order: int) -> np.ndarray:
    """Return the probability of each token after each context, shape (TOKENS^order, TOKENS).

    A context is a number whose digits to the base TOKENS are its letters, the latest the lowest; 0 is no letter.
    """
    weights_cv = np.random.RandomState(order).gamma(CONCENTRATION, size=(TOKENS**order, LETTERS)) + 1e-3
    letters_cv = weights_cv / weights_cv.sum(axis=1, keepdims=True)
    end = 1 / (MEAN_LENGTH + 1)
    return np.concatenate([np.full((len(letters_cv), 1), end), (1 - end) * letters_cv], axis=1)


def documents(order: int, count: int) -> list[bytes]:
    """Return `count` documents of the chain, all drawn side by side: the same bytes everywhere."""
    cumulative_cv = transitions(order).cumsum(axis=1)[:, :-1]
    stream = np.random.RandomState(100 + order)
    context_d, alive_d, columns = np.zeros(count, int), np.arange(count), []
    while len(alive_d):
        drawn_d = (stream.random_sample(len(alive_d))[:, None] > cumulative_cv[context_d]).sum(axis=1)
        goes_on = drawn_d > 0
        alive_d, drawn_d = alive_d[goes_on], drawn_d[goes_on]
        context_d = (context_d[goes_on] * TOKENS + drawn_d) % TOKENS**order
        columns.append((alive_d, drawn_d.astype(np.uint8)))
    return gathered(columns, count)


def gathered(columns: list[tuple[np.ndarray, np.ndarray]], count: int) -> list[bytes]:
    """Return the documents whose tokens came place by place, as (which documents, their tokens)."""
    document_t = np.concatenate([which for which, _ in columns])
    token_t = np.concatenate([tokens for _, tokens in columns])[np.argsort(document_t, kind="stable")]
    ends = np.cumsum(np.bincount(document_t, minlength=count))
    return [part.tobytes() for part in np.split(token_t, ends[:-1])]


@functools.cache
def stationary(order: int) -> np.ndarray:
    """Return how often each context occurs in the stream, shape (TOKENS^order,), to 1e-14."""
    next_cv, share_c = transitions(order), np.zeros(TOKENS**order)
    share_c[0] = 1.0
    following_cv = (np.arange(TOKENS**order)[:, None] * TOKENS + np.arange(TOKENS)) % TOKENS**order
    following_cv[:, 0] = 0
    while True:
        flow = np.bincount(following_cv.ravel(), (share_c[:, None] * next_cv).ravel(), TOKENS**order)
        if np.abs(flow - share_c).sum() < 1e-14:
            return flow / flow.sum()
        share_c = flow


@functools.cache
def conditional_entropy(order: int, seen: int) -> float:
    """Return the entropy of the next token, in nats, for one who sees the latest `seen` (at most `order`) tokens."""
    groups, share_c = np.arange(TOKENS**order) % TOKENS**seen, stationary(order)
    joint_gv = np.stack([np.bincount(groups, share_c * column) for column in transitions(order).T], axis=1)
    joint_gv = joint_gv[joint_gv.sum(axis=1) > 0]
    next_gv = joint_gv / joint_gv.sum(axis=1, keepdims=True)
    return float(-np.sum(joint_gv * np.log(next_gv)))

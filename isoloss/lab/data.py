"""Which window, pair or example is seen when: the same for every size, no window twice within an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Corpus, Examples, Pairs, Source
from isoloss.lab.suitable import check_fit


def check_repetition(spec: Spec, data: Source) -> None:
    """Raise RequestError where the run would see its data more often than its Spec allows, or cannot use them."""
    usable = usable_tokens(spec, data)
    if spec.tokens > usable * spec.max_epochs:
        raise RequestError(
            f"{spec.tokens} tokens are {spec.tokens / usable:.2f} times the corpus '{data.name}', and the run allows "
            f"{spec.max_epochs:g}.",
            f"The corpus has {usable} tokens to train on.",
            "Train on fewer tokens, use a larger corpus, or ask for repetition with max_epochs.",
        )


def usable_tokens(spec: Spec, data: Source) -> int:
    """Return how many tokens one epoch of `data` has for this kind of model, in whole sequences, images or rows.

    Raises RequestError where a model of this shape cannot learn from such data.
    """
    check_fit(spec.shape, data)
    return units(data, spec.shape.context) * spec.shape.context


def units(data: Source, context: int) -> int:
    """Return what lies in the training data to be drawn: windows of text, pairs or examples."""
    if isinstance(data, Pairs):
        return len(data.train)
    return len(data.train_y) if isinstance(data, Examples) else windows(_text(data).train_t, context)


def windows(tokens_t: np.ndarray, context: int) -> int:
    """Return how many windows of `context` tokens, each followed by one more, lie side by side in `tokens_t`."""
    return (len(tokens_t) - 1) // context


def batches(spec: Spec, corpus: Corpus, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each step, from step `start` on, the inputs and targets, int64 arrays of shape (sequences, context).

    The order is a permutation of the corpus's windows drawn from the seed, and a new one for each epoch.
    """
    drawn = order(spec, windows(corpus.train_t, spec.shape.context))
    sequences = spec.batch // spec.shape.context
    for step in range(start, spec.steps):
        yield cut(corpus.train_t, drawn[step * sequences : (step + 1) * sequences], spec.shape.context)


def cut(tokens_t: np.ndarray, window_b: np.ndarray, context: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs and targets of these windows, int64, shape (len(window_b), context)."""
    places = window_b[:, None] * context + np.arange(context + 1)
    taken = tokens_t[places].astype(np.int64)
    return taken[:, :-1], taken[:, 1:]


def order(spec: Spec, available: int) -> np.ndarray:
    """Return which of `available` windows, pairs or examples is seen when: none twice within an epoch."""
    needed = spec.tokens // spec.shape.context
    generator = np.random.default_rng(spec.seed)
    epochs = -(-needed // available)
    return np.concatenate([generator.permutation(available) for _ in range(epochs)])[:needed]


def _text(data: Source) -> Corpus:
    assert isinstance(data, Corpus), "check_fit has seen to it"
    return data

"""The validation loss, on one frozen set of windows, with the standard error that its finiteness leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from isoloss.lab.corpus import Corpus, Source, load_beside
from isoloss.lab.data import cut, windows

WINDOWS = 2048  # of 128 bytes: 262144 bytes, the same for every run
QUICK_WINDOWS = 256
CHUNK = 64


@dataclass(frozen=True)
class Validation:
    """A loss in nats per token, its standard error clustered by document, and how much it was measured on.

    A token that was predicted stands for `bytes_per_token` bytes of text on average, in the windows judged on.
    `windows` are the windows, pairs or examples judged on; `extras` is what else a kind of model is judged by.
    """

    loss: float
    loss_se: float
    windows: int
    documents: int
    bytes_per_token: float = 1.0
    extras: dict[str, float] = field(default_factory=dict)

    @property
    def bits_per_byte(self) -> float:
        """The loss in bits per byte of text, whatever the tokens are."""
        return self.loss / math.log(2) / self.bytes_per_token


def validate(model: torch.nn.Module, corpus: Corpus, context: int, limit: int = WINDOWS) -> Validation:
    """Return the mean loss over the frozen windows.

    The standard error treats documents as the independent units, for windows of one document are alike. All runs are
    judged on the same windows, so that much of this error is common to them and cancels in comparisons.
    """
    window_v = frozen_windows(corpus, context, limit)
    loss_v = _losses(model, corpus.validation_t, window_v, context)
    document_v = np.searchsorted(corpus.starts_f, window_v * context, side="right") - 1
    mean = float(loss_v.mean())
    document_sums = np.bincount(document_v, weights=loss_v - mean)
    error = float(np.sqrt(np.sum(document_sums**2)) / len(loss_v))
    return Validation(mean, error, len(loss_v), len(np.unique(document_v)), bytes_per_token(corpus, window_v, context))


def bytes_per_token(corpus: Corpus, window_v: np.ndarray, context: int) -> float:
    """Return the mean number of bytes that the predicted tokens of these windows stand for."""
    if corpus.bytes_v is None:
        return corpus.bytes_per_token
    _, targets = cut(corpus.validation_t, window_v, context)
    return float(corpus.bytes_v[targets].mean())


def offsets(judge: Callable[[Corpus], Validation], corpus: Source, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how the model does on the frozen windows of further corpora, in the tokens of its own, by their names."""
    found = {}
    for name in names:
        other = load_beside(name, corpus)
        seen = judge(other)
        losses = {"loss": seen.loss, "loss_se": seen.loss_se, "bits_per_byte": seen.bits_per_byte}
        found[name] = {**losses, "digest": other.digest}
    return found


def frozen_windows(corpus: Corpus, context: int, limit: int) -> np.ndarray:
    """Return the numbers of the windows judged on, drawn once and for all; a smaller limit is a subset of a larger."""
    available = windows(corpus.validation_t, context)
    return np.sort(np.random.default_rng(0).permutation(available)[:limit])


@torch.no_grad()
def _losses(model: torch.nn.Module, tokens_t: np.ndarray, window_v: np.ndarray, context: int) -> np.ndarray:
    losses, device = [], next(model.parameters()).device
    for start in range(0, len(window_v), CHUNK):
        cuts = cut(tokens_t, window_v[start : start + CHUNK], context)
        inputs, targets = (torch.from_numpy(tokens).to(device) for tokens in cuts)
        per_token = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="none")
        losses.append(per_token.view_as(targets).mean(dim=1))
    return torch.cat(losses).double().cpu().numpy()

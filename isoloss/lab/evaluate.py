"""The validation loss, on one frozen set of windows, with the standard error that its finiteness leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from isoloss.lab.corpus import Corpus
from isoloss.lab.data import cut, windows

WINDOWS = 2048  # of 128 bytes: 262144 bytes, the same for every run
QUICK_WINDOWS = 256
CHUNK = 64


@dataclass(frozen=True)
class Validation:
    """A loss in nats per token, its standard error clustered by document, and how much it was measured on."""

    loss: float
    loss_se: float
    windows: int
    documents: int


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
    return Validation(mean, error, len(loss_v), len(np.unique(document_v)))


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

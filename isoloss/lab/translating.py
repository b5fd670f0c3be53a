"""Translation: an encoder-decoder reads a text and writes another; the loss is per byte of the target, padding masked.

A text ends with the token 0, which also begins the target and pads both; what is longer than its context is cut.
Shapes: b pairs, s source tokens, t target tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from isoloss.core.shapes import EncoderDecoderShape
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Pairs
from isoloss.lab.data import order
from isoloss.lab.evaluate import CHUNK, WINDOWS, Validation
from isoloss.lab.models.blocks import agreeing
from isoloss.lab.models.encoder_decoder import EncoderDecoder

END = 0
UNSEEN = -100  # the target of a place that is padding

Texts = Sequence[tuple[bytes, bytes]]


class Translation:
    """An encoder-decoder writes each token of the target from the source and the target so far."""

    def model(self, spec: Spec) -> torch.nn.Module:
        return agreeing(EncoderDecoder(_shape(spec), spec.seed), spec.shape)

    def batches(self, spec: Spec, corpus: Pairs, start: int) -> Iterator[Any]:
        drawn, pairs = order(spec, len(corpus.train)), spec.batch // spec.shape.context
        for step in range(start, spec.steps):
            chosen = drawn[step * pairs : (step + 1) * pairs]
            yield padded([corpus.train[i] for i in chosen], _shape(spec))

    def made_up(self, spec: Spec, batch: int) -> Any:
        shape = _shape(spec)
        text = (b"\1" * shape.source, b"\1" * shape.context)
        return padded([text] * (batch // shape.context), shape)

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        *read, targets = batch
        return F.cross_entropy(model(*read).flatten(0, 1), targets.flatten(), ignore_index=UNSEEN)

    def ignorance(self, spec: Spec) -> float:
        return math.log(_shape(spec).vocab)

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Pairs, limit: int = WINDOWS) -> Validation:
        """Return the mean loss per target token over frozen pairs, its error that of a ratio of sums over pairs."""
        frozen = np.sort(np.random.default_rng(0).permutation(len(corpus.validation))[:limit])
        texts = [corpus.validation[i] for i in frozen]
        sum_b, tokens_b = _losses(model, texts, _shape(spec))
        mean = float(sum_b.sum() / tokens_b.sum())
        error = float(np.sqrt(np.sum((sum_b - mean * tokens_b) ** 2)) / tokens_b.sum())
        extras = {"target_tokens": float(tokens_b.sum()), "padding_share": padding_share(corpus.train, _shape(spec))}
        return Validation(mean, error, len(texts), len(texts), extras=extras)


def padded(texts: Texts, shape: EncoderDecoderShape) -> tuple[torch.Tensor, ...]:
    """Return source (b, s), where it is no padding (b, s), what the decoder reads (b, t) and what it is to write."""
    source, seen = _rows([text for text, _ in texts], shape.source)
    target, meant = _rows([text for _, text in texts], shape.context)
    inputs = np.concatenate([np.full((len(texts), 1), END), target[:, :-1]], axis=1)
    targets = np.where(meant, target, UNSEEN)
    return tuple(map(torch.from_numpy, (source, seen, inputs, targets)))


def padding_share(texts: Texts, shape: EncoderDecoderShape) -> float:
    """Return the share of the target's places that hold no token: compute is spent on them and nothing is learnt."""
    written = sum(min(len(target) + 1, shape.context) for _, target in texts)
    return 1 - written / (len(texts) * shape.context)


def _rows(texts: Sequence[bytes], length: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.full((len(texts), length), END, np.int64)
    for row, text in zip(tokens, texts, strict=True):
        kept = np.frombuffer(text[:length], np.uint8)
        row[: len(kept)] = kept
    ends = np.array([min(len(text) + 1, length) for text in texts])
    return tokens, np.arange(length) < ends[:, None]


@torch.no_grad()
def _losses(model: torch.nn.Module, texts: Texts, shape: EncoderDecoderShape) -> tuple[np.ndarray, np.ndarray]:
    # The summed loss of each pair, and how many tokens it has.
    sums, tokens, device = [], [], next(model.parameters()).device
    for start in range(0, len(texts), CHUNK):
        *read, targets = (part.to(device) for part in padded(texts[start : start + CHUNK], shape))
        each = F.cross_entropy(model(*read).flatten(0, 1), targets.flatten(), ignore_index=UNSEEN, reduction="none")
        sums.append(each.view_as(targets).double().sum(dim=1))
        tokens.append((targets != UNSEEN).sum(dim=1))
    return torch.cat(sums).cpu().numpy(), torch.cat(tokens).cpu().numpy()


def _shape(spec: Spec) -> EncoderDecoderShape:
    assert isinstance(spec.shape, EncoderDecoderShape)
    return spec.shape

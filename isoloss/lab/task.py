"""Tasks: what a kind of model is trained to do, from batches to the loss of one and the loss it is judged by."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch.nn import functional as F

from isoloss.core.spec import Spec
from isoloss.lab.corpus import Corpus
from isoloss.lab.data import batches
from isoloss.lab.evaluate import WINDOWS, Validation, validate
from isoloss.lab.model import Transformer
from isoloss.lab.parameterisation import scaling_of


class Task(Protocol):
    """One kind of training: its model, its batches (as torch tensors), its loss in nats, its judgement."""

    def model(self, spec: Spec) -> torch.nn.Module: ...

    def batches(self, spec: Spec, corpus: Corpus, start: int) -> Iterator[Any]:
        """Yield the batch of each step, from step `start` on."""
        ...

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor: ...

    def ignorance(self, spec: Spec) -> float:
        """Return the loss of a model that knows nothing."""
        ...

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Corpus, limit: int = WINDOWS) -> Validation: ...


class NextToken:
    """A decoder predicts each token from those before it."""

    def model(self, spec: Spec) -> torch.nn.Module:
        return Transformer(spec.shape, spec.seed, scaling_of(spec.parameterisation, spec.shape))

    def batches(self, spec: Spec, corpus: Corpus, start: int) -> Iterator[Any]:
        for inputs, targets in batches(spec, corpus, start):
            yield torch.from_numpy(inputs), torch.from_numpy(targets)

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        inputs, targets = batch
        return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())

    def ignorance(self, spec: Spec) -> float:
        return math.log(spec.shape.vocab)

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Corpus, limit: int = WINDOWS) -> Validation:
        return validate(model, corpus, spec.shape.context, limit)


def task_of(spec: Spec) -> Task:
    """Return what a model of this Spec's shape is trained to do."""
    return NextToken()

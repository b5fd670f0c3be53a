"""Tasks: what a kind of model is trained to do, from batches to the loss of one and the loss it is judged by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch.nn import functional as F

from isoloss.core.errors import RequestError
from isoloss.core.shapes import EncoderDecoderShape, MLPShape, MoEShape, Shape, ViTShape
from isoloss.core.spec import Spec
from isoloss.lab.classifying import Classification
from isoloss.lab.corpus import Corpus
from isoloss.lab.data import batches, cut
from isoloss.lab.evaluate import WINDOWS, Validation, frozen_windows, validate
from isoloss.lab.model import Transformer
from isoloss.lab.models.blocks import agreeing
from isoloss.lab.models.moe import BALANCE, RoutedTransformer
from isoloss.lab.parameterisation import scaling_of
from isoloss.lab.translating import Translation

ROUTES_SEEN = 64  # windows on which the load of experts is measured


class Task(Protocol):
    """One kind of training: its model, its batches (as torch tensors), its loss in nats, its judgement."""

    def model(self, spec: Spec) -> torch.nn.Module:
        """Return a new model; raise TrainingError where it has not the parameters that accounting says."""
        ...

    def batches(self, spec: Spec, corpus: Any, start: int) -> Iterator[Any]:
        """Yield the batch of each step, from step `start` on."""
        ...

    def made_up(self, spec: Spec, batch: int) -> Any:
        """Return a batch of `batch` tokens that mean nothing, to time and count with."""
        ...

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        """Return the loss of a batch: its value in nats, its gradient what is descended."""
        ...

    def ignorance(self, spec: Spec) -> float:
        """Return the loss of a model that knows nothing."""
        ...

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Any, limit: int = WINDOWS) -> Validation: ...


class NextToken:
    """A decoder predicts each token from those before it."""

    def model(self, spec: Spec) -> torch.nn.Module:
        assert isinstance(spec.shape, Shape)
        scaling = scaling_of(spec.parameterisation, spec.shape)
        return agreeing(Transformer(spec.shape, spec.seed, scaling), spec.shape)

    def batches(self, spec: Spec, corpus: Corpus, start: int) -> Iterator[Any]:
        for inputs, targets in batches(spec, corpus, start):
            yield torch.from_numpy(inputs), torch.from_numpy(targets)

    def made_up(self, spec: Spec, batch: int) -> Any:
        context, vocab = spec.shape.context, _vocab(spec)
        tokens = torch.arange(batch).view(-1, context) % vocab
        return tokens, tokens

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        inputs, targets = batch
        return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())

    def ignorance(self, spec: Spec) -> float:
        return math.log(_vocab(spec))

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Corpus, limit: int = WINDOWS) -> Validation:
        return validate(model, corpus, spec.shape.context, limit)


class RoutedNextToken(NextToken):
    """A routed decoder does the same, and is drawn to use its experts alike: that is in the gradient, not the loss."""

    def model(self, spec: Spec) -> torch.nn.Module:
        assert isinstance(spec.shape, MoEShape)
        return agreeing(RoutedTransformer(spec.shape, spec.seed), spec.shape)

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        assert isinstance(model, RoutedTransformer)
        inputs, targets = batch
        logits, routes = model.run(inputs)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        if not routes:
            return loss
        balance = BALANCE * torch.stack([routed.balance for routed in routes]).sum()
        return loss + (balance - balance.detach())

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Corpus, limit: int = WINDOWS) -> Validation:
        seen = super().validate(model, spec, corpus, limit)
        return dataclasses.replace(seen, extras=routes_of(model, spec, corpus))


@torch.no_grad()
def routes_of(model: torch.nn.Module, spec: Spec, corpus: Corpus) -> dict[str, float]:
    """Return how unevenly experts are used on frozen windows: the busiest one's load over the mean, its worst layer's.

    Empty for a model of one expert; with `idle_experts`, the largest share of a layer's experts that no token took.
    """
    assert isinstance(model, RoutedTransformer)
    chosen = frozen_windows(corpus, spec.shape.context, ROUTES_SEEN)
    inputs, _ = cut(corpus.validation_t, chosen, spec.shape.context)
    loads = [routed.load_e for routed in model.run(torch.from_numpy(inputs).to(model.rotation.device))[1]]
    if not loads:
        return {}
    return {
        "load_imbalance": max((load.max() / load.double().mean()).item() for load in loads),
        "idle_experts": max((load == 0).double().mean().item() for load in loads),
    }


TASKS: dict[str, Task] = {
    Shape.kind: NextToken(),
    MoEShape.kind: RoutedNextToken(),
    EncoderDecoderShape.kind: Translation(),
    ViTShape.kind: Classification(),
    MLPShape.kind: Classification(),
}


def task_of(spec: Spec) -> Task:
    """Return what a model of this Spec's shape is trained to do; raise RequestError for an option that it has not."""
    if spec.shape.kind != Shape.kind and spec.parameterisation != "standard":
        raise RequestError(
            f"A model of the kind '{spec.shape.kind}' has no parameterisation '{spec.parameterisation}'.",
            "Its factors are worked out for the decoder alone.",
            'Choose parameterisation = "standard", or kind = "decoder".',
        )
    return TASKS[spec.shape.kind]


def _vocab(spec: Spec) -> int:
    assert isinstance(spec.shape, Shape | MoEShape)
    return spec.shape.vocab

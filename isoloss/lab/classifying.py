"""Classification: images or rows, each belonging to a class; the loss is in nats per example.

Inputs are centred and scaled by the training set's mean and deviation: of each channel of images, of each feature of
rows. Shapes: b examples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from isoloss.core.shapes import MLPShape, ViTShape
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Examples
from isoloss.lab.data import order
from isoloss.lab.evaluate import Validation
from isoloss.lab.models.blocks import agreeing
from isoloss.lab.models.mlp import ResidualMLP
from isoloss.lab.models.vit import VisionTransformer

JUDGED = 10_000
CHUNK = 256

Scale = tuple[np.ndarray, np.ndarray]
_SCALES: dict[str, Scale] = {}


class Classification:
    """A vision transformer or an MLP says which class an example is of."""

    def model(self, spec: Spec) -> torch.nn.Module:
        shape = spec.shape
        if isinstance(shape, ViTShape):
            return agreeing(VisionTransformer(shape, spec.seed), shape)
        assert isinstance(shape, MLPShape)
        return agreeing(ResidualMLP(shape, spec.seed), shape)

    def batches(self, spec: Spec, corpus: Examples, start: int) -> Iterator[Any]:
        drawn, examples = order(spec, len(corpus.train_y)), spec.batch // spec.shape.context
        for step in range(start, spec.steps):
            chosen = drawn[step * examples : (step + 1) * examples]
            yield prepared(spec, corpus, corpus.train_x[chosen]), torch.from_numpy(corpus.train_y[chosen])

    def made_up(self, spec: Spec, batch: int) -> Any:
        shape, examples = spec.shape, batch // spec.shape.context
        if isinstance(shape, ViTShape):
            size = (examples, shape.image, shape.image, shape.channels)
        else:
            assert isinstance(shape, MLPShape)
            size = (examples, shape.features)
        return torch.ones(size), torch.zeros(examples, dtype=torch.long)

    def loss(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        inputs, classes = batch
        return F.cross_entropy(model(inputs), classes)

    def ignorance(self, spec: Spec) -> float:
        assert isinstance(spec.shape, ViTShape | MLPShape)
        return math.log(spec.shape.classes)

    def validate(self, model: torch.nn.Module, spec: Spec, corpus: Examples, limit: int = JUDGED) -> Validation:
        """Return the mean loss over frozen examples and the share classified wrongly, each with its error."""
        frozen = np.sort(np.random.default_rng(0).permutation(len(corpus.validation_y))[:limit])
        loss_b, wrong_b = _judged(model, spec, corpus, frozen)
        root = math.sqrt(len(frozen))
        extras = {"error_rate": float(wrong_b.mean()), "error_rate_se": float(wrong_b.std() / root)}
        return Validation(float(loss_b.mean()), float(loss_b.std() / root), len(frozen), len(frozen), extras=extras)


def prepared(spec: Spec, corpus: Examples, x: np.ndarray) -> torch.Tensor:
    """Return examples centred and scaled; as rows, where the model sees rows."""
    mean, deviation = scale_of(corpus)
    inputs = torch.from_numpy((x.astype(np.float32) - mean) / deviation)
    return inputs.flatten(1) if isinstance(spec.shape, MLPShape) else inputs


def scale_of(corpus: Examples) -> Scale:
    """Return mean and deviation of the training set, float32; what never varies has deviation 1."""
    if corpus.digest not in _SCALES:
        over = tuple(range(corpus.train_x.ndim - 1))
        mean = corpus.train_x.mean(axis=over, dtype=np.float64)
        deviation = corpus.train_x.std(axis=over, dtype=np.float64)
        still = deviation < 1e-12
        _SCALES[corpus.digest] = (mean.astype(np.float32), np.where(still, 1.0, deviation).astype(np.float32))
    return _SCALES[corpus.digest]


@torch.no_grad()
def _judged(model: torch.nn.Module, spec: Spec, corpus: Examples, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The loss of each example, and 1 for each that is classified wrongly.
    losses, wrong, device = [], [], next(model.parameters()).device
    for part in np.split(chosen, range(CHUNK, len(chosen), CHUNK)):
        classes = torch.from_numpy(corpus.validation_y[part]).to(device)
        logits = model(prepared(spec, corpus, corpus.validation_x[part]).to(device))
        losses.append(F.cross_entropy(logits, classes, reduction="none"))
        wrong.append(logits.argmax(dim=1) != classes)
    return torch.cat(losses).double().cpu().numpy(), torch.cat(wrong).double().cpu().numpy()

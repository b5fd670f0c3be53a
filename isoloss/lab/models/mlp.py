"""The residual MLP: rows of numbers, each belonging to a class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isoloss.core.shapes import MLPShape
from isoloss.lab.models.blocks import mlp, start


class Branch(nn.Module):
    """One MLP, added to the stream that runs through the model."""

    def __init__(self, shape: MLPShape) -> None:
        super().__init__()
        self.mlp_norm = nn.RMSNorm(shape.width)
        self.mlp_up = nn.Linear(shape.width, shape.ff, bias=False)
        self.mlp_down = nn.Linear(shape.ff, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + mlp(self, x)


class ResidualMLP(nn.Module):
    """A residual MLP of this shape; all randomness of its start comes from `seed`.

    `offset` is what the stream holds for a row of zeros: without it norms would hide how large a row is.
    """

    def __init__(self, shape: MLPShape, seed: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(shape.features, shape.width, bias=False)
        self.offset = nn.Parameter(torch.empty(shape.width))
        self.blocks = nn.ModuleList(Branch(shape) for _ in range(shape.depth))
        self.norm = nn.RMSNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.classes, bias=False)
        start(self, seed)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the logits (batch, classes) of `rows` (batch, features)."""
        x = self.inputs(rows) + self.offset
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

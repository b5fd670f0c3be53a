"""The vision transformer: patches of an image look at each other, and their mean is classified."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isoloss.core.shapes import ViTShape
from isoloss.lab.models.blocks import AllSeeing, start


class VisionTransformer(nn.Module):
    """A vision transformer of this shape; all randomness of its start comes from `seed`."""

    def __init__(self, shape: ViTShape, seed: int) -> None:
        super().__init__()
        self.patch = shape.patch
        self.inputs = nn.Linear(shape.inputs, shape.width, bias=False)
        self.positions = nn.Parameter(torch.empty(shape.context, shape.width))
        self.blocks = nn.ModuleList(AllSeeing(shape) for _ in range(shape.depth))  # type: ignore[arg-type]
        self.norm = nn.RMSNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.classes, bias=False)
        start(self, seed)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (batch, classes) of `images` (batch, height, width, channels)."""
        x = self.inputs(patches(images, self.patch)) + self.positions
        for block in self.blocks:
            x = block(x, None)
        return self.head(self.norm(x).mean(dim=1))


def patches(images: Tensor, side: int) -> Tensor:
    """Return the patches of images (batch, height, width, channels), row by row, each as numbers side by side."""
    cut = images.unflatten(1, (-1, side)).unflatten(3, (-1, side))
    return cut.permute(0, 1, 3, 2, 4, 5).flatten(1, 2).flatten(2)

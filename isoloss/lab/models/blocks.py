"""What the models of the zoo share: their start, attention that sees all, and what a weight is there for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isoloss.core.accounting import count
from isoloss.core.counts import Counts
from isoloss.core.errors import TrainingError
from isoloss.lab.model import EMBEDDING_STD, Block, SquaredReLU

POSITION_STD = 0.1  # beside patches, whose projection has about 1
LOOKED_UP = ("embedding.weight", "positions")  # tables: no matrix product, no weight decay
ZERO_AT_FIRST = ("attention_out.weight", "cross_out.weight", "mlp_down.weight", "experts_down", "head.weight")
PARTS = {  # of Counts, by the name that a weight bears in its module
    "embedding": LOOKED_UP,
    "head": ("head.weight",),
    "inputs": ("inputs.weight",),
    "attention": ("query_key_value", "attention_out", "cross_query", "cross_key_value", "cross_out"),
    "mlp": ("mlp_up", "mlp_down", "experts_up", "experts_down", "router"),
}


class AllSeeing(Block):
    """A block each of whose places looks at all, later ones too; `seen` (batch, 1, 1, places) masks some out."""

    def forward(self, x: Tensor, rotation: Tensor | None, seen: Tensor | None = None) -> Tensor:  # type: ignore[override]
        x = x + self.look(self.attention_norm(x), rotation, seen)
        return x + mlp(self, x)

    def look(self, x: Tensor, rotation: Tensor | None, seen: Tensor | None) -> Tensor:
        mixed = self.query_key_value(x).view(*x.shape[:2], 3, self.heads, self.head_dim)
        query_key = turned(F.rms_norm(mixed[:, :, :2], (self.head_dim,)), rotation)
        query, key = query_key.permute(2, 0, 3, 1, 4)
        return self.attention_out(attended(query, key, mixed[:, :, 2].transpose(1, 2), seen))


def mlp(block: Any, x: Tensor) -> Tensor:
    """Return what a block's MLP writes into the stream `x`."""
    return block.mlp_down(SquaredReLU.apply(block.mlp_up(block.mlp_norm(x)))[0])


def turned(x: Tensor, rotation: Tensor | None) -> Tensor:
    """Return `x` (batch, places, ..., head_dim) turned by rotary positions, or as it is where there are none."""
    if rotation is None:
        return x
    pairs = torch.view_as_complex(x.unflatten(-1, (x.shape[-1] // 2, 2)))
    return torch.view_as_real(pairs * rotation).flatten(-2)


def attended(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None) -> Tensor:
    """Return what queries (batch, heads, places, head_dim) find where `seen` is true, heads side by side."""
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return found.transpose(1, 2).flatten(-2)


@torch.no_grad()
def start(model: nn.Module, seed: int) -> None:
    """Draw the first weights, all from `seed`: matrices by the root of their inputs, branches that write as zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if name.endswith(ZERO_AT_FIRST):
            nn.init.zeros_(weight)
        elif name == "positions":
            nn.init.normal_(weight, std=POSITION_STD, generator=generator)
        elif name in (*LOOKED_UP, "offset"):
            nn.init.normal_(weight, std=EMBEDDING_STD, generator=generator)
        elif weight.ndim >= 2:
            nn.init.normal_(weight, std=weight.shape[-1] ** -0.5, generator=generator)


def reported(model: nn.Module) -> Counts:
    """Return the parameters that a model really has, by part; raise TrainingError for one of no known part."""
    parts: dict[str, int] = dict.fromkeys(("embedding", "attention", "mlp", "norms", "head", "inputs"), 0)
    tied = model.get_parameter("head.weight")
    for name, weight in model.named_parameters():
        parts["head" if weight is tied else part_of(name, weight)] += weight.numel()
    return Counts(**parts)


def part_of(name: str, weight: Tensor) -> str:
    """Return the part of Counts that a weight belongs to."""
    if weight.ndim == 1:
        return "norms"
    words = name.split(".")
    for part, names in PARTS.items():
        if name in names or any(word in names for word in words):
            return part
    raise TrainingError(f"The weight '{name}' is in no count of parameters.", do="Name its part where models count.")


def agreeing(model: nn.Module, shape: Any) -> nn.Module:
    """Return the model; raise TrainingError unless it has, part by part, the parameters that accounting says."""
    found, said = reported(model), count(shape)
    if found != said:
        raise TrainingError(f"The model of {shape} has {found}.", f"Accounting says {said}.", "One of them is wrong.")
    return model

"""The model: a decoder-only transformer, plain enough to read and modern enough to scale smoothly.

Pre-normed with RMSNorm, rotary positions, normed queries and keys, causal attention, squared ReLU, no biases, a head
of its own, and zero at the start wherever a branch writes: at step 0 a model of any size predicts all tokens alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isoloss.core.accounting import Shape
from isoloss.lab.parameterisation import STANDARD, Scaling

ROTARY_BASE = 10_000.0
EMBEDDING_STD = 1.0
STARTS_AT_ZERO = ("attention_out.weight", "mlp_down.weight", "head.weight")


class SquaredReLU(torch.autograd.Function):
    """relu(x)^2, and relu(x), the one array that is kept for the backward pass where autograd would keep two."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        positive = x.relu()
        return positive * positive, positive

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:  # type: ignore[override]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx, gradient: Tensor, _: Tensor) -> Tensor:  # type: ignore[override]
        (positive,) = ctx.saved_tensors
        return torch.mul(gradient, positive).mul_(2)


class Block(nn.Module):
    """Attention and MLP, each added to the stream that runs through the model."""

    def __init__(self, shape: Shape, scaling: Scaling = STANDARD) -> None:
        super().__init__()
        self.heads, self.head_dim = shape.heads, shape.head_dim
        self.branch, self.sharpness = scaling.branch, scaling.attention
        self.attention_norm = nn.RMSNorm(shape.width)
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.attention_out = nn.Linear(shape.width, shape.width, bias=False)
        self.mlp_norm = nn.RMSNorm(shape.width)
        self.mlp_up = nn.Linear(shape.width, shape.ff, bias=False)
        self.mlp_down = nn.Linear(shape.ff, shape.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        x = torch.add(x, self.attend(self.attention_norm(x), rotation), alpha=self.branch)
        return torch.add(x, self.mlp_down(SquaredReLU.apply(self.mlp_up(self.mlp_norm(x)))[0]), alpha=self.branch)

    def attend(self, x: Tensor, rotation: Tensor) -> Tensor:
        batch, context, width = x.shape
        mixed = self.query_key_value(x).view(batch, context, 3, self.heads, self.head_dim)
        query_key = F.rms_norm(mixed[:, :, :2].float(), (self.head_dim,))
        turned = torch.view_as_complex(query_key.unflatten(-1, (self.head_dim // 2, 2))) * rotation
        query, key = torch.view_as_real(turned).flatten(-2).to(mixed.dtype).permute(2, 0, 3, 1, 4)
        value = mixed[:, :, 2].transpose(1, 2)
        looked_at = F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=self.sharpness)
        return self.attention_out(looked_at.transpose(1, 2).reshape(batch, context, width))


class Transformer(nn.Module):
    """A transformer of this shape; all randomness of its start comes from `seed`.

    `scaling` holds the factors of a parameterisation on branches, attention and logits.
    """

    rotation: Tensor

    def __init__(self, shape: Shape, seed: int, scaling: Scaling = STANDARD) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(Block(shape, scaling) for _ in range(shape.depth))
        self.norm, self.logits = nn.RMSNorm(shape.width), scaling.logits
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.register_buffer("rotation", rotation(shape), persistent=False)
        self.start(seed)
        if shape.tied:
            self.head.weight = self.embedding.weight

    @torch.no_grad()
    def start(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if name == "embedding.weight":
                nn.init.normal_(weight, std=EMBEDDING_STD, generator=generator)
            elif name.endswith(STARTS_AT_ZERO):
                nn.init.zeros_(weight)
            elif weight.ndim == 2:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits, shape (batch, context, vocab), of the token after each of `tokens` (batch, context)."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.rotation[: tokens.shape[1]])
        x = self.norm(x)
        return self.head(x if self.logits == 1 else x * self.logits)


def rotation(shape: Shape) -> Tensor:
    """Return the turns of rotary positions, complex, shape (context, 1, 1, head_dim / 2) (Su et al. 2021, eq. 15)."""
    frequencies = ROTARY_BASE ** -(torch.arange(0, shape.head_dim, 2) / shape.head_dim)
    angles = torch.outer(torch.arange(shape.context), frequencies)
    return torch.polar(torch.ones_like(angles), angles)[:, None, None, :]

"""What the lab is measured against: a small GPT and its training loop as they are usually written, in plain torch.

LayerNorm, GELU, learned positions, an output layer tied to the embedding, AdamW, clipping, random windows of the text:
eager, float32, one process, with as many threads as torch takes by itself. The sizes are those of a Shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isoloss.core.accounting import Shape

RATE, WARMUP, STEPS = 1e-3, 100, 5000


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.attention_in, self.attention_out = (
            nn.Linear(width, 3 * width, bias=False),
            nn.Linear(width, width, bias=False),
        )
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.norm_1(x))
        return x + self.down(F.gelu(self.up(self.norm_2(x))))

    def attend(self, x: Tensor) -> Tensor:
        batch, context, width = x.shape
        parts = self.attention_in(x).split(width, dim=2)
        query, key, value = (part.view(batch, context, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.attention_out(mixed.transpose(1, 2).contiguous().view(batch, context, width))


class PlainGPT(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(shape.vocab, shape.width), nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(PlainBlock(shape.width, shape.heads) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, bias=False)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.head.weight = self.tokens.weight
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                inner = name.endswith(("attention_out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * shape.depth) if inner else 0.02)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(inputs) + self.places(torch.arange(inputs.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def plain_steps(shape: Shape, batch: int, tokens_t: np.ndarray) -> Iterator[None]:
    """Train without end on random windows of `tokens_t`, `batch` tokens a step, and yield after each."""
    torch.manual_seed(0)
    model = PlainGPT(shape)
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99))
    for step in range(10**9):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        loss = model(*windows(tokens_t, batch // shape.context, shape.context))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 0:
            loss.item()
        yield


def rate(step: int) -> float:
    """A rise and half a cosine, as usual."""
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    return RATE * (0.55 + 0.45 * math.cos(math.pi * min(1.0, (step - WARMUP) / STEPS)))


def windows(tokens_t: np.ndarray, count: int, context: int) -> tuple[Tensor, Tensor]:
    places = torch.randint(len(tokens_t) - context, (count,))
    inputs = torch.stack([torch.from_numpy(tokens_t[i : i + context].astype(np.int64)) for i in places])
    targets = torch.stack([torch.from_numpy(tokens_t[i + 1 : i + 1 + context].astype(np.int64)) for i in places])
    return inputs, targets

"""A plain transformer of any Architecture for the meta device: weights and products as they are, without a value."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isoloss.core.architecture import Architecture


class Attention(nn.Module):
    def __init__(self, a: Architecture) -> None:
        super().__init__()
        bias = {"q": a.biases != "none", "o": a.biases == "all"}
        self.query = nn.Linear(a.width, a.queries, bias=bias["q"])
        self.key = nn.Linear(a.width, a.keys, bias=bias["q"])
        self.value = nn.Linear(a.width, a.keys, bias=bias["q"])
        self.out = nn.Linear(a.queries, a.width, bias=bias["o"])
        self.place = nn.Linear(a.width, a.queries, bias=False) if a.positions == "projected" else None
        self.heads, self.groups, self.size = a.heads, a.heads // a.kv_heads, a.head_dim

    def forward(self, x: Tensor, seen: Tensor, places: Tensor) -> Tensor:
        query = self.query(x).unflatten(-1, (self.heads, self.size)).transpose(1, 2)
        key, value = (
            layer(seen).unflatten(-1, (-1, self.size)).repeat_interleave(self.groups, dim=2).transpose(1, 2)
            for layer in (self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2)
        if self.place is not None:
            by_place = self.place(places).unflatten(-1, (self.heads, self.size)).permute(1, 2, 0)
            scores = scores + query @ by_place.expand(len(x), -1, -1, -1)
        return self.out((scores.softmax(-1) @ value).transpose(1, 2).flatten(-2))


class Mlp(nn.Module):
    def __init__(self, a: Architecture, width: int) -> None:
        super().__init__()
        bias = a.biases == "all"
        self.up = nn.ModuleList(nn.Linear(a.width, width, bias=bias) for _ in range(a.matrices - 1))
        self.down = nn.Linear(width, a.width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden = [layer(x) for layer in self.up]
        return self.down(hidden[0].relu() if len(hidden) == 1 else hidden[0].sigmoid() * hidden[1])


class Routed(nn.Module):
    """Every expert takes its even share of the tokens, which is what routing comes to without a value to route by."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.router = nn.Linear(a.width, a.experts, bias=False)
        self.experts = nn.ModuleList(Mlp(a, a.expert_ff) for _ in range(a.experts))
        self.shared = nn.ModuleList(Mlp(a, a.expert_ff) for _ in range(a.shared_experts))
        self.active = a.active_experts

    def forward(self, x: Tensor) -> Tensor:
        weights, tokens = self.router(x), x.flatten(0, 1)
        shares = tokens.repeat(self.active, 1).chunk(len(self.experts))
        taken = torch.cat([expert(part) for expert, part in zip(self.experts, shares, strict=True)])
        mixed = taken.unflatten(0, (self.active, -1)).sum(0).view_as(x) * weights.mean(-1, keepdim=True)
        return mixed + sum(expert(x) for expert in self.shared) if len(self.shared) else mixed


class Layer(nn.Module):
    def __init__(self, a: Architecture, routed: bool, crosses: bool) -> None:
        super().__init__()
        norm = nn.LayerNorm if a.norm == "layer" else nn.RMSNorm
        self.norms = nn.ModuleList(norm(a.width) for _ in range(3 if crosses else 2))
        self.attention, self.cross = Attention(a), Attention(a) if crosses else None
        self.mlp = Routed(a) if routed else Mlp(a, a.ff)

    def forward(self, x: Tensor, source: Tensor | None, places: Tensor) -> Tensor:
        normed = self.norms[0](x)
        x = x + self.attention(normed, normed, places)
        if self.cross is not None and source is not None:
            x = x + self.cross(self.norms[2](x), source, places)
        return x + self.mlp(self.norms[1](x))


class MetaTransformer(nn.Module):
    def __init__(self, a: Architecture) -> None:
        super().__init__()
        norm = nn.LayerNorm if a.norm == "layer" else nn.RMSNorm
        self.a, encodes = a, a.encoder_depth > 0
        self.embedding = nn.Embedding(a.vocab, a.width)
        self.learned = nn.Embedding(a.context, a.width) if a.positions == "learned" else None
        stacks = 2 if encodes else 1
        self.buckets = nn.ParameterList(
            torch.empty(32, a.heads) for _ in range(stacks if a.positions == "buckets" else 0)
        )
        self.encoder = nn.ModuleList(Layer(a, False, False) for _ in range(a.encoder_depth))
        self.decoder = nn.ModuleList(Layer(a, i >= a.dense_layers and a.experts > 1, encodes) for i in range(a.depth))
        self.norms = nn.ModuleList(norm(a.width) for _ in range(stacks))
        self.head = nn.Linear(a.width, a.vocab, bias=False)
        if a.tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, source_tokens: Tensor | None = None) -> Tensor:
        source = None
        places = torch.empty(tokens.shape[1], self.a.width, device=tokens.device)
        if source_tokens is not None:
            source = self.embedding(source_tokens)
            for layer in self.encoder:
                source = layer(source, None, places)
            source = self.norms[1](source)
        x = self.embedding(tokens)
        for layer in self.decoder:
            x = layer(x, source, places)
        return self.head(self.norms[0](x))

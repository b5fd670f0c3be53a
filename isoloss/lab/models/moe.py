"""The routed decoder: each MLP is several, and a token takes some of them, as a router or a hash says.

Dropless: every token is served, tokens of one expert together in one product. Legend: t tokens, k chosen experts of
each, e experts, a = t k assignments, w width, f width of an expert.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isoloss.core.shapes import MoEShape
from isoloss.lab.model import Block, SquaredReLU, rotation
from isoloss.lab.models.blocks import start

BALANCE = 0.01  # weight of the balance in the loss that is descended; Fedus et al. 2022, section 2.2
HASH_SEED = 2021


@dataclass(frozen=True)
class Routed:
    """Where one layer sent its tokens: assignments by expert (e,), and the balance, 1 where all experts are alike."""

    load_e: Tensor
    balance: Tensor


class Experts(nn.Module):
    """The experts of one layer, and what chooses among them."""

    table: Tensor

    def __init__(self, shape: MoEShape, layer: int) -> None:
        super().__init__()
        self.many, self.active = shape.experts, shape.active_experts
        self.experts_up = nn.Parameter(torch.empty(shape.experts, shape.expert_ff, shape.width))
        self.experts_down = nn.Parameter(torch.empty(shape.experts, shape.width, shape.expert_ff))
        self.router = nn.Linear(shape.width, shape.experts, bias=False) if shape.routing == "top_k" else None
        if self.router is None:
            self.register_buffer("table", hash_table(shape, layer), persistent=False)

    def forward(self, x_tw: Tensor, token_t: Tensor) -> tuple[Tensor, Routed]:
        """Return what the experts write for each token, and where the tokens went."""
        chosen_tk, gate_tk, probability_te = self.choose(x_tw, token_t)
        load_e = torch.bincount(chosen_tk.flatten(), minlength=self.many)
        written_tw = self.serve(x_tw, chosen_tk, gate_tk, load_e)
        share_e = load_e / chosen_tk.numel()
        importance_e = share_e if probability_te is None else probability_te.mean(dim=0)
        return written_tw, Routed(load_e, self.many * (share_e * importance_e).sum())

    def choose(self, x_tw: Tensor, token_t: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the experts of each token, their gates (which sum to one) and the router's probabilities, if any.

        The sum that gates are divided by is held fixed in the gradient: a router that chooses one expert, whose gate is
        always one, still learns.
        """
        if self.router is None:
            chosen_tk = self.table[token_t]
            return chosen_tk, x_tw.new_full(chosen_tk.shape, 1 / self.active), None
        probability_te = self.router(x_tw).softmax(dim=-1)
        taken_tk, chosen_tk = probability_te.topk(self.active, dim=-1)
        return chosen_tk, taken_tk / taken_tk.detach().sum(dim=-1, keepdim=True), probability_te

    def serve(self, x_tw: Tensor, chosen_tk: Tensor, gate_tk: Tensor, load_e: Tensor) -> Tensor:
        order_a = chosen_tk.flatten().argsort(stable=True)
        token_a, sizes = order_a // self.active, load_e.tolist()
        hidden_af = SquaredReLU.apply(grouped(x_tw[token_a], self.experts_up, sizes))[0]
        written_aw = grouped(hidden_af, self.experts_down, sizes) * gate_tk.flatten()[order_a, None]
        return torch.zeros_like(x_tw).index_add(0, token_a, written_aw)


def grouped(rows: Tensor, weight_eoi: Tensor, sizes: list[int]) -> Tensor:
    """Return each group of rows times the transpose of its own matrix; groups lie one after another."""
    return torch.cat([part @ w.T for part, w in zip(rows.split(sizes), weight_eoi.unbind(), strict=True)])


def hash_table(shape: MoEShape, layer: int) -> Tensor:
    """Return the experts of each token of the vocabulary (vocab, k), the same for every run; layers differ.

    Each expert has as many kinds of token as the others, which is not as many tokens (Roller et al. 2021, section 3).
    """
    generator = torch.Generator().manual_seed(HASH_SEED + layer)
    place_v = torch.randperm(shape.vocab, generator=generator)
    return (place_v[:, None] + torch.arange(shape.active_experts)) % shape.experts


class RoutedBlock(Block):
    """A block whose MLP is routed."""

    def __init__(self, shape: MoEShape, layer: int) -> None:
        super().__init__(shape)  # type: ignore[arg-type]
        del self.mlp_up, self.mlp_down
        self.experts = Experts(shape, layer)

    def run(self, x: Tensor, turns: Tensor, tokens: Tensor) -> tuple[Tensor, Routed]:
        x = x + self.attend(self.attention_norm(x), turns)
        written, routed = self.experts(self.mlp_norm(x).flatten(0, 1), tokens.flatten())
        return x + written.view_as(x), routed


class RoutedTransformer(nn.Module):
    """A routed transformer of this shape; with one expert it is the dense one, bit for bit."""

    rotation: Tensor

    def __init__(self, shape: MoEShape, seed: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(
            RoutedBlock(shape, layer) if shape.experts > 1 else Block(shape.dense) for layer in range(shape.depth)
        )
        self.norm = nn.RMSNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.register_buffer("rotation", rotation(shape.dense), persistent=False)
        start(self, seed)
        if shape.tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits, shape (batch, context, vocab), of the token after each of `tokens` (batch, context)."""
        return self.run(tokens)[0]

    def run(self, tokens: Tensor) -> tuple[Tensor, list[Routed]]:
        """Return the logits and where each layer sent its tokens."""
        x, turns, routes = self.embedding(tokens), self.rotation[: tokens.shape[1]], []
        for block in self.blocks:
            if isinstance(block, RoutedBlock):
                x, routed = block.run(x, turns, tokens)
                routes.append(routed)
            else:
                x = block(x, turns)
        return self.head(self.norm(x)), routes

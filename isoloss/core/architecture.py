"""Architectures: transformers of any usual kind, dense or routed, with or without an encoder, as plain numbers.

A Shape (core/shapes.py) is what this project trains. An Architecture is what it can count: grouped queries, gated
and routed MLPs, learned or relative positions, biases, an encoder. `Architecture.of(shape)` is a Shape as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from isoloss.core.errors import RequestError

Norm = Literal["rms", "layer"]
Biases = Literal["none", "qkv", "all"]
Positions = Literal["rotary", "learned", "projected", "buckets"]
Routing = Literal["top_k", "hash"]

BUCKETS = 32  # of relative positions; Raffel et al. 2020, section 2.1
COUNTED = ("width", "depth", "heads", "vocab", "context", "ff", "kv_heads", "head_dim", "experts", "active_experts")
MAY_BE_ZERO = ("shared_experts", "dense_layers", "encoder_depth")


@dataclass(frozen=True)
class Architecture:
    """A transformer: its decoder (`depth` layers of `width`), and what sets it apart from the plainest one.

    `ff` is the width of the MLP (0: 4 * width), `gated` gives it three matrices (SwiGLU) in place of two. `kv_heads`
    (0: as many as heads) share keys and values among queries; `head_dim` is a head's width (0: width / heads). With
    `experts` > 1 every layer but the first `dense_layers` routes each token to `active_experts` of them, beside
    `shared_experts` that all tokens take, each of width `expert_ff` (0: ff); `routing` "top_k" has a router, a matrix a
    layer, "hash" (by the token's number) has no weights. `norm` "layer" has biases, "rms" has none.
    `positions`: "rotary" has no weights, "learned" a table of `context` rows, "projected" a matrix a layer
    (Transformer-XL, Dai et al. 2019), "buckets" 32 biases a head and stack (T5). `encoder_depth` > 0 adds an encoder
    over `source` tokens (0: as many as context) and cross attention in the decoder.
    Raises RequestError where no model is like this.
    """

    width: int
    depth: int
    heads: int
    vocab: int = 256
    context: int = 128
    ff: int = 0
    tied: bool = False
    kv_heads: int = 0
    head_dim: int = 0
    gated: bool = False
    experts: int = 1
    active_experts: int = 1
    shared_experts: int = 0
    expert_ff: int = 0
    dense_layers: int = 0
    norm: Norm = "rms"
    biases: Biases = "none"
    positions: Positions = "rotary"
    encoder_depth: int = 0
    source: int = 0
    routing: Routing = "top_k"

    def __post_init__(self) -> None:
        if not self.head_dim and self.heads > 0 and self.width % self.heads:
            raise RequestError(
                f"{self.heads} heads do not share width {self.width} in equal parts.",
                do="Choose other heads, or give head_dim.",
            )
        filled = {
            "ff": self.ff or 4 * self.width,
            "kv_heads": self.kv_heads or self.heads,
            "head_dim": self.head_dim or (self.width // self.heads if self.heads > 0 else 0),
            "source": self.source or self.context,
        }
        for name, value in (*filled.items(), ("expert_ff", self.expert_ff or filled["ff"])):
            object.__setattr__(self, name, value)
        _check(self)

    @classmethod
    def of(cls, shape: Any) -> Architecture:
        """The architecture of a shape of this project's own models, with the same counts; itself where it is one.

        Raises RequestError for a kind of model that is no transformer over tokens of text.
        """
        if isinstance(shape, cls):
            return shape
        if hasattr(shape, "architecture"):
            return shape.architecture
        if not hasattr(shape, "vocab"):
            raise RequestError(f"A shape of the kind '{shape.kind}' is no transformer over tokens of text: {shape}.")
        return cls(shape.width, shape.depth, shape.heads, shape.vocab, shape.context, shape.ff, shape.tied)

    @property
    def queries(self) -> int:
        """The width of all queries together."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """The width of all keys together, and of all values."""
        return self.kv_heads * self.head_dim

    @property
    def matrices(self) -> int:
        """Matrices of one MLP."""
        return 3 if self.gated else 2

    @property
    def routed_layers(self) -> int:
        return self.depth - self.dense_layers if self.experts > 1 else 0

    def __str__(self) -> str:
        """'32 layers of width 4096, 32 heads of 128 (8 for keys and values), MLP 14336 gated, vocabulary 128256'."""
        parts = [
            f"{self.depth} layers of width {self.width}",
            f"{self.heads} heads of {self.head_dim}"
            + (f" ({self.kv_heads} for keys and values)" if self.kv_heads != self.heads else ""),
            f"MLP {self.ff}{' gated' if self.gated else ''}",
            f"vocabulary {self.vocab}{', tied head' if self.tied else ''}",
            f"context {self.context}",
        ]
        if self.experts > 1:
            parts.insert(3, f"{self.active_experts} of {self.experts} experts of {self.expert_ff}")
        if self.encoder_depth:
            parts.insert(1, f"encoder of {self.encoder_depth} layers")
        return ", ".join(parts)


def _check(a: Architecture) -> None:
    for name in (*COUNTED, *MAY_BE_ZERO, "expert_ff", "source"):
        value, least = getattr(a, name), 0 if name in MAY_BE_ZERO else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise RequestError(
                f"A model with {name} = {value!r} cannot be.", do=f"Give {name} as an integer from {least}."
            )
    named = {"norm": Norm, "biases": Biases, "positions": Positions, "routing": Routing}
    for name, kinds in ((name, get_args(kinds)) for name, kinds in named.items()):
        if getattr(a, name) not in kinds:
            raise RequestError(
                f"There is no {name} '{getattr(a, name)}'.", f"Known: {', '.join(kinds)}.", "Choose one of them."
            )
    if a.heads % a.kv_heads:
        raise RequestError(
            f"{a.kv_heads} heads of keys and values do not serve {a.heads} heads in equal groups.",
            do=f"Choose a divisor of {a.heads}.",
        )
    if a.positions == "projected" and a.encoder_depth:
        raise RequestError(
            "Projected positions are those of a decoder, with no encoder.", do="Take another kind of positions."
        )
    if a.active_experts > a.experts or a.dense_layers > a.depth:
        raise RequestError(
            f"{a.active_experts} active of {a.experts} experts, {a.dense_layers} dense of {a.depth} layers cannot be.",
            do="A part is at most the whole.",
        )

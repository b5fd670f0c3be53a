"""Counts: the parameters of a model by part, and the three sums of them that laws are written in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Parameters of a shape, by part; the parts sum to `params`. Tied weights are counted once, as the head's.

    `embedding` holds the tables that are looked up (tokens, learned positions), `norms` all vectors (norms, biases),
    `attention` self and cross attention of decoder and encoder, `mlp` their MLPs, all experts and the routers, `inputs`
    the projection of data that are numbers and not looked up (patches of images, rows of a table).
    """

    embedding: float
    attention: float
    mlp: float
    norms: float
    head: float
    inputs: float = 0

    @property
    def params(self) -> float:
        """All trainable parameters."""
        return self.embedding + self.attention + self.mlp + self.norms + self.head + self.inputs

    @property
    def body_params(self) -> float:
        """Parameters outside embeddings and head (Kaplan et al. 2020, section 2.1); a projection of inputs embeds."""
        return self.attention + self.mlp + self.norms

    @property
    def matmul_params(self) -> float:
        """Parameters that take part in a matrix product: body, head and projection of inputs; lookups and norms not."""
        return self.attention + self.mlp + self.head + self.inputs

"""The encoder-decoder: reads a source, and writes a target token by token while it looks at what it read.

Places of source and target are turned alike where the decoder looks at the encoder, so that what stands at the same
distance is found by one weight. Queries and keys are not normed there: which word translates which may be as certain as
it is, and norms bound that by the root of a head's width.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from isoloss.core.shapes import EncoderDecoderShape, Shape
from isoloss.lab.model import Block, rotation
from isoloss.lab.models.blocks import AllSeeing, attended, mlp, start, turned


class Reader(Block):
    """A block of the decoder: looks at its own past, then at the encoder."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.cross_norm = nn.RMSNorm(shape.width)
        self.cross_query = nn.Linear(shape.width, shape.width, bias=False)
        self.cross_key_value = nn.Linear(shape.width, 2 * shape.width, bias=False)
        self.cross_out = nn.Linear(shape.width, shape.width, bias=False)

    def read(self, x: Tensor, memory: Tensor, turns: Tensor, source_turns: Tensor, seen: Tensor) -> Tensor:
        x = x + self.attend(self.attention_norm(x), turns)
        x = x + self.look(self.cross_norm(x), memory, turns, source_turns, seen)
        return x + mlp(self, x)

    def look(self, x: Tensor, memory: Tensor, turns: Tensor, source_turns: Tensor, seen: Tensor) -> Tensor:
        query = self.cross_query(x).view(*x.shape[:2], self.heads, self.head_dim)
        key, value = self.cross_key_value(memory).view(*memory.shape[:2], 2, self.heads, self.head_dim).unbind(2)
        query, key = turned(query, turns[:, 0]), turned(key, source_turns[:, 0])
        return self.cross_out(attended(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), seen))


class EncoderDecoder(nn.Module):
    """An encoder-decoder of this shape; all randomness of its start comes from `seed`."""

    rotation: Tensor

    def __init__(self, shape: EncoderDecoderShape, seed: int) -> None:
        super().__init__()
        block = Shape(shape.width, shape.depth, shape.heads, shape.vocab, shape.context, shape.ff)
        longest = dataclasses.replace(block, context=max(shape.context, shape.source))
        self.embedding = nn.Embedding(shape.vocab, shape.width)
        self.encoder = nn.ModuleList(AllSeeing(block) for _ in range(shape.encoder_depth))
        self.encoder_norm = nn.RMSNorm(shape.width)
        self.decoder = nn.ModuleList(Reader(block) for _ in range(shape.depth))
        self.norm = nn.RMSNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.register_buffer("rotation", rotation(longest), persistent=False)
        start(self, seed)
        if shape.tied:
            self.head.weight = self.embedding.weight

    def forward(self, source: Tensor, seen: Tensor, inputs: Tensor) -> Tensor:
        """Return the logits (batch, context, vocab) of the token after each of `inputs` (batch, context).

        `source` (batch, source) is read where `seen` is true, its padding is not.
        """
        seen = seen[:, None, None, :]
        source_turns, turns = self.rotation[: source.shape[1]], self.rotation[: inputs.shape[1]]
        memory = self.embedding(source)
        for block in self.encoder:
            memory = block(memory, source_turns, seen)
        memory, x = self.encoder_norm(memory), self.embedding(inputs)
        for block in self.decoder:
            assert isinstance(block, Reader)
            x = block.read(x, memory, turns, source_turns, seen)
        return self.head(self.norm(x))

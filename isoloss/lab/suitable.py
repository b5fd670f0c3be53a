"""Which data a kind of model can learn from, and what it reads off them: sizes of images, features, classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.shapes import AnyShape, MLPShape, ViTShape
from isoloss.lab.corpus import Corpus, Examples, Pairs, Source

LEARNS_FROM: dict[str, type[Source]] = {
    "decoder": Corpus,
    "moe": Corpus,
    "encoder_decoder": Pairs,
    "vit": Examples,
    "mlp": Examples,
}
IN_WORDS: dict[type[Source], str] = {Corpus: "text", Pairs: "pairs of texts", Examples: "examples with a class each"}


def check_fit(shape: AnyShape, data: Source) -> None:
    """Raise RequestError where a model of this shape cannot learn from `data`."""
    check_kind(shape.kind, data)
    if isinstance(data, Examples):
        assert isinstance(shape, ViTShape | MLPShape)
        _check_same(shape, of_examples(shape.kind, data), data)
    elif isinstance(data, Corpus | Pairs) and data.vocab > getattr(shape, "vocab", 0):
        raise RequestError(
            f"A vocabulary of {getattr(shape, 'vocab', 0)} cannot hold the {data.vocab} tokens of '{data.name}'.",
            do=f"Give the shape vocab = {data.vocab}.",
        )


def check_kind(kind: str, data: Source) -> None:
    """Raise RequestError where this kind of model does not learn from data of this kind."""
    wanted = LEARNS_FROM[kind]
    if not isinstance(data, wanted):
        others = [name for name, needed in LEARNS_FROM.items() if isinstance(data, needed)]
        raise RequestError(
            f"A model of the kind '{kind}' learns from {IN_WORDS[wanted]}, and '{data.name}' is "
            f"{IN_WORDS.get(type(data), 'something else')}.",
            f"Kinds that learn from it: {', '.join(others) or 'none'}.",
            "Choose one of them, or another corpus.",
        )


def of_examples(kind: str, data: Examples) -> dict[str, int]:
    """Return the parts of a ViTShape or MLPShape that follow from the data; raise RequestError where none can."""
    size = data.train_x.shape[1:]
    if kind == "mlp":
        return {"features": int(np.prod(size)), "classes": data.classes}
    if len(size) != 3 or size[0] != size[1]:
        raise RequestError(
            f"A vision transformer sees square images, and an example of '{data.name}' has the shape {size}.",
            do="Choose another corpus, or kind = 'mlp', which sees rows of any length.",
        )
    return {"image": size[0], "channels": size[2], "classes": data.classes}


def _check_same(shape: Any, wanted: dict[str, int], data: Examples) -> None:
    for name, value in wanted.items():
        if getattr(shape, name) != value:
            raise RequestError(
                f"The shape has {name} = {getattr(shape, name)}, and the examples of '{data.name}' {value}.",
                do=f"Give the shape {name} = {value}.",
            )

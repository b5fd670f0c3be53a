"""Small data for the models of the zoo: noisy templates, texts to copy backwards, and a shape of each kind."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
from lab_help import markov_corpus, wsd_adamw

from isoloss.core.shapes import AnyShape, EncoderDecoderShape, MLPShape, MoEShape, Shape, ViTShape
from isoloss.core.spec import Spec
from isoloss.lab.building import build_corpus
from isoloss.lab.corpus import Corpus, Examples, Pairs
from isoloss.lab.trainer import Outcome, train_run

CLASSES = 4
SHAPES: dict[str, AnyShape] = {
    "decoder": Shape(16, 1, 1),
    "moe, top-k": MoEShape(16, 1, 1, experts=4, active_experts=2),
    "moe, hash": MoEShape(16, 1, 1, experts=4, routing="hash"),
    "encoder-decoder": EncoderDecoderShape(16, 1, 1, context=16, source=24),
    "vit": ViTShape(16, 1, 1, image=8, patch=2, channels=1, classes=CLASSES),
    "mlp": MLPShape(16, 1, features=64, classes=CLASSES),
}


def data_for(shape: AnyShape) -> Any:
    """Return data that a model of this shape can learn from."""
    if isinstance(shape, EncoderDecoderShape):
        return reversed_pairs()
    return templates() if isinstance(shape, ViTShape | MLPShape) else markov_corpus()


def spec_of(shape: AnyShape, steps: int = 40, units: int = 16, **options) -> Spec:
    """Return a run of so many steps of so many sequences, pairs or examples."""
    batch = units * shape.context
    return wsd_adamw(shape, steps * batch, data_for(shape), batch=batch, max_epochs=100.0, **options)


def run(spec: Spec, corpus: Any, **how: Any) -> Outcome:
    """Train on data of any kind."""
    return train_run(spec, corpus, **how)


@functools.cache
def templates(examples: int = 1200, side: int = 8, noise: float = 0.35, channels: int = 1) -> Examples:
    """Return images that are one of CLASSES patterns at random brightness, under noise: float32 in 0 to 1."""
    draw = np.random.RandomState(5)
    patterns = draw.uniform(0.2, 0.8, (CLASSES, side, side, channels))
    classes = draw.randint(CLASSES, size=examples)
    brightness = draw.uniform(0.6, 1.0, (examples, 1, 1, 1))
    images = patterns[classes] * brightness + noise * draw.standard_normal((examples, side, side, channels))
    x, y, kept = np.clip(images, 0, 1).astype(np.float32), classes.astype(np.int64), examples * 3 // 4
    return Examples(
        name="templates",
        digest=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest(),
        documents=examples,
        duplicates=0,
        train_x=x[:kept],
        train_y=y[:kept],
        validation_x=x[kept:],
        validation_y=y[kept:],
        classes=CLASSES,
    )


@functools.cache
def reversed_pairs(pairs: int = 2000, letters: int = 8, longest: int = 12, backwards: bool = True) -> Pairs:
    """Return texts of random letters, and the same texts backwards (or as they are) as their translation."""
    draw = np.random.RandomState(6)
    lengths = draw.randint(1, longest + 1, pairs)
    texts = [bytes(97 + draw.randint(letters, size=length).astype(np.uint8)) for length in lengths]
    both = tuple((text, text[::-1] if backwards else text) for text in texts)
    return Pairs(
        name="backwards" if backwards else "copied",
        digest=hashlib.sha256(repr(both).encode()).hexdigest(),
        documents=pairs,
        duplicates=0,
        train=both[: pairs * 3 // 4],
        validation=both[pairs * 3 // 4 :],
    )


@functools.cache
def second_order(letters: int = 24, documents: int = 40, length: int = 4000) -> Corpus:
    """Return text whose letters follow, nine times in ten, from the two before by a table drawn at random."""
    draw = np.random.RandomState(8)
    table = draw.randint(letters, size=(letters, letters))
    text = np.zeros((documents, length), int)
    for place in range(2, length):
        expected = table[text[:, place - 2], text[:, place - 1]]
        text[:, place] = np.where(draw.random_sample(documents) < 0.9, expected, draw.randint(letters, size=documents))
    return build_corpus("second order", [(f"{n}", bytes(1 + row.astype(np.uint8))) for n, row in enumerate(text)])

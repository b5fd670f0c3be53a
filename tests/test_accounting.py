"""Counts of parameters and FLOPs, against the model itself, torch's own counter and figures worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from isoloss.core.accounting import LEDGER, Shape, count, forward_flops, ledger, training_flops
from isoloss.core.errors import RequestError
from isoloss.lab.model import Transformer

SHAPES = [
    Shape(16, 1, 1),
    Shape(32, 2, 2),
    Shape(48, 3, 3, context=96),
    Shape(64, 3, 4, vocab=1000, context=64),
    Shape(64, 2, 2, ff=100),
    Shape(40, 5, 2, tied=True),
    Shape(128, 4, 8),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_parameters_are_those_of_the_model_and_the_parts_sum_to_them(shape: Shape) -> None:
    counts = count(shape)
    parameters = dict(Transformer(shape, seed=0).named_parameters())
    assert counts.params == sum(p.numel() for p in parameters.values())
    matrices = [p for name, p in parameters.items() if p.ndim == 2 and (name != "embedding.weight" or shape.tied)]
    assert counts.matmul_params == sum(p.numel() for p in matrices)
    assert counts.body_params == sum(p.numel() for name, p in parameters.items() if name.startswith(("blocks", "norm")))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_flops_agree_with_torchs_counter(shape: Shape) -> None:
    """The counter sees dense products, so attention is compared in the "full" convention, by the plain kernel."""
    model, sequences = Transformer(shape, seed=0), 2
    tokens = torch.randint(0, shape.vocab, (sequences, shape.context))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        logits = model(tokens)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as backward:
        cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
    assert forward.get_total_flops() / tokens.numel() == pytest.approx(forward_flops(shape, "full"), rel=0.01)
    both = forward.get_total_flops() + backward.get_total_flops()
    assert both / tokens.numel() == pytest.approx(training_flops(shape, "full"), rel=0.01)


def test_causal_attention_looks_at_each_earlier_token_once() -> None:
    """Counted pair by pair: two products of two FLOPs per channel, for each token and each one that it looks at."""
    shape = Shape(48, 3, 3, context=5)
    pairs = sum(1 for here in range(5) for there in range(5) if there <= here)
    by_pairs = shape.depth * 2 * 2 * shape.width * pairs / shape.context
    assert forward_flops(shape) - 2 * count(shape).matmul_params == by_pairs


def test_tied_weights_change_the_parameters_and_not_the_flops() -> None:
    tied, untied = Shape(64, 3, 4, tied=True), Shape(64, 3, 4)
    assert count(untied).params - count(tied).params == 256 * 64
    assert count(untied).matmul_params == count(tied).matmul_params
    assert training_flops(tied) == training_flops(untied)


def test_the_ledger_by_hand() -> None:
    """d = 32, L = 2, h = 2, V = 256, T = 128, f = 128: each convention worked out from its paper's words."""
    body, norms, table = 2 * (4 * 32 * 32 + 2 * 32 * 128), 5 * 32, 256 * 32
    assert ledger(Shape(32, 2, 2)) == {
        "isoloss": 6 * (body + table) + 3 * 2 * 4 * 32 * 64.5,
        "kaplan": 6 * (body + norms),
        "six_n": 6 * (body + norms + 2 * table),
        "palm": 6 * (body + norms + 2 * table) + 12 * 2 * 2 * 16 * 128,
        "chinchilla": 3 * (4 * table + 2 * body + 2 * (4 * 128 * 32 + 3 * 2 * 128)),
        "deepseek": 6 * body + 12 * 2 * 2 * 16 * 128,
    }


def test_every_convention_grows_with_every_dimension() -> None:
    base = Shape(64, 2, 4)
    larger = [Shape(128, 2, 4), Shape(64, 3, 4), Shape(64, 2, 4, ff=300)]
    for name, convention in LEDGER.items():
        assert all(convention(shape) > convention(base) for shape in larger), name


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"width": 48, "depth": 2, "heads": 5}, "Heads that do: 1, 2, 3, 4, 6, 8, 12, 24"),
        ({"width": 32, "depth": 0, "heads": 2}, "depth = 0"),
        ({"width": 32.0, "depth": 1, "heads": 2}, "width = 32.0"),
        ({"width": 33, "depth": 1, "heads": 1}, "none, the width is odd"),
        ({"width": 32, "depth": 1, "heads": 2, "vocab": -1}, "vocab = -1"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_with_words(wrong: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        Shape(**wrong)

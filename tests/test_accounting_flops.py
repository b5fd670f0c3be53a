"""Counts of FLOPs and parameters against torch: plain modules on the meta device, up to a trillion parameters."""

from __future__ import annotations

import pytest

from isoloss.core.accounting import active_params, count, forward_flops, training_flops
from isoloss.core.architecture import Architecture

torch = pytest.importorskip("torch")

from meta_transformer import MetaTransformer  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

ARCHITECTURES = {
    "dense": Architecture(512, 4, 8, 32000, 256),
    "GPT-2": Architecture(768, 12, 12, 50257, 1024, tied=True, norm="layer", biases="all", positions="learned"),
    "grouped queries, gated": Architecture(1024, 4, 16, 32000, 512, 2816, kv_heads=4, gated=True),
    "biases of queries alone": Architecture(
        896, 3, 14, 151936, 256, 4864, kv_heads=2, gated=True, biases="qkv", tied=True
    ),
    "heads wider than the width": Architecture(256, 3, 16, 8000, 128, 1024, head_dim=64, kv_heads=8),
    "tied": Architecture(512, 4, 8, 32000, 256, tied=True),
    "routed": Architecture(512, 4, 8, 32000, 256, 1024, kv_heads=2, gated=True, experts=8, active_experts=2),
    "routed, shared experts, first layer dense": Architecture(
        512, 4, 8, 32000, 256, 2048, gated=True, experts=16, active_experts=4, shared_experts=2, expert_ff=256,
        dense_layers=1,
    ),
    "encoder-decoder": Architecture(512, 4, 8, 32128, 128, 2048, encoder_depth=6, source=512, tied=True),
    "encoder-decoder, grouped": Architecture(
        512, 6, 8, 32128, 384, 1408, encoder_depth=2, source=128, kv_heads=2, gated=True, positions="buckets"
    ),
    "projected positions": Architecture(512, 4, 8, 32000, 1024, positions="projected"),
    "Llama 3 405B": Architecture(16384, 126, 128, 128256, 8192, 53248, kv_heads=8, gated=True),
    "1T dense": Architecture(25600, 150, 200, 128256, 8192, 102400, kv_heads=8),
    "1T routed": Architecture(
        7168, 61, 56, 160000, 4096, 18432, kv_heads=8, gated=True, experts=16, active_experts=1, expert_ff=49152,
        shared_experts=1, dense_layers=1,
    ),
}  # fmt: skip


def built(a: Architecture) -> MetaTransformer:
    with torch.device("meta"):
        return MetaTransformer(a)


def counted(a: Architecture, sequences: int, backward: bool) -> float:
    """FLOPs per token of the decoder by torch's counter, over so many sequences."""
    model = built(a)
    tokens = torch.empty(sequences, a.context, dtype=torch.long, device="meta")
    source = torch.empty(sequences, a.source, dtype=torch.long, device="meta") if a.encoder_depth else None
    with FlopCounterMode(display=False) as counter:
        logits = model(tokens, source)
        if backward:
            logits.sum().backward()
    return counter.get_total_flops() / tokens.numel()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_those_of_the_modules(name: str) -> None:
    a = ARCHITECTURES[name]
    assert count(a).params == sum(p.numel() for p in built(a).parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_forward_flops_agree_with_torchs_counter(name: str) -> None:
    """The projection of positions, which is done once a step whatever the batch, is what the few sequences add."""
    a = ARCHITECTURES[name]
    sequences = 64 if a.positions == "projected" else 2
    assert counted(a, sequences, backward=False) == pytest.approx(forward_flops(a, "full"), rel=0.01)


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if "1T" not in n and "405B" not in n])
def test_training_flops_agree_with_torchs_counter(name: str) -> None:
    a = ARCHITECTURES[name]
    sequences = 64 if a.positions == "projected" else 2
    assert counted(a, sequences, backward=True) == pytest.approx(training_flops(a, "full"), rel=0.01)


def test_the_largest_have_a_trillion_parameters() -> None:
    assert count(ARCHITECTURES["1T dense"]).params == pytest.approx(1e12, rel=0.05)
    routed = ARCHITECTURES["1T routed"]
    assert count(routed).params == pytest.approx(1e12, rel=0.1)
    assert active_params(routed) < 0.15 * count(routed).params


def test_a_planted_fault_is_seen() -> None:
    """Counting keys and values as wide as queries is off by far more than a hundredth."""
    a = ARCHITECTURES["grouped queries, gated"]
    ungrouped = Architecture(1024, 4, 16, 32000, 512, 2816, gated=True)
    assert counted(a, 2, backward=False) != pytest.approx(forward_flops(ungrouped, "full"), rel=0.01)

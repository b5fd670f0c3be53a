"""Counts of architectures: published sizes, and torch's own counter on the meta device, up to a trillion parameters."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from isoloss.core.accounting import (
    Shape,
    active_params,
    count,
    forward_flops,
    inapplicable,
    kaplan,
    ledger,
    six_n,
    training_flops,
)
from isoloss.core.architecture import Architecture
from isoloss.core.errors import RequestError

GPT2 = {"vocab": 50257, "context": 1024, "tied": True, "norm": "layer", "biases": "all", "positions": "learned"}
LLAMA3 = {"vocab": 128256, "context": 8192, "kv_heads": 8, "gated": True}
T5 = {"vocab": 32128, "context": 512, "tied": True, "positions": "buckets"}
DEEPMIND = {"vocab": 32000, "context": 2048, "positions": "projected", "tied": True}

# What the models' own checkpoints hold: huggingface.co/openai-community/gpt2 and gpt2-xl (with opt-125m's cousins in
# AIEnergyScore's table), meta-llama/Llama-3.1-{8B,70B,405B}, mistralai/Mixtral-8x7B-v0.1, google-t5/t5-base and t5-11b.
EXACT = {
    "GPT-2": (Architecture(768, 12, 12, **GPT2), 124_439_808),
    "GPT-2 medium": (Architecture(1024, 24, 16, **GPT2), 354_823_168),
    "GPT-2 large": (Architecture(1280, 36, 20, **GPT2), 774_030_080),
    "GPT-2 XL": (Architecture(1600, 48, 25, **GPT2), 1_557_611_200),
    "Llama 3 8B": (Architecture(4096, 32, 32, ff=14336, **LLAMA3), 8_030_261_248),
    "Llama 3 70B": (Architecture(8192, 80, 64, ff=28672, **LLAMA3), 70_553_706_496),
    "Llama 3.1 405B": (Architecture(16384, 126, 128, ff=53248, **LLAMA3), 405_853_388_800),
    "Mixtral 8x7B": (
        Architecture(4096, 32, 32, 32000, 8192, 14336, kv_heads=8, gated=True, experts=8, active_experts=2),
        46_702_792_704,
    ),
    "T5 base": (Architecture(768, 12, 12, ff=3072, encoder_depth=12, **T5), 222_903_552),
    "T5 11B": (Architecture(1024, 24, 128, ff=65536, head_dim=128, encoder_depth=24, **T5), 11_307_321_344),
}
# To the digits that the papers print. DeepMind's: Rae et al. 2021, table 1 (Gopher and smaller), Hoffmann et al. 2022,
# table 4 (Chinchilla) and A9: a vocabulary of 32,000 and relative positions after Dai et al. 2019, whose projection is
# a matrix a layer; without it Gopher and Chinchilla would have 258B and 65B. PaLM: Chowdhery et al. 2022, table 1.
PRINTED = {
    "Gopher": (Architecture(16384, 80, 128, **DEEPMIND), 280e9, 1e9),
    "Chinchilla": (Architecture(8192, 80, 64, **DEEPMIND), 70e9, 1e9),
    "44M": (Architecture(512, 8, 8, **DEEPMIND), 44e6, 1e6),
    "117M": (Architecture(768, 12, 12, **DEEPMIND), 117e6, 1e6),
    "163M": (Architecture(768, 18, 12, **DEEPMIND), 163e6, 1e6),
    "417M": (Architecture(1536, 12, 12, **DEEPMIND), 417e6, 2e6),
    "1.4B": (Architecture(2048, 24, 16, **DEEPMIND), 1.4e9, 0.05e9),
    "7.1B": (Architecture(4096, 32, 32, **DEEPMIND), 7.1e9, 0.05e9),
    "16183M": (Architecture(5120, 47, 40, **DEEPMIND), 16183e6, 20e6),
    "PaLM": (
        Architecture(18432, 118, 48, 256000, 2048, 73728, tied=True, kv_heads=1, head_dim=256, gated=True),
        540.35e9,
        0.01e9,
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_counts_are_those_of_the_published_checkpoints(name: str) -> None:
    architecture, published = EXACT[name]
    assert count(architecture).params == published


@pytest.mark.parametrize("name", PRINTED)
def test_counts_round_to_what_the_papers_print(name: str) -> None:
    architecture, published, within = PRINTED[name]
    assert count(architecture).params == pytest.approx(published, abs=within)


def test_mixtral_touches_12_9_billion_of_its_parameters() -> None:
    """Jiang et al. 2024, section 2: 13B active of 47B; the checkpoint's own numbers give 12,879,925,248."""
    mixtral, _ = EXACT["Mixtral 8x7B"]
    assert active_params(mixtral) == 12_879_925_248
    unused = 32 * 6 * 3 * 4096 * 14336
    assert count(mixtral).params - active_params(mixtral) == unused
    assert six_n(mixtral) == 6 * active_params(mixtral)
    assert kaplan(mixtral) == 6 * (count(mixtral).body_params - unused)


@pytest.mark.parametrize("name", EXACT)
def test_parts_sum_to_the_whole_and_dense_models_touch_all(name: str) -> None:
    architecture, _ = EXACT[name]
    counts = count(architecture)
    assert sum(asdict(counts).values()) == counts.params
    assert (active_params(architecture) == counts.params) == (architecture.experts == 1)


@pytest.mark.parametrize(
    "shape", [Shape(16, 1, 1), Shape(64, 3, 4, vocab=1000, ff=100), Shape(40, 5, 2, tied=True)], ids=str
)
def test_a_shape_counts_the_same_as_an_architecture(shape: Shape) -> None:
    architecture = Architecture.of(shape)
    assert asdict(count(architecture)) == asdict(count(shape))
    assert ledger(architecture) == ledger(shape)
    assert forward_flops(architecture, "full") == forward_flops(shape, "full")
    assert Architecture.of(architecture) is architecture


def test_the_palm_convention_of_gpt3() -> None:
    """Brown et al. 2020, table D.1: 3.14e23 FLOP for 174.6B parameters and 300B tokens, 6 N D without attention."""
    gpt3 = Architecture(12288, 96, 96, **{**GPT2, "context": 2048})
    assert count(gpt3).params == pytest.approx(174.6e9, rel=1e-3)
    assert six_n(gpt3) * 300e9 == pytest.approx(3.14e23, rel=2e-3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"heads": 7}, "7 heads do not share width 64"),
        ({"kv_heads": 3}, "divisor of 4"),
        ({"experts": 0}, "experts = 0"),
        ({"experts": 4, "active_experts": 5}, "5 active of 4"),
        ({"dense_layers": 3}, "3 dense of 2 layers"),
        ({"norm": "batch"}, "Known: rms, layer"),
        ({"positions": "sinus"}, "no positions 'sinus'"),
        ({"source": -1}, "source = -1"),
        ({"depth": 2.0}, "depth = 2.0"),
        ({"heads": 0}, "heads = 0"),
        ({"positions": "projected", "encoder_depth": 2}, "no encoder"),
    ],
)
def test_an_architecture_that_cannot_be_is_refused_with_words(wrong: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        Architecture(**{"width": 64, "depth": 2, "heads": 4, **wrong})


def test_conventions_made_for_decoders_say_nothing_of_an_encoder() -> None:
    t5 = EXACT["T5 base"][0]
    assert ledger(t5) == {"isoloss": training_flops(t5)}
    assert set(inapplicable(t5)) == {"kaplan", "six_n", "palm", "chinchilla", "deepseek"}

"""The memory of training, against the papers' own formulae and figures."""

from __future__ import annotations

import pytest

from isoloss.core.accounting import count
from isoloss.core.architecture import Architecture
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.planning.hardware import accelerator
from isoloss.planning.memory import (
    USABLE,
    activation_bytes,
    footprint,
    holding,
    layer_activation_bytes,
    optimizer_bytes,
    smallest,
)

# Korthikanti et al. 2022, table 3: heads, width, layers; contexts of 2048, vocabulary 51200.
MEGATRON = {"22B": (64, 6144, 48), "175B": (96, 12288, 96), "530B": (128, 20480, 105), "1T": (160, 25600, 128)}
LLAMA = Architecture(4096, 32, 32, 128256, 8192, 14336, kv_heads=8, gated=True)


def megatron(name: str) -> Architecture:
    heads, width, depth = MEGATRON[name]
    return Architecture(width, depth, heads, 51200, 2048, norm="layer", biases="all", positions="learned", tied=True)


@pytest.mark.parametrize("name", MEGATRON)
@pytest.mark.parametrize("sequences", [1, 4])
def test_a_plain_layer_follows_the_published_formula(name: str, sequences: int) -> None:
    """s b h (34 + 5 a s / h), 34 s b h without the scores, 2 s b h with full recomputation."""
    a, sbh = megatron(name), 2048 * sequences * MEGATRON[name][1]
    assert layer_activation_bytes(a, "none", sequences) == pytest.approx(
        sbh * (34 + 5 * a.heads * 2048 / a.width), rel=1e-12
    )
    assert layer_activation_bytes(a, "selective", sequences) == 34 * sbh
    assert layer_activation_bytes(a, "full", sequences) == 2 * sbh


def test_scores_are_the_share_that_the_paper_says() -> None:
    """Section 5: 5 a s / h is 80 for GPT-3 and 64 for MT-NLG, so that selective recomputation saves 70% and 65%."""
    for name, extra, saved in (("175B", 80, 0.70), ("530B", 64, 0.65)):
        whole, kept = (layer_activation_bytes(megatron(name), how) for how in ("none", "selective"))
        assert (whole - kept) / (2048 * megatron(name).width) == extra
        assert 1 - kept / whole == pytest.approx(saved, abs=0.01)


def test_ends_of_the_model_are_counted_once() -> None:
    a = megatron("22B")
    ends = activation_bytes(a, "selective") - a.depth * layer_activation_bytes(a, "selective")
    assert ends == 2048 * (5 * a.width + 4 * a.vocab)
    again = activation_bytes(a, "full") - a.depth * layer_activation_bytes(a, "full") - ends
    assert again == layer_activation_bytes(a, "none")


def test_sixteen_bytes_a_parameter_as_zero_has_it() -> None:
    """Rajbhandari et al. 2020, figure 1: 7.5B parameters, 64 devices: 120, 31.4, 16.6 and 1.9 GB of states."""
    a = Architecture(4096, 36, 32, 65536, 1024)  # about 7.5B
    scale = 7.5e9 / count(a).params
    for stage, published in enumerate((120, 31.4, 16.6, 1.9)):
        held = footprint(a, devices=64, stage=stage)
        states = (held.weights + held.gradients + held.optimizer) * scale
        assert states / 1e9 == pytest.approx(published, rel=0.02)


def test_optimizers() -> None:
    counts = count(LLAMA)
    assert optimizer_bytes(counts) == 12 * counts.params
    assert optimizer_bytes(counts, "muon") == 12 * counts.params - 4 * (counts.attention + counts.mlp)
    assert optimizer_bytes(counts, "sgd") == 8 * counts.params
    with pytest.raises(UnknownNameError, match="adamw"):
        optimizer_bytes(counts, "adam")  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("tensor", [1, 8])
def test_the_smallest_number_holds_and_one_fewer_does_not(stage: int, tensor: int) -> None:
    room = USABLE * accelerator("h100-sxm").memory
    devices = smallest(LLAMA, "h100-sxm", stage=stage, tensor=tensor, recompute="selective")
    if devices is None:
        assert footprint(LLAMA, devices=tensor * 10**9, stage=stage, tensor=tensor, recompute="selective").total > room
        return
    assert footprint(LLAMA, devices=devices, stage=stage, tensor=tensor, recompute="selective").total <= room
    if devices > tensor:
        fewer = footprint(LLAMA, devices=devices - tensor, stage=stage, tensor=tensor, recompute="selective")
        assert fewer.total > room


def test_stages_that_cannot_hold_it_are_findings() -> None:
    made = holding(LLAMA, "h100-sxm", recompute="selective")
    assert [f.code for f in made.findings] == ["M2", "M2"]
    assert [o.label[:12] for o in made.options] == ["ZeRO stage 2", "ZeRO stage 3"]
    (least,) = {o.devices.mid for o in made.options if "stage 3" in o.label}
    assert least == smallest(LLAMA, "h100-sxm", stage=3, recompute="selective")


def test_gated_grouped_and_routed_layers_keep_their_own() -> None:
    """By hand, a token of one layer, in bytes: 2 d + 4 q + 4 k + d, 4 d of norms, 3 d + 8 ff where gated."""
    a = Architecture(64, 1, 4, 256, 16, 96, kv_heads=2, gated=True)
    assert layer_activation_bytes(a, "selective") == 16 * (3 * 64 + 4 * 64 + 4 * 32 + 4 * 64 + 3 * 64 + 8 * 96)
    routed = Architecture(64, 1, 4, 256, 16, 96, kv_heads=2, gated=True, experts=8, active_experts=2)
    assert layer_activation_bytes(routed, "selective") - layer_activation_bytes(a, "selective") == 16 * 8 * 96


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"stage": 4}, "no stage 4"),
        ({"devices": 6, "tensor": 4}, "6 devices in groups of 4"),
        ({"sequences": 0}, "0 sequences"),
    ],
)
def test_what_cannot_be_is_refused_with_words(wrong: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        footprint(LLAMA, **wrong)


def test_what_no_number_of_devices_holds_says_what_would() -> None:
    with pytest.raises(RequestError, match=r"activations alone are .* GB[\s\S]*recompute='selective'"):
        holding(LLAMA, "rtx4090", sequences=4)
    with pytest.raises(RequestError, match="no share"):
        holding(LLAMA, "h100-sxm", usable=0)
    with pytest.raises(RequestError, match="has an encoder"):
        activation_bytes(Architecture(64, 2, 4, encoder_depth=2))

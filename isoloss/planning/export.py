"""Recipes for others to read: a Hugging Face configuration, and a ladder that `isoloss train` trains."""

from __future__ import annotations

from typing import Any

from isoloss.core.architecture import Architecture
from isoloss.core.errors import RequestError
from isoloss.planning.recipe import Recipe, is_trained_here

ROPE_THETA = 10_000.0


def llama_config(architecture: Architecture) -> dict[str, Any]:
    """The architecture as the config.json of a Hugging Face LlamaForCausalLM (MixtralForCausalLM where it is routed).

    Keys are those of LlamaConfig and MixtralConfig of transformers 5, and rope_theta, where transformers 4 reads it.
    The ids of special tokens are the tokenizer's, so they are left out.
    Raises RequestError where those classes cannot be this architecture.
    """
    a = architecture
    _require_llama(a)
    routed = a.experts > 1
    family = (
        {"num_local_experts": a.experts, "num_experts_per_tok": a.active_experts}
        if routed
        else {"attention_bias": a.biases == "all", "mlp_bias": a.biases == "all"}
    )
    return {
        "architectures": ["MixtralForCausalLM" if routed else "LlamaForCausalLM"],
        "model_type": "mixtral" if routed else "llama",
        "vocab_size": a.vocab,
        "hidden_size": a.width,
        "intermediate_size": a.expert_ff if routed else a.ff,
        "num_hidden_layers": a.depth,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads,
        "head_dim": a.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": a.context,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-5,
        "rope_theta": ROPE_THETA,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
        "attention_dropout": 0.0,
        "tie_word_embeddings": a.tied,
        "use_cache": True,
        "torch_dtype": "bfloat16",
        **family,
    }


def ladder_toml(recipe: Recipe, *, corpus: str = "python", seeds: tuple[int, ...] = (0,), name: str = "recipe") -> str:
    """The recipe as a ladder in TOML that `isoloss train` reads, with its rate and batch.

    Raises RequestError for an architecture that this project does not train.
    """
    a = recipe.architecture
    if not is_trained_here(a):
        raise RequestError(
            f"isoloss train does not train {a}.",
            "It trains byte models (vocabulary 256) with plain attention and MLPs, rotary positions and even heads.",
            "Ask for style='lab' and vocab=256, or take llama_config for the rest.",
        )
    shape = (
        f"{{ width = {a.width}, depth = {a.depth}, heads = {a.heads}, context = {a.context}, ff = {a.ff}, "
        f"tied = {str(a.tied).lower()} }}"
    )
    lines = [
        "schema = 1",
        f'name = "{name}"',
        f'corpus = "{corpus}"',
        'recipe = "wsd-adamw"',
        "",
        "[[runs]]",
        f"shapes = [{shape}]",
        f"tokens = [{recipe.tokens}]",
        f"seeds = [{', '.join(map(str, seeds))}]",
        f"lr = {recipe.lr!r}",
        f"batch = {recipe.batch}",
    ]
    return "\n".join(lines) + "\n"


def _require_llama(a: Architecture) -> None:
    lacking = {
        "an ungated MLP": not a.gated,
        f"norm '{a.norm}'": a.norm != "rms",
        f"positions '{a.positions}'": a.positions != "rotary",
        "an encoder": a.encoder_depth > 0,
        f"biases '{a.biases}'": a.biases == "qkv" or (a.experts > 1 and a.biases != "none"),
        "heads that do not divide the width": a.width % a.heads > 0,
        "shared experts or dense layers": a.shared_experts > 0 or a.dense_layers > 0,
    }
    wrong = [what for what, has in lacking.items() if has]
    if wrong:
        raise RequestError(
            f"No Llama or Mixtral has {', '.join(wrong)}.",
            "Those have gated MLPs, RMSNorm, rotary positions, and biases everywhere or nowhere.",
            "Ask for style='llama'.",
        )

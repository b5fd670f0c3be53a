"""From a size to a shape, a recipe, and files that others read."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoloss.core.accounting import count, training_flops
from isoloss.core.architecture import Architecture
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.fit import Data, Fit
from isoloss.core.law import find
from isoloss.lab.ladder import read_ladder
from isoloss.planning import plan
from isoloss.planning.export import ladder_toml, llama_config
from isoloss.planning.recipe import BATCH_LAWS, RATE_LAWS, cook, recipe_of
from isoloss.planning.shape import STYLES, best_vocabulary, distance, nearest, sizes
from isoloss.published import card, keys, published

LLAMA_8B = Architecture(4096, 32, 32, 128256, 8192, 14336, kv_heads=8, gated=True)
MIXTRAL = Architecture(4096, 32, 32, 32000, 8192, 14336, kv_heads=8, gated=True, experts=8, active_experts=2)

# What transformers 5 documents (models/llama/configuration_llama.py, models/mixtral/configuration_mixtral.py), and the
# keys that every config.json has.
EVERY = {"architectures", "model_type", "torch_dtype", "rope_theta"}
LLAMA_WORDS = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads hidden_act "
    "max_position_embeddings initializer_range rms_norm_eps use_cache pad_token_id bos_token_id eos_token_id "
    "pretraining_tp tie_word_embeddings rope_parameters attention_bias attention_dropout mlp_bias head_dim"
)
MIXTRAL_WORDS = "sliding_window num_experts_per_tok num_local_experts output_router_logits router_aux_loss_coef"
LLAMA_KEYS = set(LLAMA_WORDS.split())
MIXTRAL_KEYS = LLAMA_KEYS - {"pretraining_tp", "attention_bias", "mlp_bias"} | set(MIXTRAL_WORDS.split())
# config.json of meta-llama/Meta-Llama-3-8B, without the ids of its tokens and its own theta.
LLAMA_8B_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 128256,
}


def drawn() -> Fit:
    """A fit near Chinchilla's law with draws."""
    law, rng = find("chinchilla"), np.random.default_rng(1)
    theta_p = law.theta({"E": 1.8, "A": 480.0, "B": 2080.0, "alpha": 0.348, "beta": 0.366})
    draws_sp = theta_p * np.exp(0.02 * rng.standard_normal((100, 5)))
    return Fit(law, theta_p, draws_sp, "converged", Data(240, "runs.csv"))


class TestNearest:
    def test_llama_3_8b_is_found_from_its_size(self) -> None:
        assert nearest(8_030_261_248, vocab=128256, context=8192) == LLAMA_8B

    def test_gpt_2_is_found_from_its_size(self) -> None:
        found = nearest(124_439_808, style="gpt", vocab=50257, context=1024)
        assert (found.width, found.depth, found.heads) == (768, 12, 12) and count(found).params == 124_439_808

    @settings(max_examples=40, deadline=None)
    @given(st.floats(8.5, 12), st.sampled_from(["llama", "gpt"]), st.sampled_from([32000, 50257, 128256]))
    def test_sizes_are_met_in_widths_that_run_well(self, log_params: float, style: str, vocab: int) -> None:
        a = nearest(10**log_params, style=style, vocab=vocab)
        assert count(a).params == pytest.approx(10**log_params, rel=0.03)
        assert a.width % 64 == 0 and a.head_dim in (64, 128) and a.heads % a.kv_heads == 0
        assert 1 / 2.5 < a.width / a.depth / STYLES[style].aspect < 2.5

    @pytest.mark.parametrize("counted", ["body_params", "matmul_params", "nonvocab_params"])
    def test_any_count_may_be_asked_for(self, counted: str) -> None:
        assert sizes(nearest(2e9, vocab=32000, counted=counted))[counted] == pytest.approx(2e9, rel=0.03)

    @pytest.mark.parametrize("params", [2e4, 1e5, 1e6, 1e7])
    def test_small_ones_are_shapes_that_this_project_trains(self, params: float) -> None:
        a = nearest(params, style="lab", vocab=256, context=128)
        assert count(a).params == pytest.approx(params, rel=0.07) and a.head_dim % 2 == 0

    def test_what_no_shape_comes_near_is_refused(self) -> None:
        with pytest.raises(RequestError, match="smaller vocab"):
            nearest(1e5, vocab=128256)
        with pytest.raises(UnknownNameError, match="llama"):
            nearest(1e9, style="lama")
        with pytest.raises(UnknownNameError, match="body_params"):
            nearest(1e9, counted="flops")
        with pytest.raises(RequestError, match="nan"):
            nearest(float("nan"))


class TestVocabulary:
    def test_the_law_is_that_of_the_paper(self) -> None:
        """Tao et al. 2024, the authors' code at 7B other parameters: 276M by approach 2, 255M by approach 1."""
        chosen, said = best_vocabulary(7e9, 4096, 7.05e21)
        assert chosen == round(276276206.6 / 4096 / 128) * 128
        assert said["tao2024_vocab_a1"] == round(255066808.07 / 4096 / 128) * 128

    def test_it_is_settled_together_with_the_shape(self) -> None:
        a = nearest(3e9)
        again, _ = best_vocabulary(sizes(a)["nonvocab_params"], a.width)
        assert a.vocab == pytest.approx(again, rel=0.02) and a.vocab % 128 == 0


class TestDistance:
    def test_by_hand(self) -> None:
        fit, flops = published("besiroglu2024"), 1e23
        found = distance(fit, LLAMA_8B, flops)
        (best,) = plan("besiroglu2024", flops=flops).options
        size = count(LLAMA_8B).params
        there = float(fit.predict(params=size, tokens=flops / 6 / size).estimate[0].mid)
        assert found["size_ratio"].mid == pytest.approx(size / best.params.mid)
        assert found["loss_penalty"].mid == pytest.approx(there - best.loss.mid, abs=1e-9)
        assert found["loss_penalty"].mid > 0

    def test_no_draw_gains_by_leaving_its_best(self) -> None:
        found = distance(drawn(), LLAMA_8B, 1e23)
        assert 0 <= found["loss_penalty"].low < found["loss_penalty"].high
        assert found["size_ratio"].low < found["size_ratio"].mid < found["size_ratio"].high

    def test_a_law_without_a_size_is_refused(self) -> None:
        with pytest.raises(RequestError, match="no loss of a shape"):
            distance(published("steplaw2025_batch"), LLAMA_8B, 1e23)


class TestRecipe:
    def test_whole_steps_and_the_schedule(self) -> None:
        made = cook(LLAMA_8B, 1.6e11)
        assert made.tokens == made.steps * made.batch and made.batch % LLAMA_8B.context == 0
        assert made.tokens == pytest.approx(1.6e11, rel=1e-4)
        assert made.cooldown_steps == round(0.2 * made.steps) and 0 < made.warmup_steps <= 0.1 * made.steps + 1
        assert made.flops == training_flops(LLAMA_8B) * made.tokens

    def test_published_laws_are_asked_and_step_law_decides(self) -> None:
        made = cook(LLAMA_8B, 1e11)
        assert set(made.lrs) == set(RATE_LAWS) and set(made.batches) == set(BATCH_LAWS)
        assert made.lr == float(f"{1.79 * sizes(LLAMA_8B)['nonvocab_params'] ** -0.713 * 1e11**0.307:.4g}")
        assert made.batch == pytest.approx(0.58 * 1e11**0.571, abs=8192)
        assert {f.code for f in made.findings} == {"D4"}

    def test_deepseek_is_asked_in_its_own_count(self) -> None:
        """M = 72 L d^2 + 12 L d T for an ungated model of 4 d (Bi et al. 2024, Eq. 2); C = M D."""
        a = Architecture(2048, 24, 16, 102400, 4096)
        made = cook(a, 2e11)
        flops = (72 * 24 * 2048**2 + 12 * 24 * 2048 * 4096) * 2e11
        assert made.lrs["deepseek2024_lr"] == pytest.approx(0.3118 * flops**-0.125, rel=1e-3)

    def test_a_rate_below_zero_is_left_out(self) -> None:
        """Kaplan's rate falls below zero for large models, of which the paper warns."""
        assert "kaplan2020_lr" not in cook(nearest(1e12, vocab=128256), 1e13).lrs

    def test_ones_own_numbers_replace_them(self) -> None:
        made = cook(LLAMA_8B, 1e11, lr="3e-4", batch="4M")
        assert made.lr == 3e-4 and made.batch == round(4e6 / 8192) * 8192 and made.findings == ()

    def test_the_plan_tells_the_shape_the_spread_and_the_distance(self) -> None:
        (option,) = plan(drawn(), flops=1e22, style="llama", vocab=50304).options
        assert option.size_ratio.low < 1.1 and option.size_ratio.mid == pytest.approx(1, abs=0.03)
        assert 0 <= option.loss_penalty.mid < 1e-3
        assert option.lr.low < option.lr.mid < option.lr.high and option.batch.high > 2 * option.batch.low
        made = recipe_of(drawn(), 1e22, vocab=50304)
        assert option.params.mid == count(made.architecture).params and option.steps.mid == made.steps

    def test_a_vocabulary_of_the_law_is_told_and_its_reach(self) -> None:
        made = plan(drawn(), flops=1e24, style="llama")
        assert any("tao2024_vocab_a2" in line for line in made.assumptions)
        assert any("33M to 3B" in f.sentence for f in made.findings)

    def test_a_law_of_the_best_size_alone_plans_too(self) -> None:
        key = next(key for key in keys() if _tells_size_alone(key))
        (option,) = plan(key, flops=1e21, style="llama", vocab=32000).options
        assert "loss_penalty" not in option.estimates and option.depth.mid > 1

    def test_json_holds_all_of_it(self) -> None:
        made = json.loads(json.dumps(cook(LLAMA_8B, 1e11).to_json()))
        assert Architecture(**made["architecture"]) == LLAMA_8B
        assert made["counts"]["params"] == 8_030_261_248 and made["spread"]["lr"]["steplaw2025_lr"] > 0


def _tells_size_alone(key: str) -> bool:
    of = card(key)
    return of.kind == "fit" and of.bound_law.columns == ("flops",) and of.bound_law.output.name == "params"


class TestFiles:
    def test_the_config_of_llama_3_8b_is_its_own(self) -> None:
        made = llama_config(LLAMA_8B)
        assert LLAMA_8B_CONFIG.items() <= made.items()
        assert made.keys() <= LLAMA_KEYS | EVERY

    def test_a_routed_one_is_a_mixtral(self) -> None:
        made = llama_config(MIXTRAL)
        assert made["architectures"] == ["MixtralForCausalLM"] and made["num_local_experts"] == 8
        assert made["num_experts_per_tok"] == 2 and made.keys() <= MIXTRAL_KEYS | EVERY

    @pytest.mark.parametrize(
        ("unlike", "words"),
        [
            ({"gated": False}, "ungated"),
            ({"gated": True, "norm": "layer"}, "norm 'layer'"),
            ({"gated": True, "biases": "qkv"}, "biases 'qkv'"),
            ({"gated": True, "positions": "learned"}, "positions 'learned'"),
            ({"gated": True, "encoder_depth": 2}, "an encoder"),
            ({"gated": True, "experts": 4, "shared_experts": 1}, "shared experts"),
        ],
    )
    def test_what_is_no_llama_is_refused(self, unlike: dict, words: str) -> None:
        with pytest.raises(RequestError, match=words):
            llama_config(Architecture(64, 2, 4, **unlike))

    def test_a_ladder_is_read_back_as_the_same_run(self) -> None:
        made = cook(nearest(1e5, style="lab", vocab=256, context=128), 2e6, lr=0.01, batch=2560)
        (spec,) = read_ladder(tomllib.loads(ladder_toml(made, seeds=(3,))))
        assert (spec.tokens, spec.batch, spec.lr, spec.steps, spec.seed) == (made.tokens, 2560, 0.01, made.steps, 3)
        assert spec.counts.params == count(made.architecture).params and spec.flops == made.flops
        assert spec.cooldown_steps == made.cooldown_steps

    def test_models_trained_here_follow_this_projects_own_rules(self) -> None:
        made = cook(nearest(1e5, style="lab", vocab=256, context=128), 2e6)
        text = ladder_toml(made).replace(f"lr = {made.lr!r}\n", "").replace(f"batch = {made.batch}\n", "")
        (spec,) = read_ladder(tomllib.loads(text))
        assert (spec.lr, spec.batch) == (made.lr, made.batch) and next(iter(made.lrs)) == "isoloss"

    def test_what_is_not_trained_here_is_refused(self) -> None:
        with pytest.raises(RequestError, match="isoloss train does not train"):
            ladder_toml(cook(LLAMA_8B, 1e11))

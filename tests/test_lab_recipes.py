"""Recipes: the numbers of their sources, the options that replace them, and fits and counts that can be used."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lab_help import SMALL, TINY, markov_corpus

import isoloss
from isoloss.core import accounting
from isoloss.core.accounting import Shape, count
from isoloss.core.errors import DesignError, RequestError, UnknownNameError
from isoloss.core.runs import Runs
from isoloss.lab import dials
from isoloss.lab.recipes import RECIPES, chinchilla, find_recipe, kaplan, nanochat, porian
from isoloss.lab.recipes.wsd_adamw import learning_rate, wsd_adamw
from isoloss.lab.schedule import rate
from isoloss.lab.trainer import train_run

BIG = Shape(width=768, depth=12, heads=12, vocab=32768)


def test_the_recipes_that_there_are() -> None:
    assert set(RECIPES) == {"wsd-adamw", "kaplan", "chinchilla", "porian", "nanochat", "completep"}
    assert find_recipe("default") is find_recipe("wsd-adamw") is wsd_adamw
    assert all(name == recipe.name for name, recipe in RECIPES.items())
    with pytest.raises(UnknownNameError, match="kaplan"):
        find_recipe("kaplann")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_trains(name: str) -> None:
    corpus = markov_corpus()
    spec = RECIPES[name](TINY, 30_000, corpus)
    assert spec.recipe == name and spec.split == "train" and abs(spec.tokens - 30_000) <= spec.batch
    outcome = train_run(spec, corpus)
    assert outcome.status == "done" and outcome.validation
    least = {"kaplan": 0.01, "chinchilla": 0.5}.get(name, 2.0)  # Kaplan's warm-up has hardly begun when the run ends
    assert outcome.validation.loss < math.log(256) - least


def test_the_default_makes_the_specs_that_it_always_made() -> None:
    spec = wsd_adamw(TINY, 30_000, markov_corpus())
    assert spec.id == "895d7db4d068c138", "Runs recorded before this change would be trained again: find what moved."
    assert spec == find_recipe("default")(TINY, 30_000, markov_corpus(), 0, lr=None, batch=None)


def test_kaplan_s_rate_is_the_published_one() -> None:
    assert kaplan.learning_rate(1e8) == pytest.approx(0.000669315036218645, rel=1e-12)
    spec = RECIPES["kaplan"](dials.shape(10), 4_000_000, markov_corpus(), max_epochs=100)
    assert spec.lr == pytest.approx(0.003239 - 0.0001395 * math.log(count(spec.shape).body_params), rel=1e-3)
    assert (spec.batch, spec.warmup_steps, spec.schedule) == (512, 3000, "constant")


def test_a_warm_up_longer_than_the_run_is_cut_off_with_it() -> None:
    corpus = markov_corpus()
    short, long = (RECIPES["kaplan"](SMALL, tokens, corpus, max_epochs=100) for tokens in (100_000, 4_000_000))
    assert short.warmup_steps == short.steps < 3000 == long.warmup_steps
    for step in (0, 50, short.steps - 1):
        assert rate(short, step) == pytest.approx(rate(long, step), rel=1e-9)
    quick = RECIPES["kaplan"](SMALL, 100_000, corpus, warmup_steps=20)
    assert (quick.warmup_steps, quick.lr) == (20, long.lr)


def test_chinchilla_s_rates_are_those_of_its_family_at_both_ends() -> None:
    ends = [chinchilla.RATE * (n / chinchilla.RATE_AT) ** chinchilla.RATE_EXPONENT for n in (44e6, 7.1e9)]
    assert ends == pytest.approx([6e-4, 1.2e-4], rel=5e-3)
    spec = RECIPES["chinchilla"](SMALL, 200_000, markov_corpus())
    assert rate(spec, spec.warmup_steps) == pytest.approx(spec.lr, rel=1e-2)
    assert rate(spec, spec.steps - 1) == pytest.approx(0.1 * spec.lr, rel=1e-2)


def test_porian_s_rate_and_batch_are_those_of_figure_3() -> None:
    n = count(BIG).matmul_params
    assert porian.learning_rate(BIG) == pytest.approx(0.0047 * (n / 108e6) ** (-1 / 3), rel=1e-3)
    assert porian.learning_rate(BIG) == pytest.approx(0.0047, rel=0.02)  # a model of 110M
    assert porian.batch_size(BIG) == pytest.approx(160 * 2048, rel=0.03)
    small = RECIPES["porian"](SMALL, 200_000, markov_corpus())
    assert small.lr * small.weight_decay == pytest.approx(1e-4, rel=1e-3)
    assert small.beta2 == 0.99 and small.schedule == "constant"
    assert small.warmup_steps * small.batch == pytest.approx(count(SMALL).matmul_params, abs=small.batch)


def test_nanochat_keeps_its_time_scale_over_horizons() -> None:
    corpus = markov_corpus()
    specs = [RECIPES["nanochat"](SMALL, tokens, corpus, max_epochs=100) for tokens in (1_000_000, 8_000_000)]
    assert specs[0].lr == pytest.approx(0.02, rel=0.02) and specs[0].weight_decay == pytest.approx(0.28, rel=0.02)
    scales = [s.batch / (s.lr * s.weight_decay * s.tokens) for s in specs]
    assert scales[0] == pytest.approx(scales[1], rel=1e-3)
    assert specs[1].batch / specs[0].batch == pytest.approx(8**0.383, rel=0.05)
    assert specs[0].cooldown_steps == round(0.65 * specs[0].steps)
    assert nanochat.batch_size(1e6) == 1280


def test_completep_has_one_rate_for_all_sizes() -> None:
    specs = [RECIPES["completep"](dials.shape(d), 100_000, markov_corpus()) for d in (1, 2, 10)]
    assert {s.lr for s in specs} == {learning_rate(SMALL)} and {s.parameterisation for s in specs} == {"completep"}


def test_options_replace_what_a_recipe_says_in_all_recipes_alike() -> None:
    corpus = markov_corpus()
    for make in RECIPES.values():
        own = make(SMALL, 100_000, corpus)
        options = {
            "batch": 1000,
            "warmup_steps": 7,
            "cooldown_steps": 3 if own.cooldown_steps else 0,
            "split": "test",
            "note": "n",
            "max_epochs": 2.0,
        }
        spec = make(SMALL, 100_000, corpus, 5, lr=0.01, **options)
        assert (spec.lr, spec.batch, spec.warmup_steps) == (0.01, 1024, 7)
        assert spec.cooldown_steps == options["cooldown_steps"]
        assert (spec.split, spec.note, spec.max_epochs, spec.seed) == ("test", "n", 2.0, 5)
        assert make(SMALL, 100_000, corpus, lr_scale=2.0).lr == pytest.approx(2 * own.lr, rel=1e-5)
        assert make(SMALL, 100_000, corpus, lr=0.01, lr_scale=0.5, warmup_steps=9).lr == pytest.approx(0.005)
        assert (spec.optimizer, spec.beta2, spec.weight_decay > 0) == (own.optimizer, own.beta2, own.weight_decay > 0)


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="lr_scale"):
        wsd_adamw(SMALL, 100_000, markov_corpus(), lr_scales=2.0)
    with pytest.raises(RequestError, match="do not fit"):
        wsd_adamw(SMALL, 100_000, markov_corpus(), warmup_steps=10_000)


def table() -> Runs:
    """Losses of a known law in N with the head, for seven dials at four budgets."""
    shapes = [dials.shape(d) for d in (2, 3, 4, 5, 6, 8, 10)]
    rows = [(s, c) for c in (3e11, 1e12, 3e12, 1e13) for s in shapes]
    counts = [count(s) for s, _ in rows]
    tokens = np.array([c / accounting.training_flops(s) for s, c in rows])
    matmul = np.array([float(n.matmul_params) for n in counts])
    columns = {name: np.array([float(getattr(n, name)) for n in counts]) for name in ("params", "body_params")}
    shaped = {name: np.array([getattr(s, name) for s, _ in rows]) for name in ("width", "depth", "context")}
    scatter = np.random.default_rng(0).normal(0, 1e-3, len(rows))
    loss = (1.2 + 30 * matmul**-0.35 + 300 * tokens**-0.4) * np.exp(scatter)
    flops = np.array([c for _, c in rows])
    return Runs({**columns, **shaped, "matmul_params": matmul, "tokens": tokens, "flops": flops, "loss": loss}, "test")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_fit_of_a_recipe_can_be_made(name: str) -> None:
    recipe = RECIPES[name]
    fit = isoloss.fit(recipe.counted(table()), **recipe.fit, draws=0)
    assert fit.law.name == recipe.fit["law"]
    if recipe.size == "matmul_params":
        assert fit.theta["alpha"] == pytest.approx(0.35, abs=0.03)


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"kaplan"}))
def test_the_isoflop_of_a_recipe_can_be_made(name: str) -> None:
    recipe = RECIPES[name]
    frontier = isoloss.isoflop(recipe.counted(table()), **recipe.isoflop, draws=0)
    assert 0.4 < frontier.size.theta["a"] < 0.65


def test_kaplan_s_count_of_compute_takes_these_budgets_apart() -> None:
    """Equal compute with the head counted is not equal without: its profiles of these runs have no minimum inside."""
    with pytest.raises(DesignError, match="minimum"):
        isoloss.isoflop(RECIPES["kaplan"].counted(table()), **RECIPES["kaplan"].isoflop, draws=0)


def test_compute_is_counted_as_the_sources_count_it() -> None:
    runs, shapes = table(), [dials.shape(d) for d in (2, 3, 4, 5, 6, 8, 10)] * 4
    for name, convention in (("kaplan", accounting.kaplan), ("chinchilla", accounting.six_n)):
        expected = [convention(s) * t for s, t in zip(shapes, runs["tokens"], strict=True)]
        assert np.allclose(RECIPES[name].counted(runs)["flops"], expected)
    full = [accounting.training_flops(s, "full") * t for s, t in zip(shapes, runs["tokens"], strict=True)]
    assert np.allclose(RECIPES["nanochat"].counted(runs)["flops"], full)
    assert np.array_equal(RECIPES["porian"].counted(runs)["flops"], runs["flops"])

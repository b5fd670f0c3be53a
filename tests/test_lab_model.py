"""The model, the learning rate and the training of one run, on a source whose entropy is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from lab_help import SMALL, TINY, entropies, markov_corpus, markov_spec

from isoloss.core.accounting import Shape
from isoloss.core.errors import TrainingError
from isoloss.lab.evaluate import frozen_windows, validate
from isoloss.lab.model import Transformer
from isoloss.lab.optimizers import optimizer_for
from isoloss.lab.recipes.wsd_adamw import batch_size, learning_rate
from isoloss.lab.schedule import rate
from isoloss.lab.trainer import train_run


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def awake(shape: Shape) -> Transformer:
    """A model whose branches write something, as they do after some training."""
    model = Transformer(shape, seed=0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    return model


def test_at_the_start_all_tokens_are_alike_for_every_size() -> None:
    tokens = torch.arange(128)[None]
    for shape in (TINY, SMALL, Shape(48, 3, 3)):
        losses = Transformer(shape, seed=3)(tokens).log_softmax(-1)
        assert torch.allclose(losses, torch.full_like(losses, -math.log(256)))


def test_no_token_sees_a_later_one() -> None:
    model, tokens = awake(SMALL), torch.randint(0, 256, (1, 128))
    changed = tokens.clone()
    changed[0, 70] = (changed[0, 70] + 1) % 256
    before, after = model(tokens)[0], model(changed)[0]
    assert torch.allclose(before[:70], after[:70], atol=1e-5)
    assert not torch.allclose(before[70:], after[70:], atol=1e-2)


def test_places_are_told_apart_by_their_distance_alone() -> None:
    """Rotary positions: what a query and a key have in common depends on how far apart they are."""
    model = awake(SMALL)
    turns, query, key = (
        model.rotation[:, 0, 0],
        *torch.randn(2, 8, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)),
    )
    scores = {
        (here, there): (query * turns[here] * (key * turns[there]).conj()).real.sum().item()
        for here, there in ((3, 8), (103, 108), (3, 9))
    }
    assert scores[3, 8] == pytest.approx(scores[103, 108], abs=1e-3)
    assert abs(scores[3, 8] - scores[3, 9]) > 1e-2


def test_seeds_start_differently_and_one_seed_always_alike() -> None:
    start = [Transformer(SMALL, seed).state_dict()["blocks.0.mlp_up.weight"] for seed in (0, 0, 1)]
    assert torch.equal(start[0], start[1]) and not torch.equal(start[0], start[2])


def test_weight_decay_reaches_matrices_alone() -> None:
    model = Transformer(SMALL, 0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    decayed, free = (
        {names[id(weight)] for weight in group["params"]}
        for group in optimizer_for(model, markov_spec(markov_corpus())).param_groups
    )
    assert free == {name for name in names.values() if "norm" in name} | {"embedding.weight"}
    assert decayed == set(names.values()) - free


def test_the_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    spec = dataclasses.replace(
        markov_spec(markov_corpus()), tokens=256 * 100, warmup_steps=10, cooldown_steps=20, lr=1.0
    )
    rates = np.array([rate(spec, step) for step in range(spec.steps)])
    assert np.allclose(rates[:10], np.arange(1, 11) / 10)
    assert np.all(rates[10:81] == 1.0)
    assert np.allclose(rates[80:], np.arange(20, 0, -1) / 20)
    bare = dataclasses.replace(spec, warmup_steps=0, cooldown_steps=0)
    assert {rate(bare, step) for step in range(bare.steps)} == {1.0}


def test_the_recipe_follows_size_and_horizon() -> None:
    assert learning_rate(SMALL) == pytest.approx(0.4 * 0.0047 * (32768 / 108e6) ** (-1 / 3), rel=1e-3)
    assert batch_size(8_000_000) / batch_size(1_000_000) == pytest.approx(8**0.383)
    specs = [markov_spec(markov_corpus(), shape, tokens=150_000) for shape in (TINY, SMALL)]
    assert len({(spec.batch, spec.tokens) for spec in specs}) == 1
    assert all(spec.warmup_steps >= 20 for spec in specs)


def test_training_comes_near_the_entropy_of_its_source() -> None:
    """A model that counts letters cannot go below the letters' entropy; none can go below the source's rate."""
    entropy_rate, letters_alone = entropies()
    corpus = markov_corpus()
    outcome = train_run(markov_spec(corpus, SMALL, tokens=100_000), corpus)
    assert outcome.status == "done" and outcome.validation
    assert entropy_rate < outcome.validation.loss < entropy_rate + 0.08 < letters_alone - 1


def test_golden_losses() -> None:
    corpus = markov_corpus()
    outcome = train_run(markov_spec(corpus), corpus)
    assert outcome.validation
    losses = [outcome.curve[0]["train_loss"], outcome.curve[19]["train_loss"], outcome.validation.loss]
    assert losses == pytest.approx([math.log(256), 1.76939, 1.41981], rel=2e-3), (
        "The losses of a small run have changed. If you did not mean to change what is trained (model, data order, "
        "optimizer, recipe), this is a fault: find it. If you did, new runs cannot be mixed with the shipped ladder, "
        "which was trained with the old code: train it anew, and only then put the new numbers here. A change of torch "
        "alone should stay within the tolerance."
    )


def test_the_same_spec_gives_the_same_losses_bit_for_bit() -> None:
    corpus = markov_corpus()
    spec = markov_spec(corpus, SMALL)
    first, second = train_run(spec, corpus), train_run(spec, corpus)
    assert first.curve == second.curve and first.validation == second.validation
    assert train_run(dataclasses.replace(spec, seed=1), corpus).validation != first.validation


def test_a_run_that_diverges_says_so() -> None:
    corpus = markov_corpus()
    outcome = train_run(markov_spec(corpus, lr=1e3), corpus)
    assert outcome.status == "diverged" and outcome.validation is None
    assert "training loss" in outcome.why and outcome.steps_done < 78


def test_another_corpus_than_the_specs_own_is_refused() -> None:
    spec = markov_spec(markov_corpus())
    with pytest.raises(TrainingError, match="other bytes, other losses"):
        train_run(spec, markov_corpus(documents=59))


def test_the_validation_loss_and_its_error_by_hand() -> None:
    """Token by token for the mean, and document by document for the error."""
    corpus, model = markov_corpus(), awake(TINY)
    seen = validate(model, corpus, 128)
    chosen = frozen_windows(corpus, 128, 2048)
    tokens = torch.from_numpy(corpus.validation_t.astype(np.int64))
    losses = []
    for window in chosen:
        piece = tokens[window * 128 : window * 128 + 129]
        with torch.no_grad():
            losses.append(-model(piece[None, :-1])[0].log_softmax(-1)[torch.arange(128), piece[1:]].mean().item())
    assert seen.loss == pytest.approx(np.mean(losses), rel=1e-5)
    owners = np.array([(corpus.starts_f <= window * 128).sum() - 1 for window in chosen])
    sums = [np.sum(np.array(losses)[owners == owner] - np.mean(losses)) for owner in set(owners)]
    assert seen.loss_se == pytest.approx(math.sqrt(np.sum(np.square(sums))) / len(chosen), rel=1e-3)
    assert seen.documents == len(set(owners)) and seen.windows == len(chosen)


def test_few_windows_are_some_of_the_many() -> None:
    corpus = markov_corpus()
    many, few = (set(frozen_windows(corpus, 128, limit)) for limit in (100, 20))
    assert few < many and len(few) == 20

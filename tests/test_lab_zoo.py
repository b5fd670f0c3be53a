"""The models of the zoo: counts against modules and torch's own counter, what may look at what, and what they learn."""

from __future__ import annotations

import dataclasses
import functools
import io
import math
import random
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from lab_help import markov_corpus, wsd_adamw
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from zoo_help import SHAPES, data_for, reversed_pairs, run, second_order, spec_of, templates

from isoloss.core.accounting import active_params, count, training_flops
from isoloss.core.architecture import Routing
from isoloss.core.errors import RequestError, TrainingError
from isoloss.core.shapes import (
    AnyShape,
    EncoderDecoderShape,
    MLPShape,
    MoEShape,
    Shape,
    ViTShape,
)
from isoloss.core.spec import Spec
from isoloss.lab import task as tasks
from isoloss.lab.classifying import scale_of
from isoloss.lab.data import order
from isoloss.lab.evaluate import Validation
from isoloss.lab.model import Transformer
from isoloss.lab.models import blocks
from isoloss.lab.models.moe import BALANCE, RoutedTransformer, hash_table
from isoloss.lab.models.vit import patches
from isoloss.lab.optimizers import optimizer_for
from isoloss.lab.task import TASKS, task_of
from isoloss.lab.trainer import Course
from isoloss.lab.translating import UNSEEN, padded

KINDS = pytest.mark.parametrize("name", SHAPES)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_shape(kind: str, draw: random.Random) -> AnyShape:
    """A shape of this kind with parts drawn at random."""
    heads, depth = draw.randint(1, 3), draw.randint(1, 3)
    width = heads * draw.choice([4, 6, 8])
    ff, tied = draw.choice([0, width, 3 * width]), draw.random() < 0.5
    text: Any = {"vocab": draw.choice([64, 256]), "context": draw.choice([8, 16]), "ff": ff, "tied": tied}
    if kind == "decoder":
        return Shape(width, depth, heads, **text)
    if kind == "moe":
        experts = draw.randint(1, 7)
        expert_ff = draw.choice([0, width]) if experts > 1 else 0
        routing: Routing = "top_k" if draw.random() < 0.5 else "hash"
        return MoEShape(width, depth, heads, experts, draw.randint(1, experts), routing, expert_ff=expert_ff, **text)
    if kind == "encoder_decoder":
        return EncoderDecoderShape(width, depth, heads, draw.randint(1, 3), source=draw.choice([5, 24]), **text)
    if kind == "vit":
        patch = draw.randint(1, 4)
        side = patch * draw.randint(1, 4)
        return ViTShape(width, depth, heads, side, patch, draw.choice([1, 3]), draw.randint(2, 9), ff)
    return MLPShape(width, depth, draw.randint(1, 50), draw.randint(2, 9), ff)


def awake(spec: Spec) -> Any:
    """A model whose branches write something, as they do after some training."""
    model = task_of(spec).model(spec)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    return model


def first_batch(spec: Spec) -> Any:
    return next(task_of(spec).batches(spec, data_for(spec.shape), 0))


@pytest.mark.parametrize("kind", TASKS)
def test_counts_and_flops_are_those_of_the_modules_for_random_shapes(kind: str) -> None:
    """Parameters part by part; FLOPs by torch's counter, which sees the full square of attention, forward and back."""
    draw = random.Random(kind)
    for shape in (random_shape(kind, draw) for _ in range(12)):
        spec = dataclasses.replace(
            spec_of(SHAPES["decoder"]), shape=shape, batch=4 * shape.context, tokens=160 * shape.context
        )
        task = task_of(spec)
        model = task.model(spec)
        assert sum(weight.numel() for weight in model.parameters()) == count(shape).params
        assert blocks.reported(model) == count(shape)
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            task.loss(model, task.made_up(spec, spec.batch)).backward()
        assert counter.get_total_flops() == pytest.approx(training_flops(shape, "full") * spec.batch, rel=1e-9), shape


def test_a_count_that_is_wrong_is_seen_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "count", lambda shape: dataclasses.replace(count(shape), mlp=count(shape).mlp + 1))
    for shape in SHAPES.values():
        with pytest.raises(TrainingError, match="Accounting says"):
            task_of(spec_of(shape)).model(spec_of(shape))


@KINDS
def test_the_start_knows_nothing_and_the_seed_decides_it(name: str) -> None:
    spec = spec_of(SHAPES[name])
    task = task_of(spec)
    assert task.loss(task.model(spec), first_batch(spec)).item() == pytest.approx(task.ignorance(spec), rel=1e-5)
    start = [task.model(dataclasses.replace(spec, seed=seed)).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(start[0][part], start[1][part]) for part in start[0])
    assert any(not torch.equal(start[0][part], start[2][part]) for part in start[0])


@KINDS
def test_a_batch_in_another_order_gives_its_answers_in_that_order(name: str) -> None:
    spec = spec_of(SHAPES[name])
    model, *(inputs) = awake(spec), *first_batch(spec)[:-1]
    other = torch.randperm(len(inputs[0]), generator=torch.Generator().manual_seed(2))
    assert torch.allclose(model(*inputs)[other], model(*(part[other] for part in inputs)), atol=1e-5)


@KINDS
def test_a_run_is_the_same_bit_for_bit_and_brought_back_in_its_middle(name: str) -> None:
    spec, corpus = spec_of(SHAPES[name], steps=12), data_for(SHAPES[name])
    whole = run(spec, corpus)
    states: list[dict] = []

    class Halfway:
        def bring_back(self, course: Course) -> None:
            if states:
                course.restore(states[0])

        def look(self, course: Course) -> None:
            if course.outcome.steps_done == 5:
                states.append(copied(course.state()))
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(spec, corpus, keeper=Halfway())
    states[:] = states[:1]
    again = run(spec, corpus, keeper=type("Back", (Halfway,), {"look": lambda self, course: None})())
    assert again.resumed_at == [5]
    assert again.curve == whole.curve and again.validation == whole.validation
    assert again.validations == whole.validations


def copied(state: dict) -> dict:
    """A state as a checkpoint keeps it: written and read."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@KINDS
def test_nothing_is_seen_twice_in_an_epoch_and_a_later_start_sees_the_rest(name: str) -> None:
    spec = spec_of(SHAPES[name], steps=8)
    task, corpus = task_of(spec), data_for(SHAPES[name])
    all_of_it, rest = list(task.batches(spec, corpus, 0)), list(task.batches(spec, corpus, 5))
    assert len(all_of_it) == 8 and len(rest) == 3
    for one, other in zip(all_of_it[5:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    seen = order(spec, 100)
    assert len(set(seen[:100])) == 100 and len(seen) == 8 * 16
    assert not np.array_equal(seen, order(dataclasses.replace(spec, seed=1), 100))


@KINDS
def test_decay_reaches_every_matrix_and_no_table_or_vector(name: str) -> None:
    spec = spec_of(SHAPES[name])
    model = task_of(spec).model(spec)
    names = {id(weight): name for name, weight in model.named_parameters()}
    decayed, free = (
        {names[id(weight)] for weight in group["params"]} for group in optimizer_for(model, spec).param_groups
    )
    assert free == {n for n in names.values() if "norm" in n or n in ("embedding.weight", "positions", "offset")}
    assert decayed == set(names.values()) - free


def test_the_decoder_of_an_encoder_decoder_sees_no_later_token_and_no_padding() -> None:
    spec = spec_of(SHAPES["encoder-decoder"])
    model, (source, seen, inputs, _) = awake(spec), first_batch(spec)
    before = model(source, seen, inputs)
    later = inputs.clone()
    later[:, 9:] += 1
    after = model(source, seen, later)
    assert torch.allclose(before[:, :9], after[:, :9], atol=1e-5)
    assert not torch.allclose(before[:, 9:], after[:, 9:], atol=1e-3)
    assert torch.allclose(before, model(torch.where(seen, source, 7), seen, inputs), atol=1e-5)
    read = source.clone()
    read[:, 0] += 1
    assert not torch.allclose(before, model(read, seen, inputs), atol=1e-3)


def test_texts_are_padded_cut_and_ended() -> None:
    shape = EncoderDecoderShape(4, 1, 1, context=3, source=4)
    source, seen, inputs, targets = (part.tolist() for part in padded([(b"ab", b"xy"), (b"abcdef", b"vwxyz")], shape))
    assert source == [[97, 98, 0, 0], [97, 98, 99, 100]]
    assert seen == [[True, True, True, False], [True] * 4]
    assert inputs == [[0, 120, 121], [0, 118, 119]]
    assert targets == [[120, 121, 0], [118, 119, 120]]
    assert padded([(b"", b"")], shape)[3].tolist() == [[0, UNSEEN, UNSEEN]]


def test_the_loss_of_a_translation_is_that_of_its_tokens_by_hand() -> None:
    spec = spec_of(SHAPES["encoder-decoder"])
    task, corpus, model = TASKS["encoder_decoder"], reversed_pairs(), awake(spec)
    seen = task.validate(model, spec, corpus)
    sums, tokens = [], []
    with torch.no_grad():
        for pair in corpus.validation:
            source, where, inputs, targets = padded([pair], spec.shape)  # type: ignore[arg-type]
            length = len(pair[1]) + 1
            logs = model(source, where, inputs)[0, :length].log_softmax(-1)
            sums.append(-logs[torch.arange(length), targets[0, :length]].sum().item())
            tokens.append(length)
    sums, tokens = np.array(sums), np.array(tokens)
    assert seen.loss == pytest.approx(sums.sum() / tokens.sum(), rel=1e-5)
    spread = np.sqrt(np.sum((sums - seen.loss * tokens) ** 2)) / tokens.sum()
    assert seen.loss_se == pytest.approx(spread, rel=1e-3)
    assert seen.extras["target_tokens"] == tokens.sum() and 0 < seen.extras["padding_share"] < 1


def test_patches_are_pieces_of_the_image() -> None:
    images = torch.arange(2 * 4 * 4 * 3).view(2, 4, 4, 3).float()
    cut = patches(images, 2)
    assert cut.shape == (2, 4, 12)
    assert torch.equal(cut[1, 1], images[1, 0:2, 2:4].flatten())
    assert torch.equal(cut[1, 2], images[1, 2:4, 0:2].flatten())


def test_where_a_patch_is_matters() -> None:
    spec = spec_of(SHAPES["vit"])
    model, (images, _) = awake(spec), first_batch(spec)
    assert not torch.allclose(model(images), model(images.flip(1)), atol=1e-3)


def test_examples_are_centred_and_scaled_by_the_training_set() -> None:
    mean, deviation = scale_of(templates())
    assert mean == pytest.approx(templates().train_x.mean(), rel=1e-4) and mean.shape == (1,)
    assert deviation == pytest.approx(templates().train_x.std(), rel=1e-4)
    rows = dataclasses.replace(templates(), digest="rows", train_x=np.array([[1.0, 5.0], [3.0, 5.0]], np.float32))
    assert scale_of(rows)[0].tolist() == [2, 5] and scale_of(rows)[1].tolist() == [1, 1]


def test_one_expert_is_the_dense_decoder_bit_for_bit() -> None:
    dense, alone = spec_of(Shape(16, 2, 1)), spec_of(MoEShape(16, 2, 1, experts=1))
    models = Transformer(dense.shape, 3), RoutedTransformer(alone.shape, 3)  # type: ignore[arg-type]
    states = [model.state_dict() for model in models]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][part], states[1][part]) for part in states[0])
    assert run(dense, markov_corpus()).validation == run(alone, markov_corpus()).validation
    assert active_params(alone.shape) == count(dense.shape).params


def test_each_token_is_served_by_its_own_experts() -> None:
    """Token by token, without grouping."""
    spec = spec_of(MoEShape(16, 1, 1, experts=5, active_experts=3, expert_ff=8))
    experts = awake(spec).blocks[0].experts
    x, tokens = torch.randn(30, 16, generator=torch.Generator().manual_seed(0)), torch.zeros(30, dtype=torch.long)
    written, routed = experts(x, tokens)
    for row, out in zip(x, written, strict=True):
        probability = experts.router(row).softmax(0)
        best = probability.argsort(descending=True)[:3]
        gates = probability[best] / probability[best].sum()
        hidden = [(experts.experts_up[e] @ row).relu() ** 2 for e in best]
        parts = [gate * experts.experts_down[e] @ h for gate, e, h in zip(gates, best, hidden, strict=True)]
        alone = torch.stack(parts).sum(dim=0)
        assert torch.allclose(out, alone, atol=1e-5)
    assert routed.load_e.sum() == 90


def test_a_router_that_takes_one_expert_learns() -> None:
    spec = spec_of(MoEShape(16, 1, 1, experts=4))
    model = awake(spec)
    inputs, targets = first_batch(spec)
    torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
    assert model.blocks[0].experts.router.weight.grad.abs().max() > 1e-4


def test_the_balance_pulls_and_is_not_in_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(MoEShape(16, 1, 1, experts=4))
    model, batch, task = awake(spec), first_batch(spec), task_of(spec)
    gradients, losses = [], []
    for weight in (0.0, 1.0):
        monkeypatch.setattr(tasks, "BALANCE", weight)
        model.zero_grad()
        loss = task.loss(model, batch)
        loss.backward()
        losses.append(loss.item())
        gradients.append(model.blocks[0].experts.router.weight.grad.clone())
    assert losses[0] == losses[1] and not torch.allclose(gradients[0], gradients[1])


def test_hash_routing_is_the_same_everywhere_and_even_over_the_vocabulary() -> None:
    shape = MoEShape(16, 2, 1, experts=8, active_experts=2, routing="hash")
    tables = [hash_table(shape, layer) for layer in (0, 0, 1)]
    assert torch.equal(tables[0], tables[1]) and not torch.equal(tables[0], tables[2])
    assert torch.bincount(tables[0][:, 0]).tolist() == [32] * 8
    assert (tables[0][:, 0] != tables[0][:, 1]).all()
    assert tables[0][:6, 0].tolist() == [4, 4, 5, 2, 1, 1], (
        "the table of layer 0 has changed: hashed runs are others now"
    )


NARROW: Any = {"context": 32, "ff": 16}
EIGHT = MoEShape(16, 1, 1, experts=8, **NARROW)


@functools.cache
def after_pairs_of_letters(shape: AnyShape, balance: float = BALANCE) -> Validation:
    """What a model is judged at that was trained on text whose letters follow from the two before."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tasks, "BALANCE", balance)
        spec = wsd_adamw(shape, 150_000, second_order(), lr=0.03, batch=512, max_epochs=2.0)
        seen = run(spec, second_order()).validation
    assert seen
    return seen


@pytest.mark.parametrize("routing", ["top_k", "hash"])
def test_eight_experts_remember_more_than_one_mlp(routing: Routing) -> None:
    """A table of 24 x 24 entries is more than one narrow MLP can hold; a token costs the same either way."""
    dense = after_pairs_of_letters(Shape(16, 1, 1, **NARROW))
    routed = after_pairs_of_letters(dataclasses.replace(EIGHT, routing=routing))
    assert routed.loss < dense.loss - 0.08


def test_experts_are_used_alike_where_the_balance_is_asked_for() -> None:
    asked, unasked = (after_pairs_of_letters(EIGHT, balance).extras for balance in (BALANCE, 0.0))
    assert asked["idle_experts"] == 0
    assert 1 <= asked["load_imbalance"] < 2 < unasked["load_imbalance"]


def test_an_encoder_decoder_learns_to_copy() -> None:
    """Without its source a text of eight letters costs ln 8 a letter."""
    corpus = reversed_pairs(longest=6, backwards=False)
    shape = EncoderDecoderShape(32, 1, 1, context=8, source=8)
    spec = wsd_adamw(shape, 300 * 256, corpus, batch=256, lr=0.01, max_epochs=20.0)
    seen = run(spec, corpus).validation
    assert seen and seen.loss < 0.1


@pytest.mark.parametrize("shape", [ViTShape(16, 1, 1, 8, 2, 1, 4), MLPShape(16, 1, 64, 4)])
def test_noisy_patterns_are_told_apart(shape: AnyShape) -> None:
    steps = 200 if isinstance(shape, ViTShape) else 60
    spec = spec_of(shape, steps=steps, units=64)
    seen = run(spec, templates()).validation
    assert seen and seen.loss < math.log(4) / 2 and seen.extras["error_rate"] < 0.25
    assert seen.extras["error_rate_se"] == pytest.approx(
        math.sqrt(seen.extras["error_rate"] * (1 - seen.extras["error_rate"]) / 300)
    )


def test_the_rate_follows_what_a_token_touches() -> None:
    dense, routed = Shape(32, 2, 2), MoEShape(32, 2, 2, experts=16, routing="hash")
    assert spec_of(routed).lr == spec_of(dense).lr


def test_another_parameterisation_is_the_decoders_alone() -> None:
    spec = dataclasses.replace(spec_of(SHAPES["mlp"]), parameterisation="completep")
    with pytest.raises(RequestError, match="worked out for the decoder alone"):
        task_of(spec)

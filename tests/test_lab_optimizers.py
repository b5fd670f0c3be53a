"""Muon against the singular value decomposition, CompleteP against its table, and checkpoints of both."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
import torch
from lab_help import SMALL, TINY, markov_corpus

from isoloss.core.accounting import Shape
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.spec import Spec
from isoloss.lab.model import Transformer
from isoloss.lab.muon import Muon, momentum, orthogonal, turned
from isoloss.lab.optimizers import optimizer_for
from isoloss.lab.parameterisation import BASE, PARAMETERISATIONS, STANDARD, scaling_of
from isoloss.lab.recipes import RECIPES
from isoloss.lab.trainer import Course, train_run


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def spec_of(recipe: str, shape: Shape = SMALL, **options: Any) -> Spec:
    return RECIPES[recipe](shape, 20_000, markov_corpus(), **options)


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (16, 64)])
def test_the_iteration_keeps_singular_vectors_and_levels_singular_values(size: tuple[int, int]) -> None:
    x_brc = drawn(4, *size)
    found_brc = orthogonal(x_brc)
    u, values, vt = torch.linalg.svd(x_brc, full_matrices=False)
    turned_back = u.mT @ found_brc @ vt.mT
    levelled = turned_back.diagonal(dim1=-2, dim2=-1)
    assert torch.allclose(turned_back, torch.diag_embed(levelled), atol=2e-4)
    large = values > 0.05 * values.norm(dim=-1, keepdim=True)
    assert levelled[large].min() > 0.6 and levelled.max() < 1.25
    polar = u @ vt
    alike = (found_brc * polar).sum((-2, -1)) / found_brc.norm(dim=(-2, -1)) / polar.norm(dim=(-2, -1))
    assert alike.min() > 0.95


def test_matrices_of_all_shapes_are_turned_as_if_alone() -> None:
    matrices = [drawn(8, 8, seed=1), drawn(32, 8, seed=2), drawn(8, 32, seed=3), drawn(8, 8, seed=4), torch.zeros(8, 8)]
    together = list(turned(matrices))
    for matrix, found in zip(matrices, together, strict=True):
        lying = matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
        alone = orthogonal(lying[None])[0]
        alone = 2 * alone.mT if matrix.shape[0] > matrix.shape[1] else alone  # sqrt(32 / 8)
        assert found.shape == matrix.shape and torch.allclose(found, alone, atol=1e-5)
    assert not together[-1].any()


def test_a_step_of_muon_by_hand() -> None:
    """Nesterov's momentum, three blocks of rows turned on their own, decay and rate; AdamW for the rest."""
    fused, vector = torch.nn.Parameter(drawn(24, 8)), torch.nn.Parameter(drawn(8, seed=1))
    start, beside = fused.detach().clone(), torch.nn.Parameter(vector.detach().clone())
    groups = [
        {"params": [fused], "lr": 0.1, "weight_decay": 0.5, "pieces": [3]},
        {"params": [vector], "lr": 0.01, "weight_decay": 0.0},
    ]
    optimizer, adam = Muon(groups, (0.8, 0.95), 1e-10), torch.optim.AdamW([beside], 0.01, (0.8, 0.95), 1e-10, 0.0)
    kept = torch.zeros(24, 8)
    for step in range(3):
        gradient, other = drawn(24, 8, seed=10 + step), drawn(8, seed=20 + step)
        fused.grad, vector.grad, beside.grad = gradient.clone(), other.clone(), other.clone()
        optimizer.step()
        adam.step()
        memory = 0.85 + 0.12 * step / 400
        kept = memory * kept + (1 - memory) * gradient
        ahead = memory * kept + (1 - memory) * gradient
        update = torch.cat([orthogonal(piece[None])[0] for piece in ahead.split(8)])
        start = start * (1 - 0.1 * 0.5) - 0.1 * update
    assert torch.allclose(fused, start, atol=1e-5) and torch.allclose(vector, beside, atol=1e-6)
    assert (momentum(0), momentum(400), momentum(10_000)) == (0.85, 0.97, 0.97)


def test_muon_s_rates_and_what_it_works_on() -> None:
    spec, model = spec_of("nanochat"), Transformer(SMALL, 0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    first, *rest = optimizer_for(model, spec).param_groups
    assert {names[id(w)].rpartition("blocks")[0] for w in first["params"]} == {""} and len(first["params"]) == 8
    assert (first["lr"], first["weight_decay"]) == (spec.lr, spec.weight_decay)
    rates = {names[id(w)]: group["lr"] / spec.lr for group in rest for w in group["params"]}
    assert rates["head.weight"] == pytest.approx(0.008 / 0.02 * (768 / 32) ** 0.5)
    assert {group["weight_decay"] for group in rest} == {0.0}
    assert len(rates) + 8 == len(names)


class _Cut:
    """Keeps the run as it stands after `step` steps; or brings it back from there."""

    def __init__(self, step: int, kept: bytes = b"") -> None:
        self.step, self.kept = step, kept

    def bring_back(self, course: Course) -> None:
        if self.kept:
            course.restore(torch.load(io.BytesIO(self.kept), weights_only=True))

    def look(self, course: Course) -> None:
        if course.outcome.steps_done == self.step and not self.kept:
            buffer = io.BytesIO()
            torch.save(course.state(), buffer)
            self.kept = buffer.getvalue()


@pytest.mark.parametrize("recipe", ["nanochat", "completep"])
def test_a_run_that_was_cut_off_ends_with_the_same_bits(recipe: str) -> None:
    corpus, spec = markov_corpus(), spec_of(recipe, Shape(48, 3, 3))
    keeper = _Cut(spec.steps // 2)
    whole = train_run(spec, corpus, keeper=keeper)
    again = train_run(spec, corpus, keeper=_Cut(0, keeper.kept))
    assert again.resumed_at == [spec.steps // 2]
    assert again.curve == whole.curve and again.validation == whole.validation


def test_names_that_do_not_exist_and_pairs_that_do_not_go() -> None:
    model = Transformer(TINY, 0)
    corpus = markov_corpus()
    spec = RECIPES["nanochat"](TINY, 20_000, corpus)
    with pytest.raises(RequestError, match="does not go"):
        optimizer_for(model, dataclasses.replace(spec, parameterisation="completep"))
    with pytest.raises(UnknownNameError, match="muon"):
        optimizer_for(model, dataclasses.replace(spec, optimizer="muom"))
    with pytest.raises(UnknownNameError, match="completep"):
        scaling_of("complete", TINY)


def test_completep_s_factors_are_those_of_its_table() -> None:
    found = scaling_of("completep", Shape(128, 8, 4))  # m_d = 4, m_L = 4, heads of 32
    assert (found.branch, found.logits, found.hidden_rate, found.hidden_decay) == (1 / 4, 1 / 4, 1 / 4, 4)
    assert found.eps == 1 / 16 and found.attention == 4 / 32
    base = scaling_of("completep", BASE)
    assert (base.branch, base.logits, base.hidden_rate, base.hidden_decay, base.eps) == (1, 1, 1, 1, 1)
    assert base.attention == BASE.head_dim**-0.5 and scaling_of("standard", SMALL) == STANDARD


def test_completep_s_rates_reach_the_weights_they_are_for() -> None:
    shape = Shape(128, 8, 8)
    spec, model = spec_of("completep", shape), Transformer(shape, 0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = optimizer_for(model, spec).param_groups
    of = {names[id(w)]: (g["lr"], g["weight_decay"], g["eps"]) for g in groups for w in g["params"]}
    eps = spec.eps / 16
    assert of["blocks.7.mlp_up.weight"] == (spec.lr / 4, 0.4, eps)
    assert of["head.weight"] == (spec.lr, 0.1, eps)
    assert of["embedding.weight"] == of["blocks.3.mlp_norm.weight"] == of["norm.weight"] == (spec.lr, 0.0, eps)


def test_at_the_base_completep_is_the_plain_model_bit_for_bit() -> None:
    corpus = markov_corpus()
    plain, scaled = (train_run(spec_of(name, BASE), corpus) for name in ("wsd-adamw", "completep"))
    assert plain.curve == scaled.curve and plain.validation == scaled.validation


def test_the_first_change_of_the_logits_does_not_depend_on_the_width() -> None:
    """Only the head learns in the first step: what it adds to the right token's logit is a sum over the width."""
    tokens, change = torch.arange(128)[None], {}
    for name in PARAMETERISATIONS:
        for width in (32, 128):
            spec = RECIPES["wsd-adamw"](Shape(width, 2, width // 16), 20_000, markov_corpus(), lr=0.001)
            spec = dataclasses.replace(spec, parameterisation=name)
            course = Course(spec)
            torch.nn.functional.cross_entropy(course.model(tokens)[0], tokens[0]).backward()
            course.optimizer.step()
            change[name, width] = course.model(tokens)[0].diagonal().mean().item()
    assert change["completep", 128] == pytest.approx(change["completep", 32], rel=0.1)
    assert change["standard", 128] > 2.5 * change["standard", 32]

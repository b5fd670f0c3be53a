"""Engines: found by name, refused where they cannot work, and the same runs on each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab_help import TINY

from isoloss.core.accounting import Shape
from isoloss.core.errors import RequestError, TrainingError, UnknownNameError
from isoloss.core.spec import Spec
from isoloss.lab import load_corpus, load_ladder, load_records, train
from isoloss.lab.engine import Job, engine_for, engine_names
from isoloss.lab.engines._places import Stack
from isoloss.lab.engines._stacked import Stacked
from isoloss.lab.engines.cuda import COPIES, Cuda, Work, bytes_of
from isoloss.lab.engines.fsdp import check_shares
from isoloss.lab.ladder import engine_of
from isoloss.lab.optimizers import OPTIMIZERS
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.trainer import train_run

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")  # of stacks, on a processor
NARROW = Shape(width=16, depth=2, heads=2, context=32)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As a training process has: several runs in threads would fight for the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(seed: int = 0, tokens: int = 3_840, shape: Shape = NARROW, **options) -> Spec:
    return wsd_adamw(shape, tokens, load_corpus("python"), seed, **{"batch": 256, **options})


def stacked(specs: list[Spec], out: Path, **options) -> dict[str, dict]:
    """Train on the engine "cuda" as a GPU would, on the processor, and return the records by id."""
    events: list[dict] = []
    out.mkdir(exist_ok=True)
    engine = Cuda("cpu", **options)
    engine.check(specs)
    engine.train(specs, Job(out, events.append))
    assert {event["id"] for event in events if event["event"] == "ended"} == {spec.id for spec in specs}
    return {record["id"]: record for record in load_records(out)}


def test_stacked_runs_have_the_losses_of_runs_alone(tmp_path: Path) -> None:
    specs = [
        tiny(),
        tiny(seed=1, lr=0.02),
        dataclasses.replace(tiny(seed=2), clip=0.05, weight_decay=0.3, beta2=0.95),
        tiny(tokens=1_920),
    ]
    records = stacked(specs, tmp_path)
    for spec in specs:
        alone, record = train_run(spec, load_corpus("python")), records[spec.id]
        losses, expected = ([point["train_loss"] for point in curve] for curve in (record["curve"], alone.curve))
        assert np.allclose(losses, expected, rtol=2e-5) and alone.validation
        assert record["loss"] == pytest.approx(alone.validation.loss, rel=2e-5)
        assert record["validations"][0]["loss"] == pytest.approx(alone.validations[0]["loss"], rel=2e-5)
        assert (record["engine"], record["together"]) == ("cuda", 4)


def test_a_run_that_diverges_leaves_the_stack_and_the_others_go_on(tmp_path: Path) -> None:
    specs = [tiny(), tiny(seed=1, lr=1e3), tiny(seed=2)]
    records = stacked(specs, tmp_path)
    assert [records[spec.id]["status"] for spec in specs] == ["done", "diverged", "done"]
    for spec in (specs[0], specs[2]):
        alone = train_run(spec, load_corpus("python")).validation
        assert alone and records[spec.id]["loss"] == pytest.approx(alone.loss, rel=2e-5)


def test_another_optimizer_steps_by_itself_on_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def momentum(model: torch.nn.Module, spec: Spec) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=spec.lr, momentum=0.9)

    monkeypatch.setitem(OPTIMIZERS, "momentum", momentum)
    specs = [dataclasses.replace(tiny(seed), optimizer="momentum", lr=0.1) for seed in (0, 1)]
    records = stacked(specs, tmp_path)
    for spec in specs:
        alone = train_run(spec, load_corpus("python")).validation
        assert alone and records[spec.id]["loss"] == pytest.approx(alone.loss, rel=2e-5)


def test_a_stack_that_is_stopped_goes_on_from_what_each_run_kept(tmp_path: Path) -> None:
    specs = [tiny(), tiny(seed=1)]
    work = Work(Job(tmp_path, lambda event: event["event"] == "point" and event["step"] >= 5 and work.stop.set()))
    stack = Stack("cpu", 2)
    work.train([(spec, stack) for spec in specs])
    sizes = [(tmp_path / spec.id / "checkpoint").stat().st_size for spec in specs]
    assert not load_records(tmp_path)
    assert max(sizes) < 4 * 3 * specs[0].counts.params + 60_000, "a checkpoint holds its own run alone"
    records = stacked(specs, tmp_path)
    for spec in specs:
        alone = train_run(spec, load_corpus("python")).validation
        assert alone and records[spec.id]["loss"] == pytest.approx(alone.loss, rel=2e-5)
        assert 5 <= records[spec.id]["resumed_at"][0] < spec.steps


def test_large_runs_have_the_device_to_themselves(tmp_path: Path) -> None:
    specs = [tiny(), tiny(seed=1)]
    engine = Cuda("cpu", large=1)
    assert [len(group) for group in engine.groups(specs)] == [1, 1]
    records = stacked(specs[:1], tmp_path, large=1, compiling=False)
    alone = train_run(specs[0], load_corpus("python")).validation
    assert alone and records[specs[0].id]["loss"] == alone.loss
    assert (records[specs[0].id]["together"], records[specs[0].id]["compiled"]) == (1, False)


def test_runs_are_grouped_by_shape_and_batch_and_no_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [tiny(), tiny(seed=1), tiny(seed=2), tiny(batch=512), tiny(shape=TINY)]
    engine = Cuda("cpu")
    assert sorted(len(group) for group in engine.groups(specs)) == [1, 1, 3]
    assert sorted(len(group) for group in engine.groups(specs, most=2)) == [1, 1, 1, 2]
    assert all(len({(s.shape, s.batch) for s in group}) == 1 for group in engine.groups(specs))


def test_what_a_run_takes_grows_with_its_batch_and_its_shape() -> None:
    small, twice = bytes_of(tiny(), "cpu"), bytes_of(tiny(batch=512), "cpu")
    weights = COPIES * 4 * tiny().counts.params
    assert 1.8 < (twice - weights) / (small - weights) < 2.2
    assert bytes_of(tiny(shape=TINY, batch=512), "cpu") != twice


def test_a_stack_that_does_not_fit_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Stacked.step

    def full(self: Stacked, *args: Any) -> list[float]:
        if len(self.courses) > 1:
            raise torch.OutOfMemoryError("full")
        return real(self, *args)

    monkeypatch.setattr(Stacked, "step", full)
    records = stacked([tiny(), tiny(seed=1)], tmp_path)
    assert [record["together"] for record in records.values()] == [1, 1]


def test_a_run_for_another_corpus_is_refused_and_the_rest_of_its_stack_is_trained(tmp_path: Path) -> None:
    foreign = dataclasses.replace(tiny(seed=1), corpus_digest="0" * 64)
    with pytest.raises(TrainingError, match=r"1 of 2 runs could not be trained(.|\n)*other bytes"):
        Cuda("cpu").train([tiny(), foreign], Job(tmp_path, lambda event: None))
    assert [record["id"] for record in load_records(tmp_path)] == [tiny().id]


def test_bfloat16_is_of_the_products_alone_and_part_of_the_run(tmp_path: Path) -> None:
    spec = dataclasses.replace(tiny(), dtype="bfloat16")
    assert spec.id != tiny().id
    low, high = (train_run(s, load_corpus("python")).validation for s in (spec, tiny()))
    assert low and high and low.loss != high.loss and low.loss == pytest.approx(high.loss, rel=0.01)
    assert stacked([spec], tmp_path)[spec.id]["loss"] == pytest.approx(low.loss, rel=1e-3)


def test_engines_are_found_by_name_and_others_are_answered(tmp_path: Path) -> None:
    assert engine_names() == ("cpu", "cuda", "fsdp", "ray")
    with pytest.raises(UnknownNameError, match="Near names: cuda"):
        engine_for("cudda")
    with pytest.raises(UnknownNameError, match="There is no engine 'gpu'"):
        train(tiny(), tmp_path / "runs", engine="gpu")
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_engine_cuda_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"needs an NVIDIA GPU(.|\n)*engine = \"cpu\""):
        train(tiny(), tmp_path / "runs", engine="cuda")
    assert not (tmp_path / "runs").exists()


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(RequestError, match="8 sequences cannot be shared out among 3 processes"):
        check_shares([tiny()], 3)


def test_a_ladder_names_its_engine_and_dtype(tmp_path: Path) -> None:
    path = tmp_path / "ladder.toml"
    path.write_text(
        'schema = 1\ncorpus = "python"\nengine = "ray"\ndtype = "bfloat16"\n[[runs]]\ndials = [2]\ntokens = [40_000]\n'
    )
    assert engine_of(path) == "ray" and {spec.dtype for spec in load_ladder(path)} == {"bfloat16"}
    path.write_text(path.read_text().replace("bfloat16", "float8"))
    with pytest.raises(RequestError, match=r"no dtype 'float8'(.|\n)*float32, bfloat16"):
        load_ladder(path)


@pytest.mark.slow
def test_a_model_in_two_parts_has_the_losses_of_a_whole_one(tmp_path: Path) -> None:
    specs = [tiny(), tiny(seed=1, lr=1e3), dataclasses.replace(tiny(), corpus_digest="0" * 64)]
    events: list[dict] = []
    with pytest.raises(TrainingError, match=r"1 of 3 runs could not be trained(.|\n)*other bytes"):
        engine_for("fsdp").train(specs, Job(tmp_path, events.append, workers=2))
    records = {record["id"]: record for record in load_records(tmp_path)}
    alone, record = train_run(specs[0], load_corpus("python")), records[specs[0].id]
    losses, expected = ([point["train_loss"] for point in curve] for curve in (record["curve"], alone.curve))
    assert alone.validation and record["loss"] == pytest.approx(alone.validation.loss, rel=1e-5)
    assert np.allclose(losses, expected, rtol=1e-5) and (record["engine"], record["parts"]) == ("fsdp", 2)
    assert records[specs[1].id]["status"] == "diverged"
    lines = (tmp_path / specs[0].id / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == record["curve"]

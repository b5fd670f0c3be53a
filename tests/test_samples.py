"""The shipped ladder: it is what ladder.toml asks for, and it is what its provenance says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_help import TINY

from isoloss import samples
from isoloss.core.accounting import Shape, count, training_flops
from isoloss.core.errors import DataError
from isoloss.lab import load_corpus, load_ladder
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.samples import build


def record_of(spec, loss: float = 2.0, status: str = "done") -> dict[str, Any]:
    """A record as training writes it, as far as the sample needs one."""
    counts = {name: getattr(spec.counts, name) for name in ("params", "body_params", "matmul_params")}
    return {
        "id": spec.id,
        "status": status,
        "spec": {**spec.to_json(), "split": "train"},
        "counts": counts,
        "tokens": spec.tokens,
        "unique_tokens": 28_000_000,
        "flops": spec.flops,
        "loss": loss,
        "loss_se": 0.02,
        "bits_per_byte": loss / math.log(2),
        "steps": spec.steps,
        "seconds": 1.25,
        "cpu_seconds": 1.0,
        "corpus": {"name": "python", "digest": spec.corpus_digest},
        "environment": {"torch": "2.13.0"},
        "source_digest": "ab",
        "ended": f"2026-01-0{1 + spec.seed}T00:00:00Z",
    }


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A run folder in which all training runs of the shipped ladder are done."""
    for number, spec in enumerate(load_ladder(samples.ladder_toml())):
        if spec.split == "train":
            (tmp_path / spec.id).mkdir()
            (tmp_path / spec.id / "record.json").write_text(json.dumps(record_of(spec, 1.5 + number / 7)))
    return tmp_path


def test_building_keeps_every_run_with_all_its_digits(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    runs = build.build(stored, tmp_path / "to")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "to" / "ladder.csv").read_text())))
    assert [float(row["loss"]) for row in rows] == runs["loss"].tolist()
    assert [row["id"] for row in rows] == runs["id"].tolist() and len(rows) == len(runs) > 60
    about = json.loads((tmp_path / "to" / "ladder.json").read_text())
    assert about["runs"] == len(runs) and about["first_ended"] < about["last_ended"]
    assert about["files"]["ladder.csv"]["sha256"] == digest_of(tmp_path / "to" / "ladder.csv")


def test_building_takes_the_labels_of_the_ladder_and_waits_for_its_held_out_runs(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    held_out = [spec for spec in load_ladder(samples.ladder_toml()) if spec.split == "test"]
    assert len(build.build(stored, tmp_path / "to").where(split="test")) == 0
    (stored / held_out[0].id).mkdir()
    (stored / held_out[0].id / "record.json").write_text(json.dumps(record_of(held_out[0], loss=1.2)))
    assert build.build(stored, tmp_path / "to").where(split="test")["loss"].tolist() == [1.2]


@pytest.mark.parametrize("fault", ["lacking", "diverged"])
def test_building_from_a_ladder_that_is_not_done_is_refused(stored: Path, fault: str) -> None:
    spec = load_ladder(samples.ladder_toml())[0]
    record = stored / spec.id / "record.json"
    record.unlink() if fault == "lacking" else record.write_text(json.dumps(record_of(spec, status="diverged")))
    with pytest.raises(DataError, match=f"1 training runs of the ladder are not done: {spec.id}"):
        build.build(stored, stored)


def test_runs_that_are_not_of_the_ladder_stay_out(stored: Path) -> None:
    other = wsd_adamw(TINY, 20_000, load_corpus("python"))
    (stored / other.id).mkdir()
    (stored / other.id / "record.json").write_text(json.dumps(record_of(other)))
    assert other.id not in build.build(stored, stored)["id"]


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_shipped_files_are_those_of_the_provenance() -> None:
    about = samples.provenance()
    assert {name: file["sha256"] for name, file in about["files"].items()} == {
        name: digest_of(samples.FOLDER / name) for name in ("ladder.toml", "ladder.csv")
    }
    assert about["runs"] == len(samples.ladder())
    assert len(about["source_digest"]) == 1, "all runs were trained by the same code"
    assert len({corpus["digest"] for corpus in about["corpus"]}) == 1, "and on the same bytes"


def test_the_shipped_ladder_has_counts_that_follow_from_its_shapes() -> None:
    runs = samples.ladder()
    for i in range(len(runs)):
        width, depth, heads, vocab, context = (
            int(runs[name][i]) for name in ("width", "depth", "heads", "vocab", "context")
        )
        shape = Shape(width, depth, heads, vocab, context)
        assert runs["params"][i] == count(shape).params and runs["matmul_params"][i] == count(shape).matmul_params
        assert runs["flops"][i] == pytest.approx(training_flops(shape) * runs["tokens"][i], rel=1e-12)
    assert np.allclose(runs["steps"] * runs["batch"], runs["tokens"])
    assert np.allclose(runs["bits_per_byte"], runs["loss"] / np.log(2))


def test_in_the_shipped_ladder_more_data_and_larger_models_help() -> None:
    """Averaged over seeds, at every size each longer horizon is better; from 1.6M tokens on, each larger size is."""
    runs = samples.ladder().where(split="train")

    def means(fixed: str, value: float, varied: str) -> list[float]:
        chosen = runs.take(runs[fixed] == value)
        return [chosen["loss"][chosen[varied] == v].mean() for v in np.unique(chosen[varied])]

    for size in np.unique(runs["params"]):
        assert np.all(np.diff(means("params", size, "tokens")) < 0)
    for tokens in (t for t in np.unique(runs["tokens"]) if t > 1.5e6):
        assert np.all(np.diff(means("tokens", tokens, "params")) < 0)
    assert runs["loss"].min() > 0.9 and runs["loss"].max() < 2.6


def test_the_shipped_ladder_holds_out_runs_far_beyond_the_others() -> None:
    runs = samples.ladder()
    held_out = runs.where(split="test")
    assert len(held_out) in (0, 2)
    assert np.all(held_out["flops"] >= 4 * runs.where(split="train")["flops"].max())

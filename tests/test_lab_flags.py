"""Flags, further seeds and the list of runs: on records made up, whose oddities are known."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_help import markov_corpus
from typer.testing import CliRunner

from isoloss.cli.app import app
from isoloss.core.accounting import Shape
from isoloss.core.errors import RequestError
from isoloss.core.spec import Spec
from isoloss.lab import flags, more_seeds
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.record import counts_of
from isoloss.lab.store import queue, write_json

SHAPES = [Shape(width=16 * k, depth=2, heads=k) for k in (1, 2, 3, 4)]
TOKENS = [20_000, 60_000, 180_000]


def spec_of(shape: Shape, tokens: int, seed: int = 0, **options: Any) -> Spec:
    return wsd_adamw(shape, tokens, markov_corpus(), seed, max_epochs=9, **options)


def record_of(spec: Spec, scatter: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Return the record of a run whose loss is that of a law, and a little beside it."""
    law = 1.2 + 20 * spec.counts.params**-0.35 + 30 * spec.tokens**-0.3
    chance = np.random.default_rng(int(spec.id, 16)).standard_normal()
    return {
        "id": spec.id,
        "status": "done",
        "why": "all tokens seen",
        "spec": json.loads(json.dumps(spec.to_json())),
        "counts": counts_of(spec.counts, spec.shape),
        "tokens": spec.tokens,
        "loss": law * float(np.exp(scatter * chance)),
        **changes,
    }


GRID = [spec_of(shape, tokens) for shape in SHAPES for tokens in TOKENS]


def found(records: list[dict[str, Any]], code: str) -> list[str]:
    return [flag.id for flag in flags(records) if flag.code == code]


def test_a_fair_ladder_has_no_flags() -> None:
    for seed in range(5):
        specs = [dataclasses.replace(spec, seed=seed) for spec in GRID]
        assert flags([record_of(spec, 0.01) for spec in specs]) == ()


@pytest.mark.parametrize("place", range(len(GRID)), ids=lambda i: f"{SHAPES[i // 3].width}-{TOKENS[i % 3]}")
@pytest.mark.parametrize("factor", [1.2, 0.8])
def test_a_loss_off_its_place_is_seen_wherever_it_is(place: int, factor: float) -> None:
    records = [record_of(spec, 0.004) for spec in GRID]
    records[place]["loss"] *= factor
    (flag,) = flags(records)
    assert (flag.code, flag.id) == ("outlier", GRID[place].id)
    assert f"run {GRID[place].id} (" in flag.said and ("above" if factor > 1 else "below") in flag.said


def test_seeds_beside_it_show_a_run_that_is_off_and_two_are_found_one_after_the_other() -> None:
    specs = [dataclasses.replace(spec, seed=seed) for spec in GRID for seed in (0, 1, 2)]
    records = [record_of(spec, 0.005) for spec in specs]
    records[4]["loss"] *= 1.15
    records[30]["loss"] *= 1.4
    assert set(found(records, "outlier")) == {specs[4].id, specs[30].id}


def test_too_few_runs_show_no_surface_and_other_recipes_are_no_neighbours() -> None:
    records = [record_of(spec) for spec in GRID[:6]]
    records[2]["loss"] *= 2
    assert flags(records) == ()
    others = [record_of(dataclasses.replace(spec, optimizer="muon"), 0.003) for spec in GRID]
    shifted = [{**record, "loss": record["loss"] * 1.5} for record in others]
    assert flags([*(record_of(spec, 0.003) for spec in GRID), *shifted]) == ()


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        ({0.01: 2.0, 0.02: 2.1, 0.04: 2.2}, "0.01, is the lowest tried"),
        ({0.01: 2.2, 0.02: 2.1, 0.04: 2.0}, "0.04, is the highest tried"),
        ({0.01: 2.2, 0.02: 2.1, 0.04: 2.3}, None),
        ({0.01: 2.2, 0.02: 2.1, 0.04: None}, None),
        ({0.01: 2.1, 0.02: None, 0.04: None}, "0.01, is the lowest tried"),
        ({0.01: 2.2}, None),
    ],
)
def test_a_best_rate_at_the_end_of_those_tried_is_flagged(losses: dict[float, float | None], says: str | None) -> None:
    runs = [(rate, loss, seed) for rate, loss in losses.items() for seed in (0, 1)]
    records = [
        record_of(spec_of(SHAPES[0], 20_000, seed, lr=rate), loss=loss, status="done" if loss else "diverged")
        for rate, loss, seed in runs
    ]
    edges = [flag for flag in flags(records) if flag.code == "rate_edge"]
    assert len(edges) == (says is not None) and all(str(says) in flag.said for flag in edges)


def test_rates_are_compared_over_seeds_and_the_worse_ones_are_no_outliers() -> None:
    swept = [
        spec_of(s, t, seed, lr=rate) for s in SHAPES for t in TOKENS for seed in (0, 1) for rate in (0.01, 0.02, 0.04)
    ]
    records = [record_of(spec, 0.002) for spec in swept]
    for record in records:
        record["loss"] *= {0.01: 1.3, 0.02: 1.0, 0.04: 1.2}[record["spec"]["lr"]]
    assert flags(records) == ()


def test_a_run_that_diverged_is_flagged_with_its_reason() -> None:
    lost = record_of(GRID[3], status="diverged", loss=None, why="training loss nan at step 7")
    (flag,) = flags([lost])
    assert str(flag).startswith(f"diverged: run {GRID[3].id} (") and "nan at step 7" in flag.said


def test_more_seeds_go_first_to_what_went_wrong_and_then_to_where_noise_is() -> None:
    specs = [dataclasses.replace(spec, seed=seed) for spec in GRID for seed in (0, 1)]
    records = [record_of(spec, 0.03 if spec.shape == SHAPES[0] else 0.002) for spec in specs]
    lost, off = specs[7], specs[20]
    records[7] |= {"status": "diverged", "loss": None}
    records[20]["loss"] *= 3
    chosen = more_seeds(records, specs, 6)
    assert [dataclasses.replace(spec, seed=s.seed) for spec, s in zip(chosen[:2], (lost, off), strict=True)] == [
        lost,
        off,
    ]
    assert {spec.seed for spec in chosen} == {2} and len({spec.id for spec in chosen}) == 6
    assert {spec.shape for spec in chosen[2:5]} == {SHAPES[0]}


def test_more_seeds_spread_over_cells_where_nothing_is_known_of_noise() -> None:
    records = [record_of(spec, 0.001) for spec in GRID]
    chosen = more_seeds(records, GRID, 12)
    assert sorted((s.tokens, s.shape.width) for s in chosen) == sorted((s.tokens, s.shape.width) for s in GRID)
    assert chosen[0].flops == min(spec.flops for spec in GRID)
    again = more_seeds([*records, *(record_of(spec, 0.001) for spec in chosen)], GRID, 3)
    assert {spec.seed for spec in again} == {2}


def test_more_seeds_of_what_is_held_out_or_of_none_are_none() -> None:
    held_out = [dataclasses.replace(spec, split="test") for spec in GRID]
    assert more_seeds([record_of(spec) for spec in held_out], held_out, 3) == ()
    with pytest.raises(RequestError, match="0 more runs"):
        more_seeds([], GRID, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    queue(tmp_path, GRID)
    for spec in GRID[:-1]:
        told = {"schema": 1, "steps_done": spec.steps, "train_loss": 2.0, "bits_per_byte": 3.0}
        record = record_of(spec, 0.003, **told)
        record["loss"] *= 1.3 if spec == GRID[5] else 1.0
        write_json(tmp_path / spec.id / "record.json", record)
    return tmp_path


def runs(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["runs", *words])
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code == 0 else result.stderr


def test_the_list_names_every_run_and_what_is_odd(folder: Path) -> None:
    shown = runs(str(folder))
    lines = shown.splitlines()
    assert lines[0].split() == ["id", "params", "tokens", "seed", "status", "step", "loss", "flags"]
    assert len(lines) == 1 + len(GRID) + 2 and f"12 runs in {folder}: 11 done, 1 queued." in lines
    (odd,) = [line for line in lines if line.endswith("outlier")]
    assert odd.startswith(GRID[5].id) and lines[-1].startswith(f"outlier: run {GRID[5].id}")


def test_the_list_as_json_and_made_anew(folder: Path) -> None:
    told = json.loads(runs(str(folder), "--json"))
    assert told["counts"] == {"done": 11, "queued": 1} and [flag["id"] for flag in told["flags"]] == [GRID[5].id]
    assert {run["id"]: run["flags"] for run in told["runs"]}[GRID[5].id] == ["outlier"]
    (folder / "index.sqlite").write_bytes(b"what is no database" * 1000)
    assert json.loads(runs(str(folder), "--json", "--rebuild")) == told
    assert "There is no folder" in runs(str(folder / "none"), code=1)
    (folder / "empty").mkdir()
    assert runs(str(folder / "empty")).splitlines()[-1] == f"0 runs in {folder / 'empty'}."

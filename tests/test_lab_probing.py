"""The checks of a recipe: what they say of known slopes and basins, and that they catch a fault that was planted."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lab_help import SMALL, markov_corpus
from typer.testing import CliRunner

from isoloss.cli.app import app
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.lab import dials, parameterisation
from isoloss.lab.probes.basin import Basins, basin_of, lr_basin
from isoloss.lab.probes.coordinates import Coordinates, coordinate_check, slope_of

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
QUICK = {"widths": (32, 64, 96), "depths": (), "steps": 6, "seeds": (0,)}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_slope_and_its_error_by_hand() -> None:
    sizes, rng = [16, 32, 64, 128] * 3, np.random.default_rng(0)
    changed = 3 * np.array(sizes) ** 0.5 * np.exp(rng.normal(0, 0.05, 12))
    found = slope_of("layer", sizes, tuple(changed))
    design = np.column_stack([np.log(sizes), np.ones(12)])
    theta, (squares,), *_ = np.linalg.lstsq(design, np.log(changed), rcond=None)
    assert found.slope == pytest.approx(theta[0])
    assert found.se == pytest.approx(math.sqrt(squares / 10 * np.linalg.inv(design.T @ design)[0, 0]))
    assert not found.is_flat and slope_of("still", sizes, (0.0,) * 12).changes[0] == 0


@pytest.fixture(scope="module")
def along_width() -> Coordinates:
    torch.set_num_threads(1)
    (found,) = coordinate_check("completep", markov_corpus(), **QUICK)
    return found


def test_with_completep_nothing_depends_on_the_width(along_width: Coordinates) -> None:
    assert (along_width.along, along_width.steps, along_width.parameterisation) == ("width", 6, "completep")
    assert {s.layer for s in along_width.slopes} >= {"embedding", "inside the MLP", "stream after all blocks", "logits"}
    assert all(abs(s.slope) < 0.25 for s in along_width.slopes), str(along_width)
    assert json.loads(json.dumps(along_width.to_json(), allow_nan=False))["saw"]


def test_a_rule_that_was_taken_away_is_seen(along_width: Coordinates, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(shape):
        return dataclasses.replace(parameterisation.completep(shape), hidden_rate=1.0)

    monkeypatch.setitem(parameterisation.PARAMETERISATIONS, "completep", faulty)
    (found,) = coordinate_check("completep", markov_corpus(), **QUICK)
    layer = "inside the MLP"
    assert found[layer].slope > 0.6 > 3 * abs(along_width[layer].slope)
    assert not found[layer].is_flat and any(layer in sentence for sentence in found.sentences)


def test_the_plain_model_s_layers_do_not_move_alike() -> None:
    (found,) = coordinate_check("default", markov_corpus(), **QUICK)
    assert found.recipe == "wsd-adamw" and found["embedding"].slope < -0.4
    assert any("'embedding'" in sentence for sentence in found.sentences)


def test_with_completep_nothing_depends_on_the_depth() -> None:
    (found,) = coordinate_check("completep", markov_corpus(), widths=(), depths=(2, 4, 8), steps=6, seeds=(0,))
    assert all(abs(s.slope) < 0.25 for s in found.slopes), str(found)


def test_coordinates_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(RequestError, match="4 or more"):
        coordinate_check("completep", markov_corpus(), steps=2)


def parabola(best: float, curve: float = 0.05) -> np.ndarray:
    return 2.0 + curve * (np.log(FACTORS) - math.log(best)) ** 2


def test_a_parabola_s_least_and_its_cost_are_found() -> None:
    found = basin_of(SMALL, 0.02, 300_000, FACTORS, parabola(1.5)[:, None])
    assert not found.on_edge and found.best.mid == pytest.approx(1.5)
    assert found.cost.mid == pytest.approx(0.05 * math.log(1.5) ** 2)
    assert found.noise_from == "the parabola's residual" and found.noise < 1e-9


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng, hits, trials = np.random.default_rng(1), 0, 200
    for _ in range(trials):
        loss_fr = parabola(1.3)[:, None] + rng.normal(0, 0.005, (5, 3))
        found = basin_of(SMALL, 0.02, 300_000, FACTORS, loss_fr)
        assert found.noise_from == "3 seeds"
        hits += found.best.low <= 1.3 <= found.best.high
    assert 0.8 <= hits / trials <= 0.98


def test_a_least_loss_outside_the_grid_and_runs_that_diverged_are_told() -> None:
    edge = basin_of(SMALL, 0.02, 300_000, FACTORS, parabola(20)[:, None])
    assert edge.on_edge and math.isnan(edge.best.mid) and "no least loss" in edge.sentences[-1]
    losses = parabola(1.0)
    losses[-1] = math.nan
    cliff = basin_of(SMALL, 0.02, 300_000, FACTORS, losses[:, None])
    assert cliff.best.mid == pytest.approx(1.0) and "diverged at 4 times" in cliff.sentences[0]
    nothing = basin_of(SMALL, 0.02, 300_000, FACTORS, np.full((5, 1), math.nan))
    assert nothing.on_edge and json.dumps(nothing.to_json(), allow_nan=False) and str(nothing)
    far = basin_of(SMALL, 0.02, 1, (1.0, 2.0, 4.0, 8.0, 16.0), np.array([3.0, 2.6, 2.3, 2.0, 2.2])[:, None])
    assert far.best.known and math.isnan(far.cost.mid) and "too far off" in far.sentences[0]
    bottomless = basin_of(SMALL, 0.02, 300_000, (0.5, 1, 2), np.array([2.0, 1.9, 2.1])[:, None])
    assert not bottomless.on_edge and not bottomless.best.known and "unknown" in bottomless.sentences[0]


def test_whether_the_rule_carries_over_is_said() -> None:
    rng = np.random.default_rng(0)
    noisy = [parabola(best)[:, None] + rng.normal(0, 0.002, (5, 3)) for best in (0.6, 1.8)]
    basins = [basin_of(dials.shape(d), 0.02, 1, FACTORS, loss) for d, loss in zip((2, 4), noisy, strict=True)]
    assert Basins("r", tuple(basins)).drift.mid == pytest.approx(3, rel=0.2)
    assert "does not carry over" in Basins("r", tuple(basins)).sentences[-1]
    assert "carries over" in Basins("r", (basins[0], basins[0])).sentences[-1]


def test_the_basin_is_trained_once_and_told_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "probe"
    grid = [word for factor in ("0.5", "1", "2") for word in ("--factor", factor)]
    asked = ["probe", "basin", "--dial", "1", "--tokens", "8000", *grid, "--out", str(out), "--workers", "1", "--json"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    (basin,) = told["basin"]["basins"]
    assert told["coordinates"] == [] and basin["factors"] == [0.5, 1, 2] and len(basin["losses"]) == 3
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/record.json")}
    again = lr_basin(shapes=[dials.shape(1)], tokens=8000, factors=(0.5, 1, 2), out=out)
    assert len(kept) == 3 and kept == {path: path.stat().st_mtime_ns for path in out.glob("*/record.json")}
    assert list(again.basins[0].losses) == basin["losses"]


def test_requests_that_cannot_be_are_refused() -> None:
    with pytest.raises(RequestError, match="no basin"):
        lr_basin(factors=(1.0, 2.0))
    with pytest.raises(RequestError, match="no seeds"):
        lr_basin(seeds=())
    with pytest.raises(UnknownNameError, match="completep"):
        coordinate_check("compleatp", markov_corpus())
    result = CliRunner().invoke(app, ["probe", "bassin"])
    assert result.exit_code == 1 and "basin" in result.output

"""`isoloss plot`: one picture of a table or a fit to a file, and replies where that cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.gallery import EXAMPLES
from isoloss import plots
from isoloss.cli.app import app
from isoloss.core.figure import Figure


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, ["plot", *map(str, words)])


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fits") / "fit.json"
    EXAMPLES["pairs"].given[0].save(path)
    return path


def test_lists_the_pictures_where_none_is_named() -> None:
    done = run("ladder")
    assert done.exit_code == 0
    assert all(name in done.stdout for name in plots.every())
    listed = json.loads(run("ladder", "--json").stdout)
    assert listed["schema"] == 1 and set(listed["pictures"]) == set(plots.every())


def test_writes_a_picture_of_runs(tmp_path: Path) -> None:
    to = tmp_path / "compute.json"
    done = run("ladder", "--picture", "compute", "--draws", 20, "--flops", "1e16", "--to", to, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["picture"] == "compute"
    figure = Figure.from_json(json.loads(to.read_text()))
    assert any(m.label == "the plan for 10¹⁶ FLOP" for m in figure.marks())


def test_writes_a_picture_of_a_saved_fit_beside_a_published_one(fit: Path, tmp_path: Path) -> None:
    to = tmp_path / "allocation.png"
    done = run(fit, "--picture", "allocation", "--beside", "besiroglu2024", "--to", to, "--theme", "dark")
    assert done.exit_code == 0, done.stderr
    assert to.read_bytes().startswith(b"\x89PNG")


def test_options_of_a_picture_are_given_by_name(fit: Path, tmp_path: Path) -> None:
    to = tmp_path / "inference.json"
    assert run(fit, "--picture", "inference", "--set", "loss=1.2", "--set", "served=1B,10B", "--to", to).exit_code == 0
    labels = {m.label for m in Figure.from_json(json.loads(to.read_text())).marks()}
    assert {"1B tokens served", "10B tokens served"} <= labels


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (["--picture", "comput"], "compute"),
        (["--picture", "compute", "--to", "x.doc"], ".svg"),
        (["--picture", "compute", "--to", "no/x.png"], "does not exist"),
        (["--picture", "compute", "--set", "curtains=1"], "curtains"),
        (["--picture", "profile"], "--of PARAMETER"),
        (["--picture", "multiverse"], "--flops"),
        (["--picture", "compute", "--theme", "mauve"], "light, dark"),
    ],
)
def test_says_what_is_wrong_before_any_work(words: list[str], reply: str, tmp_path: Path) -> None:
    to = [] if "--to" in words else ["--to", tmp_path / "x.json"]
    done = run("ladder", *words, *to)
    assert done.exit_code == 1
    assert reply in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_picture_of_runs_needs_a_table(fit: Path, tmp_path: Path) -> None:
    done = run(fit, "--picture", "residuals", "--to", tmp_path / "x.json")
    assert done.exit_code == 1
    assert "needs a table of runs" in done.stderr

"""`isoloss fit`, `profile` and `multiplier` with every option that links, weighs and draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from simulate import CHINCHILLA, sweep
from typer.testing import CliRunner

from isoloss.cli.app import app
from isoloss.core.groups import Groups


def isoloss(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code in (0, 3) else result.stderr


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    one, two = sweep(40, 0.004, 0), sweep(40, 0.004, 1, CHINCHILLA | {"E": 1.7})
    runs = one.with_columns(arch=np.repeat("dense", 40)) + two.with_columns(arch=np.repeat("moe", 40))
    rng = np.random.default_rng(0)
    runs = runs.with_columns(trust=rng.uniform(0.5, 2, 80), budget=np.resize(np.arange(6), 80))
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    runs.to_pandas().to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def groups(table: str) -> str:
    path = str(Path(table).with_name("groups.json"))
    isoloss("fit", table, "--by", "arch", "--share", "alpha,beta", "--draws", "60", "--save", path)
    return path


def test_every_option_at_once(table: str) -> None:
    answer = json.loads(
        isoloss(
            *("fit", table, "--where", "arch=dense", "--hold", "E=1.7", "--tie", "alpha, beta"),
            *("--prior", "alpha=0.35+-0.05", "--weights", "scale", "--uncertainty", "wild", "--draws", "30", "--json"),
        )
    )
    assert answer["params"]["E"] == {"mid": 1.7, "low": 1.7, "high": 1.7}
    assert answer["params"]["alpha"] == answer["params"]["beta"]
    said = " | ".join(answer["assumptions"])
    for words in ("E is held at 1.7", "alpha and beta are tied", "alpha has the prior 0.35 ± 0.05", "scatter of a run",
                  "wild bootstrap"):  # fmt: skip
        assert words in said
    assert answer["certificate"]["bounds"] == []


def test_groups_as_json(table: str) -> None:
    words = ("fit", table, "--by", "arch", "--share", "E,alpha", "--draws", "30", "--json")
    answer = json.loads(isoloss(*words))
    assert (answer["schema"], answer["by"], answer["share"]) == (1, "arch", ["E", "alpha"])
    assert set(answer["groups"]) == {"dense", "moe"}
    assert answer["groups"]["dense"]["params"]["alpha"] == answer["groups"]["moe"]["params"]["alpha"]
    assert answer["groups"]["dense"]["params"]["beta"] != answer["groups"]["moe"]["params"]["beta"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--weights", "trust"], "runs are weighted by column trust"),
        (["--strata", "budget"], "strata by column budget"),
        (["--cluster", "budget", "--where", "arch=dense"], "clusters by column budget"),
        (["--uncertainty", "laplace"], "curvature at the optimum"),
        (["--uncertainty", "sandwich"], "sandwich covariance"),
        (["--prior", "E=1.8±0.01"], "E has the prior 1.8 ± 0.01"),
    ],
)
def test_each_choice_is_among_the_assumptions(table: str, words: list[str], says: str) -> None:
    assert says in " ".join(isoloss("fit", table, *words, "--draws", "20").split())


def test_cluster_none_draws_rows(table: str) -> None:
    assert "bootstrap of clusters" not in isoloss("fit", table, "--cluster", "none", "--draws", "20")


def test_printed_groups_are_saved_and_read_again(table: str, groups: str) -> None:
    shown = isoloss("fit", table, "--by", "arch", "--share", "alpha,beta", "--draws", "60")
    assert max(map(len, shown.splitlines())) <= 100
    head = next(line for line in shown.splitlines() if line.startswith("  arch"))
    assert head.split() == ["arch", "dense", "moe", "equal?"]
    assert sum("shared" in line for line in shown.splitlines()) == 2
    assert str(Groups.load(groups)) in shown


def test_profile_as_text_and_json(table: str) -> None:
    words = ("profile", table, "--of", "alpha", "--where", "arch=moe", "--tie", "alpha,beta", "--level", "0.8")
    answer = json.loads(isoloss(*words, "--json"))
    assert answer["level"] == 0.8 and answer["interval"]["low"] < answer["interval"]["mid"]
    shown = isoloss(*words)
    assert "80% interval of the profile" in shown and "assuming alpha and beta are tied" in shown


def test_multiplier_of_saved_groups_is_paired(groups: str) -> None:
    words = ("multiplier", f"{groups}#moe", f"{groups}#dense", "--flops", "1e20", "--flops", "3e20")
    answer = json.loads(isoloss(*words, "--json"))
    assert answer["paired"] and [a["flops"] for a in answer["answers"]] == [1e20, 3e20]
    first = answer["answers"][0]["multiplier"]
    assert 1 < first["low"] < first["mid"] < first["high"]
    assert "draws of the two fits belong together" in isoloss(*words)


def test_multiplier_of_published_keys() -> None:
    words = ("multiplier", "chinchilla2022_a3_tex", "besiroglu2024", "--flops", "1e27")
    assert "none: no compute is enough" in isoloss(*words)
    assert "it ends at 1.817" in isoloss(*words, "--strict", code=3)


def test_one_of_saved_groups_predicts_and_plans(groups: str) -> None:
    assert "a new run" in isoloss("predict", f"{groups}#moe", "--params", "1B", "--tokens", "20B")
    assert "best use of" in isoloss("plan", f"{groups}#moe", "--flops", "1e21")


WRONG = {
    "hold": (["--hold", "E"], "NAME=VALUE"),
    "hold unknown": (["--hold", "Q=1"], "no parameter of the law 'chinchilla' 'Q'"),
    "hold text": (["--hold", "E=low"], "'low' is not a number"),
    "prior": (["--prior", "alpha=0.35"], "has no width"),
    "prior width": (["--prior", "alpha=0.35+-0"], "positive width"),
    "tie": (["--tie", "alpha"], "ties nothing"),
    "share": (["--share", "E"], "there are no groups"),
    "by": (["--by", "arc"], "no column 'arc'"),
    "weights": (["--weights", "trusts"], "Near names: trust"),
    "replicates": (["--weights", "replicates"], "Only 0 points have repeated runs"),
    "uncertainty": (["--uncertainty", "wilder"], "no uncertainty 'wilder'"),
    "cluster": (["--uncertainty", "cluster"], "No column says which rows belong together"),
    "strata": (["--strata", "depth"], "no column 'depth'"),
    "objective": (["--objective", "huber_log(delta=-1)"], "must be a positive number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_are_replies(table: str, what: str, tmp_path: Path) -> None:
    words, says = WRONG[what]
    reply = isoloss("fit", table, *words, "--draws", "10", "--save", str(tmp_path / "fit.json"), code=1)
    assert says in reply and reply.startswith("isoloss: ") and "Traceback" not in reply
    assert list(tmp_path.iterdir()) == []


def test_other_errors_are_replies(table: str, groups: str) -> None:
    assert "no free parameter" in isoloss("profile", table, "--of", "E", "--hold", "E=1.7", code=1)
    assert "no free parameter" in isoloss("profile", table, "--of", "gamma", code=1)
    assert "holds groups: dense, moe" in isoloss("plan", groups, "--flops", "1e21", code=1)
    assert "no group of arch 'mamba'" in isoloss("plan", f"{groups}#mamba", "--flops", "1e21", code=1)
    assert "a budget" in isoloss("multiplier", "besiroglu2024", "besiroglu2024", "--flops", "0", code=1).lower()
    assert "besiroglu2024" in isoloss("multiplier", "besiroglu", "besiroglu2024", "--flops", "1e21", code=1)
    isoloss("multiplier", "besiroglu2024", "besiroglu2024", code=2)

"""The command line as a user meets it: text and JSON out, replies for errors, nothing written when all is not well."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from isoloss.cli.app import app
from isoloss.core.law import find

ROOT = Path(__file__).resolve().parents[1]
TRUTH = [1.8, 482.0, 2085.0, 0.35, 0.37]


def isoloss(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code in (0, 3) else result.stderr


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    params, tokens = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e8, 1e11, 6)))
    loss = find("chinchilla").value([params, tokens], TRUTH) * np.exp(rng.normal(0, 0.002, 36))
    path = tmp_path_factory.mktemp("sweep") / "runs.csv"
    rows = [f"{n:.6g},{d:.6g},{x:.8g}" for n, d, x in zip(params, tokens, loss, strict=True)]
    path.write_text("\n".join(["N,D,loss", *rows]) + "\n")
    return path


@pytest.fixture
def broken(sweep: Path, tmp_path: Path):
    """A maker of broken copies of the sweep."""

    def make(name: str, change) -> str:
        path = tmp_path / name
        path.write_text(change(sweep.read_text()))
        return str(path)

    return make


def test_fit_as_json_has_the_promised_shape(sweep: Path) -> None:
    answer = json.loads(isoloss("fit", str(sweep), "--draws", "100", "--json"))
    assert answer["schema"] == 1
    assert (answer["law"], answer["status"], answer["n"], answer["level"]) == ("chinchilla", "converged", 36, 0.9)
    assert set(answer["params"]) == {"E", "A", "B", "alpha", "beta"}
    for name, truth in zip(answer["params"], TRUTH, strict=True):
        estimate = answer["params"][name]
        assert estimate["low"] < estimate["mid"] < estimate["high"]
        assert estimate["mid"] == pytest.approx(truth, rel=0.5)


def test_a_saved_fit_predicts_and_plans_like_a_fresh_one(sweep: Path, tmp_path: Path) -> None:
    saved = tmp_path / "fit.json"
    isoloss("fit", str(sweep), "--draws", "50", "--save", str(saved))
    for words in (["predict", "--params", "7B", "--tokens", "140B"], ["plan", "--flops", "1e21"]):
        verb, *rest = words
        fresh = isoloss(verb, str(sweep), *rest, "--draws", "50", "--json")
        assert json.loads(isoloss(verb, str(saved), *rest, "--json")) == json.loads(fresh)


def test_plan_from_a_published_law() -> None:
    answer = json.loads(isoloss("plan", "chinchilla2022_a3_tex", "--flops", "5.76e23", "--json"))
    assert answer["options"][0]["params"]["mid"] == pytest.approx(40e9, abs=1e9)
    assert answer["assumptions"]


def test_laws_and_published_list_and_show() -> None:
    assert {"chinchilla", "kaplan"} <= {law["name"] for law in json.loads(isoloss("laws", "--json"))["laws"]}
    assert "Hoffmann" in isoloss("laws", "chinchilla")
    keys = {entry["key"] for entry in json.loads(isoloss("published", "--json"))["published"]}
    assert {"besiroglu2024", "kaplan2020_L_N", "chinchilla2022_a3"} <= keys
    assert "2404.10102" in isoloss("published", "besiroglu2024")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("missing.csv", lambda t: t.replace("D,", "weather,", 1), "no column 'tokens'"),
        ("text.csv", lambda t: t.replace("\n1e+07", "\nlots", 1), "lots"),
        ("nan.csv", lambda t: re.sub(r",[\d.]+\n", ",nan\n", t, count=1), "no number"),
        ("negative.csv", lambda t: t.replace("\n1e+07", "\n-1e+07", 1), "-1e+07"),
        ("one.csv", lambda t: "\n".join(t.splitlines()[:2]) + "\n", "One run"),
        ("same.csv", lambda t: re.sub(r"\n[\d.e+]+,", "\n1e+08,", t), "params"),
        ("empty.csv", lambda t: "", "empty"),
        ("cut.csv", lambda t: t[:-12], "cut"),
    ],
)
def test_bad_tables_get_a_reply(broken, tmp_path: Path, name: str, change, says: str) -> None:
    path = broken(name, change)
    before = set(tmp_path.iterdir())
    reply = isoloss("fit", path, "--draws", "10", "--save", str(tmp_path / "fit.json"), code=1)
    assert says in reply
    assert "Traceback" not in reply
    assert set(tmp_path.iterdir()) == before


def test_bad_words_get_a_reply(sweep: Path, tmp_path: Path) -> None:
    assert "Near names: chinchilla" in isoloss("fit", str(sweep), "--law", "chinchila", code=1)
    assert "folder" in isoloss("fit", str(sweep), "--save", str(tmp_path / "no" / "fit.json"), code=1)
    assert "NAME=VALUE" in isoloss("fit", str(sweep), "--input", "N", code=1)
    assert "'lots' is not a number" in isoloss("predict", str(sweep), "--params", "lots", "--tokens", "1B", code=1)
    assert "besiroglu2024" in isoloss("plan", "besiroglu", "--flops", "1e21", code=1)
    assert "report" in isoloss("report", str(sweep), "--to", str(tmp_path / "no" / "report.html"), code=1)
    assert list(tmp_path.iterdir()) == []
    isoloss("fit", code=2)


@pytest.mark.parametrize("verb", ["fit", "predict", "plan", "report"])
def test_a_level_that_is_none_is_refused_before_any_work(verb: str, sweep: Path, tmp_path: Path) -> None:
    asked = {"predict": ["--params", "7B", "--tokens", "140B"], "plan": ["--flops", "1e21"]}.get(verb, [])
    written = ["--to", str(tmp_path / "report.html")] if verb == "report" else []
    reply = isoloss(verb, str(sweep), *asked, *written, "--level", "90", code=1)
    assert "The level 90.0 is not between 0 and 1" in reply
    assert list(tmp_path.iterdir()) == []


def test_strict_exits_3_on_a_red_finding(broken) -> None:
    def on_a_ray(text: str) -> str:
        sizes = np.geomspace(1e7, 1e9, 8)
        losses = find("chinchilla").value([sizes, 20 * sizes], TRUTH)
        return "\n".join(["N,D,loss", *(f"{n},{20 * n},{x}" for n, x in zip(sizes, losses, strict=True))]) + "\n"

    path = broken("ray.csv", on_a_ray)
    assert json.loads(isoloss("fit", path, "--draws", "20", "--json"))["status"] in ("flat", "at_bound")
    isoloss("fit", path, "--draws", "20", "--strict", code=3)


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for registered in app.registered_commands:
        assert f"isoloss {registered.name}" in readme, registered.name


def test_python_m_isoloss_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "isoloss", "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"isoloss \d+\.\d+\.\d+\n", done.stdout)


def test_the_command_line_starts_light() -> None:
    heavy = "{'sympy', 'scipy', 'plotly', 'torch', 'narwhals', 'pandas', 'matplotlib', 'fastapi'}"
    program = f"import sys, isoloss.cli.app; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_warm_fit_does_without_sympy_and_scipy(sweep: Path) -> None:
    heavy = "sorted({'sympy', 'scipy'} & set(sys.modules))"
    code = f"import sys; from isoloss import fit; fit({str(sweep)!r}, draws=10); print({heavy})"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[1].stdout.strip() == "[]"

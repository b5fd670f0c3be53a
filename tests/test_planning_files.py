"""What planning writes and reads as a user meets it: files of a recipe, the list of accelerators, saved groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from simulate import CHINCHILLA, sweep
from typer.testing import CliRunner

import isoloss as il
from isoloss.cli.app import app
from isoloss.core.errors import RequestError
from isoloss.lab.ladder import load_ladder
from isoloss.planning import plan
from isoloss.planning.multiplier import PAIRED


def isoloss(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception!r}"
    return result.stdout if code == 0 else result.stderr


class TestRecipeFiles:
    def test_a_config_is_the_shape_that_was_told(self, tmp_path: Path) -> None:
        path = tmp_path / "config.json"
        asked = [
            "besiroglu2024",
            "--flops",
            "1e22",
            "--style",
            "llama",
            "--vocab",
            "128256",
            "--json",
            "--write-config",
        ]
        (option,) = json.loads(isoloss("plan", *asked, str(path)))["options"]
        config = json.loads(path.read_text())
        assert config["hidden_size"] == option["width"]["mid"] and config["vocab_size"] == 128256
        assert config["num_hidden_layers"] == option["depth"]["mid"]

    def test_a_ladder_is_read_by_train(self, tmp_path: Path) -> None:
        path = tmp_path / "ladder.toml"
        made = plan("besiroglu2024", flops=1e14, style="lab", write_ladder=path)
        (spec,) = load_ladder(path)
        assert spec.tokens == made.options[0].tokens.mid and spec.steps == made.options[0].steps.mid
        assert any(line == f"written to {path}" for line in made.assumptions)

    def test_what_one_file_cannot_hold_leaves_neither(self, tmp_path: Path) -> None:
        config, ladder = tmp_path / "config.json", tmp_path / "ladder.toml"
        with pytest.raises(RequestError, match="isoloss train does not train"):
            plan("besiroglu2024", flops=1e22, style="llama", write_config=config, write_ladder=ladder)
        assert not config.exists() and not ladder.exists()
        asked = f"besiroglu2024 --flops 1e22 --style llama --write-config {tmp_path}/no/config.json"
        assert "does not exist" in isoloss("plan", *asked.split(), code=1)

    def test_routed_styles_need_a_fit_of_routed_models(self, tmp_path: Path) -> None:
        reply = isoloss("plan", *["besiroglu2024", "--flops", "1e22", "--style", "moe"], code=1)
        assert "is of dense models" in reply and "ludziejewski2025" in reply
        path = tmp_path / "config.json"
        plan("ludziejewski2025", flops=1e21, style="moe", experts=16, write_config=path)
        config = json.loads(path.read_text())
        assert config["num_local_experts"] == 16 and config["model_type"] == "mixtral"
        (option,) = plan("ludziejewski2025", flops=1e21, style="moe", experts=16).options
        (routed,) = plan("ludziejewski2025", flops=1e21, experts=16).options
        assert option.active_params.mid == pytest.approx(routed.active_params.mid, rel=0.05)
        assert option.params.mid > 5 * option.active_params.mid


class TestHardware:
    def test_the_list_and_one_of_it(self) -> None:
        listed = isoloss("hardware")
        assert "h100-sxm" in listed and "m3-ultra" in listed and "isoloss hardware NAME" in listed
        assert max(map(len, listed.splitlines())) <= 120
        assert "989" in isoloss("hardware", "h100") or "9.894e+14" in isoloss("hardware", "h100")

    def test_json_has_every_number_and_its_source(self) -> None:
        told = json.loads(isoloss("hardware", "--json"))
        assert told["schema"] == 1
        h100 = next(a for a in told["accelerators"] if a["key"] == "h100-sxm")
        assert h100["flops"] == 989.4e12 and h100["price"]["low"] == 2.69 and "2026" in h100["sources"]["price"]
        ultra = next(a for a in told["accelerators"] if a["key"] == "m3-ultra")
        assert ultra["flops"] is None and ultra["price"]["mid"] is None

    def test_a_table_of_ones_own(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text('schema = 1\n[accelerators.mine]\nname = "Mine"\nflops = 1e14\nmemory = 80e9\nprice = 2\n')
        assert "Mine" in isoloss("hardware", "--hardware", str(path))
        asked = f"besiroglu2024 --dollars 2M --accelerator mine --hardware {path} --json"
        (low, mid, high) = json.loads(isoloss("plan", *asked.split()))["options"]
        assert mid["flops"]["mid"] == pytest.approx(1e6 * 3600 * 0.4 * 1e14)
        assert low["flops"]["mid"] < mid["flops"]["mid"] < high["flops"]["mid"]
        made = json.loads(
            isoloss("plan", *f"besiroglu2024 --flops 1e22 --accelerator mine --hardware {path} --json".split())
        )
        assert made["options"][0]["least_devices"]["mid"] >= 1 and "kwh" not in made["options"][0]


class TestSavedGroups:
    def test_groups_of_one_fit_are_planned_side_by_side_with_paired_draws(self, tmp_path: Path) -> None:
        worse = CHINCHILLA | {"A": CHINCHILLA["A"] * 1.01}
        runs = sweep(50, 0.004, 0).with_columns(arch=np.repeat("good", 50))
        runs = runs + sweep(50, 0.004, 1, worse).with_columns(arch=np.repeat("plain", 50))
        groups = il.fit(runs, by="arch", share="E,alpha,beta", objective="squared_log", draws=100)
        path = tmp_path / "groups.json"
        groups.save(path)
        asked = [f"{path}#good", "--beside", f"{path}#plain", "--flops", "1e21", "--json"]
        told = json.loads(isoloss("plan", *asked))
        assert told == json.loads(json.dumps(plan(groups["good"], flops=1e21, beside=groups["plain"]).to_json()))
        assert PAIRED in told["assumptions"]
        first, other = told["options"]
        assert "sure" not in first and 0.5 < other["sure"]["mid"] <= 1
        assert other["multiplier"]["low"] < other["multiplier"]["mid"] < other["multiplier"]["high"]
        assert first["label"].endswith(", arch=good") and other["label"].endswith(", arch=plain")
        assert "There is no" in isoloss("plan", f"{path}#good", "--beside", f"{path}#bad", "--flops", "1e21", code=1)

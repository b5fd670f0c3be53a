"""train(): processes, folders and records; what is cut off is trained again, what is done is not."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lab_help import TINY

import isoloss.lab.extra as extra
from isoloss.core.errors import FormatError, MissingExtraError, OutputError, RequestError, TrainingError
from isoloss.core.spec import Spec
from isoloss.lab import load_corpus, load_records, table, train
from isoloss.lab.pool import Pool
from isoloss.lab.progress import BarProgress
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.store import begun, held, missing
from isoloss.lab.trainer import train_run


def tiny(seed: int = 0, tokens: int = 20_000, **options) -> Spec:
    return wsd_adamw(TINY, tokens, load_corpus("python"), seed, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """Two runs, one of them asked for twice under two labels, and one that diverges, in one process."""
    out = tmp_path_factory.mktemp("runs")
    specs = [tiny(), tiny(seed=1, split="test"), tiny(note="again"), tiny(lr=1e3)]
    return specs, out, train(specs, out, workers=1)


def test_the_table_has_a_row_for_each_run_that_was_trained_to_its_end(trained) -> None:
    specs, out, runs = trained
    assert len(runs) == 2 and runs.source == str(out)
    assert runs["id"].tolist() == [specs[0].id, specs[1].id]
    assert runs["flops"].tolist() == [spec.flops for spec in specs[:2]]
    assert np.allclose(runs["bits_per_byte"], runs["loss"] / np.log(2))
    assert runs.where(split="test")["seed"].tolist() == [1]
    assert "1 diverged runs left out" in runs.notes


def test_a_duplicate_is_trained_once_and_each_run_has_its_folder(trained) -> None:
    specs, out, _ = trained
    assert {path.name for path in out.iterdir() if path.is_dir()} == {specs[0].id, specs[1].id, specs[3].id}


def test_a_run_that_diverged_is_recorded_as_such(trained) -> None:
    specs, out, _ = trained
    record = json.loads((out / specs[3].id / "record.json").read_text())
    assert record["status"] == "diverged" and record["loss"] is None and "training loss" in record["why"]


def test_a_record_says_everything(trained) -> None:
    specs, out, _ = trained
    record = next(r for r in load_records(out) if r["id"] == specs[0].id)
    assert Spec.from_json(record["spec"]) == specs[0]
    assert record["status"] == "done" and record["why"] == "all tokens seen"
    assert record["counts"]["params"] == specs[0].counts.params
    parts = ("embedding_params", "attention_params", "mlp_params", "norms_params", "head_params")
    assert sum(record["counts"][part] for part in parts) == record["counts"]["params"]
    assert set(record["flops_per_token"]) == {"isoloss", "kaplan", "six_n", "palm", "chinchilla", "deepseek"}
    assert record["steps_done"] == record["steps"] == specs[0].steps
    assert record["epochs"] == record["tokens"] / record["unique_tokens"] < 1
    assert record["curve"][0]["train_loss"] == pytest.approx(np.log(256), abs=1e-4)
    assert record["curve"][-1]["tokens"] == specs[0].tokens and len(record["validations"]) == 3
    assert 0 < record["loss_se"] < record["loss"] < record["curve"][0]["train_loss"]
    assert min(record["seconds"], record["cpu_seconds"], record["tokens_per_cpu_second"]) > 0
    assert record["corpus"]["digest"] == specs[0].corpus_digest and record["validation_windows"] == 2048
    wanted = {"python", "torch", "numpy", "isoloss", "system", "machine", "cpu", "cores", "threads", "dtype"}
    assert set(record["environment"]) == wanted and record["environment"]["threads"] == 1
    assert len(record["source_digest"]) == 64


def test_a_record_names_neither_places_nor_machines(trained) -> None:
    _, out, _ = trained
    text = "".join(path.read_text() for path in out.glob("*/record.json"))
    assert os.uname().nodename not in text and str(out) not in text and str(Path.home()) + "/" not in text


def test_the_curve_is_written_while_it_is_trained(trained) -> None:
    specs, out, _ = trained
    lines = (out / specs[0].id / "metrics.jsonl").read_text().splitlines()
    record = json.loads((out / specs[0].id / "record.json").read_text())
    assert [json.loads(line) for line in lines] == record["curve"]


def test_a_process_trains_what_one_trains_here_bit_for_bit(trained) -> None:
    specs, _, runs = trained
    here = train_run(specs[0], load_corpus("python")).validation
    assert here and here.loss == runs["loss"][0]


def test_what_is_recorded_is_not_trained_again(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, out, runs = trained
    monkeypatch.setattr(Pool, "train", lambda *_: pytest.fail("nothing is left to train"))
    assert train(specs, out).digest == runs.digest
    assert len(train(specs, out, split="test")) == 1


def test_a_process_that_is_killed_leaves_no_record_and_the_run_is_trained_anew(tmp_path: Path) -> None:
    spec = tiny(tokens=60_000)

    def kill(event: dict) -> None:
        if event["event"] == "point":
            for process in pool.processes:
                os.kill(process.pid, signal.SIGKILL)

    pool = Pool(tmp_path, 1, kill)
    with pytest.raises(TrainingError, match=f"{spec.id}: its process ended with status -9"):
        pool.train([spec])
    assert {path.name for path in tmp_path.glob("*/*.json")} == {"spec.json", "status.json"} and missing(
        tmp_path, [spec]
    ) == [spec]
    assert not load_records(tmp_path)
    (tmp_path / spec.id / "metrics.jsonl").write_text("what a run that was cut off left\n")
    assert len(train(spec, tmp_path, workers=1)) == 1
    lines = (tmp_path / spec.id / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["step"] == 1 and json.loads(lines[-1])["step"] == spec.steps


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_whole_training_that_is_cut_off_leaves_no_record_and_no_process(tmp_path: Path, how: signal.Signals) -> None:
    spec = tiny(tokens=400_000)
    train_it = f"train(Spec.from_json({spec.to_json()!r}), {str(tmp_path)!r})"
    call = f"from isoloss.lab import train; from isoloss.core.spec import Spec; {train_it}"
    process = subprocess.Popen([sys.executable, "-c", call], start_new_session=True, stderr=subprocess.DEVNULL)
    metrics = tmp_path / spec.id / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.stat().st_size > 0)
    os.kill(process.pid, how)
    assert process.wait(timeout=30) != 0
    wait_for(lambda: not alive(process.pid))
    assert not load_records(tmp_path)
    assert len(train(spec, tmp_path, workers=1)) == 1


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(session: int) -> bool:
    """Whether a process of this session still runs: the workers are its children."""
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_run_made_for_another_corpus_is_refused_and_the_others_are_trained(trained, tmp_path: Path) -> None:
    specs, _, _ = trained
    foreign = dataclasses.replace(specs[0], corpus_digest="0" * 64)
    with pytest.raises(TrainingError, match=r"1 of 2 runs could not be trained(.|\n)*other bytes, other losses"):
        train([foreign, specs[1]], tmp_path, workers=1)
    assert [record["id"] for record in load_records(tmp_path)] == [specs[1].id]


def test_a_folder_that_is_being_trained_is_held(tmp_path: Path) -> None:
    folder = tmp_path / tiny().id
    with begun(tmp_path, tiny()):
        with pytest.raises(OutputError, match="being trained by another process"), held(folder / "lock"):
            pass
        assert json.loads((folder / "spec.json").read_text()) == tiny().to_json()
    with begun(tmp_path, tiny()):
        pass


def test_questions_that_cannot_be_answered_are_refused_before_work(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"No run is labelled split = 'tset'(.|\n)*Labels: train"):
        train(tiny(), tmp_path, split="tset")
    with pytest.raises(RequestError, match="There are no runs to train"):
        train([], tmp_path)
    with pytest.raises(RequestError, match="ask for repetition"):
        train([tiny(), tiny(tokens=10**9)], tmp_path)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_or_read_are_answered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        train(tiny(), tmp_path / "file" / "runs")
    with pytest.raises(OutputError, match="There is no folder"):
        load_records(tmp_path / "none")
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "record.json").write_text('{"id": ')
    with pytest.raises(FormatError, match="is no record of a run"):
        load_records(tmp_path)


def test_without_torch_the_answer_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'isoloss\[train\]'"):
        train(tiny(), tmp_path)


def test_importing_the_lab_does_not_import_torch() -> None:
    call = "import sys, isoloss.lab; sys.exit('torch' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", call], check=False).returncode == 0


def test_bars_follow_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    spec = tiny()
    with BarProgress([spec]) as bars:
        bars({"event": "started", "id": spec.id})
        bars({"event": "point", "id": spec.id, "step": 7, "tokens": 7 * spec.batch, "train_loss": 2.5})
        task = bars.progress.tasks[1]
        assert (task.completed, task.total, task.fields["loss"]) == (7, spec.steps, "loss 2.500")
        bars({"event": "ended", "id": spec.id, "status": "done", "loss": 2.25})
    printed = capsys.readouterr()
    assert "seed 0: loss 2.2500" in printed.err and not printed.out


def test_a_table_of_nothing_but_failures_is_refused(trained) -> None:
    _, out, _ = trained
    with pytest.raises(Exception, match="None of 1 runs was trained to its end"):
        table([record for record in load_records(out) if record["status"] == "diverged"])

"""A run that was cut off and brought back is, to the last bit, the run that was not; a bad checkpoint is not used."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lab_help import SMALL, markov_corpus, markov_spec
from lab_store_help import events, prepare_forks, served, start, tiny, wait_for

from isoloss.core.errors import RequestError
from isoloss.core.spec import Spec
from isoloss.lab import train
from isoloss.lab.checkpoint import read_checkpoint
from isoloss.lab.keeper import FolderKeeper, Stopped
from isoloss.lab.store import Keeping, status_of
from isoloss.lab.trainer import Course, Outcome, train_run
from isoloss.lab.trunkstates import TrunkFolder

SPEC = markov_spec(markov_corpus(), SMALL, tokens=25_600, batch=128)


@pytest.fixture(scope="module", autouse=True)
def forks() -> None:
    prepare_forks()


def keeper_for(folder: Path, keeping: Keeping, stop_at: int | None, heard: list[dict[str, Any]]) -> FolderKeeper:
    folder.mkdir(exist_ok=True)
    keeper = FolderKeeper(folder, SPEC, keeping, lambda: False, lambda e: e["event"] == "left" or heard.append(e))
    keeper.trunk = TrunkFolder(folder, SPEC)  # of its own: the folders of other tests lie beside this one
    look, seen = keeper.look, []

    def looked(course: Course) -> None:
        seen.append(course.outcome.steps_done)
        keeper.stop = lambda: seen[-1] == stop_at
        look(course)

    keeper.look = looked  # type: ignore[method-assign]
    return keeper


def trained(folder: Path, stops: tuple[int, ...] = (), every: float = 1e9) -> tuple[Outcome, dict[str, Any], list[Any]]:
    """Train SPEC, cut off after these steps, and return its outcome, its state at the end and what was said."""
    heard: list[dict[str, Any]] = []
    for stop in stops:
        with pytest.raises(Stopped, match=f"step {stop}"):
            train_run(SPEC, markov_corpus(), keeper=keeper_for(folder, Keeping(every), stop, heard))
    keeper = keeper_for(folder, Keeping(every, keep=True), None, heard)
    outcome = train_run(SPEC, markov_corpus(), keeper=keeper)
    keeper.end()
    return outcome, read_checkpoint(folder / "checkpoint", SPEC), heard


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, dict[str, Any], list[Any]]:
    return trained(tmp_path_factory.mktemp("uncut"))


def differences(one: tuple[Outcome, dict[str, Any], Any], other: tuple[Outcome, dict[str, Any], Any]) -> list[str]:
    """Name everything in which two runs differ by as much as a bit, times left out."""
    flat_one, flat_other = flattened(one[1]), flattened(other[1])
    tensors = [name for name in flat_one if not same(flat_one[name], flat_other.get(name))]
    names = ("status", "why", "steps_done", "curve", "validations", "validation")
    outcomes = [name for name in names if getattr(one[0], name) != getattr(other[0], name)]
    return tensors + outcomes + list(flat_one.keys() ^ flat_other.keys())


def flattened(state: dict[str, Any]) -> dict[Any, Any]:
    weights = {f"model {name}": value for name, value in state["model"].items()}
    moments = {(number, name): value for number, m in state["optimizer"]["state"].items() for name, value in m.items()}
    return {
        **weights,
        **moments,
        "groups": state["optimizer"]["param_groups"],
        "losses": state["losses"],
        "looks": state["looks"],
    }


def same(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize("stops", [(1,), (7,), (SPEC.steps // 4, SPEC.steps // 2 + 1), (SPEC.steps,), (30, 31)])
def test_a_run_that_is_cut_off_ends_as_one_that_is_not(stops: tuple[int, ...], uncut, tmp_path: Path) -> None:
    run = trained(tmp_path, stops)
    assert not differences(run, uncut)
    assert run[0].resumed_at == list(stops)
    assert [event["step"] for event in run[2] if event["event"] == "resumed"] == list(stops)
    assert run[0].seconds > 0 and run[0].cpu_seconds > 0


def test_writing_a_checkpoint_after_every_step_changes_nothing(uncut, tmp_path: Path) -> None:
    assert not differences(trained(tmp_path, (40,), every=0), uncut)


@pytest.mark.parametrize("forgotten", ["optimizer", "losses", "looks", "model", "outcome"])
def test_what_a_checkpoint_forgets_shows(forgotten: str, uncut, tmp_path: Path, monkeypatch) -> None:
    """The comparison above would see each part that is not brought back."""
    restore = Course.restore

    def forgetful(course: Course, state: dict[str, Any]) -> None:
        fresh = {**Course(SPEC).state(), "losses": torch.zeros_like(state["losses"])}
        restore(course, {**state, forgotten: fresh[forgotten]})

    monkeypatch.setattr(Course, "restore", forgetful)
    assert differences(trained(tmp_path, (SPEC.steps // 2 + 1,)), uncut)


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(share * len(content))]


def flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (cut(0.0), "does not say what it holds"),
        (lambda content: content[:100], "does not say what it holds"),
        (cut(0.5), r"cut short: \d+ of \d+ bytes"),
        (lambda content: content[:-1], r"cut short: \d+ of \d+ bytes"),
        (flipped(-1000), "its checksum is wrong"),
        (flipped(2000), "its checksum is wrong"),
        (lambda content: content.replace(SPEC.id.encode(), b"0" * 16, 1), "not one of this run"),
        (lambda content: content.replace(b'"torch": "2', b'"torch": "1', 1), "was made with torch 1"),
        (lambda content: content.replace(b'"made_with"', b'"made_what"', 1), "was made with source_digest None"),
        (lambda content: b"[]\n" + content, "does not say what it holds"),
    ],
)
def test_a_bad_checkpoint_is_seen_and_the_run_begins_anew(change, says: str, uncut, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train_run(SPEC, markov_corpus(), keeper=keeper_for(tmp_path, Keeping(), 40, []))
    (tmp_path / "checkpoint").write_bytes(change((tmp_path / "checkpoint").read_bytes()))
    run = trained(tmp_path)
    assert [event["event"] for event in run[2]] == ["restarted"]
    assert re.search(says, run[2][0]["why"])
    assert not differences(run, uncut) and run[0].resumed_at == []


def test_the_curve_of_a_run_that_goes_on_has_no_point_twice(uncut, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train_run(SPEC, markov_corpus(), keeper=keeper_for(tmp_path, Keeping(), 40, []))
    (tmp_path / "metrics.jsonl").write_text('{"step": 41}\n{"step": 42, "tra')
    keeper_for(tmp_path, Keeping(), None, []).bring_back(course := Course(SPEC))
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == course.outcome.curve == uncut[0].curve[: len(lines)]
    assert 0 < len(lines) <= 40


def test_a_signal_to_a_training_process_keeps_its_run(tmp_path: Path) -> None:
    spec, out = tiny(tokens=40_000), tmp_path / "runs"
    with served(out) as (process, requests, answers):
        print(json.dumps(spec.to_json()), file=requests, flush=True)
        for _ in range(3):
            assert json.loads(answers.readline())["event"] == "point"
        process.terminate()
        last = [json.loads(line) for line in answers][-1]
        process.join()
    assert process.exitcode == 128 + signal.SIGTERM and last["event"] == "stopped"
    status = status_of(out / spec.id)
    assert (status.status, status.why) == ("queued", f"stopped at step {last['step']}")
    second, uncut = start(out, [spec]), start(tmp_path / "uncut", [spec])
    second.join()
    uncut.join()
    assert events(out, second)[0] == {"event": "resumed", "step": last["step"], "id": spec.id}
    assert bits(out, spec) == bits(tmp_path / "uncut", spec)
    assert not (out / spec.id / "checkpoint").exists()


def test_a_process_that_waits_for_work_ends_at_a_signal(tmp_path: Path) -> None:
    with served(tmp_path) as (process, requests, answers):
        print(json.dumps(tiny().to_json()), file=requests, flush=True)
        while json.loads(answers.readline())["event"] != "ended":
            pass
        process.terminate()
        process.join(timeout=30)
    assert process.exitcode == 128 + signal.SIGTERM


def bits(out: Path, spec: Spec) -> dict[str, Any]:
    """Return what a record says that does not depend on when and how fast the run was trained."""
    record = json.loads((out / spec.id / "record.json").read_text())
    passing = ("seconds", "cpu_seconds", "tokens_per_cpu_second", "ended", "resumed_at", "usage")
    lines = (out / spec.id / "metrics.jsonl").read_text()
    return {"metrics": lines, **{name: value for name, value in record.items() if name not in passing}}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_training_whose_command_ends_is_kept_by_its_processes(tmp_path: Path, how: signal.Signals) -> None:
    spec, out = tiny(tokens=200_000), tmp_path / "runs"
    call = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from isoloss.lab import train; "
        f"from isoloss.core.spec import Spec; train(Spec.from_json({spec.to_json()!r}), {str(out)!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", call], start_new_session=True, stderr=subprocess.DEVNULL)
    metrics = out / spec.id / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > 4)
    os.kill(process.pid, how)
    assert process.wait(timeout=60) != 0
    wait_for(lambda: status_of(out / spec.id).status != "running")
    assert (out / spec.id / "checkpoint").exists()
    train(spec, out, workers=1)
    uncut = start(tmp_path / "uncut", [spec])
    uncut.join()
    assert bits(out, spec) == bits(tmp_path / "uncut", spec)
    assert len(json.loads((out / spec.id / "record.json").read_text())["resumed_at"]) == 1


def test_a_time_between_checkpoints_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="every -1 seconds"):
        train(tiny(), tmp_path, checkpoint_every=-1)

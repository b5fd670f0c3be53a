"""What is killed, cut off, raced for or out of room loses nothing: each is really done to real processes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from lab_store_help import SPENT, events, prepare_forks, start, tiny, wait_for

import isoloss.lab.pool as pool_module
from isoloss.core.spec import Spec
from isoloss.lab import load_records, table
from isoloss.lab.index import listing
from isoloss.lab.pool import Pool
from isoloss.lab.store import Keeping, begun, missing, status_of
from isoloss.loaders import read

OFTEN = Keeping(every=0.05)


@pytest.fixture(scope="module", autouse=True)
def forks() -> None:
    prepare_forks()


def same_tables(one: Path, other: Path) -> None:
    """Compare what two folders hold, to the last bit: everything but how long it took."""
    first, second = table(load_records(one)), table(load_records(other))
    assert set(first.columns) == set(second.columns)
    for name in set(first.columns) - SPENT:
        assert list(map(str, first[name])) == list(map(str, second[name])), name


def train_all_but_for_kills(out: Path, specs: list[Spec], kills: int, seed: int) -> int:
    """Train the runs in processes that are killed at random moments; return how often one went on from a checkpoint."""
    chance, resumed = random.Random(seed), 0
    for _ in range(kills):
        process = start(out, missing(out, specs), OFTEN)
        wait_for(lambda process=process: Path(f"{out}.{process.pid}.jsonl").exists())
        time.sleep(chance.uniform(0.05, 0.4))
        process.kill()
        process.join()
        resumed += sum(event["event"] == "resumed" for event in events(out, process))
    process = start(out, missing(out, specs), OFTEN)
    process.join()
    return resumed + sum(event["event"] == "resumed" for event in events(out, process))


def test_three_kills_at_random_moments_end_with_the_same_table(tmp_path: Path) -> None:
    specs = [tiny(seed, tokens) for seed in (0, 1, 2) for tokens in (5_000, 20_000)]
    uncut = start(tmp_path / "uncut", specs)
    train_all_but_for_kills(tmp_path / "killed", specs, kills=3, seed=1)
    uncut.join()
    same_tables(tmp_path / "killed", tmp_path / "uncut")
    assert listing(tmp_path / "killed").counts == {"done": 6}
    assert len(read(tmp_path / "killed")) == 6
    assert not list((tmp_path / "killed").glob("*/*.part")) and not list((tmp_path / "killed").glob("*/checkpoint"))


def command(out: Path, specs: list[Spec], workers: int, every: float) -> subprocess.Popen[str]:
    """Start a whole training in a session of its own, as `isoloss train` does."""
    texts = [spec.to_json() for spec in specs]
    options = f"workers={workers}, checkpoint_every={every}"
    call = (
        "from isoloss.lab import train; from isoloss.core.spec import Spec; "
        f"train([Spec.from_json(text) for text in {texts!r}], {str(out)!r}, {options})"
    )
    return subprocess.Popen([sys.executable, "-c", call], start_new_session=True, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_ten_kills_at_random_moments_end_with_the_same_table(tmp_path: Path) -> None:
    specs = [tiny(seed, tokens) for seed in range(5) for tokens in (40_000, 80_000, 120_000, 240_000)]
    uncut = start(tmp_path / "uncut", specs)
    kill_ten_times(tmp_path / "killed", specs, seed=2)
    uncut.join()
    same_tables(tmp_path / "killed", tmp_path / "uncut")
    resumed = [record["resumed_at"] for record in load_records(tmp_path / "killed") if record["resumed_at"]]
    assert resumed, "not one of ten kills hit a run that had a checkpoint"


def kill_ten_times(out: Path, specs: list[Spec], seed: int) -> None:
    """Train 20 runs by a command that is killed ten times, at random moments, with all its processes."""
    chance = random.Random(seed)
    for _ in range(10):
        process = command(out, specs, workers=2, every=0.2)
        before = len(missing(out, specs))
        wait_for(lambda before=before: under_way(out) or len(missing(out, specs)) < before, 120)
        time.sleep(chance.uniform(0, 3.0))
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() != 0, "the ladder is too short for ten kills"
        process.communicate()
    last = command(out, specs, workers=2, every=0.2)
    _, said = last.communicate()
    assert last.returncode == 0, said
    assert len(load_records(out)) == 20


def under_way(out: Path) -> bool:
    return any(run.status == "running" and run.step for run in listing(out).rows) if out.is_dir() else False


def test_a_process_that_was_killed_frees_its_run_at_once_and_the_next_goes_on(tmp_path: Path) -> None:
    spec, out = tiny(tokens=120_000), tmp_path / "runs"
    first = start(out, [spec], Keeping(every=0))
    wait_for(lambda: (out / spec.id / "checkpoint").exists())
    os.kill(first.pid, signal.SIGSTOP)
    assert status_of(out / spec.id).status == "running"
    first.kill()
    first.join()
    assert status_of(out / spec.id).why == "cut off"
    second = start(out, [spec])
    second.join()
    assert events(out, second)[0]["event"] == "resumed" and events(out, second)[-1]["event"] == "ended"


def test_two_processes_on_one_folder_train_every_run_once(tmp_path: Path) -> None:
    specs, out = [tiny(seed) for seed in range(6)], tmp_path / "runs"
    racers = [start(out, specs), start(out, specs), start(out, specs[::-1])]
    for racer in racers:
        racer.join()
    said = [events(out, racer) for racer in racers]
    began = [event["id"] for log in said for event in log if event["event"] == "point" and event["step"] == 1]
    assert sorted(began) == sorted(spec.id for spec in specs)
    assert {event["event"] for log in said for event in log} <= {"point", "busy", "ended"}
    assert not missing(out, specs)


def test_a_run_that_another_process_holds_is_left_for_later_and_then_taken_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pool_module, "POLL", 0.05)
    mine, other = tiny(tokens=20_000), tiny()
    heard: list[dict[str, Any]] = []
    with contextlib.ExitStack() as elsewhere:

        def listen(event: dict[str, Any]) -> None:
            heard.append(event)
            if event["event"] == "ended":  # the other process ends without a record
                elsewhere.close()

        elsewhere.enter_context(begun(tmp_path, mine))
        Pool(tmp_path, 1, listen).train([mine, other])
    told = [(event["event"], event["id"]) for event in heard if event["event"] in ("busy", "ended")]
    assert told == [("busy", mine.id), ("ended", other.id), ("ended", mine.id)]
    assert f"process {os.getpid()} on " in next(event["error"] for event in heard if event["event"] == "busy")


@pytest.mark.slow
def test_two_commands_on_one_folder_both_end_with_the_whole_table(tmp_path: Path) -> None:
    specs, out = [tiny(seed, 80_000) for seed in range(6)], tmp_path / "runs"
    both = [command(out, specs, workers=1, every=0.2) for _ in range(2)]
    for process in both:
        _, said = process.communicate()
        assert process.returncode == 0 and "6 of 6" in said, said
    assert listing(out).counts == {"done": 6}


@pytest.mark.slow
def test_a_command_takes_up_what_another_was_killed_at(tmp_path: Path) -> None:
    spec, out = tiny(tokens=800_000), tmp_path / "runs"
    first = command(out, [spec], workers=1, every=0.05)
    wait_for(lambda: (out / spec.id / "checkpoint").exists())
    os.killpg(first.pid, signal.SIGSTOP)
    second = command(out, [spec], workers=1, every=0.1)
    lines = iter(second.stderr or [])
    wait_for(lambda: "left for later" in next(lines))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    _, said = second.communicate()
    assert second.returncode == 0 and "goes on from its checkpoint" in said, said


def test_a_file_that_cannot_be_written_whole_is_answered_and_what_was_there_is_intact(tmp_path: Path) -> None:
    spec, out = tiny(tokens=40_000), tmp_path / "runs"
    first = start(out, [spec], Keeping(every=0))
    wait_for(lambda: (out / spec.id / "checkpoint").exists())
    first.kill()
    first.join()
    kept = (out / spec.id / "checkpoint").read_bytes()
    limited = start(out, [spec], Keeping(every=0), file_limit=len(kept) // 2)
    limited.join()
    last = events(out, limited)[-1]
    assert last["event"] == "refused" and "cannot be written: File too large" in last["error"]
    assert (out / spec.id / "checkpoint").read_bytes() == kept and not list(out.glob("*/*.part"))
    assert status_of(out / spec.id).status == "failed" and "File too large" in status_of(out / spec.id).why
    free = start(out, [spec])
    free.join()
    assert [event["event"] for event in (events(out, free)[0], events(out, free)[-1])] == ["resumed", "ended"]


FULL_DISK = """
import json, os, pathlib, sys, torch
from lab_store_help import tiny
from isoloss.core.errors import OutputError
from isoloss.lab.keeper import Stopped
from isoloss.lab.index import listing
from isoloss.lab.store import Keeping
from isoloss.lab.worker import train_to

torch.set_num_threads(1)
out, done, cut = pathlib.Path(sys.argv[1]) / "runs", tiny(seed=1), tiny(seed=2)
heard, steps = [], []
train_to(out, done, Keeping(), lambda: False, heard.append)
try:
    train_to(out, cut, Keeping(), lambda: steps.append(0) or len(steps) == 20, heard.append)
except Stopped as stopped:
    assert stopped.step == 20
before = {path: path.read_bytes() for path in out.glob("*/*") if path.name != "lock"}
filler = out.parent / "filler"
try:
    with filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
except OSError:
    pass
for spec in (cut, tiny(seed=3)):
    try:
        train_to(out, spec, Keeping(every=0), lambda: False, heard.append)
        sys.exit("a full disk was not noticed")
    except OutputError as error:
        assert "No space left on device" in str(error), error
assert listing(out).counts["done"] == 1
for path, content in before.items():
    assert path.name in ("status.json", "metrics.jsonl") or path.read_bytes() == content, path
assert not [path for path in out.glob("*/*.part") if not path.name.startswith("lock")]
filler.unlink()
record = train_to(out, cut, Keeping(), lambda: False, heard.append)
assert record["resumed_at"] == [20], record["resumed_at"]
assert len((out / cut.id / "metrics.jsonl").read_text().splitlines()) == len(record["curve"])
print(json.dumps([cut.id, record["loss"], listing(out).counts]))
"""


def test_a_disk_that_is_full_is_answered_and_nothing_is_lost(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "script.py").write_text(FULL_DISK)
    inside = f"mount -t tmpfs -o size=400k none {disk} && exec {sys.executable} {tmp_path / 'script.py'} {disk}"
    own_mounts = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    try:
        subprocess.run([*own_mounts, f"mount -t tmpfs -o size=400k none {disk}"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*own_mounts, inside], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    spec_id, loss, counts = json.loads(done.stdout)
    assert counts == {"done": 2}
    uncut = start(tmp_path / "uncut", [tiny(seed=2)])
    uncut.join()
    record = load_records(tmp_path / "uncut")[0]
    assert (record["id"], record["loss"]) == (spec_id, loss)

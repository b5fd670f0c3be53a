"""The store without training: files written whole, locks, statuses, and an index that is never the truth."""

from __future__ import annotations

import dataclasses
import errno
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from lab_help import markov_corpus, markov_spec

import isoloss.lab.locks as locks
import isoloss.lab.store as store
from isoloss.core.errors import OutputError
from isoloss.core.spec import Spec
from isoloss.lab.index import NAME, listing, rebuild, row_of
from isoloss.lab.locks import Claim, HeldError, held, holder, read_claim
from isoloss.lab.store import (
    Status,
    append_metrics,
    begun,
    last_point,
    note_failure,
    queue,
    status_of,
    write_json,
    write_status,
    write_whole,
)


def spec_of(seed: int) -> Spec:
    return markov_spec(markov_corpus(), seed=seed)


def record_of(spec: Spec, status: str = "done", loss: float | None = 1.5) -> dict[str, Any]:
    losses = {"train_loss": 1.6, "loss": loss, "bits_per_byte": 2.0}
    return {"schema": 1, "id": spec.id, "status": status, "why": "all tokens seen", "steps_done": spec.steps, **losses}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs as they may stand: two done, one diverged, one failed, one queued, one cut off."""
    specs = [spec_of(seed) for seed in range(6)]
    queue(tmp_path, specs)
    for spec in specs[:2]:
        write_json(tmp_path / spec.id / "record.json", record_of(spec, loss=1.5 + spec.seed))
    write_json(tmp_path / specs[2].id / "record.json", record_of(specs[2], "diverged", None))
    note_failure(tmp_path, specs[3], "its process ended with status -9")
    write_status(tmp_path / specs[5].id, Status("running"))
    append_metrics(tmp_path / specs[5].id, {"step": 7, "train_loss": 2.5})
    return tmp_path


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "file", b"old ", b"content")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    says = r"cannot be written: No space left on device(.|\n)*as it was"
    with pytest.raises(OutputError, match=says), store.writing(tmp_path):
        write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old content"


def test_drafts_of_killed_processes_are_swept(tmp_path: Path) -> None:
    with begun(tmp_path, spec_of(0)):
        pass
    (tmp_path / spec_of(0).id / "checkpoint.1.part").write_text("half")
    with begun(tmp_path, spec_of(0)):
        assert not list(tmp_path.glob("*/*.part"))


def test_the_status_of_every_run_is_told_from_its_folder(folder: Path) -> None:
    told = [status_of(folder / spec_of(seed).id) for seed in range(6)]
    assert [status.status for status in told] == ["done", "done", "diverged", "failed", "queued", "queued"]
    assert told[3].why == "its process ended with status -9" and told[5].why == "cut off"
    with begun(folder, spec_of(5)):
        assert status_of(folder / spec_of(5).id).status == "running"
        assert str(os.getpid()) in status_of(folder / spec_of(5).id).why
    (folder / spec_of(3).id / "status.json").write_text("{")
    assert status_of(folder / spec_of(3).id) == Status("queued")


def test_queueing_again_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.glob("*/*")}
    queue(folder, [spec_of(seed) for seed in range(6)])
    assert {path: path.read_bytes() for path in folder.glob("*/*")} == before


def test_the_last_point_is_the_last_whole_one(tmp_path: Path) -> None:
    assert last_point(tmp_path) == {}
    for step in range(200):
        append_metrics(tmp_path, {"step": step, "train_loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 200, "tra')
    assert last_point(tmp_path)["step"] == 199


def test_a_lock_says_who_holds_it_and_is_free_again(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert holder(lock) is None
    with held(lock) as hold:
        assert hold.claim.pid == os.getpid() and str(hold.claim) == holder(lock)
        with pytest.raises(HeldError, match=f"process {os.getpid()} on "), held(lock):
            pass
    assert holder(lock) is None and lock.read_bytes() == b""


HOLD = """
import sys, time
from isoloss.lab.locks import Path, held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
NO_FLOCK = "import isoloss.lab.locks; isoloss.lab.locks.fcntl = None"


@pytest.mark.parametrize("before", ["", NO_FLOCK], ids=["flock", "heartbeat"])
def test_what_a_killed_process_held_is_free_at_once(before: str, tmp_path: Path, monkeypatch) -> None:
    if before:
        monkeypatch.setattr(locks, "fcntl", None)
    command = [sys.executable, "-c", before + HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        with pytest.raises(HeldError, match=f"process {process.pid} on "), held(tmp_path / "lock"):
            pass
        process.send_signal(signal.SIGKILL)
    with held(tmp_path / "lock"):
        pass


def claim_of(path: Path, age: float, **changes: Any) -> Claim:
    """Write a claim that was last touched so many seconds ago."""
    claim = dataclasses.replace(Claim(os.getpid(), "another-host", "2026-01-01T00:00:00Z", "token"), **changes)
    path.write_text(json.dumps(dataclasses.asdict(claim)))
    touched = time.time() - age
    os.utime(path, (touched, touched))
    return claim


@pytest.mark.parametrize("flock", [True, False])
def test_a_claim_from_another_machine_counts_until_it_is_stale(flock: bool, tmp_path: Path, monkeypatch) -> None:
    if not flock:
        monkeypatch.setattr(locks, "fcntl", None)
    lock = tmp_path / "lock"
    claim = claim_of(lock, age=locks.STALE / 2)
    assert holder(lock) == str(claim) == f"process {os.getpid()} on another-host since 2026-01-01T00:00:00Z"
    with pytest.raises(HeldError, match="on another-host"), held(lock):
        pass
    assert read_claim(lock) == claim
    claim_of(lock, age=locks.STALE * 2)
    assert holder(lock) is None
    with held(lock) as hold:
        assert read_claim(lock) == hold.claim
    assert not list(tmp_path.glob("*.part"))


def test_a_file_system_without_flock_is_told_by_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    with held(tmp_path / "lock"), pytest.raises(HeldError), held(tmp_path / "lock"):
        pass
    assert holder(tmp_path / "lock") is None


def test_a_held_lock_is_touched_and_one_that_was_taken_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.02)
    lock = tmp_path / "lock"
    with held(lock) as hold:
        os.utime(lock, (0, 0))
        waited_for(lambda: lock.stat().st_mtime > time.time() - 10)
        assert not hold.lost
        theirs = claim_of(lock, age=0)
        waited_for(lambda: hold.lost)
    assert read_claim(lock) == theirs


def waited_for(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def race(path: Path, flock: bool, winners: Any) -> None:
    if not flock:
        locks.fcntl = None
    for _ in range(3):
        try:
            with held(path):
                inside = path.with_name("inside")
                inside.touch(exist_ok=False)  # fails, and with it the process, where two are inside
                winners.put(os.getpid())
                time.sleep(0.05)
                inside.unlink()
        except HeldError:
            time.sleep(0.05)


@pytest.mark.parametrize("flock", [True, False])
def test_of_many_processes_one_at_a_time_holds_a_lock(flock: bool, tmp_path: Path) -> None:
    forks = multiprocessing.get_context("forkserver")
    claim_of(tmp_path / "lock", age=locks.STALE * 2)
    winners = forks.SimpleQueue()
    racers = [forks.Process(target=race, args=(tmp_path / "lock", flock, winners)) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * 6 and not winners.empty()


def test_the_list_has_every_run_and_a_rebuilt_index_has_the_same(folder: Path) -> None:
    first = listing(folder)
    assert first.counts == {"diverged": 1, "done": 2, "failed": 1, "queued": 2} and not first.notes
    rows = {row.seed: row for row in first.rows}
    assert (rows[1].loss, rows[1].step, rows[1].params) == (2.5, spec_of(1).steps, spec_of(1).counts.params)
    assert (rows[5].step, rows[5].train_loss, rows[5].loss) == (7, 2.5, None)
    assert [row.seed for row in first.rows] == list(range(6))
    assert listing(folder) == first == rebuild(folder)


def test_the_list_follows_the_folders(folder: Path) -> None:
    listing(folder)
    write_json(folder / spec_of(4).id / "record.json", record_of(spec_of(4), loss=9.0))
    for path in (folder / spec_of(0).id).iterdir():
        path.unlink()
    queue(folder, [spec_of(6)])
    rows = {row.seed: row for row in listing(folder).rows}
    assert set(rows) == {1, 2, 3, 4, 5, 6} and rows[4].loss == 9.0 and rows[6].status == "queued"
    with begun(folder, spec_of(6)):
        assert listing(folder).counts["running"] == 1
    assert "running" not in listing(folder).counts


def overwritten(path: Path) -> None:
    path.write_bytes(b"what is no database" * 1000)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_other_columns(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE runs (id, loss)")
    database.close()


@pytest.mark.parametrize("damage", [overwritten, torn, halved, of_other_columns])
def test_a_damaged_index_is_made_anew_and_that_is_said(folder: Path, damage) -> None:
    before = listing(folder)
    damage(folder / NAME)
    after = listing(folder)
    assert after.rows == before.rows and "damaged" in after.notes[0] and "made anew" in after.notes[0]
    assert listing(folder) == before


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_an_index_that_is_gone_or_empty_is_made_anew(folder: Path, damage) -> None:
    before = listing(folder)
    damage(folder / NAME)
    assert listing(folder) == before


def test_where_there_can_be_no_index_the_runs_are_read(folder: Path) -> None:
    before = listing(folder)
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    after = listing(folder)
    assert after.rows == before.rows and "the runs' own files were read" in after.notes[0]


def test_an_index_that_is_locked_for_long_is_passed_by(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listing(folder)
    monkeypatch.setattr("isoloss.lab.index.PATIENCE", 0.01)
    writer = sqlite3.connect(folder / NAME, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    after = listing(folder)
    writer.execute("ROLLBACK")
    writer.close()
    assert after.rows == before.rows and "locked" in after.notes[0]


def test_several_writers_of_one_index_agree(folder: Path) -> None:
    (folder / NAME).unlink(missing_ok=True)
    found: list[Any] = []
    writers = [threading.Thread(target=lambda: found.append(listing(folder))) for _ in range(8)]
    for writer in writers:
        writer.start()
    for seed in range(3, 6):
        write_json(folder / spec_of(seed).id / "record.json", record_of(spec_of(seed)))
    for writer in writers:
        writer.join()
    assert len(found) == 8 and not any(listed.notes for listed in found)
    assert listing(folder).counts == {"diverged": 1, "done": 5} and listing(folder) == rebuild(folder)


def test_a_run_that_cannot_be_read_is_listed_as_failed(folder: Path) -> None:
    (folder / spec_of(0).id / "record.json").write_text('{"id": ')
    (folder / spec_of(1).id / "spec.json").write_text("[]")
    rows = {row.id: row for row in listing(folder).rows}
    assert "no record of a run" in rows[spec_of(0).id].why and rows[spec_of(1).id].status == "failed"
    assert row_of(folder / spec_of(1).id).why


def test_a_folder_that_is_not_there_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="There is no folder"):
        listing(tmp_path / "none")

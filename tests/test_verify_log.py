"""The log of predictions: what is changed after it was written is found and named; writers take turns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from verify_help import fitted, run, train_by_lot

import isoloss as il
from isoloss.core.errors import OutputError
from isoloss.lab.locks import held
from isoloss.verifying import BrokenLogError, chain
from isoloss.verifying.chain import FOLDER, LOG, Entry, add, digest, faults, read_log, writing_to

Lines = list[dict]
SPECS = [run(8), run(10), run(8, seed=1), run(6, 3_000_000)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four predictions, and two scores."""
    out = tmp_path_factory.mktemp("written") / "runs"
    il.verify(fitted(), SPECS, out, train=False)
    for spec in SPECS[:2]:
        train_by_lot(out, spec)
    assert il.verify(out=out, train=False).tally.sound
    return out


@pytest.fixture
def out(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "runs"))


def found(out: Path, head: str | None = None) -> list[tuple[str, str]]:
    tally = il.verify(out=out, train=False, head=head).tally
    assert tally.sound == (not tally.faults)
    return [(fault.code, fault.sentence) for fault in tally.faults]


def change(out: Path, edit: Callable[[Lines], object]) -> None:
    path = out / FOLDER / LOG
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    edit(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def made_anew(line: dict) -> None:
    line["hash"] = digest([line["number"], line["before"], line["kind"], line["content"]])


def test_a_log_as_written_is_whole_however_its_json_is_laid_out(out: Path) -> None:
    change(out, lambda lines: None)
    assert found(out) == []
    log = read_log(out)
    assert [e.number for e in log.entries] == [1, 2, 3, 4, 5, 6]
    assert [e.kind for e in log.entries] == ["prediction"] * 4 + ["score"] * 2
    assert log.entries[0].before == "0" * 64 and log.head == log.entries[-1].hash
    assert all(later.before == earlier.hash for earlier, later in zip(log.entries, log.entries[1:], strict=False))


def test_an_entry_that_was_edited_is_named(out: Path) -> None:
    change(out, lambda lines: lines[1]["content"].update(high=9.0))
    codes = dict(found(out))
    assert f"entry 2 (prediction of run {SPECS[1].id}) was edited" in codes["edited"]


def test_an_entry_that_was_edited_and_hashed_anew_is_named_by_the_next(out: Path) -> None:
    def edit(lines: Lines) -> None:
        lines[1]["content"]["high"] = 9.0
        made_anew(lines[1])

    change(out, edit)
    codes = dict(found(out))
    assert "entry 2 was written anew" in codes["rewritten"]


def test_an_entry_that_was_removed_is_named(out: Path) -> None:
    gone = read_id(out, SPECS[2].id)
    change(out, lambda lines: lines.pop(2))
    sentences = [sentence for code, sentence in found(out) if code == "removed"]
    assert sentences == ["entry 3 was removed", f"the entry of predictions/{gone}.json is not in the log any more"]


def test_a_last_prediction_that_was_removed_leaves_its_copy(out: Path) -> None:
    def edit(lines: Lines) -> None:
        del lines[3:]

    gone = read_id(out, SPECS[3].id)
    change(out, edit)
    assert found(out) == [("removed", f"the entry of predictions/{gone}.json is not in the log any more")]


def test_entries_that_changed_places_are_named(out: Path) -> None:
    def edit(lines: Lines) -> None:
        lines[1], lines[2] = lines[2], lines[1]

    change(out, edit)
    assert ("reordered", f"entry 2 (prediction of run {SPECS[1].id}) stands out of order") in found(out)


def test_a_line_that_is_no_entry_is_named(out: Path) -> None:
    path = out / FOLDER / LOG
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40], *lines[2:]]) + "\n")
    assert ("damaged", "line 2 is no entry any more") in found(out)


def test_a_copy_that_was_edited_or_deleted_is_named(out: Path) -> None:
    first, second = (out / FOLDER / f"{read_id(out, spec.id)}.json" for spec in SPECS[:2])
    first.write_text(first.read_text().replace('"level": 0.9', '"level": 0.99'))
    second.unlink()
    assert [code for code, _ in found(out)] == ["copy", "missing"]
    with writing_to(out):
        pass
    assert [code for code, _ in found(out)] == ["copy"], "a copy that is lost is written again, as the log has it"


def test_a_record_that_was_changed_after_its_score_is_named(out: Path) -> None:
    path = out / SPECS[0].id / "record.json"
    path.write_text(path.read_text().replace('"loss": ', '"loss": 1'))
    assert found(out) == [("record", f"the record of run {SPECS[0].id} was changed after it was scored")]
    shutil.rmtree(path.parent)
    assert found(out) == [], "a run that was cleared away keeps its score"


def test_a_log_made_anew_is_found_by_a_head_that_was_published_and_by_nothing_else(out: Path) -> None:
    head = read_log(out).head
    assert found(out, head) == found(out, head[:10].upper()) == []

    def edit(lines: Lines) -> None:
        lines[0]["content"]["high"] = 9.0
        before = "0" * 64
        for line in lines:
            line["before"] = before
            made_anew(line)
            before = line["hash"]

    name = read_id(out, SPECS[0].id)
    change(out, edit)
    (out / FOLDER / f"{name}.json").unlink()
    log = read_log(out)
    chain._write_copy(log.folder, log.entries[0])
    assert found(out) == [], "which is what the answer says that it cannot show"
    assert [code for code, _ in found(out, head)] == ["head"]


def test_nothing_is_added_to_a_log_that_was_changed(out: Path) -> None:
    change(out, lambda lines: lines.pop(0))
    before = (out / FOLDER / LOG).read_bytes()
    with pytest.raises(BrokenLogError, match="entry 1 was removed") as caught:
        il.verify(fitted(), run(4), out, train=False)
    assert caught.value.faults[0].code == "removed"
    train_by_lot(out, SPECS[2])
    assert not il.verify(out=out, train=False).tally.sound
    assert (out / FOLDER / LOG).read_bytes() == before


def test_a_write_that_fails_leaves_the_log_as_it_was(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (out / FOLDER / LOG).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        il.verify(fitted(), run(4), out, train=False)
    assert (out / FOLDER / LOG).read_bytes() == before and found(out) == []
    assert not list((out / FOLDER).glob("*.part"))


def test_an_entry_is_the_same_after_a_journey_through_json(tmp_path: Path) -> None:
    with writing_to(tmp_path) as log:
        log = add(log, "prediction", {"run": "r", "value": 0.1 + 0.2, "words": ("a", "b")})
    assert read_log(tmp_path).entries[0].own_hash == log.entries[0].hash
    assert faults(read_log(tmp_path)) == ()


def test_a_writer_waits_for_another_and_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PATIENCE", 0.2)
    (tmp_path / FOLDER).mkdir()
    with held(tmp_path / FOLDER / "lock"), pytest.raises(OutputError, match="Another process"), writing_to(tmp_path):
        pass
    with writing_to(tmp_path):
        pass


def test_two_processes_that_register_at_once_make_one_chain(tmp_path: Path) -> None:
    specs = [run(dial, 2_000_000, seed) for dial in (5, 7) for seed in (0, 1)]
    saved, asked, out = tmp_path / "fit.json", tmp_path / "specs.json", tmp_path / "runs"
    fitted().save(saved)
    asked.write_text(json.dumps([spec.to_json() for spec in specs]))
    program = (
        "import json, sys; from isoloss.core.spec import Spec; from isoloss.core.fit import Fit; "
        "import isoloss.verifying as v; "
        f"specs = [Spec.from_json(s) for s in json.load(open({str(asked)!r}))][::int(sys.argv[1])]; "
        f"fit = Fit.load({str(saved)!r}); "
        f"[v.verify(fit, s, {str(out)!r}, train=False) for s in specs]"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, step]) for step in ("1", "-1")]
    assert [process.wait() for process in both] == [0, 0]
    log = read_log(out)
    assert faults(log) == () and len(log.entries) == len(specs)
    assert {(e.kind, e.run) for e in log.entries} == {("prediction", spec.id) for spec in specs}


def read_id(out: Path, run_id: str) -> str:
    entry = read_log(out).first(run_id)
    assert isinstance(entry, Entry)
    return entry.id

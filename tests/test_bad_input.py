"""What a user may give by mistake: each mistake gets one reply that says what was given, what there is, what to do."""

import gzip
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest

from isoloss.core import storage
from isoloss.core.errors import (
    CellError,
    ColumnError,
    DataError,
    DesignError,
    FormatError,
    IsolossError,
    OutputError,
    UnknownNameError,
)
from isoloss.core.fit import Data, Fit
from isoloss.core.law import find
from isoloss.fitting import fit
from isoloss.loaders import read

SAMPLES = Path(__file__).resolve().parent / "samples"
SIZES = [(n, d) for n in (1e7, 3e7, 1e8, 3e8) for d in (1e9, 3e9, 1e10)]
LINES = [f"{n:.0f},{d:.0f},{1.7 + 480 * n**-0.35 + 2085 * d**-0.37:.6f}" for n, d in SIZES]


def table(*changes: tuple[str, str]) -> str:
    """A good table as text, with one place changed."""
    text = "\n".join(["N,D,loss", *LINES]) + "\n"
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def fit_text(text: str, tmp_path: Path) -> Fit:
    (tmp_path / "runs.csv").write_text(text)
    return fit(read(tmp_path / "runs.csv"), law="chinchilla", draws=0)


def reply_to(text: str, tmp_path: Path, error: type[IsolossError]) -> str:
    with pytest.raises(error) as reply:
        fit_text(text, tmp_path)
    assert len(str(reply.value).splitlines()) > 1, "a reply says more than what is wrong"
    return str(reply.value)


def test_the_good_table_is_good(tmp_path: Path) -> None:
    assert fit_text(table(), tmp_path).theta["E"] == pytest.approx(1.7, rel=0.1)


def test_a_missing_column(tmp_path: Path) -> None:
    said = reply_to(table(("D,", "corpus,")), tmp_path, ColumnError)
    assert "no column 'tokens'" in said and "corpus" in said and "runs.csv" in said


def test_a_missing_loss_names_the_training_loss(tmp_path: Path) -> None:
    said = reply_to(table(("loss", "train_loss")), tmp_path, ColumnError)
    assert "columns={'loss': 'train_loss'}" in said


@pytest.mark.parametrize("bad", ["lots", "1.2.3", "3,2", "#REF!", "0x10", "-10000000", "0", "inf", "-inf", "1e999"])
def test_a_cell_that_is_no_such_number(bad: str, tmp_path: Path) -> None:
    said = reply_to(table((LINES[2], f'"{bad}",{LINES[2].partition(",")[2]}')), tmp_path, CellError)
    assert f"line 4 holds '{bad}'" in said and "'N'" in said and "params" in said


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "null", "None", " "])
def test_a_number_that_is_missing(missing: str, tmp_path: Path) -> None:
    said = reply_to(table((LINES[2], f"{LINES[2].rpartition(',')[0]},{missing}")), tmp_path, CellError)
    assert "'loss' has no number in 1 of 12 runs: row 3" in said


def test_a_negative_loss(tmp_path: Path) -> None:
    said = reply_to(table((LINES[2], f"{LINES[2].rpartition(',')[0]},-0.5")), tmp_path, CellError)
    assert "at least 0, but line 4 holds '-0.5'" in said


def test_one_run(tmp_path: Path) -> None:
    assert "5 parameters" in reply_to("\n".join(["N,D,loss", LINES[0]]) + "\n", tmp_path, DesignError)


def test_all_sizes_equal(tmp_path: Path) -> None:
    same = ["1e8," + line.partition(",")[2] for line in LINES]
    assert "same params, 100M" in reply_to("\n".join(["N,D,loss", *same]) + "\n", tmp_path, DesignError)


def test_an_unknown_law_offers_near_names() -> None:
    with pytest.raises(UnknownNameError, match=r"no law 'chinchila'\.\n.*chinchilla"):
        fit(read(SAMPLES / "runs.csv"), law="chinchila", draws=0)


@pytest.mark.parametrize("text", ["", "\n", "   \n\n", "\ufeff"])
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.parquet", "a.unknown", "a"])
def test_an_empty_file(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match="is empty"):
        read(tmp_path / name)


def test_only_a_header(tmp_path: Path) -> None:
    assert "a header and no rows" in reply_to("N,D,loss\n", tmp_path, FormatError)


@pytest.mark.parametrize("text", ["[]", "{}", '{"runs": []}', '{"N": []}', '{"runs": {"N": [], "loss": []}}'])
def test_json_without_runs(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError):
        read(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["3", '"text"', "[1, 2]", "[[1, 2]]", '{"N": 3}', '[{"N": 1}, 2]', '{"a": {"b": []}}'])
def test_json_of_another_shape_says_which_can_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match="a list of objects, an object of columns"):
        read(tmp_path / "a.json")


def test_a_table_cut_in_the_middle(tmp_path: Path) -> None:
    assert "cut in the middle" in reply_to(table()[:-14], tmp_path, FormatError)
    assert "has 2 of 3 cells" in reply_to(table()[:-14], tmp_path, FormatError)


def test_a_table_cut_inside_quotes(tmp_path: Path) -> None:
    assert "cut in the middle" in reply_to('N,D,loss\n1e6,1e9,3\n2e6,1e9,"3.', tmp_path, FormatError)


@pytest.mark.parametrize("name", ["runs.json", "runs.jsonl", "runs.parquet"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_files_cut_in_the_middle(name: str, share: float, tmp_path: Path) -> None:
    content = (SAMPLES / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FormatError, match="cut in the middle"):
        read(tmp_path / name)


def test_rows_that_do_not_fit_the_header(tmp_path: Path) -> None:
    assert "Line 3 of" in reply_to("N,D,loss\n1,2,3\n1,2,3,4\n1,2,3\n", tmp_path, FormatError)
    assert "Line 3 of" in reply_to("N,D,loss\n1,2,3\n1,2\n1,2,3\n", tmp_path, FormatError)


def test_doubled_names(tmp_path: Path) -> None:
    assert "same name: loss" in reply_to("N,loss,loss\n1,2,3\n", tmp_path, ColumnError)
    for name, text in (("a.json", '[{"N": 1, "N": 2}]'), ("a.jsonl", '{"N": 1, "N": 2}\n')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ColumnError, match="same name: N"):
            read(tmp_path / name)
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=["N", "N"])
    for source in (frame, pyarrow.table([[1], [2]], names=["N", "N"])):
        with pytest.raises(ColumnError, match="N"):
            read(source)


def test_a_table_without_a_header(tmp_path: Path) -> None:
    assert "should name the columns" in reply_to("\n".join(LINES) + "\n", tmp_path, FormatError)


def test_decimal_commas_are_not_taken_for_thousands(tmp_path: Path) -> None:
    assert "may be 3.215 or 3215" in reply_to("N;D;loss\n1e6;1e9;3,215\n", tmp_path, CellError)
    assert "'3,2154'" in reply_to("N;D;loss\n1e6;1e9;3,2154\n", tmp_path, CellError)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("N,loss\n1,3\n".encode("utf-16"), "UTF-16"),
        ("N,loss,who\n1,3,José\n".encode("latin-1"), "0xe9"),
        (b"N,loss\n" + b"1,3\n" * 30_000 + b"1,\xff\n", "UTF-8"),
        (b"N,loss\n" + b"1,3\n" * 30_000 + b"1,\0\n", "zero bytes"),
        (b"\x00\x01\x02\x03" * 400, "no known format"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no known format"),
    ],
)
def test_bytes_that_are_no_text(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_bytes(content)
    with pytest.raises(FormatError, match=says):
        read(tmp_path / "runs.csv")


def test_an_unknown_file_lists_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x80\x04K\x01.\0")
    with pytest.raises(FormatError) as reply:
        read(tmp_path / "model.bin")
    for known in ("CSV and TSV", "JSON lines", "JSON (.json", "Parquet", "a folder of runs"):
        assert known in str(reply.value)


def test_archives_are_not_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("runs.csv", "N,loss\n" * 1000)
    shutil.copy(tmp_path / "a.zip", tmp_path / "runs.xlsx")
    (tmp_path / "runs.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 1_000_000))
    for name in ("a.zip", "runs.xlsx", "runs.csv.gz"):
        with pytest.raises(FormatError, match="which is not opened"):
            read(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(table())
    with pytest.raises(FormatError, match=r"Near names in .*: runs\.csv"):
        read(tmp_path / "rusn.csv")
    with pytest.raises(FormatError, match=r"holds: runs\.csv"):
        read(tmp_path / "elsewhere")
    with pytest.raises(FormatError, match="no folder"):
        read(tmp_path / "nowhere" / "runs.csv")
    for name in ("a\0b", "x" * 5000, "https://example.org/runs.csv"):
        with pytest.raises(FormatError):
            read(name)


def test_a_folder_without_records(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no records of runs"):
        read(tmp_path)
    (tmp_path / "runs.csv").write_text(table())
    with pytest.raises(FormatError, match=r"runs\.csv"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[:200], "not whole JSON"),
        (lambda text: "[]", "schema 1"),
        (lambda text: text.replace('"schema": 1', '"schema": 9'), "schema 1"),
        (lambda text: text.replace('"tokens"', '"tokns"'), "does not say 'tokens'"),
        (lambda text: text.replace('"spec": {', '"spec": 3, "was": {'), "does not say 'batch'"),
        (lambda text: text.replace('"done"', '"killed"').replace('"diverged"', '"killed"'), "None of the 3 runs"),
    ],
)
def test_records_that_were_changed(change, says: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "trained", tmp_path / "trained")
    for file in (tmp_path / "trained").glob("*/record.json"):
        file.write_text(change(file.read_text()))
    with pytest.raises(FormatError, match=says):
        read(tmp_path / "trained")


@pytest.mark.parametrize(
    "source",
    [
        *(None, 3, 3.5, object(), b"runs.csv", [], [1, 2], (), {}, set(), np.ones((2, 2)), np.array(3.0)),
        *({"N": 3}, {"N": "abc"}, {"N": [1], "loss": [1, 2]}, {"N": []}, {"N": np.ones((2, 2))}, {"N": {"0": 1}}),
        *({1: [1], "1": [2]}, pandas.DataFrame(), pandas.DataFrame({"N": []}), pandas.Series([1, 2]), [{}], [[1]]),
        *(pyarrow.table({}), iter([1]), "", ".", lambda: 1),
    ],
    ids=lambda source: re.sub(r" at 0x\w+", "", repr(source)),
)
def test_objects_that_are_no_runs(source) -> None:
    with pytest.raises(DataError):
        read(source)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.unknown"])
@pytest.mark.parametrize("letter", ["x", "1", '"', ","])
def test_an_endless_line_is_refused_early(name: str, letter: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("w") as file:
        file.write("N,loss\n")
        for _ in range(20):
            file.write(letter * 1_000_000)
    with pytest.raises(FormatError):
        read(tmp_path / name)


def test_a_file_too_large_to_be_a_table_of_runs(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.write(b"N,loss\n")
        file.truncate(2**29)
    with pytest.raises(FormatError, match="537 MB"):
        read(tmp_path / "a.csv")


def test_json_that_is_hostile(tmp_path: Path) -> None:
    deep, wide = "[" * 100_000, '{"a": ' * 50_000
    long = "[" + "9" * 10_000 + "]"
    many = json.dumps([{f"column {i}": 1} for i in range(20_000)])
    for text in (deep, wide, long, many):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(FormatError):
            read(tmp_path / "a.json")


def test_a_column_of_a_million_digits_does_not_dwell(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("N,loss\n" + "1" * 100_000 + "x,3\n")
    with pytest.raises(CellError):
        read(tmp_path / "a.csv")


def made_fit() -> Fit:
    law = find("chinchilla")
    theta_p = np.array([1.7, 480.0, 2085.0, 0.35, 0.37])
    return Fit(law, theta_p, theta_p[None], "converged", Data(12, "here"))


@pytest.mark.parametrize("place", ["nowhere/fit.json", ".", "file/fit.json"])
def test_an_output_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="Cannot write"):
        made_fit().save(tmp_path / place)
    with pytest.raises(OutputError, match="Cannot write"):
        storage.write_text(tmp_path / place, "text")
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "fit.json").write_text("kept")
    monkeypatch.setattr("isoloss.core.storage.os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        made_fit().save(tmp_path / "fit.json")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.json"]
    assert (tmp_path / "fit.json").read_text() == "kept"


@pytest.mark.parametrize("change", [lambda t: t[:100], lambda t: "", lambda t: "{}", lambda t: "[]", lambda t: "3"])
def test_a_saved_fit_that_was_cut(change, tmp_path: Path) -> None:
    made_fit().save(tmp_path / "fit.json")
    (tmp_path / "fit.json").write_text(change((tmp_path / "fit.json").read_text()))
    with pytest.raises(FormatError):
        Fit.load(tmp_path / "fit.json")

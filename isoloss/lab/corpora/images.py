"""Images with a class each: written digits, clothes, and templates under noise without end.

Shapes: `n` examples, `h` and `w` height and width, `c` classes.
"""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from pathlib import Path

import numpy as np

from isoloss.core.errors import FormatError, TrainingError
from isoloss.lab.building import build_examples, in_validation
from isoloss.lab.corpora.markov import LICENCE, size_of
from isoloss.lab.corpus import Examples, corpus_source
from isoloss.lab.fetching import members

DIGITS = "sklearn/datasets/data/digits.csv.gz"
FASHION = Path("/usr/share/datasets/fashion-mnist")
LIMIT = 2**30  # bytes of one file of images
SIDE, CLASSES, NOISE, SHIFT = 12, 10, 0.35, 2
TEMPLATES_SIZE = "20k"
UBYTE = 8  # the type of idx files that is read here


@corpus_source(
    "digits",
    kind="examples",
    about="1,797 written digits of 8 x 8 pixels",
    licence="BSD-3-Clause (data: CC-BY-4.0)",
    needs=("scikit-learn",),
)
def digits(name: str) -> Examples:
    """Written digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), as scikit-learn carries them."""
    rows = np.loadtxt(gzip.decompress(_digits_file(name)).decode().splitlines(), delimiter=",")
    x = (rows[:, :-1] / 16).reshape(-1, 8, 8, 1)
    judged = np.array([in_validation(f"image {number}") for number in range(len(x))])
    y = rows[:, -1].astype(np.int64)
    return build_examples(name, (x[~judged], y[~judged]), (x[judged], y[judged]), (), "BSD-3-Clause (data: CC-BY-4.0)")


def _digits_file(name: str) -> bytes:
    installed = importlib.util.find_spec("sklearn")
    for folder in (installed.submodule_search_locations or ()) if installed else ():
        if (file := Path(folder, *DIGITS.split("/")[1:])).is_file():
            return file.read_bytes()
    return next(content for _, content in members("scikit-learn", name, lambda file: file == DIGITS))


@corpus_source(
    "fashion-mnist",
    kind="examples",
    form="fashion-mnist[:FOLDER]",
    pattern=r"fashion-mnist(?::(.+))?",
    about="70,000 clothes of 28 x 28 pixels, from the Debian package dataset-fashion-mnist or a FOLDER of idx files",
    licence="MIT",
)
def fashion_mnist(name: str, folder: str | None) -> Examples:
    """Clothes of 28 x 28 pixels (Xiao, Rasul and Vollgraf 2017), or what else a folder holds in four idx files."""
    place = Path(folder).expanduser() if folder else FASHION
    train, judged = (_side(place, side, name) for side in ("train", "t10k"))
    licence = "MIT" if folder is None else "not known"
    return build_examples(name, train, judged, ("the publisher's own split",), licence)


def _side(place: Path, side: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = (_idx(place, f"{side}-{what}", name) for what in ("images-idx3", "labels-idx1"))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise FormatError(f"{place} holds images of shape {images.shape} and labels of shape {labels.shape}.")
    return images[..., None] / np.float32(255), labels.astype(np.int64)


def _idx(place: Path, what: str, name: str) -> np.ndarray:
    files = [file for end in ("-ubyte.gz", "-ubyte") if (file := place / f"{what}{end}").is_file()]
    if not files:
        raise TrainingError(
            f"The corpus '{name}' needs {what}-ubyte or {what}-ubyte.gz, which is not in {place}.",
            "",
            "Install the Debian package dataset-fashion-mnist, or name a folder: fashion-mnist:FOLDER.",
        )
    return read_idx(files[0])


def read_idx(file: Path) -> np.ndarray:
    """Return the bytes of an idx file, of any shape; raise FormatError where it is not whole.

    The format is LeCun's: two zeros, a type, the number of axes, each axis's length as four bytes, then the values.
    """
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as opened:
            content = opened.read(LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{file} cannot be read: {error}.", "", "Get it again.") from error
    axes = content[3] if len(content) > 3 else 0
    shape = tuple(np.frombuffer(content[4 : 4 + 4 * axes], ">u4").tolist()) if len(content) >= 4 + 4 * axes else ()
    whole = len(content) == 4 + 4 * axes + int(np.prod(shape, dtype=object)) <= LIMIT
    if content[:3] != bytes([0, 0, UBYTE]) or not shape or not whole:
        raise FormatError(f"{file} is no whole idx file of bytes, at most 1 GiB.", "", "Get it again.")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


@corpus_source(
    "templates",
    kind="examples",
    form="templates[:SIZE]",
    pattern=r"templates(?::([^:+]+))?",
    about="made images of 12 x 12 pixels: ten smooth patterns, moved about under noise; SIZE as 20k",
    licence=LICENCE,
)
def templates(name: str, size: str | None) -> Examples:
    """Ten smooth random patterns, each moved by up to two pixels and covered with noise: as many as are wanted."""
    count = size_of(name, size or TEMPLATES_SIZE)
    stream = np.random.RandomState(5)
    pattern_chw = _smooth(stream.standard_normal((CLASSES, SIDE, SIDE)))
    y = stream.randint(0, CLASSES, count)
    row_n, column_n = stream.randint(-SHIFT, SHIFT + 1, (2, count))
    rows = (np.arange(SIDE) + row_n[:, None]) % SIDE
    columns = (np.arange(SIDE) + column_n[:, None]) % SIDE
    clean = pattern_chw[y[:, None, None], rows[:, :, None], columns[:, None, :]]
    x = (0.5 + 0.2 * (clean + NOISE * stream.standard_normal(clean.shape))).clip(0, 1)[..., None]
    tenth = count // 10
    notes = (f"ten patterns, moved by up to {SHIFT} pixels, noise {NOISE}",)
    return build_examples(name, (x[tenth:], y[tenth:]), (x[:tenth], y[:tenth]), notes, LICENCE)


def _smooth(images: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        images = images / 2 + np.roll(images, 1, axis) / 4 + np.roll(images, -1, axis) / 4
    return images / images.std(axis=(1, 2), keepdims=True)

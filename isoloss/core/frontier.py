"""The compute-optimal frontier: best size, data and loss against compute, as three fits whose draws belong together.

Shapes: `s` draws, `m` points asked about, `b` budgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from isoloss.core import numbers, storage, text
from isoloss.core.estimate import Estimate
from isoloss.core.finding import Finding
from isoloss.core.fit import STATUS_MEANING, Data, Fit, Status
from isoloss.core.prediction import Kind, Prediction
from isoloss.core.shown import Shown

APPROACHES = {
    "isoflop": "isoFLOP profiles (Chinchilla's approach 2)",
    "envelope": "the envelope of training curves (Chinchilla's approach 1)",
}


@dataclass(frozen=True)
class Optimum:
    """The best size at one budget as the runs show it; `left_out` says why a budget does not count."""

    flops: float
    runs: int
    size: Estimate
    tokens: Estimate
    loss: Estimate
    left_out: str = ""

    def to_json(self) -> dict[str, Any]:
        estimates = {name: getattr(self, name).to_json() for name in ("size", "tokens", "loss")}
        return {"flops": self.flops, "runs": self.runs, **estimates, "left_out": self.left_out}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Optimum:
        size, tokens, loss = (_estimate(d[name]) for name in ("size", "tokens", "loss"))
        return cls(float(d["flops"]), int(d["runs"]), size, tokens, loss, d["left_out"])


@dataclass(frozen=True)
class Bias:
    """What a procedure gets wrong on losses of a known law at its own runs.

    `exponent` is found minus true for size against compute; `size` is found over true, minus 1, at `flops`; `law`
    says whose losses these were.
    """

    exponent: float
    size: float
    flops: float
    law: str


@dataclass(frozen=True, eq=False)
class Frontier(Shown):
    """Best size, data and loss against compute: three fits with draw i of one belonging to draw i of the others.

    `approach` is "isoflop" or "envelope", `method` how a single optimum was found; `optima` are the points behind the
    laws, those left out included; `bias` is what the procedure gets wrong on these very runs, which the draws leave
    out. Plans like any other fit: `isoloss.plan(frontier, flops=1e24)`.
    """

    approach: str
    method: str
    size: Fit
    tokens: Fit
    loss: Fit
    optima: tuple[Optimum, ...]
    findings: tuple[Finding, ...] = ()
    assumptions: tuple[str, ...] = ()
    bias: Bias | None = None

    @property
    def data(self) -> Data:
        """What the frontier was made from."""
        return self.size.data

    @property
    def seed(self) -> int:
        return self.size.seed

    @property
    def status(self) -> Status:
        return self.size.status

    @property
    def exponent(self) -> Estimate:
        """The exponent a of N_opt = G C^a with its 90% interval."""
        return self.size.interval("a")

    def predict(self, *, level: float = 0.9, kind: Kind = "run", **inputs: Any) -> Prediction:
        """The loss of a compute-optimal run: `frontier.predict(flops=1e24)`, in one value or several.

        Raises RequestError where the compute is missing or not positive, or the level is not between 0 and 1.
        """
        told = self.loss.predict(level=level, kind=kind, **inputs)
        of_law = self.loss.stated()
        return replace(told, assumptions=(*self.stated(), *(a for a in told.assumptions if a not in of_law)))

    def stated(self) -> tuple[str, ...]:
        """The assumptions behind every answer of this frontier, in sentences."""
        head = f"{APPROACHES[self.approach]} of {self.data.n} runs of {self.data.source}, {self.method}"
        return (head, *self.assumptions)

    def save(self, path: Any) -> None:
        """Write the frontier as JSON, exactly; raises OutputError where the place cannot be written."""
        storage.write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Any) -> Frontier:
        """Read a frontier that `save` wrote; raises FormatError for anything else."""
        return storage.read_json(path, "frontier", cls.from_json)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "schema": 1,
            "noun": "frontier",
            "approach": self.approach,
            "method": self.method,
            "size": self.size.to_json(),
            "tokens": self.tokens.to_json(),
            "loss": self.loss.to_json(),
            "optima": [o.to_json() for o in self.optima],
            "findings": [f.to_json() for f in self.findings],
            "assumptions": list(self.assumptions),
            "bias": vars(self.bias) if self.bias else None,
        }

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Frontier:
        """The inverse of `to_json`."""
        return cls(
            approach=d["approach"],
            method=d["method"],
            size=Fit.from_json(d["size"]),
            tokens=Fit.from_json(d["tokens"]),
            loss=Fit.from_json(d["loss"]),
            optima=tuple(Optimum.from_json(o) for o in d["optima"]),
            findings=tuple(Finding(**f) for f in d["findings"]),
            assumptions=tuple(d["assumptions"]),
            bias=Bias(**d["bias"]) if d["bias"] else None,
        )

    def summary(self, level: float = 0.9) -> dict[str, Any]:
        """What `isoloss isoflop --json` says: the laws with intervals, the optima, bias and findings, without draws."""
        laws = {
            part: {"law": fit.law.name, "params": {n: fit.interval(n, level).to_json() for n in fit.law.names}}
            for part, fit in self._parts()
        }
        return {
            "schema": 1,
            "approach": self.approach,
            "method": self.method,
            "status": self.status,
            "n": self.data.n,
            "level": level,
            **laws,
            "optima": [o.to_json() for o in self.optima],
            "bias": vars(self.bias) if self.bias else None,
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

    def __str__(self) -> str:
        """The laws with 90% intervals, the optima they go through, and what they rest on."""
        head = f"{self.approach}, {self.method}: {self.data.n} runs of {self.data.source}"
        lines = [head[:100], f"status {self.status}: {STATUS_MEANING[self.status]}"]
        if len(self.loss.residuals_n):
            lines.append(f"scatter of one run {self.loss.scatter:.2%}")
        for _, fit in self._parts():
            numbers_of = ", ".join(f"{name} = {fit.interval(name)}" for name in fit.law.names)
            told = f"{fit.law.name}({', '.join(fit.law.columns)}): {numbers_of}"
            lines.append(text.wrapped(f"  {fit.law.output.name:>13} = {told}"))
        lines += [text.wrapped(f"  {_row(o, self.size.law.output.name)}") for o in self.optima if not o.left_out]
        lines += text.notes(self.assumptions, self.findings)
        return "\n".join(lines)

    def _parts(self) -> tuple[tuple[str, Fit], ...]:
        return (("size", self.size), ("tokens", self.tokens), ("loss", self.loss))


def _row(optimum: Optimum, size: str) -> str:
    at = f"{numbers.short(optimum.flops):>8} FLOP"
    return f"{at}: {size} {optimum.size}, tokens {optimum.tokens}, loss {optimum.loss}"


def _estimate(d: Mapping[str, Any]) -> Estimate:
    return Estimate(*(float("nan") if d[end] is None else float(d[end]) for end in ("mid", "low", "high")))

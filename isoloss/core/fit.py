"""A law with numbers: best parameters, draws, status, and what it was fitted to.

Draws of parameters are the single currency of uncertainty: whoever predicts, plans or draws sees only them.
Shapes: `n` runs, `k` inputs, `p` parameters, `s` draws, `m` points asked about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from isoloss.core import numbers, storage, text
from isoloss.core.calibration import Calibration
from isoloss.core.certificate import Certificate
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate, check_level
from isoloss.core.explanation import Explanation, explain
from isoloss.core.finding import Finding
from isoloss.core.law import Law, find
from isoloss.core.noise import Noise
from isoloss.core.prediction import Kind, Prediction
from isoloss.core.quantities import QUANTITIES
from isoloss.core.runs import Runs
from isoloss.core.shown import Shown

Status = Literal["converged", "at_bound", "flat", "out_of_steps", "published"]

STATUS_MEANING: dict[str, str] = {
    "converged": "the optimum was reached",
    "at_bound": "a parameter sits at the end of its range, so the data do not fix it",
    "flat": "the data cannot see some direction of the parameters",
    "out_of_steps": "the solver stopped before it reached the optimum",
    "published": "taken from the literature, not fitted here",
}

NO_SCATTER = "the interval is of the mean curve: the scatter of single runs is not known"


@dataclass(frozen=True)
class Data:
    """What a fit was made from: how many runs, from where, and over which ranges of each quantity."""

    n: int
    source: str
    digest: str = ""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Runs, given: Runs | None = None) -> Data:
        """What `runs` hold; their digest is that of the table they were `given` as, before anything was derived."""
        known = [c for c in runs.columns if c in QUANTITIES and np.isfinite(runs[c]).any()]
        ranges = {c: (float(np.nanmin(runs[c])), float(np.nanmax(runs[c]))) for c in known}
        return cls(len(runs), runs.source, (given or runs).digest, ranges)


@dataclass(frozen=True, eq=False)
class Fit(Shown):
    """A law with its parameters theta_p (p,), draws draws_sp (s, p), and how far to believe them.

    `objective` is the name and the value minimised; `residuals_n` are log(measured) - log(predicted), as parts of what
    `noise` says of their size, from which a new run's scatter is drawn; `assumptions` are sentences that hold for every
    answer; `origin` names a published source; `fixed` names parameters that were not free; the `certificate` tells what
    the solver saw; `clusters` counts the independent runs behind the rows, 0 where every row is one; the `calibration`
    tells how far new runs beyond the data may miss.
    A published fit may have no draws: its answers then carry no interval, and say so.
    """

    law: Law
    theta_p: np.ndarray
    draws_sp: np.ndarray
    status: Status
    data: Data
    objective: tuple[str, float] = ("", math.nan)
    residuals_n: np.ndarray = field(default_factory=lambda: np.empty(0))
    findings: tuple[Finding, ...] = ()
    assumptions: tuple[str, ...] = ()
    origin: str = ""
    seed: int = 0
    certificate: Certificate | None = None
    fixed: tuple[str, ...] = ()
    noise: Noise = field(default_factory=Noise)
    clusters: int = 0
    calibration: Calibration | None = None

    @property
    def theta(self) -> dict[str, float]:
        """The parameters by name."""
        return dict(zip(self.law.names, map(float, self.theta_p), strict=True))

    def interval(self, name: str, level: float = 0.9) -> Estimate:
        """The central interval of one parameter at `level`, from the draws."""
        self.law.theta({**self.theta, name: 0.0})
        j = self.law.names.index(name)
        return Estimate.of(self.theta_p[j], self.draws_sp[:, j], level)

    @property
    def scatter(self) -> float:
        """The spread of one run about the law: standard deviation of the log residuals, for p free parameters."""
        n, p = len(self.residuals_n), self._free
        return float(np.sqrt(np.sum(self.residuals_n**2) / (n - p))) if n > p else math.nan

    def predict(self, runs: Runs | None = None, *, level: float = 0.9, kind: Kind = "run", **inputs: Any) -> Prediction:
        """Predict the law's output with an interval.

        Points come as `Runs` or as columns: `fit.predict(params=7e9, tokens=[1e11, 2e11])`; numbers may be written
        "7B". `kind="mean"` is the interval of the curve, from the draws; `kind="run"` that of a new run, whose scatter
        about the curve is resampled from the residuals. Inputs that the law lacks but that follow from others
        (tokens from flops) are derived, and the rule is among the assumptions.
        Raises RequestError when an input is missing or not positive, or the level is not between 0 and 1.
        """
        check_level(level)
        points = (runs if runs is not None else _as_runs(inputs)).complete(self.law.columns)
        x_km = np.array([points[c] for c in self.law.columns])
        with np.errstate(over="ignore", under="ignore"):
            mid_m = self.law.value(x_km, self.theta_p)
            draws_sm = self.law.value(x_km, self.draws_sp) if len(self.draws_sp) else np.empty((0, len(mid_m)))
        kind, lacking = ("mean", (NO_SCATTER,)) if kind == "run" and not len(self.residuals_n) else (kind, ())
        if kind == "run":
            draws_sm = draws_sm * np.exp(self._run_errors(points, len(draws_sm)))
        missed = self.calibration.stated(points.columns) if kind == "run" and self.calibration else ()
        return Prediction(
            Estimate.of(mid_m, draws_sm, level),
            self.law.output.name,
            {c: points[c] for c in self.law.columns},
            level,
            kind,
            (*points.notes, *self.stated(), *missed, *(lacking if len(draws_sm) else ())),
            self.reach({c: points[c] for c in self.law.columns}),
        )

    def explain(self, **inputs: Any) -> Explanation:
        """Show how the prediction at one point comes about: `fit.explain(params="7B", tokens="140B")`.

        Raises RequestError for more than one point, or for what `predict` refuses.
        """
        points = _as_runs(inputs).complete(self.law.columns)
        if len(points) != 1:
            raise RequestError(f"An explanation is of one point, not {len(points)}.")
        at = {c: points[c] for c in self.law.columns}
        source = self.origin or f"fitted to {self.data.n} runs of {self.data.source}"
        x_k = np.array([at[c][0] for c in self.law.columns])
        return explain(self.law, self.theta_p, x_k, source, (*points.notes, *self.assumptions), self.reach(at))

    def stated(self) -> tuple[str, ...]:
        """The assumptions behind every answer of this fit, in sentences."""
        if self.origin:
            head = f"the law '{self.law.name}' with the constants of {self.origin}"
        else:
            head = f"the law '{self.law.name}' fitted to {self.data.n} runs of {self.data.source}"
        lacking = (
            () if len(self.draws_sp) else ("no interval: the joint uncertainty of these constants is not published",)
        )
        return (head, *self.assumptions, *lacking)

    def reach(self, inputs: Mapping[str, np.ndarray]) -> tuple[Finding, ...]:
        """A finding for each input that leaves the range of the data, with how many times beyond it stands."""
        found = []
        for name, values in inputs.items():
            low, high = self.data.ranges.get(name, (math.nan, math.nan))
            least = float(np.min(values))
            below = low / least if least > 0 else 1.0
            beyond = max(float(np.max(values)) / high, below) if high > 0 else math.nan
            if beyond > 1.0 + 1e-9:
                severity = "amber" if beyond > 10 else "note"
                span = f"{numbers.short(low)} to {numbers.short(high)}"
                sentence = f"{name} is {numbers.short(beyond)} times beyond the data ({span})."
                found.append(Finding("D4", severity, sentence, beyond))
        return tuple(found)

    def _run_errors(self, points: Runs, draws: int) -> np.ndarray:
        factor_m = self.noise.factor({c: points[c] for c in self.noise.columns}, len(points))
        scatter_sm = self.new_run_scatter(draws)[:, None] * factor_m
        return self.calibration.errors(scatter_sm, points.columns, self.seed) if self.calibration else scatter_sm

    def new_run_scatter(self, draws: int) -> np.ndarray:
        # Few residuals are no distribution: they are smoothed, which keeps their variance (Silverman 1986,
        # section 6.4), and their size is as uncertain as a standard deviation from n - p residuals is.
        n, p = self.clusters or len(self.residuals_n), self._free
        freedom, rng = max(n - p, 1), np.random.default_rng(self.seed)
        centred_n = np.sort(self.residuals_n - np.median(self.residuals_n)) * np.sqrt(n / freedom)
        deviation, quartiles = float(centred_n.std()), np.quantile(centred_n, [0.25, 0.75])
        width = 0.9 * min(deviation, float(np.ptp(quartiles)) / 1.349) * n**-0.2
        share = np.sqrt(max(1 - (width / deviation) ** 2, 0.0)) if deviation > 0 else 1.0
        smooth_s = rng.choice(centred_n, size=draws) * share + width * rng.standard_normal(draws)
        return smooth_s * np.sqrt(freedom / rng.chisquare(freedom, size=draws))

    @property
    def _free(self) -> float:
        return self.law.freedom(self.theta_p) - len(self.fixed)

    def save(self, path: Any) -> None:
        """Write the fit as JSON, exactly; raises OutputError where the place cannot be written."""
        storage.write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Any) -> Fit:
        """Read a fit that `save` wrote; raises FormatError for anything else."""
        return storage.read_json(path, "fit", cls.from_json)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "schema": 1,
            "noun": "fit",
            "law": self.law.name,
            "binding": self.law.binding,
            "theta": self.theta,
            "draws": self.draws_sp.tolist(),
            "status": self.status,
            "data": {"n": self.data.n, "source": self.data.source, "digest": self.data.digest}
            | {"ranges": {k: list(v) for k, v in self.data.ranges.items()}},
            "objective": {"name": self.objective[0], "value": self.objective[1]},
            "residuals": self.residuals_n.tolist(),
            "findings": [f.to_json() for f in self.findings],
            "assumptions": list(self.assumptions),
            "origin": self.origin,
            "seed": self.seed,
            "certificate": self.certificate.to_json() if self.certificate else None,
            "fixed": list(self.fixed),
            "noise": self.noise.to_json(),
            "clusters": self.clusters,
            "calibration": self.calibration.to_json() if self.calibration else None,
        }

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Fit:
        """The inverse of `to_json`."""
        law = find(d["law"]).bind(**d["binding"])
        data = d["data"]
        ranges = {k: (float(low), float(high)) for k, (low, high) in data["ranges"].items()}
        return cls(
            law=law,
            theta_p=law.theta(d["theta"]),
            draws_sp=np.array(d["draws"], float).reshape(-1, len(law.names)),
            status=d["status"],
            data=Data(data["n"], data["source"], data["digest"], ranges),
            objective=(d["objective"]["name"], float(d["objective"]["value"])),
            residuals_n=np.array(d["residuals"], float),
            findings=tuple(Finding(**f) for f in d["findings"]),
            assumptions=tuple(d["assumptions"]),
            origin=d["origin"],
            seed=int(d["seed"]),
            certificate=Certificate.from_json(d["certificate"]) if d["certificate"] else None,
            fixed=tuple(d["fixed"]),
            noise=Noise.from_json(d["noise"]),
            clusters=int(d.get("clusters", 0)),
            calibration=Calibration.from_json(d["calibration"]) if d.get("calibration") else None,
        )

    def summary(self, level: float = 0.9) -> dict[str, Any]:
        """What `isoloss fit --json` says: every parameter with its interval, status and findings, without the draws."""
        return {
            "schema": 1,
            "law": self.law.name,
            "status": self.status,
            "n": self.data.n,
            "objective": {"name": self.objective[0], "value": self.objective[1] if self.objective[0] else None},
            "level": level,
            "params": {name: self.interval(name, level).to_json() for name in self.law.names},
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
            "certificate": self.certificate.to_json() if self.certificate else None,
        }

    def __str__(self) -> str:
        """A table of the parameters with 90% intervals, status and findings, in at most 100 columns."""
        head = f"{self.law.name}: {self.origin or f'{self.data.n} runs of {self.data.source}'}"
        lines = [head[:100], f"status {self.status}: {STATUS_MEANING[self.status]}"]
        if self.objective[0]:
            lines.append(
                f"objective {self.objective[0]} = {self.objective[1]:.8g}; scatter of one run {self.scatter:.2%}"
            )
        for name in self.law.names:
            lines.append(f"  {name:>8} = {self.interval(name)}")
        lines += [str(self.certificate)] if self.certificate else []
        lines += text.notes(self.assumptions, self.findings)
        return "\n".join(lines)


def _as_runs(inputs: Mapping[str, Any]) -> Runs:
    if not inputs:
        raise RequestError("There is nothing to predict for.", do="Name the inputs: params=7e9, tokens=140e9.")
    read = {
        n: np.atleast_1d([numbers.parse(v) for v in np.atleast_1d(np.asarray(x, object))]) for n, x in inputs.items()
    }
    length = max(len(v) for v in read.values())
    try:
        return Runs({n: np.broadcast_to(v, (length,)) for n, v in read.items()}, source="the points asked about")
    except ValueError:
        sizes = ", ".join(f"{n} has {len(v)}" for n, v in read.items())
        raise RequestError(
            f"The inputs have different numbers of points: {sizes}.", do="Give one value or as many as the others."
        ) from None

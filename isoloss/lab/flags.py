"""Flags: what is odd among runs that have ended: rates at the end of those tried, divergence, losses off their place.

Shapes: `n` runs, `m` all but one of them, `p` terms of a smooth surface.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core import numbers

Record = dict[str, Any]

OFF = 5.0  # robust standard deviations from the surface through the other runs
SMALLEST = 0.003  # of log loss, below which runs are not told apart
SPARE = 3  # runs to a term of a surface, without which none is drawn
AT_MOST = 5  # one run in so many may be off its place
LABELS = ("id", "schema", "split", "note")
DESIGNED = ("shape", "tokens", "seed", "lr", "batch", "warmup_steps", "cooldown_steps", "decays")


@dataclass(frozen=True)
class Flag:
    """What is odd about a run: a code, the run's id, a sentence."""

    code: str
    id: str
    said: str

    def __str__(self) -> str:
        return f"{self.code}: {self.said}"

    def to_json(self) -> dict[str, str]:
        """The flag as plain JSON values."""
        return {"code": self.code, "id": self.id, "said": self.said}


def flags(records: Iterable[Record]) -> tuple[Flag, ...]:
    """Return what is odd among these records: `diverged`, `rate_edge` and `outlier`, by code.

    A `rate_edge` is a best learning rate, among runs alike but for rate and seed, that is the lowest or highest tried.
    An `outlier` has a loss further than 5 robust standard deviations (1.4826 times the median absolute deviation) from
    the quadratic surface in log size and log tokens through the other runs; a plane where there are few.
    """
    records = sorted(records, key=lambda r: (r["counts"]["matmul_params"], r["tokens"], r["spec"]["seed"], r["id"]))
    return (*_diverged(records), *_rate_edges(records), *_outliers(records))


def describe(record: Record) -> str:
    """Return a run in a few words, its id first."""
    size, tokens = numbers.short(record["counts"]["params"]), numbers.short(record["tokens"])
    return f"run {record['id']} ({size} parameters, {tokens} tokens, seed {record['spec']['seed']})"


def grouped(records: Iterable[Record], apart: Sequence[str]) -> list[list[Record]]:
    """Return the records whose Specs are alike in all but the fields `apart` and labels, together."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        rest = {name: value for name, value in record["spec"].items() if name not in (*LABELS, *apart)}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(record)
    return list(groups.values())


def _diverged(records: Sequence[Record]) -> list[Flag]:
    lost = [record for record in records if record["status"] == "diverged"]
    return [Flag("diverged", r["id"], f"{describe(r)} diverged: {r['why']}.") for r in lost]


def _rate_edges(records: Sequence[Record]) -> list[Flag]:
    found = []
    for runs in grouped(records, ("lr", "seed")):
        loss_by_rate = _by_rate(runs)
        best = min(loss_by_rate, key=lambda rate: loss_by_rate[rate])
        end = {min(loss_by_rate): "lowest", max(loss_by_rate): "highest"}.get(best)
        if len(loss_by_rate) > 1 and end and loss_by_rate[best] < np.inf:
            run = min((r for r in runs if r["spec"]["lr"] == best), key=_loss)
            said = f"{describe(run)}: the best of {len(loss_by_rate)} learning rates, {best:g}, is the {end} tried."
            found.append(Flag("rate_edge", run["id"], f"{said} A better one may lie beyond."))
    return found


def _by_rate(runs: Iterable[Record]) -> dict[float, float]:
    # The mean loss over seeds at each learning rate, infinite where one diverged.
    losses: dict[float, list[float]] = {}
    for run in runs:
        losses.setdefault(run["spec"]["lr"], []).append(_loss(run))
    return {rate: float(np.mean(of)) for rate, of in losses.items()}


def _loss(record: Record) -> float:
    return record["loss"] if record["status"] == "done" else np.inf


def _outliers(records: Sequence[Record]) -> list[Flag]:
    found = []
    for alike in grouped((record for record in records if record["status"] == "done"), DESIGNED):
        runs = [run for cell in grouped(alike, ("lr", "seed")) for run in _at_best_rate(cell)]
        place_n2 = np.log([[run["counts"]["matmul_params"], run["tokens"]] for run in runs])
        for number, off in off_place(place_n2, np.log([run["loss"] for run in runs])).items():
            said = f"{describe(runs[number])}: loss {runs[number]['loss']:.4f} is {abs(np.expm1(off)):.1%}"
            side = "above" if off > 0 else "below"
            found.append(Flag("outlier", runs[number]["id"], f"{said} {side} the surface through the runs beside it."))
    return found


def _at_best_rate(cell: Sequence[Record]) -> list[Record]:
    loss_by_rate = _by_rate(cell)
    best = min(loss_by_rate, key=lambda rate: loss_by_rate[rate])
    return [record for record in cell if record["spec"]["lr"] == best]


def off_place(place_n2: np.ndarray, value_n: np.ndarray) -> dict[int, float]:
    """Return the runs that are off a smooth surface through the others, worst first, and by how much.

    Each run is compared with the surface drawn without it, so that one at a corner, which would pull it to itself, is
    seen; the worst is taken out and the rest looked at anew. `place_n2` are the places (n, 2), `value_n` the values.
    """
    found: dict[int, float] = {}
    left_n = np.arange(len(value_n))
    while len(found) < max(1, len(value_n) // AT_MOST):
        terms_np = _terms(place_n2[left_n])
        if terms_np is None:
            break
        off_n, sigmas_n = np.transpose([_without(terms_np, value_n[left_n], i) for i in range(len(left_n))])
        worst = int(np.argmax(np.abs(off_n) / sigmas_n))
        if abs(off_n[worst]) <= OFF * sigmas_n[worst]:
            break
        found[int(left_n[worst])] = float(off_n[worst])
        left_n = np.delete(left_n, worst)
    return found


def _without(terms_np: np.ndarray, value_n: np.ndarray, i: int) -> tuple[float, float]:
    """Return how far run i is off the surface through the others, and the standard deviation of that, robustly."""
    others_mp, others_m = np.delete(terms_np, i, axis=0), np.delete(value_n, i)
    inverse_pm = np.linalg.pinv(others_mp)
    residual_m = others_m - others_mp @ (inverse_pm @ others_m)
    spare = 1 - terms_np.shape[1] / len(others_m)  # of the runs, that the surface does not follow
    sigma = max(1.4826 * float(np.median(np.abs(residual_m))) / np.sqrt(spare), SMALLEST)
    reach_m = terms_np[i] @ inverse_pm
    return float(value_n[i] - reach_m @ others_m), float(sigma * np.sqrt(1 + reach_m @ reach_m))


def _terms(place_n2: np.ndarray) -> np.ndarray | None:
    # Constant, slopes and, where there are runs enough, curvatures; None where there are too few for either.
    varied_2 = np.ptp(place_n2, axis=0) > 0
    varied_n2 = place_n2[:, varied_2] - place_n2[:, varied_2].mean(axis=0)
    plane = [np.ones(len(place_n2)), *varied_n2.T]
    bends = [one * other for i, one in enumerate(varied_n2.T) for other in varied_n2.T[i:]]
    for terms in ([*plane, *bends], plane):
        if len(place_n2) >= SPARE * len(terms):
            return np.stack(terms, axis=1)
    return None

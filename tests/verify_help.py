"""Runs whose outcome is drawn from a known law, in place of training: what the tests of predictions share."""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.core.fit import Fit
from isoloss.core.law import find
from isoloss.core.runs import Runs
from isoloss.core.spec import Spec
from isoloss.fitting import fit
from isoloss.lab import dials, load_corpus
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.table import foreseen

LAW = find("chinchilla")
TRUTH = LAW.theta({"E": 1.5, "A": 20.0, "B": 60.0, "alpha": 0.3, "beta": 0.3})
SCATTER = 0.01
DIALS, HORIZONS = (1, 2, 3, 4, 6), (50_000, 150_000, 500_000, 1_500_000)


@functools.cache
def run(dial: int = 8, tokens: int = 4_000_000, seed: int = 0) -> Spec:
    """Return a run beyond the ladder, labelled as held out."""
    return wsd_adamw(dials.shape(dial), tokens, load_corpus("python"), seed, split="test")


@functools.cache
def ladder() -> Runs:
    """Return the inputs of the ladder's runs."""
    rows = [foreseen(run(dial, tokens)) for dial in DIALS for tokens in HORIZONS]
    runs = Runs({name: np.concatenate([row[name] for row in rows]) for name in rows[0].columns}, "ladder")
    return runs.with_columns(split="train")


@functools.cache
def fitted(seed: int = 0, draws: int = 100) -> Fit:
    """Return the law fitted to the ladder's runs, trained by lot."""
    runs, rng = ladder(), np.random.default_rng(seed)
    loss_n = true_loss(runs) * np.exp(SCATTER * rng.standard_normal(len(runs)))
    return fit(runs.with_columns(loss=loss_n), "chinchilla", draws=draws, seed=seed)


def true_loss(runs: Runs) -> np.ndarray:
    return LAW.value([runs[c] for c in LAW.columns], TRUTH)


def train_by_lot(out: Path, spec: Spec, miss: float = 0.0, status: str = "done", **changes: Any) -> Path:
    """Write the record that the run would leave if its loss were the true one times 1 + `miss`."""
    loss = float(true_loss(foreseen(spec))[0]) * (1 + miss) if status == "done" else None
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = foreseen(spec)
    record = {"schema": 1, "id": spec.id, "status": status, "why": "", "spec": spec.to_json(), "loss": loss}
    record |= {"ended": ended, "seconds": 0.0, "loss_se": 0.01, "bits_per_byte": loss, "flops": spec.flops}
    record |= {name: float(row[name][0]) for name in ("tokens", "unique_tokens", "steps")}
    record |= {"counts": {name: float(row[name][0]) for name in ("params", "body_params", "matmul_params")}, **changes}
    path = out / spec.id / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    return path

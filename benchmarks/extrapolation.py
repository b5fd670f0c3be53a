"""How far "auto" beats a plain Chinchilla fit on runs that were hidden, and how often its 90% intervals hold.

    python benchmarks/extrapolation.py FOLDER [--only llama3,porian2024] [--processes 2]

FOLDER holds one folder a data set, with tidy.csv and the split of its authors; everything is fitted from defaults.
Prints one line a table: the median absolute relative error on the held-out runs of the plain fit and of auto, their
ratio, how many of the held-out runs lay in the 90% intervals of both; then R^2 by task, beside published values.
Then the families of models whose largest is predicted from the smallest, beside the published errors.
The power of the error in auto's weights, its two emphases, cutting by compute, trying Kaplan's law on all parameters
and the constants of the calibration were chosen with these tables in view, so what is printed flatters auto.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import isoloss as il
from isoloss.core.errors import IsolossError

ND = {"params": "N", "tokens": "D", "flops": "C", "loss": "loss"}
DRAWS = 200
FEWEST_TRAINED, FEWEST_HELD = 12, 2
WARM_UP = 1e10  # tokens of a family that the published protocol leaves out
FAMILIES = {2: 20.5, 3: 18.9, 4: 9.8, 5: 5.1, 6: 4.3, 7: 3.5, 8: 2.9}  # published error in % from so many models


@dataclass(frozen=True)
class Table:
    """A file of runs, which column is which quantity, and which rows belong to it."""

    file: str
    columns: Mapping[str, str]
    keep: Callable[[Mapping[str, str]], bool] = lambda row: True
    by: str = ""


SURFACES = {
    "chinchilla_epoch": Table("chinchilla_epoch/tidy.csv", ND),
    "porian2024": Table("porian2024/tidy.csv", ND, by="group"),
    "llama3_isoflop": Table("llama3_isoflop/tidy.csv", ND),
    "misfitting": Table("misfitting/tidy.csv", ND, keep=lambda row: row["best_lr_for_config"] == "True"),
    "xlstm_isoflop": Table("xlstm_isoflop/tidy.csv", ND, by="group"),
    "datablations": Table("datablations/tidy.csv", {**ND, "unique_tokens": "unique_tokens"}),
    "colpret_families": Table("colpret_families/tidy.csv", ND, by="group"),
}
TASKS = {
    "data_constrained": Table(
        "sldbench/data_constrained.csv",
        {"params": "params", "tokens": "tokens", "unique_tokens": "unique_tokens", "loss": "loss"},
    ),
    "parallel": Table(
        "sldbench/parallel.csv", {"body_params": "num_params", "streams": "parallel_size", "loss": "loss"}, by="group"
    ),
    "moe": Table(
        "sldbench/moe.csv",
        {"dense_params": "dense_parameter_count", "experts": "num_experts", "loss": "loss_validation"},
    ),
    "routing_moe": Table(
        "routing_moe/tidy.csv",
        {"dense_params": "N_dense", "experts": "experts", "loss": "loss"},
        keep=lambda row: row["in_paper_fit"] == "True" or row["split"] == "test",
    ),
    "vocab": Table(
        "vocab_scaling/tidy.csv",
        {
            "nonvocab_params": "N_nonvocab",
            "vocab_params": "N_vocab",
            "vocab": "vocab_size",
            "tokens": "D_characters",
            "unigram_loss": "loss",
        },
    ),
    **{
        f"domain_mixture:{i}": Table(
            "sldbench/domain_mixture.csv",
            {**{f"share_{j}": f"proportion_domain_{j}" for j in range(1, 6)}, "loss": f"loss_domain_{i}"},
            by="group",
        )
        for i in range(1, 6)
    },
}
TASKS["easy_question"] = Table(
    "sldbench/easy_question_reconstructed.csv", {"flops": "flops_1e21", "error": "brier_score"}, by="group"
)
UNITS = {"brier_score": -1.0, "flops_1e21": 1e21}  # what a column is multiplied by to be its quantity
PUBLISHED = {
    "easy_question": (-1.0, -0.305),
    "data_constrained": (0.911, 0.944),
    "parallel": (1.000, 1.000),
    "moe": (0.703, 0.773),
    "vocab": (0.966, 0.987),
    "domain_mixture": (0.671, 0.988),
}


def read(folder: Path, name: str, table: Table) -> dict[str, il.Runs]:
    """The runs of each group of a table, by name, with their split."""
    path = folder / table.file
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] in ("train", "test") and table.keep(row)]
    rows = [row for row in rows if all(row[c] not in ("", "nan") for c in table.columns.values())]
    groups = sorted({row[table.by] for row in rows}) if table.by else [""]
    made = {}
    for group in groups:
        own = [row for row in rows if not table.by or row[table.by] == group]
        columns = {q: UNITS.get(c, 1.0) * np.array([float(row[c]) for row in own]) for q, c in table.columns.items()}
        label = f"{name}/{group}" if group else name
        made[label] = il.Runs({**columns, "split": np.array([row["split"] for row in own])}, source=label)
    return made


def tested(runs: il.Runs, plain: str | None) -> dict[str, Any]:
    """Auto, and the plain law if there is one, on the held-out runs of a table."""
    train, test = runs.where(split="train"), runs.where(split="test")
    start = time.process_time()
    chosen = il.fit(train, law="auto", draws=DRAWS)
    found = {"table": runs.source, "n": len(train), "held": len(test), "seconds": time.process_time() - start}
    found |= {"law": chosen.law.name, "auto": _scored(chosen, test)}
    return found | ({"plain": _scored(il.fit(train, law=plain, draws=DRAWS), test)} if plain else {})


def _scored(fit: il.Fit, test: il.Runs) -> dict[str, Any]:
    said, reached = fit.predict(test), test[fit.law.output.name]
    inside = (np.atleast_1d(said.low) <= reached) & (reached <= np.atleast_1d(said.high))
    return {
        "error": float(np.median(np.abs(said.mid / reached - 1))),
        "coverage": float(inside.mean()),
        "inside": int(inside.sum()),
        "drift": fit.calibration.drift if fit.calibration else 0.0,
        "mid": np.atleast_1d(said.mid).tolist(),
        "reached": reached.tolist(),
    }


def surfaces(folder: Path, only: list[str], pool: ProcessPoolExecutor) -> list[dict]:
    """The table of surfaces in size and data, and what it says in all."""
    tables = [runs for name, t in SURFACES.items() if _wanted(name, only) for runs in read(folder, name, t).values()]
    tables = [t for t in tables if _is_testable(t)]
    print(f"{'table':<52} {'n':>5} {'held':>4} {'plain':>7} {'auto':>7} {'ratio':>5} {'in90':>5} {'plain':>5} {'s':>4}")
    found = []
    for r in pool.map(partial(tested, plain="chinchilla"), tables):
        found.append(r)
        plain, auto = r["plain"], r["auto"]
        print(
            f"{r['table'][:52]:<52} {r['n']:>5} {r['held']:>4} {plain['error']:>7.2%} {auto['error']:>7.2%} "
            f"{auto['error'] / plain['error']:>5.2f} {auto['coverage']:>5.0%} {plain['coverage']:>5.0%} "
            f"{r['seconds']:>4.0f}  {auto['drift']:.2%} {r['law']}",
            flush=True,
        )
    if found:
        _in_all(found)
    return found


def _in_all(found: list[dict]) -> None:
    ratio = np.array([r["auto"]["error"] / r["plain"]["error"] for r in found])
    held = sum(r["held"] for r in found)
    print(
        f"auto is better on {np.mean(ratio < 1):.0%} of {len(ratio)} tables (target 80%), geometric mean of ratios "
        f"{np.exp(np.log(ratio).mean()):.2f} (target 0.8), worst {ratio.max():.2f} (target 1.3)"
    )
    for who in ("auto", "plain"):
        each = np.array([r[who]["coverage"] for r in found])
        pooled = sum(r[who]["inside"] for r in found) / held
        print(
            f"{who}: 90% intervals held {pooled:.1%} of {held} runs (target 85-95%), {each.mean():.1%} as a mean over "
            f"tables; {np.mean((each >= 0.75) & (each <= 0.99)):.0%} of tables lie within 75-99%, "
            f"{np.mean(each >= 0.75):.0%} at 75% or more"
        )


def tasks(folder: Path, only: list[str], pool: ProcessPoolExecutor) -> list[dict]:
    """R^2 on the official split of each task: 1 - MSE / variance over all its held-out rows, a mean over targets."""
    tables = [
        (name, runs)
        for name, t in TASKS.items()
        if _wanted(name.partition(":")[0], only)
        for runs in read(folder, name, t).values()
    ]
    tables = [(name, _varied(runs)) for name, runs in tables]
    found = []
    for r in pool.map(partial(tested, plain=None), [runs for _, runs in tables]):
        found.append(r)
        print(f"  {r['table']:<40} {r['seconds']:4.0f} s  {r['law']}", flush=True)
    by_target: dict[str, list[dict]] = {}
    for (name, _), r in zip(tables, found, strict=True):
        by_target.setdefault(name, []).append(r)
    by_task: dict[str, list[float]] = {}
    for target, results in by_target.items():
        mid, reached = (np.concatenate([r["auto"][key] for r in results]) for key in ("mid", "reached"))
        r2 = 1 - np.mean((mid - reached) ** 2) / np.var(reached)
        by_task.setdefault(target.partition(":")[0], []).append(max(float(r2), -1.0))
        held = np.mean([r["auto"]["coverage"] for r in results])
        print(f"  {target:<20} R2 {r2:8.4f}  in 90% {held:4.0%}  {results[0]['law']}", flush=True)
    print(f"{'task':<20} {'R2':>8}   published: human, SLDAgent")
    for task, values in by_task.items():
        print(f"{task:<20} {np.mean(values):8.4f}   {PUBLISHED.get(task, '')}")
    return found


def families(folder: Path, only: list[str], pool: ProcessPoolExecutor) -> list[dict]:
    """The last 30% of a family's largest model from all of its k smallest: Choshen et al. 2024, mean over families.

    Theirs is a mean over 2 to 40 families, most of them not in this table; here are those with two smaller models.
    """
    if not _wanted("families", only):
        return []
    tables = [t for t in read(folder, "colpret_families", SURFACES["colpret_families"]).values() if _is_testable(t)]
    asked = [(t, k) for t in tables for k in range(2, len(np.unique(t.where(split="train")["params"])) + 1)]
    found = list(pool.map(_largest_from, *zip(*asked, strict=True)))
    print("families: mean absolute relative error of the largest model's last 30%")
    for k in sorted({r["models"] for r in found}):
        of_k = [r for r in found if r["models"] == k]
        auto, plain = (np.mean([r[who] for r in of_k]) for who in ("auto", "plain"))
        each = ", ".join(f"{r['table'].partition('/')[2]} {r['auto']:.1%}" for r in of_k)
        print(
            f"  from {k}: auto {auto:6.2%} plain {plain:6.2%} published {FAMILIES[min(k, 8)]:5.1f}%   ({each})",
            flush=True,
        )
    return found


def _largest_from(runs: il.Runs, models: int) -> dict[str, Any]:
    train, test = runs.where(split="train"), runs.where(split="test")
    smallest = np.unique(train["params"])[:models]
    train = train.take(np.isin(train["params"], smallest) & (train["tokens"] > WARM_UP))
    found = {"table": runs.source, "models": models, "n": len(train)}
    for who, law in (("auto", "auto"), ("plain", "chinchilla")):
        try:
            said = il.fit(train, law=law, draws=0).predict(test).mid
            found[who] = float(np.mean(np.abs(said / test["loss"] - 1)))
        except IsolossError as error:
            found[who] = float("nan")
            print(f"  {runs.source} from {models}, {who}: {error}", flush=True)
    return found


def _varied(runs: il.Runs) -> il.Runs:
    # Shares that are the same in every run tell nothing.
    same = [c for c in runs.columns if c.startswith("share_") and np.ptp(runs[c]) == 0]
    return il.Runs({c: v for c, v in runs.columns.items() if c not in same}, runs.source, runs.notes)


def _is_testable(runs: il.Runs) -> bool:
    train, test = runs.where(split="train"), runs.where(split="test")
    varied = len(train) and all(len(np.unique(train[c])) > 1 for c in ("params", "tokens"))
    return bool(varied and len(train) >= FEWEST_TRAINED and len(test) >= FEWEST_HELD)


def _wanted(name: str, only: list[str]) -> bool:
    return not only or name in only


def references(folder: Path) -> None:
    """The published checks of held-out error that these tables have."""
    print("reference_checks.json:")
    for check in json.loads((folder / "reference_checks.json").read_text()):
        if any(word in check["test"] for word in ("held-out", "split", "official", "->")):
            print(f"  {check['dataset']:<36} {check['test'][:44]:<44} {check['metric'][:34]:<34} {check['value']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names of data sets or tasks, with commas between")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--to", type=Path, help="write everything, predictions and all, as JSON")
    how = parser.parse_args()
    only = [name for name in how.only.split(",") if name]
    with ProcessPoolExecutor(how.processes) as pool:
        found = [part for of in (surfaces, families, tasks) for part in of(how.folder, only, pool)]
    references(how.folder)
    if how.to:
        how.to.write_text(json.dumps(found))


if __name__ == "__main__":
    main()

"""More seeds: which runs to repeat with another seed, where they tell most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.spec import Spec
from isoloss.lab.flags import Record, flags, grouped

AGAIN = ("diverged", "outlier")  # flags that ask for another seed
HELD_OUT = "test"


def more_seeds(records: Sequence[Record], specs: Iterable[Spec], budget: int) -> tuple[Spec, ...]:
    """Return `budget` runs of `specs` again, with new seeds: first those that diverged or are off their place.

    The others go, one at a time, to the cell (all but the seed) whose mean loss they make surest: by s^2 / (n (n + 1))
    with n seeds in the cell and s^2 the variance between seeds at its size, the cheaper where two are alike. s^2 is
    pooled over the cells of a size that have several seeds; a size that has none takes that of the nearest size, and
    where no size has any all count alike. `records` of further seeds of the same cells count with those of `specs`.
    Runs held out are not repeated. Raises RequestError for a budget below one.
    """
    if budget < 1:
        raise RequestError(f"{budget} more runs are none.", "", "Ask for 1 or more.")
    asked = {spec.id: spec for spec in specs if spec.split != HELD_OUT}
    cells = {replace(spec, seed=0) for spec in asked.values()}
    further = {spec.id: spec for record in records if replace(spec := Spec.from_json(record["spec"]), seed=0) in cells}
    known = {**further, **asked}
    records = [record for record in records if record["id"] in known]
    again = {replace(spec, seed=0) for spec_id, spec in further.items() if spec_id not in asked}
    seeds: dict[Spec, set[int]] = {}
    for spec in known.values():
        seeds.setdefault(replace(spec, seed=0), set()).add(spec.seed)
    lost = {record["id"] for record in records if record["status"] != "done"}
    telling = {cell: sum(replace(cell, seed=seed).id not in lost for seed in seeds[cell]) for cell in seeds}
    variances = seed_variances(records)
    chosen: list[Spec] = []

    def choose(cell: Spec) -> None:
        chosen.append(replace(cell, seed=max(seeds[cell]) + 1))
        seeds[cell].add(chosen[-1].seed)
        telling[cell] += 1

    for flag in flags(records):
        cell = replace(known[flag.id], seed=0)
        if flag.code in AGAIN and cell not in again and len(chosen) < budget:
            choose(cell)
    while seeds and len(chosen) < budget:
        choose(max(seeds, key=lambda cell: (_gain(cell, telling[cell], variances), -cell.flops)))
    return tuple(chosen)


def seed_variances(records: Sequence[Record]) -> dict[int, float]:
    """Return the variance of the loss between seeds, by matrix-product parameters, pooled over cells of several."""
    pooled: dict[int, list[tuple[float, int]]] = {}
    for cell in grouped((record for record in records if record["status"] == "done"), ("seed",)):
        losses = [record["loss"] for record in cell]
        if len(losses) > 1:
            size = cell[0]["counts"]["matmul_params"]
            pooled.setdefault(size, []).append((float(np.var(losses)) * len(losses), len(losses) - 1))
    return {size: sum(s for s, _ in parts) / sum(n for _, n in parts) for size, parts in pooled.items()}


def _gain(cell: Spec, seeds: int, variances: dict[int, float]) -> float:
    size = cell.counts.matmul_params
    nearest = min(variances, key=lambda known: abs(np.log(known / size)), default=None)
    variance = variances[nearest] if nearest is not None else 1.0
    return variance / (seeds * (seeds + 1)) if seeds else np.inf

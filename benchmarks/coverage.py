"""How often nominal 90% intervals hold the truth: simulated sweeps of the shapes that people run, many times over.

    python benchmarks/coverage.py            (the full table; about half an hour of one core)
    python benchmarks/coverage.py --quick    (a few rows, a few minutes)
    python benchmarks/coverage.py --write    (and put the table into docs/coverage.md)
    python benchmarks/coverage.py --only mcmc --only cluster --write    (rows of these methods alone)

Every sweep is fitted as a user would fit it; what is counted is whether the truth lies between the ends that the fit
gives. Shapes: `n` runs, `t` parameter sets: the best estimate and then the draws.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from isoloss.core.estimate import Estimate  # noqa: E402
from isoloss.core.fit import Fit  # noqa: E402
from isoloss.core.law import find  # noqa: E402
from isoloss.core.runs import Runs  # noqa: E402
from isoloss.fitting import fit  # noqa: E402
from isoloss.planning.iso_cost import best_sizes  # noqa: E402
from isoloss.published.registry import published  # noqa: E402

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coverage.md"
BEGIN, END = "<!-- table: python benchmarks/coverage.py --write -->\n", "<!-- end of table -->\n"
LEVEL, LOW, HIGH = 0.9, 86, 94
BEYOND = 10.0  # how many times the largest budget the far questions are about
LAW = find("chinchilla")
TRUTHS = {"B": "besiroglu2024", "H": "chinchilla2022_a3", "S": "sardana2023_refit"}
TARGETS = {
    "alpha": "alpha",
    "beta": "beta",
    "a": "a",
    "N in": "best size, inside",
    "N 10x": "best size, 10x",
    "mean in": "mean loss, inside",
    "mean 10x": "mean loss, 10x",
    "run in": "a run's loss, inside",
    "run 10x": "a run's loss, 10x",
}


HEAD = ("shape", "n", "scatter", "outliers", "truth", "objective", "uncertainty")
FEWER = {"mcmc": 60}  # sweeps of a method that takes seconds a fit


@dataclass(frozen=True)
class Condition:
    """One row of the table: a sweep of n runs with scatter (a part of the loss), and how it is fitted."""

    shape: str
    n: int
    noise: float
    objective: str = "huber_log"
    outliers: float = 0.0
    truth: str = "B"
    uncertainty: str = "auto"

    @property
    def words(self) -> list[str]:
        outliers = f"{self.outliers:.0%}" if self.outliers else "-"
        return [self.shape, str(self.n), f"{self.noise:.1%}", outliers, self.truth, self.objective, self.uncertainty]


@dataclass(frozen=True)
class Outcome:
    """Of one sweep: which truths the intervals held, and whether the fit or the prediction said that it may not."""

    held: dict[str, bool]
    said: bool


def conditions() -> Iterator[Condition]:
    """The rows: plain sweeps, outliers, explicit methods, a tie of tokens to parameters, checkpoints of one run."""
    robust, squares = "huber_log", "squared_log"
    for objective in (robust, squares):
        for n, noise in ((15, 0.002), (15, 0.01), (30, 0.005), (60, 0.005), (120, 0.01), (250, 0.005)):
            yield Condition("isoflop", n, noise, objective)
        for n, noise, truth in ((15, 0.005, "H"), (30, 0.01, "S"), (60, 0.002, "H"), (60, 0.03, "B")):
            yield Condition("grid", n, noise, objective, truth=truth)
        for shape, n, noise in (("isoflop", 30, 0.01), ("grid", 60, 0.005), ("isoflop", 250, 0.005)):
            yield Condition(shape, n, noise, objective, outliers=0.04)
        yield Condition("isoflop", 15, 0.03, objective)
        yield Condition("ladder", 30, 0.005, objective)
    for name in ("pairs", "laplace"):
        for n in (15, 60):
            yield Condition("isoflop", n, 0.005, robust, uncertainty=name)
            yield Condition("isoflop", n, 0.005, squares, uncertainty=name)
    for objective in (robust, squares):
        for n in (15, 60, 250):
            yield Condition("isoflop", n, 0.005, objective, uncertainty="stratified")
        yield Condition("isoflop", 60, 0.005, objective, uncertainty="mcmc")
    for n in (12, 24, 48):
        yield Condition("checkpoints", n, 0.005, squares, uncertainty="pairs")
        yield Condition("checkpoints", n, 0.005, squares, uncertainty="cluster")
        yield Condition("checkpoints", n, 0.005, squares)
    yield Condition("checkpoints", 24, 0.005, robust)


def quick() -> Iterator[Condition]:
    yield Condition("isoflop", 15, 0.005)
    yield Condition("isoflop", 60, 0.005)
    yield Condition("grid", 60, 0.005, "squared_log")
    yield Condition("checkpoints", 24, 0.005, "squared_log")


def sizes_and_data(condition: Condition, theta: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """The design: parameters and tokens, (n,) each; ten rows a run for checkpoints."""
    n = condition.n
    if condition.shape == "isoflop":
        budgets = {15: 3, 30: 5, 60: 6, 120: 8, 250: 10}[n]
        flops_n = np.repeat(np.geomspace(1e18, 1e21, budgets), n // budgets)
        theta_np = np.repeat(LAW.theta(theta)[None], n, axis=0)
        size_n = best_sizes(LAW, theta_np, flops_n) * np.exp(np.tile(np.linspace(-1.5, 1.5, n // budgets), budgets))
        return size_n, flops_n / 6 / size_n
    if condition.shape == "grid":
        sizes = {15: 5, 30: 6, 60: 10}[n]
        size_ds, data_ds = np.meshgrid(np.geomspace(3e7, 3e9, sizes), np.geomspace(6e8, 6e10, n // sizes))
        return size_ds.ravel(), data_ds.ravel()
    size_n = np.geomspace(3e7, 3e9, n)
    if condition.shape == "ladder":
        return size_n, 20 * size_n
    return np.repeat(size_n, 10), (size_n[:, None] * np.geomspace(5, 100, 10)).ravel()


def scattered(condition: Condition, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Log scatter: normal, a few runs 3 to 10% too high; checkpoints share most of it with their run."""
    if condition.shape == "checkpoints":
        own_n, shared_n = rng.standard_normal(rows), np.repeat(rng.standard_normal(-(-rows // 10)), 10)[:rows]
        return condition.noise * (shared_n + 0.3 * own_n)
    is_outlier_n = rng.random(rows) < condition.outliers
    return condition.noise * rng.standard_normal(rows) + is_outlier_n * np.log1p(rng.uniform(0.03, 0.10, rows))


def simulated(condition: Condition, theta: dict[str, float], rng: np.random.Generator) -> Runs:
    size_n, data_n = sizes_and_data(condition, theta)
    mean_n = LAW.value(np.stack([size_n, data_n]), LAW.theta(theta))
    columns = {"params": size_n, "tokens": data_n, "loss": mean_n * np.exp(scattered(condition, len(mean_n), rng))}
    if condition.shape == "checkpoints":
        columns["run"] = np.repeat(np.arange(condition.n), 10)
    if condition.uncertainty == "stratified":
        columns["budget"] = np.round(np.log10(6 * size_n * data_n), 3)
    return Runs(columns, source="a simulated sweep")


def asked(condition: Condition, draws: int, seed: int, alter: Callable[[Fit], Fit] | None = None) -> Outcome:
    """Simulate, fit, ask, and compare with the truth; `alter` changes the fit first, for tests of this measure."""
    theta = published(TRUTHS[condition.truth]).theta
    rng = np.random.default_rng([seed, condition.n, int(1e6 * condition.noise)])
    runs = simulated(condition, theta, rng)
    is_blind = condition.shape == "checkpoints" and condition.uncertainty == "pairs"
    found = fit(
        runs,
        objective=condition.objective,
        uncertainty=condition.uncertainty,
        cluster=False if is_blind else None,
        strata="budget" if condition.uncertainty == "stratified" else None,
        draws=draws,
        seed=seed,
    )
    found = alter(found) if alter else found
    flops_n = 6 * runs["params"] * runs["tokens"]
    budgets = (float(np.exp(np.log(flops_n).mean())), BEYOND * float(flops_n.max()))
    theta_tp = np.vstack([LAW.theta(theta), found.theta_p, found.draws_sp])
    held = {name: _holds(found.interval(name, LEVEL), theta[name]) for name in ("alpha", "beta")}
    share_t = theta_tp[:, 4] / (theta_tp[:, 3] + theta_tp[:, 4])
    held["a"] = _holds(Estimate.of(share_t[1], share_t[2:], LEVEL), share_t[0])
    said = found.status != "converged" or any(f.severity in ("red", "amber") for f in found.findings)
    for where, budget in zip(("in", "10x"), budgets, strict=True):
        best_t = best_sizes(LAW, theta_tp, np.full(len(theta_tp), budget))
        held[f"N {where}"] = _holds(Estimate.of(best_t[1], best_t[2:], LEVEL), best_t[0])
        at = {"params": np.sqrt(budget / 120), "tokens": 20 * np.sqrt(budget / 120)}
        mean = float(LAW.value(np.array([[at["params"]], [at["tokens"]]]), LAW.theta(theta))[0])
        run = mean * float(np.exp(scattered(condition, 1, rng))[0])
        held[f"mean {where}"] = _holds(found.predict(level=LEVEL, kind="mean", **at).estimate[0], mean)
        held[f"run {where}"] = _holds(found.predict(level=LEVEL, kind="run", **at).estimate[0], run)
    return Outcome(held, said)


def coverage(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The per cent of sweeps whose interval held the truth, by target, and that said that it may not ("said")."""
    shares = {name: 100 * float(np.mean([o.held[name] for o in outcomes])) for name in TARGETS}
    return shares | {"said": 100 * float(np.mean([o.said for o in outcomes]))}


def _holds(interval: Estimate, truth: float) -> bool:
    return bool(interval.low <= truth <= interval.high)


def measured(rows: Sequence[Condition], sweeps: int, draws: int) -> Iterator[tuple[Condition, dict[str, float]]]:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for row in rows:
            seeds = range(min(sweeps, FEWER.get(row.uncertainty, sweeps)))
            outcomes = list(pool.map(partial(asked, row, draws), seeds, chunksize=5))
            yield row, coverage(outcomes)


def table(rows: Sequence[tuple[Condition, dict[str, float]]]) -> list[str]:
    head = [*HEAD, *TARGETS, "said"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join([*row.words, *map(_cell, found, found.values())])} |" for row, found in rows]


def _cell(name: str, share: float) -> str:
    rounded = round(share)
    return f"{rounded}" if name == "said" or LOW <= rounded <= HIGH else f"**{rounded}**"


def page(rows: Sequence[tuple[Condition, dict[str, float]]], sweeps: int, draws: int) -> str:
    """The tables of docs/coverage.md: what is told without reserve, what the output warns of, methods by name."""
    named = [r for r in rows if r[0].uncertainty not in ("auto", *FEWER)]
    fewer = [r for r in rows if r[0].uncertainty in FEWER]
    default = [r for r in rows if r[0].uncertainty == "auto"]
    parts = [
        f"{sweeps} sweeps a row, {draws} draws a fit: a row is known to within {_within(sweeps):.0f} points.",
        "\n### The defaults\n",
        *table([r for r in default if r[1]["said"] <= 50]),
        "\n### The defaults, where the output says that they may not hold\n",
        *table([r for r in default if r[1]["said"] > 50]),
        "\n### Other methods, by name\n",
        *table(named),
    ]
    for name in dict.fromkeys(row.uncertainty for row, _ in fewer):
        few = min(sweeps, FEWER[name])
        parts.append(f"\n### {name}, {few} sweeps a row, known to within {_within(few):.0f} points\n")
        parts.extend(table([r for r in fewer if r[0].uncertainty == name]))
    return "\n".join(parts) + "\n"


def _within(sweeps: int) -> float:
    return 1.96 * 100 * float(np.sqrt(0.09 / sweeps))


def written(text: str) -> dict[tuple[str, ...], dict[str, float]]:
    """The rows of a page's tables: what was found, by the words of each row."""
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]
    first, names = len(HEAD), [*TARGETS, "said"]
    return {
        tuple(cells[:first]): dict(zip(names, map(float, cells[first:]), strict=True))
        for cells in rows
        if cells[0] != HEAD[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four rows of 100 sweeps")
    parser.add_argument("--only", action="append", help="rows of this uncertainty or shape alone; may be repeated")
    parser.add_argument("--write", action="store_true", help="put the table into docs/coverage.md")
    parser.add_argument("--sweeps", type=int, help="sweeps a row (240)")
    parser.add_argument("--draws", type=int, default=200, help="draws a fit (200)")
    given = parser.parse_args()
    sweeps = given.sweeps or (100 if given.quick else 240)
    asked = quick() if given.quick else conditions()
    rows = [row for row in asked if not given.only or {row.uncertainty, row.shape} & set(given.only)]
    done: list[tuple[Condition, dict[str, float]]] = []
    begun = time.perf_counter()
    for row, found in measured(rows, sweeps, given.draws):
        done.append((row, found))
        if len(done) == 1:
            print("\n".join(table(done)), flush=True)
        else:
            print(table(done)[-1], flush=True)
    print(f"{time.perf_counter() - begun:.0f} s")
    if given.write:
        text = PAGE.read_text()
        first, last = text.index(BEGIN) + len(BEGIN), text.index(END)
        if given.only:
            known = written(text[first:last]) | {tuple(row.words): found for row, found in done}
            done = [(row, known[tuple(row.words)]) for row in conditions() if tuple(row.words) in known]
        PAGE.write_text(text[:first] + page(done, sweeps, given.draws) + text[last:])


if __name__ == "__main__":
    main()

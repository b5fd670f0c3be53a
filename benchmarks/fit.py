"""CPU seconds of a full fit and of 4,000 bootstrap draws, beside scipy's L-BFGS-B with an analytic gradient.

    python benchmarks/fit.py

Scipy minimises the same sum over the same resamples, from the same starts, with the law and its gradient written by
hand. The gap is (objective reached - best objective known) / best, per problem: the best over all solvers here.
Shapes: `n` runs, `p` parameters, `s` draws.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import csv  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from scipy.optimize import minimize  # noqa: E402

from isoloss.core.law import find  # noqa: E402
from isoloss.core.runs import Runs  # noqa: E402
from isoloss.fitting import fit, objectives, posing, resampling, solving  # noqa: E402
from isoloss.fitting.problem import Problem  # noqa: E402
from isoloss.fitting.resampling import Basis  # noqa: E402
from isoloss.fitting.starts import candidates  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT.parent / "shared" / "data" / "chinchilla_epoch" / "tidy.csv"
DRAWS, SUBSET, REPEATS, DELTA = 4000, 60, 9, 1e-3
SETTINGS: dict[str, dict[str, float]] = {
    "default tolerances": {"maxiter": 15000},
    "tight (ftol 1e-15, gtol 1e-12)": {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 15000, "maxfun": 100_000},
}


@dataclass(frozen=True)
class Row:
    """One line of the table: who did what, in how many CPU seconds, and the objectives reached (s,)."""

    work: str
    solver: str
    seconds: float
    value_s: np.ndarray
    note: str = ""


def main() -> None:
    runs, table = load()
    law = find("chinchilla")
    fit(runs, law, draws=10)  # compiles the law
    problem = posing.pose(law, runs, objectives.find("huber_log"))
    solved = solving.solve(problem)
    start_pb = solved.u_pb[:, [int(np.argmin(solved.value_b))]]
    basis = Basis.plain(problem, start_pb)
    weight_sn = resampling.weights(basis, np.random.default_rng(0), DRAWS)

    whole = [ours("full fit", lambda: solve_only(problem), 1), verb(runs, law)]
    whole += [scipy_fit(problem, name) for name in SETTINGS]
    draws = [ours(f"{DRAWS:,} draws", lambda: resampling.draw(basis, DRAWS).value_b, 3)]
    draws += [scipy_draws(problem, start_pb, weight_sn, name) for name in SETTINGS]
    print(f"{table}: {len(runs)} runs; huber_log(delta={DELTA:g}); CPU seconds, 1 thread, medians")
    show(whole)
    show(draws)


def load() -> tuple[Runs, str]:
    if TABLE.exists():
        with TABLE.open() as file:
            rows = [row for row in csv.DictReader(file) if row["epoch_outlier"] == "False"]
        names = {"params": "N", "tokens": "D", "loss": "loss"}
        columns = {new: np.array([float(r[old]) for r in rows]) for new, old in names.items()}
        return Runs(columns, source=TABLE.name), "The digitised Chinchilla table"
    sys.path.insert(0, str(ROOT / "tests"))
    return import_module("simulate").sweep(240, noise=0.003), "A simulated table (the Chinchilla table is not here)"


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median CPU seconds of `repeats` calls, and the last result."""
    seconds: list[float] = []
    result = None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), result


def solve_only(problem: Problem) -> np.ndarray:
    return solving.solve(problem).value_b.min(keepdims=True)


def ours(work: str, solve: Callable[[], np.ndarray], s: int) -> Row:
    seconds, value_s = timed(solve, REPEATS if s == 1 else s)
    return Row(work, "isoloss, solver alone", seconds, value_s)


def verb(runs: Runs, law: Any) -> Row:
    seconds, found = timed(lambda: fit(runs, law, draws=0), REPEATS)
    return Row("full fit", "isoloss, fit(draws=0)", seconds, np.array([found.objective[1]]), "with checks and findings")


def scipy_fit(problem: Problem, name: str) -> Row:
    seconds, value = timed(lambda: _scipy_from_all(problem, name), 3)
    note = f"{solving.STARTS} starts of ours, finding them included"
    return Row("full fit", f"scipy L-BFGS-B, {name}", seconds, np.array([value]), note)


def _scipy_from_all(problem: Problem, name: str) -> float:
    starts_pb = coordinates(problem, candidates(problem, solving.STARTS))
    sums = Sums(problem, np.ones(len(problem.y_n)))
    return min(sums.minimum(v_p, name) for v_p in starts_pb.T)


def scipy_draws(problem: Problem, start_pb: np.ndarray, weight_sn: np.ndarray, name: str) -> Row:
    start_p = coordinates(problem, start_pb)[:, 0]
    seconds, values = timed(lambda: [Sums(problem, w_n).minimum(start_p, name) for w_n in weight_sn[:SUBSET]], 1)
    note = f"measured on {SUBSET}, extrapolated"
    return Row(f"{DRAWS:,} draws", f"scipy L-BFGS-B, {name}", seconds * DRAWS / SUBSET, np.array(values), note)


def coordinates(problem: Problem, u_pb: np.ndarray) -> np.ndarray:
    """(log E, log A, log B, alpha, beta), in which the law is a log of three exponentials."""
    theta_pb = problem.theta(u_pb)
    return np.concatenate([np.log(np.maximum(theta_pb[:3], 1e-3)), theta_pb[3:]])


@dataclass(frozen=True)
class Sums:
    """The Huber sum of the Chinchilla law by hand, as a scipy user would write it with its gradient."""

    problem: Problem
    weight_n: np.ndarray

    def minimum(self, start_p: np.ndarray, name: str) -> float:
        options: Any = SETTINGS[name]
        log_x_kn, log_y_n = np.log(self.problem.x_kn), np.log(self.problem.y_n)
        arguments = (*log_x_kn, log_y_n, self.weight_n)
        return float(minimize(_sum_and_gradient, start_p, arguments, "L-BFGS-B", jac=True, options=options).fun)


def _sum_and_gradient(
    v_p: np.ndarray, log_n_n: np.ndarray, log_d_n: np.ndarray, log_y_n: np.ndarray, weight_n: np.ndarray
) -> tuple[float, np.ndarray]:
    e, a, b, alpha, beta = v_p
    size_n, data_n = np.exp(a - alpha * log_n_n), np.exp(b - beta * log_d_n)
    total_n = np.exp(e) + size_n + data_n
    r_n = np.log(total_n) - log_y_n
    magnitude_n = np.abs(r_n)
    inside_n = np.minimum(magnitude_n, DELTA)
    value = float(weight_n @ (inside_n * (magnitude_n - 0.5 * inside_n)))
    slope_n = weight_n * np.clip(r_n, -DELTA, DELTA) / total_n
    by_size_n, by_data_n = slope_n * size_n, slope_n * data_n
    gradient_p = [
        slope_n.sum() * np.exp(e),
        by_size_n.sum(),
        by_data_n.sum(),
        -by_size_n @ log_n_n,
        -by_data_n @ log_d_n,
    ]
    return value, np.array(gradient_p)


def show(rows: list[Row]) -> None:
    shared = min(len(row.value_s) for row in rows)
    best_s = np.min([row.value_s[:shared] for row in rows], axis=0)
    print(f"\n{'work':<12} {'solver':<46} {'CPU s':>9} {'median gap':>11} {'worst gap':>10} {'> 1e-6':>7}  note")
    for row in rows:
        gap_s = (row.value_s[:shared] - best_s) / best_s
        print(
            f"{row.work:<12} {row.solver:<46} {row.seconds:>9.4f} {np.median(gap_s):>11.1e} {gap_s.max():>10.1e} "
            f"{np.mean(gap_s > 1e-6):>7.0%}  {row.note}"
        )


if __name__ == "__main__":
    main()

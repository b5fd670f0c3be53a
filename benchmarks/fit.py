"""What a fit costs, beside other solvers and beside a limit: one run, one table.

    python benchmarks/fit.py [--quick | --laws]     (all but the laws; the laws alone)

Every solver minimises the same Huber sum over the same runs. CPU seconds of all threads, medians; wall time where
threads share the work. The gap is (objective reached - best known) / best. Nothing is asserted.
Shapes: `n` runs, `p` parameters, `s` draws.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import csv  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import by_hand  # noqa: E402
from simulate import bound, made_by, sweep, truth  # noqa: E402

from isoloss.core.errors import IsolossError  # noqa: E402
from isoloss.core.law import every, find  # noqa: E402
from isoloss.core.runs import Runs  # noqa: E402
from isoloss.fitting import fit, objectives, posing, resampling, solving  # noqa: E402
from isoloss.fitting.problem import Problem  # noqa: E402
from isoloss.fitting.resampling import Basis  # noqa: E402
from isoloss.fitting.starts import candidates  # noqa: E402

TABLE = ROOT.parent / "shared" / "data" / "chinchilla_epoch" / "tidy.csv"
DRAWS, FEW, MANY_ROWS = 4000, 20, 1_000_000
LIMITS = {"full fit": 0.020, "a draw": 0.15e-3, "4,000 draws": 0.6, "1,000 draws of a law": 1.0, "1,000,000 rows": 10.0}
MEMORY_GIB = 2.0
ELSEWHERE = {"simple_scaling_laws": "needs Python 3.12 or later", "chinchilla": "pip install chinchilla"}


def main() -> None:
    quick = "--quick" in sys.argv
    runs, source = load()
    fit(runs, draws=10)  # compiles the law
    problem = posing.pose(find("chinchilla"), runs, objectives.find("huber_log"))
    print(f"{source}: {len(runs)} runs; huber_log(delta={by_hand.DELTA:g}); CPU seconds, BLAS on 1 thread")
    whole(runs, problem)
    bootstrap(problem)
    rows_and_draws()
    million()
    if not quick:
        laws()
    for name, reason in ELSEWHERE.items():
        print(f"not compared: {name}" + ("" if find_spec(name) else f" is not installed ({reason})"))


def load() -> tuple[Runs, str]:
    if not TABLE.exists():
        return sweep(240, noise=0.003), "A simulated table (the Chinchilla table is not here)"
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["epoch_outlier"] == "False"]
    names = {"params": "N", "tokens": "D", "loss": "loss"}
    columns = {new: np.array([float(r[old]) for r in rows]) for new, old in names.items()}
    return Runs(columns, source=TABLE.name), "The digitised Chinchilla table"


def timed(work: Callable[[], Any], repeats: int = 1) -> tuple[float, float, Any]:
    """Median CPU and wall seconds of `repeats` calls, and the last result."""
    spent: list[tuple[float, float]] = []
    result = None
    for _ in range(repeats):
        begun = time.process_time(), time.perf_counter()
        result = work()
        spent.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
    cpu, wall = np.median(spent, axis=0)
    return float(cpu), float(wall), result


def line(work: str, solver: str, seconds: float, note: str = "", limit: str = "") -> None:
    most = f"limit {LIMITS[limit]:g} s, {seconds / LIMITS[limit]:.2f} of it" if limit else ""
    print(f"  {work:<22} {solver:<40} {seconds:>11.6f} s  {most:<26} {note}")


def whole(runs: Runs, problem: Problem) -> None:
    """The global fit; the others are given our starts, and are not charged for them."""
    print("\nfull fit")
    start_pb = by_hand.coordinates(problem.theta(candidates(problem, solving.STARTS)))
    the_sum = by_hand.Sum(problem.x_kn[0], problem.x_kn[1], problem.y_n, np.ones(len(problem.y_n)))
    ours, _, found = timed(lambda: fit(runs, draws=0), 15)
    reached = {"isoloss, fit(draws=0)": (ours, found.objective[1])}
    cpu, _, solved = timed(lambda: solving.solve(problem), 15)
    reached["isoloss, solver alone"] = cpu, float(solved.value_b.min())
    for name in by_hand.TOLERANCES:
        cpu, _, value = timed(lambda name=name: the_sum.least(start_pb, name))
        reached[f"scipy L-BFGS-B, {name} tolerances"] = cpu, value
    for name, other in (("lmfit", lmfit_least), ("iminuit", iminuit_least)):
        if find_spec(name):
            cpu, _, value = timed(lambda other=other: other(the_sum, start_pb))
            reached[name] = cpu, value
        else:
            print(f"  {name} is not installed")
    best = min(value for _, value in reached.values())
    for name, (cpu, value) in reached.items():
        is_ours = name == "isoloss, fit(draws=0)"
        note = f"gap {value / best - 1:.1e}" + ("" if is_ours else f", {cpu / ours:.1f} times ours")
        line("full fit", name, cpu, note, "full fit" if is_ours else "")


def lmfit_least(the_sum: by_hand.Sum, start_pb: np.ndarray) -> float:
    import lmfit

    logs = np.log(the_sum.params_n), np.log(the_sum.tokens_n), np.log(the_sum.loss_n), the_sum.weight_n

    def value(parameters: Any) -> float:
        return by_hand.value_and_gradient(np.array([p.value for p in parameters.values()]), *logs)[0]

    ends = []
    for start_p in start_pb.T:
        parameters = lmfit.Parameters()
        for name, start in zip(("e", "a", "b", "alpha", "beta"), start_p, strict=True):
            parameters.add(name, value=start)
        with np.errstate(all="ignore"):
            ends.append(value(lmfit.minimize(value, parameters, method="lbfgsb").params))  # pyright: ignore
    return min(ends)


def iminuit_least(the_sum: by_hand.Sum, start_pb: np.ndarray) -> float:
    import iminuit

    minuit: Any = iminuit.Minuit
    logs = np.log(the_sum.params_n), np.log(the_sum.tokens_n), np.log(the_sum.loss_n), the_sum.weight_n
    ends = []
    for start_p in start_pb.T:
        judge = minuit(
            lambda v_p: by_hand.value_and_gradient(v_p, *logs)[0],
            start_p,
            grad=lambda v_p: by_hand.value_and_gradient(v_p, *logs)[1],
        )
        judge.errordef, judge.tol = 1e-6, 1e-4
        with np.errstate(all="ignore"):
            ends.append(float(judge.migrad(ncall=20_000).fval or np.inf))
    return min(ends)


def bootstrap(problem: Problem) -> None:
    """Draws, each to its own lowest optimum, beside SciPy from the optimum of all runs; and the floor."""
    print("\nbootstrap of pairs")
    solved = solving.solve(problem)
    basis = Basis.plain(problem, solved.u_pb[:, [solved.best]])
    steps = counted(lambda: resampling.draw(basis, DRAWS))
    cpu, wall, draws = timed(lambda: resampling.draw(basis, DRAWS), 3)
    line(
        f"{DRAWS:,} draws",
        "isoloss",
        cpu,
        f"wall {wall:.3f} s, {draws.converged_b.mean():.2%} converged",
        "4,000 draws",
    )
    line("a draw", "isoloss", cpu / DRAWS, "", "a draw")
    weight_sn = resampling.weights(basis, np.random.default_rng(0), DRAWS)[:FEW]
    start_p = by_hand.coordinates(problem.theta(basis.from_pb))[:, 0]
    for name in by_hand.TOLERANCES:
        sums = [by_hand.Sum(problem.x_kn[0], problem.x_kn[1], problem.y_n, weight_n) for weight_n in weight_sn]
        theirs, _, ends = timed(lambda name=name, sums=sums: [s.minimum(start_p, name).fun for s in sums])
        gap_s = np.array(ends) / draws.value_b[:FEW] - 1
        note = (
            f"{theirs / FEW / (cpu / DRAWS):.0f} times ours, gap median {np.median(gap_s):.1e}, worst {gap_s.max():.1e}"
        )
        line("a draw", f"scipy L-BFGS-B, {name} tolerances", theirs / FEW, note)
    rate = exponentials_per_second()
    least = 2 * len(problem.y_n) * steps / rate
    print(
        f"  floor: {rate:.2e} exponentials a second; {steps / DRAWS:.1f} evaluations a draw of 2 a run take "
        f"{least:.3f} s; we take {cpu / least:.1f} times that"
    )


def counted(work: Callable[[], Any]) -> int:
    """How many problems `work` evaluates derivatives of."""
    whole, total = Problem.derivatives, [0]

    def counting(self: Problem, u_pb: np.ndarray, *sample: Any) -> Any:
        total[0] += u_pb.shape[1]
        return whole(self, u_pb, *sample)

    Problem.derivatives = counting  # pyright: ignore[reportAttributeAccessIssue]
    try:
        work()
    finally:
        Problem.derivatives = whole
    return total[0]


def exponentials_per_second(size: int = 20_000, repeats: int = 400) -> float:
    x, out = np.linspace(-10, 0, size), np.empty(size)
    cpu, _, _ = timed(lambda: [np.exp(x, out=out) for _ in range(repeats)], 3)
    return size * repeats / cpu


def rows_and_draws() -> None:
    print("\ncost against size: the exponent of a power law, 1 being linear")
    for words, sizes, work in (
        ("rows, no draws", (1000, 4000, 16_000), lambda n: fit(sweep(n), draws=0)),
        ("rows, 200 draws", (250, 1000, 4000), lambda n: fit(sweep(n), draws=200, uncertainty="pairs")),
        ("draws, 240 rows", (1000, 4000, 16_000), lambda s: fit(sweep(240), draws=s)),
    ):
        spent = [timed(lambda work=work, size=size: work(size), 3)[0] for size in sizes]
        exponent = np.polyfit(np.log(sizes), np.log(spent), 1)[0]
        print(
            f"  {words:<22} exponent {exponent:.2f}   "
            + ", ".join(f"{a:,}: {b:.3f} s" for a, b in zip(sizes, spent, strict=True))
        )


def million() -> None:
    print(f"\na table of {MANY_ROWS:,} rows, in a process of its own")
    answer = subprocess.run([sys.executable, __file__, "--million"], capture_output=True, text=True, check=True)
    cpu, wall, peak = (float(word) for word in answer.stdout.split())
    line(f"{MANY_ROWS:,} rows", "isoloss, fit()", cpu, f"wall {wall:.2f} s", "1,000,000 rows")
    print(f"  peak memory {peak:.2f} GiB, limit {MEMORY_GIB:g} GiB")


def only_million() -> None:
    runs = sweep(MANY_ROWS)
    fit(sweep(50), draws=0)
    cpu, wall, _ = timed(lambda: fit(runs))
    print(cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def laws() -> None:
    """Every law of the library on runs of its own, with 1,000 draws."""
    print("\n1,000 draws of every law, 80 simulated runs with 0.3% scatter")
    spent: list[tuple[float, str, str]] = []
    for name in every():
        law = bound(name)
        try:
            with np.errstate(all="ignore"):
                runs = made_by(law, truth(law), n=80, noise=0.003, seed=1)
            fit(runs, law, draws=0)
            cpu, _, found = timed(lambda runs=runs, law=law: fit(runs, law, draws=1000))
        except (IsolossError, ArithmeticError, np.linalg.LinAlgError) as error:
            print(f"  {name}: no such runs ({type(error).__name__}: {str(error).splitlines()[0][:70]})")
            continue
        spent.append((cpu, name, f"{len(law.names)} parameters, {found.status}"))
    slow = [entry for entry in sorted(spent, reverse=True) if entry[0] > LIMITS["1,000 draws of a law"]]
    print(f"  {len(spent) - len(slow)} of {len(spent)} laws within {LIMITS['1,000 draws of a law']:g} s; beyond it:")
    for cpu, name, note in slow:
        line("1,000 draws", name, cpu, note, "1,000 draws of a law")


if __name__ == "__main__":
    only_million() if "--million" in sys.argv else laws() if "--laws" in sys.argv else main()

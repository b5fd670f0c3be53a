"""What a plan costs beside named limits: one table, nothing asserted.

    python benchmarks/plan.py [--quick]

1,000 draws at 100 budgets for every law of size and data that plans, by the search that all laws share and, where there
is one, by the closed form; then every question once on 1,000 draws. CPU seconds, medians of runs; a ratio below 1 is
within the limit.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from unittest.mock import patch  # noqa: E402

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from law_values import spread  # noqa: E402
from planned import known  # noqa: E402
from simulate import truth  # noqa: E402

from isoloss.core.errors import IsolossError  # noqa: E402
from isoloss.core.fit import Fit  # noqa: E402
from isoloss.core.law import Law, every  # noqa: E402
from isoloss.planning import compute, iso_cost, plan, questions  # noqa: E402
from isoloss.planning.surface import Surface  # noqa: E402
from isoloss.published import published  # noqa: E402

DRAWS = 1000
BUDGETS = np.geomspace(1e19, 1e25, 100)
LIMITS = {"1,000 draws x 100 budgets": 0.3, "a question, 1,000 draws": 0.3}  # CPU seconds
OF_OTHER_LAWS = {"stopped_at": "kaplan2020_frontier_B", "routed": "ludziejewski2025", "dense_worth": "clark2022_sbase"}
WITHIN_REACH = {"loss": "2.1", "quality": "3B"}  # of the law that is asked


def main() -> None:
    repeats = 1 if "--quick" in sys.argv else 5
    print(f"{DRAWS} draws, CPU seconds on one thread, median of {repeats}")
    surfaces(repeats)
    asked(repeats)


def surfaces(repeats: int) -> None:
    limit = LIMITS["1,000 draws x 100 budgets"]
    print(f"\n1,000 draws x 100 budgets: {limit} s is the limit for sizes, intervals and losses together")
    print(f"{'law':20}{'searched':>10}{'ratio':>8}{'closed':>10}{'sizes alone':>13}")
    for law in every().values():
        if not (Surface.of(law) and compute.plans(law)):
            continue
        fit = fit_of(law)
        closed = seconds(lambda fit=fit: plan(fit, flops=BUDGETS), repeats)
        with patch.object(iso_cost, "has_closed_form", lambda law: False):
            searched = seconds(lambda fit=fit: plan(fit, flops=BUDGETS), repeats)
            theta_tp = np.vstack([fit.theta_p, fit.draws_sp])
            alone = seconds(lambda: iso_cost.best_sizes_along(fit.law, theta_tp, BUDGETS), repeats)  # noqa: B023
        own = f"{closed:10.3f}" if law.name in compute.CLOSED_FORMS else f"{'-':>10}"
        print(f"{law.name:20}{searched:10.3f}{searched / limit:8.2f}{own}{alone:13.3f}")


def asked(repeats: int) -> None:
    limit = LIMITS["a question, 1,000 draws"]
    print(f"\nevery question once, {DRAWS} draws: {limit} s is the limit")
    print(f"{'question':45}{'seconds':>10}{'ratio':>8}")
    for question in questions.every():
        name = question.answer.__name__
        if not question.answer.__module__.startswith("isoloss.planning"):
            continue
        fit = with_draws(published(OF_OTHER_LAWS[name])) if name in OF_OTHER_LAWS else known(draws=DRAWS)
        example: dict[str, Any] = {
            n: WITHIN_REACH.get(n, g.example) for n, g in question.told().items() if n in question.goals
        }
        try:
            spent = seconds(lambda fit=fit, example=example: plan(fit, **example), repeats)
        except IsolossError as reply:
            print(f"{question.flags:45}{str(reply).splitlines()[0]}")
            continue
        print(f"{question.flags:45}{spent:10.3f}{spent / limit:8.2f}")


def seconds(work: Callable[[], Any], repeats: int) -> float:
    work()  # compiles the law
    return statistics.median(_once(work) for _ in range(repeats))


def _once(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def fit_of(law: Law) -> Fit:
    """A fit of the law with draws 2% about its truth in simulated runs, or the first typical one with best sizes."""
    rng = np.random.default_rng(0)
    typical = [spread(rng, p.range.typical, 1000, log=p.range.log) for p in law.parameters]
    theta_bp = np.vstack([truth(law), np.stack(typical, axis=-1)])
    found = [np.isfinite(iso_cost.best_sizes(law, theta_bp, np.full(1001, end))) for end in BUDGETS[[0, -1]]]
    return with_draws(replace(known(), law=law, theta_p=theta_bp[np.flatnonzero(found[0] & found[1])[0]]))


def with_draws(fit: Fit) -> Fit:
    rng = np.random.default_rng(0)
    draws_sp = fit.theta_p * np.exp(0.02 * rng.standard_normal((DRAWS, len(fit.theta_p))))
    return replace(fit, draws_sp=draws_sp)


if __name__ == "__main__":
    main()

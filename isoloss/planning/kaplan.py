"""Kaplan's advice: grow the model fastest, train at the critical batch, and stop well short of convergence.

A model that stops a share f above its converged loss reaches the loss L with (Kaplan et al. 2020, appendix B):
N = N_c ((1 + f) / L)^(1 / alpha_N), S_min = S_c ((1 + f) / (f L))^(1 / alpha_S), C_min = 6 N B_crit(L) S_min; the least
C_min for a loss has f = alpha_N / alpha_S, about 10%. Shapes: `t` parameter sets, `m` budgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.law import Law
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost
from isoloss.planning.goals import Above, Flops
from isoloss.planning.questions import question


def is_frontier(law: Law) -> bool:
    """Whether the law is Kaplan's frontier with all the constants that its theory needs."""
    return law.name == "kaplan_frontier" and law.columns == ("min_flops",)


@question
def stopped_at(fit: Fit | Frontier, level: float, *, flops: Flops, above: Above) -> Plan:
    """What stopping nearer to convergence costs, by Kaplan's learning curves.

    Size, steps and loss of models that end a share above convergence; one option for each budget and share. Raises
    RequestError for a law that is not `kaplan_frontier`.
    """
    if isinstance(fit, Frontier) or not is_frontier(fit.law):
        raise RequestError(
            "How far above convergence to stop is told by Kaplan's learning curves alone.",
            "The law 'kaplan_frontier' has them, and so does the published kaplan2020_frontier_B.",
        )
    return efficient(fit, level, flops=answers.budgets(flops), above=answers.several(above, "shares above convergence"))


def efficient(fit: Fit, level: float, *, flops: np.ndarray, above: list[float] | None = None) -> Plan:
    """The plan for budgets (m,), each stopped at the best share above convergence or at those given."""
    theta_t = dict(zip(fit.law.names, answers.sets(fit).T, strict=True))
    shares = [theta_t["alpha_N"] / theta_t["alpha_S"]] if above is None else [np.full(1, f) for f in above]
    options = [_option(theta_t, float(C), f, level, len(flops) * len(shares) > 1) for C in flops for f in shares]
    stop = f"stopped {shares[0][0]:.0%} above the converged loss, the best place by these constants"
    assumptions = (
        *fit.stated(),
        cost.COUNTS["min_flops"].because,
        cost.stated("body_params"),
        *([stop] if above is None else []),
        "steps and tokens are those at the critical batch, twice the least of each; one pass over the data",
    )
    seen_m = flops * cost.COUNTS["min_flops"].of_budget
    sizes_m = np.array([o["body_params"].mid for o in options])
    findings = (*fit.findings, *fit.reach({"min_flops": seen_m, "body_params": sizes_m}))
    listed = ", ".join(numbers.short(float(C)) for C in flops)
    return Plan(f"Kaplan's use of {listed} training FLOP", tuple(options), level, assumptions, findings)


def loss_of(theta: Mapping[str, Any], min_flops: Any, f: Any) -> Any:
    """The loss that C_min reaches with a model that stops a share f above its converged loss."""
    exponent = 1 / theta["alpha_N"] + 1 / theta["alpha_B"] + 1 / theta["alpha_S"]
    scale = 6 * theta["N_c"] * theta["B_star"] * theta["S_c"]
    scale = scale * (1 + f) ** (1 / theta["alpha_N"]) * ((1 + f) / f) ** (1 / theta["alpha_S"])
    return (scale / min_flops) ** (1 / exponent)


def run_to(theta: Mapping[str, Any], loss: Any, f: Any) -> dict[str, Any]:
    """Size, least steps, critical batch and least compute that reach the loss, a share f above convergence."""
    size = theta["N_c"] * ((1 + f) / loss) ** (1 / theta["alpha_N"])
    steps = theta["S_c"] * ((1 + f) / (f * loss)) ** (1 / theta["alpha_S"])
    batch = theta["B_star"] * loss ** (-1 / theta["alpha_B"])
    return {"params": size, "min_steps": steps, "batch": batch, "min_flops": cost.total(size, batch * steps)}


def _option(theta_t: Mapping[str, np.ndarray], flops: float, f_t: np.ndarray, level: float, several: bool) -> Option:
    loss_t = loss_of(theta_t, flops * cost.COUNTS["min_flops"].of_budget, f_t)
    run = run_to(theta_t, loss_t, f_t)
    tokens_t = cost.partner(flops, run["params"])
    values = {
        "body_params": run["params"],
        "tokens": tokens_t,
        "tokens_per_param": tokens_t / run["params"],
        "flops": flops,
        "loss": loss_t,
        "batch": run["batch"],
        "steps": tokens_t / run["batch"],
        "above_converged": np.broadcast_to(f_t, loss_t.shape),
    }
    label = f"{numbers.short(flops)} FLOP, stopped {f_t[0]:.3g} above convergence" if several else ""
    return answers.option(values, level, label)

"""The compute multiplier: how many times the compute one fit needs to reach the loss that another reaches with it.

Each fit spends a budget as well as its law can: a law of size and data at its best size on 6 N D = C, a law of compute
as it stands. Shapes: `m` budgets, `s` draws, `p` parameters, `b` problems solved together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate, check_level
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.text import notes, wrapped
from isoloss.planning import cost
from isoloss.planning.answers import FEW, estimate, named
from isoloss.planning.iso_cost import best_sizes, size_and_data
from isoloss.planning.spending import LEAST, MOST, frontier, least_loss, needed_flops
from isoloss.published import published

PAIRED = "draws of the two fits belong together, so what they have in common cancels"
INDEPENDENT = "draws of the two fits are independent of each other"


@dataclass(frozen=True)
class Multiplier:
    """For each budget (m,): the loss that `one` reaches, the compute `other` needs for it, and the ratio of the two.

    `needed` and `times` are infinite where no compute is enough, in the middle or at an end of the interval;
    `unreachable_m` is the share of draws for which none is.
    """

    one: str
    other: str
    output: str
    flops_m: np.ndarray
    reached: Estimate
    needed: Estimate
    times: Estimate
    unreachable_m: np.ndarray
    level: float
    paired: bool
    assumptions: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `isoloss multiplier --json` says; an end that is infinite or not known is null."""
        answers = [
            {
                "flops": float(self.flops_m[i]),
                self.output: self.reached[i].to_json(),
                "flops_needed": self.needed[i].to_json(),
                "multiplier": self.times[i].to_json(),
                "reachable": bool(np.isfinite(self.times[i].mid)),
                "unreachable_draws": float(self.unreachable_m[i]),
            }
            for i in range(len(self.flops_m))
        ]
        return {
            "schema": 1,
            "one": self.one,
            "other": self.other,
            "level": self.level,
            "paired": self.paired,
            "answers": answers,
            "assumptions": list(self.assumptions),
            "findings": [f.to_json() for f in self.findings],
        }

    def __str__(self) -> str:
        intervals = f" ({self.level:.0%} intervals)" if not np.isnan(self.times.low).any() else ""
        head = f"how many times the compute '{self.other}' needs to reach the {self.output} of '{self.one}'{intervals}"
        lines = [wrapped(head)]
        for i, flops in enumerate(self.flops_m.tolist()):
            lines.append(f"  at {numbers.short(flops)} FLOP, {self.output} {self.reached[i]}")
            lines.append(f"    multiplier  {_shown(self.times[i])}")
            lines.append(f"    FLOP needed {_shown(self.needed[i])}")
        return "\n".join([*lines, *notes(self.assumptions, self.findings)])


def multiplier(one: Fit | str, other: Fit | str, *, flops: Any, level: float = 0.9) -> Multiplier:
    """How many times the compute `other` needs to reach the loss that `one` reaches with `flops` FLOP, or a list.

    Above 1, `one` makes more of its compute. The interval is of the law's curves, from draws that are paired where
    both fits come from the same `Groups`, and taken as independent elsewhere. Fits may be keys of published ones.
    Where `other` cannot reach the loss with any compute, the multiplier is infinite and a finding says why.
    Raises RequestError for laws that tell no loss for a budget, or losses that are not the same quantity, and for a
    budget that `one` has no best size for; UnknownNameError for a key.
    """
    check_level(level)
    names = [_named(fit, nth) for fit, nth in ((one, "the first"), (other, "the second"))]
    first, second = (published(fit) if isinstance(fit, str) else fit for fit in (one, other))
    _check(first, second)
    flops_m = _budgets(flops)
    theta = paired_sets(first, second)
    reached_tm = np.stack([least_loss(first.law, theta[0], flops) for flops in flops_m], axis=1)
    _require_reached(names[0], reached_tm[0], flops_m)
    needed_tm = np.stack([needed_flops(second.law, theta[1], reached_t) for reached_t in reached_tm.T], axis=1)
    unreachable_m = np.isinf(needed_tm[1:]).mean(axis=0) if len(needed_tm) > 1 else np.isinf(needed_tm[0]) * 1.0
    unanswered = _unanswered(names, reached_tm[0], needed_tm, flops_m, second)
    paired = _are_paired(first, second)
    return Multiplier(
        names[0],
        names[1],
        first.law.output.name,
        flops_m,
        estimate(reached_tm, level),
        estimate(needed_tm, level),
        estimate(needed_tm / flops_m, level),
        unreachable_m,
        level,
        paired,
        _assumptions(names, (first, second), paired),
        (*unanswered, *_beyond(names, (first, second), (flops_m, needed_tm[0]))),
    )


def _named(fit: Fit | str, nth: str) -> str:
    return fit if isinstance(fit, str) else fit.origin or f"{nth} ({fit.law.name} of {fit.data.source})"


def _check(first: Fit, second: Fit) -> None:
    for fit in (first, second):
        if frontier(fit.law) is None:
            raise RequestError(
                f"The law '{fit.law.name}' of {fit.law.output.name} against {' and '.join(fit.law.columns)} tells no "
                "loss for a budget.",
                "A law of one size and the tokens does, and one of compute alone.",
            )
    if first.law.output.name != second.law.output.name:
        raise RequestError(
            f"The one fit is of {first.law.output.name}, the other of {second.law.output.name}: they do not compare."
        )


def _budgets(flops: Any) -> np.ndarray:
    flops_m = np.array([numbers.parse(v) for v in np.atleast_1d(np.asarray(flops, object))])
    if not len(flops_m) or not ((flops_m > LEAST) & (flops_m < MOST)).all():
        raise RequestError(f"A budget must lie between {LEAST:g} and {MOST:g} FLOP.", do="For example flops=1e24.")
    return flops_m


def paired_sets(first: Fit, second: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Parameter sets (t, p) of both, row by row together: the best ones, then draws, paired where they belong so."""
    one, two = (
        np.vstack([fit.theta_p, fit.draws_sp[rows]])
        for fit, rows in zip((first, second), _draws(first, second), strict=True)
    )
    t = max(len(one), len(two))
    one, two = (np.resize(a, (t, a.shape[1])) if len(a) == 1 else a for a in (one, two))
    return one, two


def said_of_pairs(first: Fit, second: Fit) -> tuple[str, ...]:
    """What the interval of a comparison holds, in words; nothing where neither fit has draws."""
    without = [fit for fit in (first, second) if not len(fit.draws_sp)]
    if len(without) == 1:
        return (f"the interval holds nothing of how unsure '{named(without[0])}' is, which is not known",)
    return () if without else (PAIRED if _are_paired(first, second) else INDEPENDENT,)


def _are_paired(first: Fit, second: Fit) -> bool:
    # Fits of the same Groups have one objective, to the last digit, and draws of the same resamples.
    same = first.objective[0] != "" and first.objective == second.objective and first.seed == second.seed
    return same and len(first.draws_sp) == len(second.draws_sp) > 0


def _draws(first: Fit, second: Fit) -> tuple[np.ndarray, np.ndarray]:
    # Which draws stand together; none, where a fit has none, and then its best parameters stand with each.
    counts = [len(fit.draws_sp) for fit in (first, second)]
    if _are_paired(first, second):
        return np.arange(counts[0]), np.arange(counts[1])
    s = min(counts) or max(counts)
    mixed = np.random.default_rng(0).permutation(counts[1])[:s]
    return np.resize(np.arange(counts[0]), s if counts[0] else 0), mixed


def _require_reached(name: str, reached_m: np.ndarray, flops_m: np.ndarray) -> None:
    lost = np.flatnonzero(np.isnan(reached_m))
    if len(lost):
        raise RequestError(
            f"'{name}' has no best size for {numbers.short(float(flops_m[lost[0]]))} FLOP between one parameter and "
            "one token.",
            do="Look at its findings, or name another budget.",
        )


def _assumptions(names: list[str], fits: tuple[Fit, Fit], paired: bool) -> tuple[str, ...]:
    said = [f"{name}: {line}" for name, fit in zip(names, fits, strict=True) for line in _stated(fit)]
    without = [name for name, fit in zip(names, fits, strict=True) if not len(fit.draws_sp)]
    if len(without) == 1:
        said.append(f"the interval holds nothing of how unsure '{without[0]}' is, which is not known")
    elif not without:
        said.append(PAIRED if paired else INDEPENDENT)
    return (*said, "losses are those of the curves, each at the best use of its compute; compute is training FLOP")


def _stated(fit: Fit) -> tuple[str, ...]:
    if size_and_data(fit.law) is None:
        because = cost.COUNTS[fit.law.columns[0]].because
        return (*fit.stated(), *((because,) if because else ()))
    return (*fit.stated(), cost.stated(_size(fit.law)))


def _size(law: Law) -> str:
    return next(name for name in law.columns if name in cost.SIZES)


def _unanswered(
    names: list[str], reached_m: np.ndarray, needed_tm: np.ndarray, flops_m: np.ndarray, other: Fit
) -> list[Finding]:
    found = []
    lowest_t = least_loss(other.law, other.theta_p[None], MOST / 10)
    for i, flops in enumerate(flops_m.tolist()):
        budget, draws_s = numbers.short(flops), needed_tm[1:, i]
        if np.isinf(needed_tm[0, i]):
            sentence = (
                f"No compute takes '{names[1]}' to {reached_m[i]:.4g}, which '{names[0]}' reaches with {budget} "
                f"FLOP: it ends at {lowest_t[0]:.4g}."
            )
            found.append(Finding("Q2", "red", sentence, float(reached_m[i]), "Ask at a smaller budget."))
        elif len(draws_s) and np.isinf(draws_s).any():
            share = float(np.isinf(draws_s).mean())
            sentence = f"At {budget} FLOP no compute is enough in {share:.1%} of the draws, which count as infinite."
            found.append(Finding("Q2", "amber" if share > FEW else "note", sentence, share))
        lost = float(np.isnan(draws_s).mean()) if len(draws_s) else 0.0
        if lost:
            sentence = f"At {budget} FLOP {lost:.1%} of the draws have no best size and are left out."
            found.append(Finding("Q1", "amber" if lost > FEW else "note", sentence, lost))
    return found


def _beyond(names: list[str], fits: tuple[Fit, Fit], flops: tuple[np.ndarray, np.ndarray]) -> list[Finding]:
    # What the fits themselves found, and how far each is taken beyond its runs.
    found = []
    for name, fit, flops_m in zip(names, fits, flops, strict=True):
        own = [f for f in fit.findings if f.severity != "note"]
        found += [replace(f, sentence=f"{name}: {f.sentence}") for f in (*own, *_reach(fit, flops_m))]
    counts = {_count(fit.law) for fit in fits}
    if len(counts) > 1:
        sentence = f"The one fit counts {' and the other '.join(sorted(counts))}: the two budgets are not the same."
        found.append(Finding("D6", "amber", sentence, None, "Fit both to the same count."))
    return found


def _reach(fit: Fit, flops_m: np.ndarray) -> tuple[Finding, ...]:
    flops_m = flops_m[np.isfinite(flops_m)]
    if not len(flops_m):
        return ()
    if size_and_data(fit.law) is None:
        return fit.reach({_count(fit.law): flops_m})
    size_m = best_sizes(fit.law, np.tile(fit.theta_p, (len(flops_m), 1)), flops_m)
    return fit.reach({_size(fit.law): size_m, "tokens": cost.partner(flops_m, size_m)})


def _count(law: Law) -> str:
    return law.columns[0] if size_and_data(law) is None else cost.count_of_compute(_size(law))


def _shown(estimate: Estimate) -> str:
    if np.isfinite(estimate.mid) and estimate.known:
        return str(estimate)
    if np.isinf(estimate.mid):
        least = f" (in some draws {numbers.short(estimate.low)})" if np.isfinite(estimate.low) else ""
        return f"none: no compute is enough{least}"
    return f"{numbers.short(estimate.mid, 4)}{_to_no_limit(estimate)}"


def _to_no_limit(estimate: Estimate) -> str:
    return f" ({numbers.short(estimate.low)} to no limit)" if np.isinf(estimate.high) else ""

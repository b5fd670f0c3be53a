"""B3: do isoFLOP budgets bracket their optimum, with enough runs and evenly?

Shapes: `n` runs, `b` budgets.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels, pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.finding import Finding
from isoloss.core.frontier import Frontier
from isoloss.core.runs import Runs
from isoloss.fitting.budgets import LABELS, Budget, Sweep, by_budget, sweep
from isoloss.fitting.isoflop import TOLERANCE, isoflop

LEAST_RUNS = 5  # a budget
LOPSIDED = 3.0  # how many times further one side of the optimum reaches, in logarithms of size
DRAWS = 200
MOST = 0.8  # of the runs, which the budgets or the lengths of a sweep hold
SHARE = 0.5  # of the runs that belong to budgets, or this is no isoFLOP sweep


@diagnosis("B3", "do isoFLOP budgets bracket their optimum?")
def geometry(case: Case) -> Seen:
    """Approach 2 reads the best size of a budget off a parabola, which must have its lowest point between the sizes.

    Each budget should hold 5 sizes or more, with a minimum inside, and reach about as far below the optimum as above
    it: amber where one side is more than 3 times as wide in logarithms. Even without noise a parabola through an uneven
    or wide range of sizes is off (Czech et al. 2026, arXiv 2603.22339): the bias on these very runs is simulated with
    losses of a known law and told; it is amber above half of the way to the end of the interval.
    """
    runs = _whole(case)
    table = sweep(runs, case.size, case.law.output.name)
    if not _is_isoflop(table):
        return Unseen("these runs are no isoFLOP sweep: they share lengths rather than budgets")
    budgets, _ = by_budget(table, None, TOLERANCE)
    held = sum(len(b.rows_n) for b in budgets)
    if held < SHARE * len(table.runs):
        return Unseen(f"only {held} of {len(table.runs)} runs share a budget with two others")
    try:
        found = isoflop(runs, size=case.size, output=case.law.output.name, draws=DRAWS, flops=case.target)
    except DesignError as error:
        return [Finding("B3", "red", f"{error.given} {error.exists}", 0.0, _outwards(table, budgets))]
    told = [*_edges(found), *_few(table, budgets), *_lopsided(table, budgets, found)]
    return told or Fine(f"{len(budgets)} budgets, each with its optimum inside its sizes")


def _whole(case: Case) -> Runs:
    # The rows that have every number a profile needs, and a budget where budgets are labelled.
    names = [n for n in (pointing.size(case), "tokens", "flops", case.law.output.name) if n and n in case.runs]
    is_whole_n = np.all([np.isfinite(case.runs[name]) for name in names], axis=0)
    for name in (n for n in LABELS if n in case.runs):
        is_whole_n &= labels.words(case.runs, name) != ""
    return case.runs.take(is_whole_n)


def _edges(found: Frontier) -> list[Finding]:
    # What the fit says, with the budgets that have no minimum inside told in one sentence.
    out = [o for o in found.optima if o.left_out]
    others = [f for f in found.findings if f.code == "B3" and f.number not in {o.flops for o in out}]
    if not out:
        return others
    told = "; ".join(f"{numbers.short(o.flops)} FLOP: {o.left_out}" for o in out[:2])
    more = f"; and {len(out) - 2} more" if len(out) > 2 else ""
    sentence = f"{len(out)} of {len(found.optima)} budgets are left out: {told}{more}."
    side = "smaller" if "smallest" in out[0].left_out else "larger"
    spent = numbers.short(sum(o.flops for o in out))
    fix = f"Add {side} models at {numbers.short(out[0].flops)} FLOP; one a budget costs {spent} FLOP in all."
    return [Finding("B3", "amber", sentence, float(len(out)), fix), *others]


def _is_isoflop(table: Sweep) -> bool:
    # By budget most runs share few values of compute; in a grid, or on training curves, few lengths.
    if any(name in table.runs for name in LABELS):
        return True
    return _levels(table.flops_n) < _levels(table.tokens_n)


def _levels(values_n: np.ndarray) -> int:
    # How many windows of the width of a budget hold most of the values, the fullest first.
    log_n, width, count = np.sort(np.log(values_n)), 2 * np.log1p(TOLERANCE), 0
    while len(log_n) > (1 - MOST) * len(values_n):
        end_n = np.searchsorted(log_n, log_n + width, side="right")
        first = int(np.argmax(end_n - np.arange(len(log_n))))
        log_n = np.delete(log_n, slice(first, int(end_n[first])))
        count += 1
    return count


def _few(table: Sweep, budgets: list[Budget]) -> list[Finding]:
    few = [b for b in budgets if len(np.unique(table.size_n[b.rows_n])) < LEAST_RUNS]
    if not few:
        return []
    sizes = [len(np.unique(table.size_n[b.rows_n])) for b in few]
    lacking = sum(LEAST_RUNS - s for s in sizes)
    spent = sum(b.flops * (LEAST_RUNS - s) for b, s in zip(few, sizes, strict=True))
    told = ", ".join(f"{b} has {s}" for b, s in list(zip(few, sizes, strict=True))[:3])
    sentence = f"{len(few)} of {len(budgets)} budgets hold fewer than {LEAST_RUNS} sizes: {told}."
    share = pointing.share(spent / float(table.flops_n.sum()))
    fix = f"Add {lacking} runs at those budgets, {numbers.short(spent)} FLOP, {share} of the sweep."
    return [Finding("B3", "amber", sentence, float(min(sizes)), fix)]


def _lopsided(table: Sweep, budgets: list[Budget], found: Frontier) -> list[Finding]:
    best = {o.flops: float(o.size.mid) for o in found.optima if not o.left_out}
    ratios = {}
    for budget in (b for b in budgets if b.flops in best):
        size_n = table.size_n[budget.rows_n]
        below, above = np.log(best[budget.flops] / size_n.min()), np.log(size_n.max() / best[budget.flops])
        if below > 0 and above > 0:
            ratios[str(budget)] = float(above / below)
    uneven = {b: r for b, r in ratios.items() if max(r, 1 / r) > LOPSIDED}
    if not uneven:
        return []
    worst = max(uneven, key=lambda b: abs(np.log(uneven[b])))
    r = uneven[worst]
    side, other = ("larger", "smaller") if r > 1 else ("smaller", "larger")
    sentence = (
        f"{len(uneven)} of {len(ratios)} budgets reach more than {LOPSIDED:g} times as far on one side of their "
        f"optimum; {worst} reaches {max(r, 1 / r):.2g} times as far towards {side} models."
    )
    fix = f"Add {other} models at those budgets, one a budget, or leave out the farthest on the other side."
    return [Finding("B3", "amber", sentence, max(r, 1 / r), fix)]


def _outwards(table: Sweep, budgets: list[Budget]) -> str:
    rows_n = budgets[0].rows_n
    ends = rows_n[[int(table.size_n[rows_n].argmin()), int(table.size_n[rows_n].argmax())]]
    low, high = table.size_n[ends]
    falls_small = table.loss_n[ends[0]] < table.loss_n[ends[1]]
    size = low / 2 if falls_small else high * 2
    way = f"{numbers.short(float(size))} at {budgets[0]}"
    return f"Add models beyond the end where losses are lowest, first {way}, or fit a law of size and data."

"""All refusals together: those of geometry, and isoFLOP budgets whose best size the assumed law puts at an end.

Shapes: `m` sizes of a budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from isoloss.core import numbers
from isoloss.core.errors import DesignError
from isoloss.core.law import Law
from isoloss.core.spec import Spec
from isoloss.designing.assumed import Truth, TruthLike, truth_of
from isoloss.designing.expecting import table_of
from isoloss.designing.targets import best_size
from isoloss.lab.designs import HELD_OUT, Refusal, compute, cost_of, refusals, settle

ALIKE = 1.1  # ratio of compute within a budget
LEAST = 3  # sizes that make a budget
MOSTLY = 0.8  # of the cells that budgets hold, or this is no isoFLOP design
STEP = 2.0  # factor of size by which a budget is widened
FARTHEST = 4  # such steps


def check(
    specs: Iterable[Spec],
    recorded: Iterable[Spec] = (),
    *,
    force: bool = False,
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
) -> tuple[Refusal, ...]:
    """Raise RefusedDesign, with every reason and its code, for a ladder that cannot answer what a ladder is for.

    With `force`, the reasons are returned, all but repetition of data, which training refuses. `recorded` are runs that
    are done and will be fitted with these; `law` and `truth` are what is assumed (see `expected`).
    """
    return settle(every(specs, recorded, law=law, truth=truth), force)


def every(
    specs: Iterable[Spec],
    recorded: Iterable[Spec] = (),
    *,
    law: str | Law = "chinchilla",
    truth: TruthLike = None,
) -> tuple[Refusal, ...]:
    """Return every reason to refuse this ladder, of geometry and under the assumed law."""
    specs, recorded = tuple(specs), tuple(recorded)
    found = refusals(specs, recorded)
    fitted = [spec for spec in {s.id: s for s in [*specs, *recorded]}.values() if spec.split != HELD_OUT]
    edge = edge_optimum(fitted, truth_of(truth, law, table_of(fitted))) if budgets_of(fitted) else None
    return (*found, *([edge] if edge else []))


def budgets_of(specs: Sequence[Spec]) -> list[list[Spec]]:
    """Return the cells of each isoFLOP budget, one run a cell by size; none where this is no isoFLOP design."""
    cells = sorted({(s.counts.params, s.tokens): s for s in specs}.values(), key=lambda s: s.flops)
    budgets: list[list[Spec]] = []
    for spec in cells:
        if budgets and spec.flops <= ALIKE * budgets[-1][0].flops:
            budgets[-1].append(spec)
        else:
            budgets.append([spec])
    found = [sorted(b, key=lambda s: s.counts.params) for b in budgets if len({s.counts.params for s in b}) >= LEAST]
    return found if sum(map(len, found)) >= MOSTLY * len(cells) else []


def edge_optimum(specs: Sequence[Spec], truth: Truth) -> Refusal | None:
    """The budgets whose lowest loss under the assumed law is at their smallest or largest size."""
    told, added = [], []
    for budget in budgets_of(specs):
        loss_m = truth.value(_points(budget))
        lowest = int(loss_m.argmin())
        if 0 < lowest < len(budget) - 1:
            continue
        flops = sum(spec.flops for spec in budget) / len(budget)
        best = float(best_size(truth.law, truth.theta_p, flops, truth.size)[0])
        sizes = [getattr(spec.counts, truth.size) for spec in budget]
        new = _widened(budget, truth, is_larger=lowest > 0)
        ends = f"{numbers.short(sizes[0])} to {numbers.short(sizes[-1])}"
        told.append(f"{compute(flops)} (sizes {ends}, best {numbers.short(best)})")
        added.append((flops * len(new), new, flops))
    if not told:
        return None
    cost = math.fsum(flops for flops, _, _ in added)
    more = "; ".join(f"{', '.join(map(numbers.short, new))} at {compute(c)}" for _, new, c in added[:3])
    rest = f"; and at {len(added) - 3} more" if len(added) > 3 else ""
    return Refusal(
        "edge_optimum",
        f"Under the assumed law, the best size of {len(told)} of {len(budgets_of(specs))} budgets is at the end of its "
        f"sizes or beyond: {'; '.join(told[:3])}{'; ...' if len(told) > 3 else ''}. A curve without a lowest point "
        "inside tells no best size.",
        f"Add sizes of about {more}{rest}: {cost_of(cost, specs)}.",
        cost,
    )


def _points(budget: Sequence[Spec]) -> dict[str, list[float]]:
    names = ("params", "body_params", "matmul_params")
    sizes = {name: [float(getattr(spec.counts, name)) for spec in budget] for name in names}
    return {**sizes, "tokens": [float(spec.tokens) for spec in budget]}


def _widened(budget: Sequence[Spec], truth: Truth, is_larger: bool) -> list[float]:
    # Sizes to add beyond the end, until the loss rises again: tokens fall as sizes grow, at the same compute.
    end = budget[-1 if is_larger else 0]
    point = {name: values[-1 if is_larger else 0] for name, values in _points(budget).items()}
    factor = STEP if is_larger else 1 / STEP
    new: list[float] = []
    for _ in range(FARTHEST):
        before = float(truth.value({name: [value] for name, value in point.items()})[0])
        point = {name: value / factor if name == "tokens" else value * factor for name, value in point.items()}
        new.append(point[truth.size])
        if float(truth.value({name: [value] for name, value in point.items()})[0]) > before:
            return new
    raise DesignError(
        f"The assumed law has no best size near {compute(end.flops)}.", truth.words, "Give another truth."
    )

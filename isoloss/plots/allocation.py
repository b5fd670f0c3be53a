"""The best size and the best data for every budget, under one law or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.figure import Axis, Figure, Mark, Panel, Points
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.planning import cost, plan
from isoloss.planning.answers import named
from isoloss.plots import _curves, plot
from isoloss.plots._curves import Look, curve, grid
from isoloss.plots._needs import size_and_data

TYPICAL = (1e18, 1e24)  # FLOP, where no fit says what it was made from
AHEAD = 100.0
MOST = 7


def _check(fits: Sequence[Fit | Frontier]) -> None:
    for fit in fits:
        if isinstance(fit, Fit) and not size_and_data(fit.law):
            raise RequestError(
                f"The law '{fit.law.name}' of {', '.join(fit.law.columns)} has no best size and data for a budget.",
                do="Give fits of a law of size and data, such as 'chinchilla', or an isoFLOP frontier.",
            )
    if len(fits) > MOST:
        raise RequestError(f"{len(fits)} laws in one picture cannot be told apart.", f"At most {MOST} can.")


@plot("How is a budget best spent?", check=_check)
def allocation(fits: Sequence[Fit | Frontier], *, flops: float | None = None, level: float = 0.9) -> Figure:
    """N_opt(C) and D_opt(C), each law solid over the budgets that it was fitted to, with the optima of a frontier."""
    spans = [_span(fit) for fit in fits]
    known = [span for span in spans if span] or [TYPICAL]
    low, high = min(s[0] for s in known), max([AHEAD * known[0][1], *(s[1] for s in known), 3 * (flops or 0.0)])
    size: list[Mark] = []
    tokens: list[Mark] = []
    for i, (fit, span) in enumerate(zip(fits, spans, strict=True)):
        flops_m = grid(low, high, *(span or ()), points=40)
        best = _best(fit, flops_m, level)
        within_m = _curves.inside({"flops": span} if span else {}, {"flops": flops_m})
        for marks, told, name in ((size, best[0], "size"), (tokens, best[1], "tokens")):
            marks += [*curve(flops_m, told, within_m, Look(_label(fit), series=i)), *_optima(fit, name, i)]
    x = Axis("flops")
    counted = {_size(fit) for fit in fits}
    count = Axis(_size(fits[0])) if len(counted) == 1 else Axis("params", words="model size, as each law counts it")
    panels = (Panel(x, Axis(count.quantity, words=count.words or "best model size N"), tuple(size)),)
    panels += (Panel(x, Axis("tokens", words="best training tokens D"), tuple(tokens)),)
    return Figure(allocation.title, panels, _notes(fits, counted, level), "allocation")


def _label(fit: Fit | Frontier) -> str:
    return named(fit)


def _size(fit: Fit | Frontier) -> str:
    if isinstance(fit, Frontier):
        return fit.size.law.output.name
    return next(name for name in fit.law.columns if name in cost.SIZES)


def _span(fit: Fit | Frontier) -> tuple[float, float] | None:
    # The budgets that a fit was made from, as its data say or as its sizes and tokens bound them.
    ranges = fit.data.ranges
    compute = cost.count_of_compute(_size(fit))
    if compute in ranges and ranges[compute][0] > 0:
        return ranges[compute]
    if _size(fit) in ranges and "tokens" in ranges and ranges["tokens"][0] > 0:
        low, high = (cost.total(ranges[_size(fit)][end], ranges["tokens"][end]) for end in (0, 1))
        return (low, high) if low > 0 else None
    return None


def _best(fit: Fit | Frontier, flops_m: np.ndarray, level: float) -> tuple[Estimate, Estimate]:
    options = plan(fit, flops=[float(c) for c in flops_m], level=level).options
    told = [[o[name] for o in options] for name in (_size(fit), "tokens")]
    made = [
        Estimate(*(np.array([getattr(e, end) for e in column]) for end in ("mid", "low", "high"))) for column in told
    ]
    return made[0], made[1]


def _optima(fit: Fit | Frontier, name: str, i: int) -> list[Points]:
    if not isinstance(fit, Frontier):
        return []
    kept = [o for o in fit.optima if not o.left_out]
    at = [getattr(o, name) for o in kept]
    x, y = np.array([o.flops for o in kept]), np.array([e.mid for e in at])
    low, high = (np.array([getattr(e, end) for e in at]) for end in ("low", "high"))
    bars: dict[str, Any] = {"low": low, "high": high} if np.isfinite(low).all() and np.isfinite(high).all() else {}
    return [Points(f"minima of the {fit.approach} curves", "run", False, x, y, **bars, series=i)]


def _notes(fits: Sequence[Fit | Frontier], counted: set[str], level: float) -> tuple[str, ...]:
    bare = [named(fit) for fit in fits if isinstance(fit, Fit) and not len(fit.draws_sp)]
    notes = ["Solid over the budgets that a law was fitted to, dashed beyond them or where these are not known."]
    if len(bare) < len(fits):
        notes.append(f"Shaded: {level:.0%} intervals.")
    if bare:
        notes.append(f"Without an interval, since no joint uncertainty is known: {', '.join(bare)}.")
    if len(counted) > 1:
        notes.append(f"The laws count size as {' and '.join(sorted(counted))}, and compute as 6 N D of their own N.")
    return tuple(notes)

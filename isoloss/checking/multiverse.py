"""multiverse(): the plan under each law, objective, count and kind of draws that the runs allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from isoloss import fitting
from isoloss.checking.answers import answers, of_another_law, size_of
from isoloss.checking.case import Case
from isoloss.checking.counting import bound_to, converted, counts
from isoloss.checking.forms import CLEAR, forms, score
from isoloss.checking.objectives import OTHERS
from isoloss.comparing.candidates import bound
from isoloss.core import law as laws_
from isoloss.core import numbers
from isoloss.core.errors import DataError, RequestError
from isoloss.core.estimate import Estimate, check_level
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.multiverse import Multiverse, Universe
from isoloss.fitting.objectives import find
from isoloss.fitting.rows import as_runs
from isoloss.planning import cost

DRAWS = 200
RESAMPLINGS = ("pairs", "cluster", "stratified", "wild", "laplace", "sandwich")


def multiverse(
    runs: Any,
    law: str | Law = "chinchilla",
    *,
    flops: Any,
    laws: Iterable[str | Law] | None = None,
    objectives: Iterable[str] = OTHERS,
    draws: int = DRAWS,
    level: float = 0.9,
    **settings: Any,
) -> Multiverse:
    """Answer one question under every choice that could have been made: each is changed alone, all others kept.

    The choices are the law (those of size and tokens that are quickly fitted, or `laws`), the objective, the count of
    size (all that the table has), and the kind of draws (all that the runs allow). `settings` are those of
    `isoloss.fit`. Best sizes are told in the count of `law`; others are converted by what the runs' own counts differ
    by. A choice that cannot be made is left out, with the reason. The name is that of Steegen et al. 2016,
    Perspectives on Psychological Science 11:702.
    Raises what `isoloss.fit` raises, and RequestError for a law that tells no best size.
    """
    check_level(level)
    given, target = as_runs(runs), numbers.parse(flops)
    fit = fitting.fit(given, law, **{**settings, "draws": draws})
    size = size_of(fit.law)
    case = Case(given, fit.law, fit, {**settings, "draws": draws}, target)
    rivals = forms(fit.law) if laws is None else None
    named = [bound(laws_.find(one), given, {}) for one in laws or ()]
    others = {f.name: f.settings for f in rivals} if rivals is not None else {b.name: of_another_law(b) for b in named}
    choices: list[tuple[str, str, dict[str, Any]]] = [
        *(("law", name, how) for name, how in others.items() if name != fit.law.name),
        *(("objective", name, {"objective": name}) for name in objectives if find(name).name != fit.objective[0]),
        *(("count", count, {"inputs": bound_to(fit.law, size, count)}) for count in counts(given, size)),
        *(("draws", name, {"uncertainty": name}) for name in RESAMPLINGS),
    ]
    universes, left_out = [_universe("law", fit.law.name, fit, target, level)], {}
    scores = {fit.law.name: score(fit)}
    for kind, name, how in choices:
        try:
            told = case.refit(**{**how, "draws": draws})
            universes.append(_universe(kind, name, told, target, level, _back(case, name) if kind == "count" else None))
            scores |= {name: score(told)} if kind == "law" else {}
        except (DataError, RequestError) as error:
            left_out[name] = error.given
    stated = (
        f"the first line is the fit as asked: {fit.objective[0]}, size counted as {size}",
        cost.stated(size),
        *(
            (f"sizes by another count are converted to {size}, as the runs' own counts differ",)
            if counts(given, size)
            else ()
        ),
    )
    weighed = tuple(_weighed(u, scores) for u in universes)
    return Multiverse(target, size, fit.law.output.name, level, weighed, left_out, len(given), given.source, stated)


def _weighed(one: Universe, scores: dict[str, float]) -> Universe:
    # A law that the runs speak against, by AICc, is told and does not count.
    behind = scores[one.name] - min(scores.values()) if one.kind == "law" else 0.0
    if behind <= CLEAR:
        return one
    remark = "; ".join(filter(None, [f"AICc {behind:.0f} behind the best law: the runs speak against it", one.remark]))
    return replace(one, remark=remark, counts=False)


def _universe(
    kind: str, name: str, fit: Fit, flops: float, level: float, back: Callable[[Any], Any] | None = None
) -> Universe:
    told = answers(fit, flops)
    sizes_t = told.size_t if back is None else np.asarray(back(told.size_t))
    parts = (sizes_t, cost.partner(flops, told.size_t), told.loss_t)
    size, tokens, loss = (_estimate(values_t, level) for values_t in parts)
    remark = "no best size for this budget" if not np.isfinite(told.size_t[0]) else _remark(fit)
    return Universe(kind, name, size, tokens, loss, remark)


def _remark(fit: Fit) -> str:
    ends = fit.certificate.bounds if fit.certificate else ()
    if fit.status == "flat":
        return "the runs do not fix this law (B2)"
    return f"{' and '.join(ends)} at the end of the range" if ends else ""


def _back(case: Case, count: str) -> Callable[[Any], Any]:
    return lambda values: converted(case.runs, count, size_of(case.law), values)


def _estimate(values_t: np.ndarray, level: float) -> Estimate:
    return Estimate.of(values_t[0], values_t[1:][np.isfinite(values_t[1:])], level)

"""Models of equal loss that will be served: what each size costs to train and to serve, for several demands.

Serving a token costs 2 N FLOP (Sardana et al. 2023, Eq. 2-3). Shapes: `t` parameter sets, `m` sizes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel, Points
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.planning import cost, plan
from isoloss.planning.answers import estimate, sets
from isoloss.planning.surface import Surface
from isoloss.plots import _curves, _data, plot
from isoloss.plots._curves import Look, curve
from isoloss.plots._needs import check_size_and_data

DEMANDS = (1.0, 10.0)  # multiples of the training tokens, unless the demands are named
DRAWS = 100
WIDEST = 12.0  # of the least cost: what lies higher is not shown


@plot("How small should a model be that is served?", check=check_size_and_data)
def inference(
    runs: Runs | None,
    fit: Fit,
    *,
    flops: float | None = None,
    loss: float | None = None,
    served: Sequence[float] | None = None,
    level: float = 0.9,
) -> Figure:
    """Training and serving FLOP over model size at one loss, a curve a demand, with the size that costs least.

    The loss is that of the best run of `flops` where none is given; `served` are tokens, with none served beside them.
    """
    target = loss if loss is not None else _loss_of(runs, fit, flops, level)
    dearest = plan(fit, loss=target, level=level).options[0]
    demands = [0.0, *(served or [round_to(k * dearest["tokens"].mid) for k in DEMANDS])]
    size = dearest[_data.size_of(fit)].mid
    size_m = np.geomspace(size / 8, size * 4, _curves.POINTS)
    known = _curves.ranges(fit, runs)
    marks: list[Mark] = []
    for i, demand in enumerate(demands):
        marks += _curve(fit, target, demand, size_m, known, i, level)
        marks += _least(fit, target, demand, i, level)
    top = max(m.y.max() for m in marks if isinstance(m, Points)) * WIDEST
    low = min(m.y.min() for m in marks if isinstance(m, Points)) / 1.6
    y = Axis("lifetime_flops", words="training and serving compute", span=(low, min(top, _highest(marks) * 1.2)))
    panel = Panel(_data.size_axis(fit), y, tuple(marks))
    notes = (
        f"Every point of a curve reaches a {fit.law.output.name} of {numbers.short(target, 4)}; "
        "smaller models train longer for it.",
        "Serving a token costs 2 N FLOP, training on one 6 N. Stars: the least of each curve.",
        _curves.interval_note(fit, level),
        "Dashed: a size or an amount of data beyond the runs.",
    )
    return Figure(inference.title, (panel,), notes, "inference")


def round_to(value: float, digits: int = 1) -> float:
    """The value with so many leading digits."""
    return float(f"{value:.{digits - 1}e}")


def _loss_of(runs: Runs | None, fit: Fit, flops: float | None, level: float) -> float:
    if flops is None and runs is None:
        raise RequestError("The picture of inference needs a loss to reach.", do="Give loss=..., flops=... or runs.")
    budget = flops if flops is not None or runs is None else _data.budget(_data.table(runs, fit), None)
    return plan(fit, flops=budget, level=level).options[0][fit.law.output.name].mid


def _curve(
    fit: Fit,
    target: float,
    demand: float,
    size_m: np.ndarray,
    known: dict[str, tuple[float, float]],
    i: int,
    level: float,
) -> list[Mark]:
    surface = Surface.of(fit.law)
    assert surface is not None
    theta_tp = sets(fit)[: DRAWS + 1]
    columns = [np.repeat(theta_tp[:, j], len(size_m)) for j in range(theta_tp.shape[1])]
    sizes = np.tile(size_m, len(theta_tp))
    tokens_tm = surface.tokens_for(columns, sizes, np.full(len(sizes), target)).reshape(len(theta_tp), -1)
    tokens_tm[~np.isfinite(tokens_tm)] = np.inf
    cost_tm = cost.total(size_m, tokens_tm) + cost.serving(size_m, demand)
    reached_m = np.isfinite(cost_tm[0])
    told = estimate(cost_tm[:, reached_m], level)
    if told.known is False and len(theta_tp) > 1:
        top = np.nanmax(np.where(np.isfinite(cost_tm), cost_tm, np.nan))
        told = type(told)(told.mid, told.low, np.where(np.isfinite(told.high), told.high, top))
    x_m = size_m[reached_m]
    within_m = _curves.inside(known, {_data.size_of(fit): x_m, "tokens": tokens_tm[0, reached_m]})
    return curve(x_m, told, within_m, Look(_label(demand), series=i))


def _label(demand: float) -> str:
    return f"{numbers.short(demand, 2)} tokens served" if demand else "never served"


def _least(fit: Fit, target: float, demand: float, i: int, level: float) -> list[Mark]:
    asked = {"served": demand} if demand else {}
    option = plan(fit, loss=target, level=level, **asked).options[0]
    size = option[_data.size_of(fit)]
    whole = option[
        "lifetime_flops" if demand else _data.flops_of(fit) if _data.flops_of(fit) in option.estimates else "flops"
    ]
    marks: list[Mark] = [
        Points("least of each", "optimum", True, np.array([size.mid]), np.array([whole.mid]), series=i)
    ]
    if size.known:
        ends = np.array([size.low, size.high])
        marks.append(Line(_label(demand), "law", False, ends, np.full(2, whole.mid), series=i))
    return marks


def _highest(marks: list[Mark]) -> float:
    return max(float(np.nanmax(m.y)) for m in marks if isinstance(m, Line))

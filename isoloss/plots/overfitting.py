"""The cost of finite data, for all sizes on one curve: Kaplan et al. 2020, Fig. 9 and Eq. 4.2-4.4.

Shapes: `m` points of a curve, `n` runs, `t` parameter sets, the best estimate and then the draws.
"""

from __future__ import annotations

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.estimate import Estimate
from isoloss.core.figure import Axis, Figure, Mark, Panel, Points
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.planning.answers import estimate, sets
from isoloss.plots import _curves, _data, plot
from isoloss.plots._curves import Look, curve, grid

ENDLESS = 1e60
LAWS = ("kaplan", "overfitting")
LEAST = 1e-4  # of the share: less is noise


def _check(runs: Runs, fit: Fit) -> None:
    if fit.law.name not in LAWS:
        raise RequestError(
            f"The cost of finite data falls on one curve under the law 'kaplan', not under '{fit.law.name}'.",
            f"Laws that have the curve: {', '.join(LAWS)}.",
            "Fit one of them: fit(runs, law='kaplan').",
        )


@plot("What does finite data cost?", check=_check)
def overfitting(runs: Runs, fit: Fit, *, level: float = 0.9) -> Figure:
    """How far the loss on D tokens lies above that on endless data, against N^(alpha_N / alpha_D) / D."""
    table = runs.complete([*fit.law.columns, fit.law.output.name])
    _curves.check_fitted(table)
    size = _data.size_of(fit)
    size_n, tokens_n, percent_n = table[size], table["tokens"], _percent(table, fit)
    shortage_n = _shortage(fit, size_n, tokens_n)
    shown_n = percent_n > 100 * LEAST
    shown = table.with_columns(shortage=shortage_n, percent=percent_n).take(shown_n)
    marks = [*_curve(fit, size_n, shortage_n, level), *_curves.points(shown, "shortage", "percent", size)]
    y = Axis("overfit_share", words="loss above that of endless data", unit="%", span=_span(marks))
    panel = Panel(Axis("data_shortage"), y, tuple(marks), _data.size_axis(fit))
    return Figure(overfitting.title, (panel,), _notes(fit, level, int((~shown_n).sum())), "overfitting")


def _percent(table: Runs, fit: Fit) -> np.ndarray:
    reached_n = table[fit.law.output.name]
    if fit.law.name == "overfitting":
        return 100 * reached_n
    endless = {**{c: table[c] for c in fit.law.columns}, "tokens": np.full(len(table), ENDLESS)}
    return 100 * (reached_n / fit.law.value(np.array([endless[c] for c in fit.law.columns]), fit.theta_p) - 1)


def _shortage(fit: Fit, size_n: np.ndarray, tokens_n: np.ndarray) -> np.ndarray:
    return size_n ** (fit.theta["alpha_N"] / fit.theta["alpha_D"]) / tokens_n


def _curve(fit: Fit, size_n: np.ndarray, shortage_n: np.ndarray, level: float) -> list[Mark]:
    # Draws have other exponents, hence another axis: their interval is that of runs of the middle size.
    low, high = float(shortage_n.min()), float(shortage_n.max())
    x_m = grid(low / 10, high * 10, low, high)
    size = float(np.exp(np.log(size_n).mean()))
    tokens_m = size ** (fit.theta["alpha_N"] / fit.theta["alpha_D"]) / x_m
    theta_tp = sets(fit)
    value_tm = fit.law.value(np.array([np.full(len(x_m), size), tokens_m]), theta_tp)
    if fit.law.name == "kaplan":
        endless_t = fit.law.value(np.array([[size], [ENDLESS]]), theta_tp)
        value_tm = value_tm / endless_t - 1
    within_m = (x_m >= low) & (x_m <= high)
    look = Look("the law, for all sizes", "the law, beyond the runs", f"{level:.0%} interval at the middle size")
    told = estimate(100 * value_tm, level)
    return curve(x_m, Estimate(told.mid, told.low, told.high), within_m, look)


def _span(marks: list[Mark]) -> tuple[float, float]:
    seen = np.concatenate([m.y for m in marks if not hasattr(m, "low") or isinstance(m, Points)])  # type: ignore[union-attr]
    return float(max(seen.min(), 100 * LEAST) / 1.5), float(seen.max() * 1.5)


def _notes(fit: Fit, level: float, left_out: int) -> tuple[str, ...]:
    lost = f"{left_out} runs are not shown: they reached what endless data would give." if left_out else ""
    return tuple(
        filter(
            None,
            (
                "Runs of every size fall on one curve where the law holds; the further right, the shorter the data.",
                "Loss on endless data is the law's own, of each run's size.",
                _curves.interval_note(fit, level),
                lost,
            ),
        )
    )

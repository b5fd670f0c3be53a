"""Loss against passes over limited data: where repeating them stops to help, and what fresh data would give."""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.figure import Axis, Figure, Line, Mark, Panel
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.plots import _curves, plot
from isoloss.plots._curves import Look, curve
from isoloss.plots._needs import needing, size_in

SETTINGS = 5
PASSES = 64.0

_has_unique = needing("unique_tokens", "loss against passes over limited data")


def _check(runs: Runs | None, fit: Fit) -> None:
    _has_unique(fit)
    if size_in(fit.law) is None or set(fit.law.columns) - {size_in(fit.law), "tokens", "unique_tokens"}:
        raise RequestError(
            f"The law '{fit.law.name}' is of {', '.join(fit.law.columns)}; this picture holds a size and distinct "
            "tokens, and moves the passes."
        )


@plot("How often can data be repeated?", check=_check)
def repetition(runs: Runs | None, fit: Fit, *, level: float = 0.9) -> Figure:
    """A curve for each amount of distinct data, at the largest size run on it; thin lines: all tokens fresh."""
    size, output = size_in(fit.law) or "params", fit.law.output.name
    table, known = _curves.complete(runs, fit), _curves.ranges(fit, runs)
    settings = _settings(table, size, known)
    most = PASSES if table is None else max(PASSES, 2 * float((table["tokens"] / table["unique_tokens"]).max()))
    passes_m = np.unique(np.concatenate([np.geomspace(1.0, most, _curves.POINTS), [4.0]]))
    marks: list[Mark] = []
    for params, unique in settings:
        at = {
            size: np.full(len(passes_m), params),
            "tokens": passes_m * unique,
            "unique_tokens": np.full(len(passes_m), unique),
        }
        told = _curves.predicted(fit, at, level)
        within_m = _curves.inside(known, {"tokens": at["tokens"], size: at[size]})
        label = f"{numbers.short(unique)} distinct tokens, {numbers.short(params)} parameters"
        marks += curve(passes_m, told, within_m, Look(label, value=unique))
        fresh = _curves.predicted(fit, {**at, "unique_tokens": at["tokens"]}, level)
        marks.append(Line("if every token were fresh", "guide", True, passes_m, np.asarray(fresh.mid), value=unique))
    if table is not None:
        shown = _shown(table, size, settings).with_columns(epochs=0.0)
        shown = shown.with_columns(epochs=np.maximum(shown["tokens"] / shown["unique_tokens"], 1.0))
        marks += _curves.points(shown, "epochs", output, "unique_tokens")
    uniques = [unique for _, unique in settings]
    colour = Axis("unique_tokens", span=(min(uniques), max(uniques)) if len(uniques) > 1 else None)
    panel = Panel(Axis("epochs"), Axis(output), tuple(marks), colour)
    notes = (
        "Along a curve the distinct data and the model stay the same, and training goes on over more passes.",
        "Up to about four passes a repeat is worth nearly as much as fresh data (Muennighoff et al. 2023).",
        _curves.interval_note(fit, level),
    )
    return Figure(repetition.title, (panel,), notes, "repetition")


def _settings(table: Runs | None, size: str, known: dict[str, tuple[float, float]]) -> list[tuple[float, float]]:
    # Pairs of a size and an amount of distinct tokens: those of the runs, the largest model on each amount.
    if table is None:
        low, high = _curves.window("unique_tokens", known, ahead=1.0)
        return [
            (float(np.sqrt(np.prod(_curves.window(size, known, ahead=1.0)))), float(u))
            for u in np.geomspace(low, high, 3)
        ]
    unique_n = table["unique_tokens"]
    return [(float(table[size][unique_n == u].max()), u) for u in _curves.spread(unique_n, SETTINGS)]


def _shown(table: Runs, size: str, settings: list[tuple[float, float]]) -> Runs:
    keep_n = np.zeros(len(table), bool)
    for params, unique in settings:
        keep_n |= (table[size] == params) & (table["unique_tokens"] == unique)
    return table.take(keep_n)

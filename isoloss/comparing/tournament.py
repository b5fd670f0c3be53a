"""compare(): laws ranked by how well they predict larger runs from smaller ones.

Shapes: `n` runs, `c` cuts, `k` candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.comparing import scores
from isoloss.comparing.blending import weights
from isoloss.comparing.candidates import applicable, candidates, enough
from isoloss.comparing.cuts import Cut, cut
from isoloss.comparing.trials import THOROUGH, Effort, Trials, fitted, per_cut, predicted, tried
from isoloss.core.backtest import Backtest
from isoloss.core.calibration import Measure
from isoloss.core.comparison import Comparison, Rival
from isoloss.core.errors import DesignError
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.fitting.rows import as_runs
from isoloss.fitting.settings import Settings

CUTS = 5
LEVEL = 0.9
POSITIVE = "losses of zero or below have no logarithm, so squared differences are minimised"


@dataclass(frozen=True, eq=False)
class Tournament:
    """Complete runs, their cuts, and every candidate's fits below them with their errors."""

    runs: Runs
    measure: Measure
    cuts: tuple[Cut, ...]
    trials: Trials
    settings: Mapping[str, Any]
    excluded: Mapping[str, str]
    assumptions: tuple[str, ...]

    @property
    def weight_k(self) -> np.ndarray:
        """The candidates' weights in a blend."""
        return weights(self.trials.error_ck)


def compare(
    runs: Any, laws: Iterable[str | Law] | None = None, *, cuts: int | Iterable[float] = CUTS, **settings: Any
) -> Comparison:
    """Rank laws by extrapolation: hide the largest runs, fit the others, predict what was hidden, at several cuts.

    Without `laws`, every law whose inputs the table has and whose output is its loss (see `candidates.applicable`).
    `cuts` is how many, or the values of the measure (compute, or size times data, or what varies) to cut at. Each law
    is fitted twice: with all runs alike, and with weights in proportion to their measure; where nothing grows, with
    the usual objective and with squares. Scores are the
    relative error and the continuous ranked probability score of new-run draws above the cut, both weighted by the
    decades beyond it, and AICc, BIC and the error of left-out runs on all runs. Settings are those of `fit`.
    Raises DesignError where the runs leave no place to cut, or no law can be fitted below it.
    """
    held = tournament(runs, laws, cuts, settings)
    rivals = [_rival(held, k) for k in range(len(held.trials.candidates))]
    return Comparison(
        rivals=tuple(sorted(rivals, key=lambda r: (r.error + r.crps, r.parameters))),
        excluded={**held.excluded, **held.trials.refused},
        measure=held.measure,
        cuts=tuple(c.at for c in held.cuts),
        n=len(held.runs),
        source=held.runs.source,
        assumptions=(*held.runs.notes, *held.assumptions),
    )


def tournament(
    runs: Any,
    laws: Iterable[str | Law] | None,
    cuts: int | Iterable[float],
    settings: Mapping[str, Any],
    effort: Effort = THOROUGH,
) -> Tournament:
    """Fit the candidates below the cuts and test them above; raises what `compare` raises."""
    how = Settings.read(settings)
    table = as_runs(runs)
    chosen, excluded = applicable(table, laws, how.inputs)
    columns = dict.fromkeys(c for law in chosen for c in law.columns)
    table = table.complete([*columns, chosen[0].output.name])
    measure = Measure.among(tuple(columns))
    made = cut(table, measure, cuts)
    settings, assumptions = _objective(table[chosen[0].output.name], settings)
    carried, few = _carried(chosen, len(made[0].below))
    trials = tried(candidates(carried, measure, settings), made, measure, settings, effort, how.progress)
    if not trials.candidates:
        reasons = "; ".join(f"{law}: {why}" for law, why in {**few, **trials.refused}.items())
        raise DesignError(f"No law can be fitted below the first cut, {measure} = {made[0].at:.3g}.", reasons)
    return Tournament(table, measure, made, trials, settings, {**excluded, **few}, assumptions)


def _carried(chosen: Sequence[Law], n: int) -> tuple[list[Law], dict[str, str]]:
    few = {law.name: enough(law, n) for law in chosen if enough(law, n)}
    return [law for law in chosen if law.name not in few], few


def _objective(y_n: np.ndarray, settings: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if y_n.min() > 0 or settings.get("objective", Settings.objective) != Settings.objective:
        return settings, ()
    return {**settings, "objective": "squared"}, (POSITIVE,)


def _rival(held: Tournament, k: int) -> Rival:
    candidate, fits = held.trials.candidates[k], held.trials.fits[k]
    test = predicted(candidate.law.name, fits, held.cuts, held.measure, LEVEL)
    whole = fitted(candidate, held.runs, held.measure, held.settings, 0)
    residual_n = _log_residuals(whole, held.runs)
    aicc, bic = scores.criteria(residual_n, len(whole.law.names) - len(whole.fixed))
    return Rival(
        law=candidate.law.name,
        label=str(candidate),
        emphasis=candidate.emphasis,
        objective=whole.objective[0],
        parameters=len(whole.law.names),
        error=float(held.trials.error_ck[:, k].mean()),
        bias=float(per_cut(test, test.miss_r).mean()),
        crps=float(per_cut(test, _crps(fits, held.cuts, test)).mean()),
        coverage=test.coverage,
        aicc=aicc,
        bic=bic,
        loo=scores.left_out(whole, held.runs),
        weight=float(held.weight_k[k]),
        inputs=candidate.law.binding,
    )


def _crps(fits: Sequence[Fit], cuts: Sequence[Cut], test: Backtest) -> np.ndarray:
    parts = [
        scores.crps(scores.quantiles(fit, cut.above), cut.above[fit.law.output.name])
        for fit, cut in zip(fits, cuts, strict=True)
    ]
    return np.concatenate(parts) / np.abs(test.reached_r)


def _log_residuals(fit: Fit, runs: Runs) -> np.ndarray:
    mid_n = fit.law.value(np.array([runs[c] for c in fit.law.columns]), fit.theta_p)
    ratio_n = runs[fit.law.output.name] / mid_n
    return np.log(ratio_n) if (ratio_n > 0).all() else ratio_n - 1.0


def without(held: Tournament, c: int) -> np.ndarray:
    """The candidates' weights from every cut but one, so that this one tests them; from all where there is no other."""
    others = np.delete(held.trials.error_ck, c, axis=0)
    return weights(others if len(others) else held.trials.error_ck)

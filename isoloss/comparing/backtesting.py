"""backtest() and calibrated(): what a law would have said of runs that are now known, and intervals that heed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from isoloss.comparing.auto import AUTO, blend_test
from isoloss.comparing.candidates import Candidate, bound
from isoloss.comparing.cuts import cut
from isoloss.comparing.tournament import CUTS, tournament
from isoloss.comparing.trials import fitted, predicted
from isoloss.core import law as laws
from isoloss.core.backtest import Backtest
from isoloss.core.blend import Blend
from isoloss.core.calibration import Measure
from isoloss.core.errors import RequestError
from isoloss.core.estimate import check_level
from isoloss.core.fit import Fit
from isoloss.core.law import Law
from isoloss.fitting.rows import as_runs
from isoloss.fitting.settings import Settings


def backtest(
    subject: Any,
    runs: Any = None,
    *,
    law: str | Law = "chinchilla",
    cuts: int | Iterable[float] = CUTS,
    level: float = 0.9,
    **settings: Any,
) -> Backtest:
    """Hide the larger runs, fit the smaller, predict: error, bias, coverage and width against how far beyond it was.

    `backtest(runs, law="chinchilla")` fits as `fit` would; `backtest(fit, runs)` takes law, objective and held
    parameters from a fit, and `runs` are those it was made from. `law="auto"` tests the blend. `cuts` is how many, or
    the values of the measure to cut at.
    Raises DesignError where the runs leave no place to cut, RequestError for a fit without its runs.
    """
    check_level(level)
    if isinstance(subject, Fit):
        if runs is None:
            raise RequestError(
                "A fit does not carry its runs, and a back-test needs them.", do="Give both: backtest(fit, runs)."
            )
        law, settings = _as_fitted(subject, settings)
        subject = runs
    if law == AUTO or isinstance(law, Blend):
        members = dict.fromkeys(law.members) if isinstance(law, Blend) else None
        return blend_test(tournament(subject, members, cuts, settings))
    how = Settings.read(settings)
    table = as_runs(subject)
    chosen = bound(laws.find(law), table, how.inputs)
    table = table.complete([*chosen.columns, chosen.output.name])
    measure = Measure.among(chosen.columns)
    places = cut(table, measure, cuts)
    fits = [fitted(Candidate(chosen, 0.0), place.below, measure, settings, min(how.draws, 300)) for place in places]
    return predicted(chosen.name, fits, places, measure, level, table.notes)


def calibrated(fit: Fit, runs: Any, **settings: Any) -> Fit:
    """The fit with intervals of new runs that would have held as often as they say when `runs` were predicted by cuts.

    They grow with the decades beyond the data (see `Backtest.calibration`); intervals of the mean curve stay.
    Raises what `backtest` raises.
    """
    test = backtest(fit, runs, **settings)
    largest = float(test.measure.of(as_runs(runs).complete(test.measure.columns)).max())
    return replace(fit, calibration=test.calibration(largest))


def _as_fitted(fit: Fit, settings: dict[str, Any]) -> tuple[Law, dict[str, Any]]:
    objective = {"objective": fit.objective[0]} if fit.objective[0] else {}
    held = {"hold": {name: fit.theta[name] for name in fit.fixed}} if fit.fixed else {}
    return fit.law, {**objective, **held, "seed": fit.seed, **settings}

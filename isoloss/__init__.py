"""isoloss turns small training runs into a plan for a big one that you can trust.

Six nouns (Runs, Law, Fit, Plan, Spec, Figure), and the verbs that lead from one to the next: nothing else is public.
Each is imported when it is first asked for, so that `import isoloss` and `isoloss --help` cost little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isoloss.published import published  # now: its folder bears its name, and would take its place

if TYPE_CHECKING:
    from isoloss import samples
    from isoloss.checking import check, fit, multiverse
    from isoloss.comparing import backtest, calibrated, compare
    from isoloss.core.backtest import Backtest
    from isoloss.core.checkup import Checkup
    from isoloss.core.comparison import Comparison
    from isoloss.core.errors import IsolossError
    from isoloss.core.figure import Figure
    from isoloss.core.fit import Fit
    from isoloss.core.law import Law, law
    from isoloss.core.plan import Plan
    from isoloss.core.runs import Runs
    from isoloss.core.spec import Spec
    from isoloss.designing import design, train
    from isoloss.fitting import profile
    from isoloss.fitting.envelope import envelope
    from isoloss.fitting.isoflop import isoflop
    from isoloss.loaders import read
    from isoloss.planning import multiplier, plan
    from isoloss.plots.drawing import plot
    from isoloss.reporting import report
    from isoloss.verifying import verify

__version__ = "0.1.0"

__all__ = [
    "Backtest",
    "Checkup",
    "Comparison",
    "Figure",
    "Fit",
    "IsolossError",
    "Law",
    "Plan",
    "Runs",
    "Spec",
    "backtest",
    "calibrated",
    "check",
    "compare",
    "design",
    "envelope",
    "fit",
    "isoflop",
    "law",
    "multiplier",
    "multiverse",
    "plan",
    "plot",
    "profile",
    "published",
    "read",
    "report",
    "samples",
    "train",
    "verify",
]

_HOMES = {
    "Backtest": "isoloss.core.backtest",
    "Checkup": "isoloss.core.checkup",
    "Comparison": "isoloss.core.comparison",
    "Figure": "isoloss.core.figure",
    "Fit": "isoloss.core.fit",
    "IsolossError": "isoloss.core.errors",
    "Law": "isoloss.core.law",
    "Plan": "isoloss.core.plan",
    "Runs": "isoloss.core.runs",
    "Spec": "isoloss.core.spec",
    "backtest": "isoloss.comparing",
    "calibrated": "isoloss.comparing",
    "check": "isoloss.checking",
    "compare": "isoloss.comparing",
    "design": "isoloss.designing",
    "envelope": "isoloss.fitting.envelope",
    "fit": "isoloss.checking",
    "isoflop": "isoloss.fitting.isoflop",
    "law": "isoloss.core.law",
    "multiplier": "isoloss.planning",
    "multiverse": "isoloss.checking",
    "plan": "isoloss.planning",
    "plot": "isoloss.plots.drawing",
    "profile": "isoloss.fitting",
    "read": "isoloss.loaders",
    "report": "isoloss.reporting",
    "train": "isoloss.designing",
    "verify": "isoloss.verifying",
}


def __getattr__(name: str) -> Any:
    if name == "samples":
        return importlib.import_module("isoloss.samples")
    if name not in _HOMES:
        raise AttributeError(f"module 'isoloss' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""isoloss turns small training runs into a plan for a big one that you can trust.

Six nouns (Runs, Law, Fit, Plan, Spec, Figure), and the verbs that lead from one to the next: nothing else is public.
"""

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
from isoloss.designing import design
from isoloss.fitting import profile
from isoloss.fitting.envelope import envelope
from isoloss.fitting.isoflop import isoflop
from isoloss.lab import train
from isoloss.loaders import read
from isoloss.planning import multiplier, plan
from isoloss.published import published
from isoloss.reporting import report

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
    "profile",
    "published",
    "read",
    "report",
    "samples",
    "train",
]

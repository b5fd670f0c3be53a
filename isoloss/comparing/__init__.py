"""What was predicted beside what was reached: held-out runs, back-tests, laws compared, blended and calibrated."""

from isoloss.comparing.auto import fit
from isoloss.comparing.backtesting import backtest, calibrated
from isoloss.comparing.holdout import Outcome, holdout
from isoloss.comparing.tournament import compare

__all__ = ["Outcome", "backtest", "calibrated", "compare", "fit", "holdout"]

"""Says what is wrong with runs and with fits to them: one function a finding."""

from isoloss.checking.examining import check, fit
from isoloss.checking.multiverse import multiverse

__all__ = ["check", "fit", "multiverse"]

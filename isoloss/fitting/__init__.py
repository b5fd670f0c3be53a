"""Fitting: fit() and profile(), with their objectives, solver, starts, draws."""

from isoloss.fitting.engine import fit
from isoloss.fitting.profile import profile

__all__ = ["fit", "profile"]

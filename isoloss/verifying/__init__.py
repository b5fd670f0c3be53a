"""Predictions that are written down before the runs are trained, and how often they held."""

from __future__ import annotations

from isoloss.verifying.chain import BrokenLogError
from isoloss.verifying.registering import AfterTheFactError
from isoloss.verifying.running import verify

__all__ = ["AfterTheFactError", "BrokenLogError", "verify"]

"""Ladders judged before they are trained: what their fits will tell, what they will cost, which is the best buy."""

from __future__ import annotations

from isoloss.designing.expecting import Expected, expected
from isoloss.designing.preview import Preview, preview
from isoloss.designing.proposing import Design, design
from isoloss.designing.refusing import check
from isoloss.designing.training import train

__all__ = ["Design", "Expected", "Preview", "check", "design", "expected", "preview", "train"]

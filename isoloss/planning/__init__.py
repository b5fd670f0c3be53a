"""Answers what to train: one file a question, from a fit of one's own or of the literature."""

from isoloss.planning.multiplier import multiplier
from isoloss.planning.questions import plan

__all__ = ["multiplier", "plan"]

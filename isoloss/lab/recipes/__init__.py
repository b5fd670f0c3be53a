"""Recipes: named opinions on how a size and a horizon are trained, counted and fitted; one file each.

A recipe decides what a ladder measures: a rate that suits large models alone makes small ones look worse than they are
and tilts the fitted exponents; so do a long warm-up and a count that leaves the head out. A recipe therefore says all
of it, and a record says which recipe it was.
"""

from __future__ import annotations

from isoloss.core import discover
from isoloss.lab.recipes.registry import RECIPES, Recipe, find_recipe

__all__ = ["RECIPES", "Recipe", "find_recipe"]

discover.modules("isoloss.lab.recipes")

"""E2: a table of three columns, and one that says how its runs were made."""

from __future__ import annotations

from examples.findings._sweeps import Example, grid, scattered
from isoloss.core.figure import Figure


def wrong() -> Example:
    return Example(grid(), settings={"draws": 0})


def right() -> Example:
    runs = grid(corpus="c4", tokenizer="gpt2", eval_set="c4 validation", schedule="cosine", warmup="a fiftieth", seed=0)
    return Example(runs.with_columns(lr=3e-4, batch=5e5, unique_tokens=1e11, status="finished", commit="4f2a9c1"))


def picture() -> Figure:
    return scattered(wrong().runs, "params", "loss", "Sizes, tokens and losses: all that this table tells")

"""Which questions a page may put to the planner: those that open no file and write none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from isoloss.core.explanation import Explanation
from isoloss.core.fit import Fit
from isoloss.core.plan import Plan
from isoloss.planning import plan
from isoloss.web.limits import Refused

# Named one by one: a goal that is added to the planner may name a file, and is not asked here before it is named here.
ASKABLE = (
    *("flops", "loss", "params", "tokens", "ratio", "unique_tokens", "within", "times", "doubling", "overfit"),
    *("served", "quality", "size_ratio", "rival", "dollars", "hours", "accelerator", "count", "price", "utilisation"),
    *("tokens_per_second", "power", "drawn", "pue"),
)


def ask(fit: Fit, asked: Mapping[str, str], level: float) -> Plan:
    """The planner's answer; Refused (422) for a goal that a page may not ask for, and what `plan` raises."""
    for name in asked:
        if name not in ASKABLE:
            raise Refused(
                422,
                f"The explorer does not ask the planner for '{name}'.",
                f"It asks for: {', '.join(ASKABLE)}.",
                "The command line asks for everything: isoloss plan --help.",
            )
    with _any_size():
        return plan(fit, level=level, **asked)


def explain(fit: Fit, at: Mapping[str, str]) -> Explanation:
    """How the fit's number at a point comes about; raises what `Fit.explain` raises."""
    with _any_size():
        return fit.explain(**at)


@contextmanager
def _any_size() -> Iterator[None]:
    # An array that leaves the doubles becomes infinite, which the page shows as unknown; a single number raises.
    try:
        with np.errstate(all="ignore"):
            yield
    except ArithmeticError:
        raise Refused(422, "The numbers asked about are beyond what can be computed.", do="Ask nearer.") from None

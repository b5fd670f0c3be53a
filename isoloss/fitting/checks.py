"""What is refused before any work: runs that cannot tell the parameters, and questions that have no answer.

Shapes: `n` runs, `k` inputs.
"""

from __future__ import annotations

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.fitting.linked import Links
from isoloss.fitting.objectives import Objective
from isoloss.fitting.problem import numbered

FREE = Links()


def check_request(draws: int, seed: int) -> None:
    """RequestError for a number of draws or a seed that is not a whole number of zero or more."""
    for name, value in (("draws", draws), ("seed", seed)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            raise RequestError(
                f"{name}={value!r} is not a whole number of zero or more.",
                do=f"For example {name}=1000; draws=0 fits without intervals.",
            )


def check_bound(law: Law, runs: Runs) -> None:
    """DesignError where an input of the law stands for no column yet."""
    loose = [i.symbol for i in law.inputs if i.quantity.name == "x" and "x" not in runs]
    if loose:
        symbol = loose[0]
        raise DesignError(
            f"The law '{law.name}' does not say which column its input {symbol} is.",
            f"These runs have: {', '.join(runs.columns)}.",
            f'Bind it: fit(runs, law="{law.name}", inputs={{"{symbol}": "tokens"}}), '
            f'or law.find("{law.name}").bind({symbol}="tokens").',
        )


def check_design(law: Law, runs: Runs, objective: Objective, links: Links = FREE) -> None:
    """DesignError where these runs can tell nothing of the law: too few, all alike, or no logarithm to take."""
    free = [name for name in law.names if name not in links.hold and links.of(name).split("=")[0] == name]
    _check_count(law, runs, [name for name in free if name not in links.prior])
    _check_varied(law, runs)
    _check_positive(law, runs, objective)


def _check_count(law: Law, runs: Runs, free: list[str]) -> None:
    n, needed = len(runs), len(free) + 1
    parameters = f"The law '{law.name}' has {len(free)} parameters: {', '.join(free)}."
    if n < needed:
        raise DesignError(
            f"{'One run' if n == 1 else f'{n} runs'} cannot fit {len(free)} parameters and show how well.",
            f"{parameters} From: {runs.source}.",
            f"Give {needed} runs or more, or fit a law with fewer parameters.",
        )
    points = int(numbered(np.array([runs[c] for c in law.columns])).max()) + 1
    if points < len(free) and all(len(np.unique(runs[c])) > 1 for c in law.columns):
        raise DesignError(
            f"The {n} runs stand at only {points} different points of {', '.join(law.columns)}.",
            f"{parameters} From: {runs.source}.",
            f"Add runs at {len(free) - points} or more new points; repeats cannot replace them.",
        )


def _check_varied(law: Law, runs: Runs) -> None:
    for column in law.columns:
        low, high = float(runs[column].min()), float(runs[column].max())
        if low == high:
            raise DesignError(
                f"All {len(runs)} runs have the same {column}, {numbers.short(low)}: "
                f"nothing shows how {law.output.name} depends on it.",
                f"From: {runs.source}.",
                f"Add runs with other {column}, for example {numbers.short(low / 4)} and {numbers.short(low * 4)}, "
                f"or fit a law without {column}.",
            )


def _check_positive(law: Law, runs: Runs, objective: Objective) -> None:
    rows = np.flatnonzero(runs[law.output.name] <= 0)
    if objective.log and len(rows):
        raise DesignError(
            f"{law.output.name} is {runs[law.output.name][rows[0]]:g} in run {rows[0] + 1}, which has no logarithm.",
            f"The objective {objective.title} compares logarithms. From: {runs.source}.",
            'Leave that run out, or use objective="squared".',
        )

"""What is refused before any work: runs that cannot tell the parameters, and questions that have no answer.

Shapes: `n` runs, `k` inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.law import Law
from isoloss.core.runs import Runs
from isoloss.fitting.links import Links
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
    """DesignError where an input of the law stands for no column yet, or for that of the output."""
    twice = [i.symbol for i in law.inputs if i.quantity.name == law.output.name]
    if twice:
        raise DesignError(
            f"The law '{law.name}' would read its output and its input {twice[0]} from one column, {law.output.name}.",
            f"These runs have: {', '.join(runs.columns)}.",
            f'Say which column the output is: fit(runs, law="{law.name}", inputs={{"y": "..."}}), '
            f'or bind {twice[0]} to another: inputs={{"{twice[0]}": "..."}}.',
        )
    loose = [i.symbol for i in law.inputs if i.quantity.name == "x" and "x" not in runs]
    if loose:
        symbol = loose[0]
        raise DesignError(
            f"The law '{law.name}' does not say which column its input {symbol} is.",
            f"These runs have: {', '.join(runs.columns)}.",
            f'Bind it: fit(runs, law="{law.name}", inputs={{"{symbol}": "tokens"}}), '
            f'or law.find("{law.name}").bind({symbol}="tokens").',
        )


def check_design(law: Law, groups: Mapping[str, Runs], objective: Objective, links: Links = FREE) -> None:
    """DesignError where the runs of these groups can tell nothing of the law.

    Too few for the parameters of a group or of all, inputs that never vary though a parameter that is not held answers
    to them, or no logarithm to take.
    """
    free = [name for name in law.names if name not in links.hold and links.of(name).split("=")[0] == name]
    asked = [name for name in free if name not in links.prior]
    shared = {links.of(name) for name in links.share}
    own = [name for name in asked if links.of(name) not in shared]
    whole = _all(groups)
    for runs in groups.values():
        _check_count(law, runs, own if shared else asked, spare=0 if shared else 1)
        _check_varied(law, runs, [name for name in free if links.of(name) not in shared])
        _check_positive(law, runs, objective)
    if shared:
        _check_count(law, whole, asked + own * (len(groups) - 1))
        _check_varied(law, whole, free)


def _all(groups: Mapping[str, Runs]) -> Runs:
    first, *others = groups.values()
    return sum(others, first)


def _check_count(law: Law, runs: Runs, free: list[str], spare: int = 1) -> None:
    n, needed = len(runs), max(len(free) + spare, 1)
    parameters = f"The law '{law.name}' has {len(free)} parameters: {', '.join(free)}."
    if n < needed:
        raise DesignError(
            f"{'One run' if n == 1 else f'{n} runs'} cannot fit {len(free)} parameters and show how well.",
            f"{parameters} From: {runs.source}.",
            f"Give {needed} runs or more, or fit a law with fewer parameters.",
        )
    points = int(numbered(np.array([runs[c] for c in law.columns])).max()) + 1
    if points < len(set(free)) and all(len(np.unique(runs[c])) > 1 for c in law.columns):
        raise DesignError(
            f"The {n} runs stand at only {points} different points of {', '.join(law.columns)}.",
            f"{parameters} From: {runs.source}.",
            f"Add runs at {len(set(free)) - points} or more new points; repeats cannot replace them.",
        )


def _check_varied(law: Law, runs: Runs, free: list[str]) -> None:
    for k, column in enumerate(law.columns):
        low, high = float(runs[column].min()), float(runs[column].max())
        if low == high and _answering(law, runs, k).intersection(free):
            raise DesignError(
                f"All {len(runs)} runs have the same {column}, {numbers.short(low)}: "
                f"nothing shows how {law.output.name} depends on it.",
                f"From: {runs.source}.",
                f"Add runs with other {column}, for example {numbers.short(low / 4)} and {numbers.short(low * 4)}, "
                f"hold the parameters that belong to it, or fit a law without {column}.",
            )


def _answering(law: Law, runs: Runs, k: int) -> set[str]:
    # The parameters whose part in the law changes with input k, looked at where their ranges say that they are.
    theta_p = [np.sqrt(a * b) if p.range.log else (a + b) / 2 for p in law.parameters for a, b in [p.range.typical]]
    here_kn = np.array([runs[c][:1] for c in law.columns], float)
    there_kn = here_kn.copy()
    there_kn[k] *= 1.25
    with np.errstate(all="ignore"):
        here_p, there_p = (law.jacobian(x_kn, theta_p)[0] for x_kn in (here_kn, there_kn))
    return {
        name for name, a, b in zip(law.names, here_p, there_p, strict=True) if not np.isclose(a, b, rtol=1e-9, atol=0)
    }


def _check_positive(law: Law, runs: Runs, objective: Objective) -> None:
    rows = np.flatnonzero(runs[law.output.name] <= 0)
    if objective.log and len(rows):
        raise DesignError(
            f"{law.output.name} is {runs[law.output.name][rows[0]]:g} in run {rows[0] + 1}, which has no logarithm.",
            f"The objective {objective.title} compares logarithms. From: {runs.source}.",
            'Leave that run out, or use objective="squared".',
        )

"""When data are short: best size and epochs on distinct tokens, when to stop repeating, and how many are enough.

Laws of repetition disagree; each is an option, and a finding says by how much. Their constants for repeats (R_D, R_N)
are published; those of size and data are the fit's own. Shapes: `t` parameter sets, the best estimate and then the
draws; `p` parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoloss.core import law as laws
from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost
from isoloss.planning.goals import Flops, GivenParams, Overfit, Repetition, UniqueTokens
from isoloss.planning.iso_cost import best_sizes
from isoloss.planning.questions import question
from isoloss.planning.surface import LOG_MOST, Surface, columns_of
from isoloss.published import card, published

USUAL = ("muennighoff2023", "muennighoff2023_RD")  # published laws of repetition that the answers are given under
DISAGREE = 1.1  # the ratio of answers from which their disagreement is more than a note


@dataclass(frozen=True)
class Repeats:
    """A fit with a law of repetition, its surface on so many distinct tokens, and its name."""

    name: str
    fit: Fit
    surface: Surface

    @property
    def columns(self) -> list[np.ndarray]:
        return columns_of(answers.sets(self.fit))

    def worth(self, tokens_t: np.ndarray, unique: float) -> np.ndarray:
        """What the tokens are worth in new ones (Muennighoff et al. 2023, Eq. 5)."""
        law, decay = laws.find("effective_tokens"), self.columns[self.fit.law.names.index("R_D")]
        return law.formula.value([tokens_t, np.full(len(tokens_t), unique)], [decay])

    def next_worth(self, tokens_t: np.ndarray, unique: float) -> np.ndarray:
        """What one more token is worth in new ones."""
        law, decay = laws.find("effective_tokens"), self.columns[self.fit.law.names.index("R_D")]
        (slope, _) = law.formula.slopes([tokens_t, np.full(len(tokens_t), unique)], [decay])
        return np.where(tokens_t <= unique, 1.0, np.broadcast_to(slope, tokens_t.shape))


@question
def limited(
    fit: Fit | Frontier, level: float, *, flops: Flops, unique_tokens: UniqueTokens, repetition: Repetition = None
) -> Plan:
    """The best size, data and epochs on so many distinct tokens.

    One option for each law of repetition (those of `repetition`, or the two published ones): size, tokens, epochs, what
    the tokens are worth in new ones, and the loss. Raises RequestError for a fit that is not of Chinchilla's form.
    """
    unique = answers.number(unique_tokens, "number of distinct tokens")
    budget = answers.number(flops, "budget", cost.total(1, 1))
    known = _repeats(fit, repetition, unique)
    options = tuple(_limited(one, budget, unique, level) for one in known)
    words = f"{numbers.short(budget)} training FLOP on {numbers.short(unique)} distinct tokens"
    sizes, tokens = (np.array([o[name].mid for o in options]) for name in (known[0].surface.size_name, "tokens"))
    findings = (*_disagreement(options), *_reach(known[0], sizes, tokens))
    return Plan(f"best use of {words}", options, level, _stated(known), (*known[0].fit.findings, *findings))


@question
def stop_repeating(
    fit: Fit | Frontier,
    level: float,
    *,
    params: GivenParams,
    unique_tokens: UniqueTokens,
    repetition: Repetition = None,
) -> Plan:
    """When to stop repeating the data, and train a larger model instead.

    One option for each law of repetition: the tokens and epochs at which compute does as much in a larger model as in
    another pass, and the epochs at which a repeated token is worth half and a tenth of a new one.
    """
    unique = answers.number(unique_tokens, "number of distinct tokens")
    size = answers.number(params, "size")
    known = _repeats(fit, repetition, unique)
    options = tuple(_stopped(one, size, unique, level) for one in known)
    words = f"{numbers.short(size)} parameters on {numbers.short(unique)} distinct tokens"
    findings = (*known[0].fit.findings, *_disagreement(options))
    return Plan(f"when to stop repeating: {words}", options, level, _stated(known), findings)


@question
def enough(fit: Fit | Frontier, level: float, *, params: GivenParams, overfit: Overfit) -> Plan:
    """The data that keep a model's overfitting within a share of its loss.

    The loss on D tokens over that on endless data, for the same size. Kaplan et al. 2020, section 4.2, for any law of
    size and data; from a law of early-stopped training D is the data set, from others the tokens of one pass.
    """
    surface = answers.surface_of(fit)
    assert isinstance(fit, Fit)
    size, share = answers.number(params, "size"), answers.number(overfit, "share")
    theta_tp = answers.sets(fit)
    columns, sizes_t = columns_of(theta_tp), np.full(len(theta_tp), size)
    endless_t, tokens_t = _within(surface, columns, sizes_t, share)
    _, larger_t = _within(surface, columns, 10 * sizes_t, share)
    values = {
        surface.size_name: size,
        "tokens": tokens_t,
        "tokens_per_param": tokens_t / size,
        fit.law.output.name: (1 + share) * endless_t,
        "endless_loss": endless_t,
        "growth_exponent": np.log10(larger_t / tokens_t),
    }
    options = (answers.option(values, level),)
    said = answers.with_curve(fit, surface, "growth_exponent: D ~ N^exponent from this size to ten times it")
    findings = (*fit.findings, *answers.reach(fit, surface, size, tokens_t[0]))
    goal = f"data for {numbers.short(size)} parameters within {share:.3g} of the loss on endless data"
    return Plan(goal, options, level, said, findings)


def _within(
    surface: Surface, columns: list[np.ndarray], sizes_t: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    endless_t = surface.value(columns, sizes_t, np.exp(LOG_MOST))
    return endless_t, surface.tokens_for(columns, sizes_t, (1 + share) * endless_t)


def _repeats(fit: Fit | Frontier, keys: Any, unique: float) -> list[Repeats]:
    answers.surface_of(fit)
    assert isinstance(fit, Fit)
    own = [_as_repeats(answers.named(fit), fit, unique)] if "unique_tokens" in fit.law.columns else []
    chosen = USUAL if keys is None else [keys] if isinstance(keys, str) else list(keys)
    others = [_borrowed(fit, key, unique) for key in chosen]
    told = [*own, *others]
    return [one for i, one in enumerate(told) if not any(_same(one, earlier) for earlier in told[:i])]


def _as_repeats(name: str, fit: Fit, unique: float) -> Repeats:
    if "R_D" not in fit.law.names:
        raise RequestError(
            f"The law '{fit.law.name}' of repetition has no R_D.", "Laws that have: repeated, data_constrained."
        )
    return Repeats(name, fit, answers.surface_of(fit, {"unique_tokens": unique}))


def _borrowed(fit: Fit, key: str, unique: float) -> Repeats:
    theirs = published(key)
    own = {name for name in theirs.law.names if name in fit.law.names} - {"R_D", "R_N"}
    if {"E", "A", "B", "alpha", "beta"} - own or "unique_tokens" not in theirs.law.columns:
        raise RequestError(
            f"Repeats cannot be counted by '{key}' for the law '{fit.law.name}'.",
            "It takes a fit of Chinchilla's form (E, A, B, alpha, beta), and a published law 'repeated' or "
            "'data_constrained'.",
            "For example plan('besiroglu2024', flops=1e22, unique_tokens=25e9).",
        )
    size = next(name for name in fit.law.columns if name in cost.SIZES)
    law = theirs.law.bind(N=size, y=fit.law.output.name)
    theta_tp = np.tile(theirs.theta_p, (1 + len(fit.draws_sp), 1))
    for j, name in enumerate(law.names):
        if name in own:
            theta_tp[:, j] = answers.sets(fit)[:, fit.law.names.index(name)]
    made = replace(fit, law=law, theta_p=theta_tp[0], draws_sp=theta_tp[1:])
    return _as_repeats(f"repeats as in {key}", made, unique)


def _same(one: Repeats, other: Repeats) -> bool:
    return one.fit.law.name == other.fit.law.name and np.array_equal(one.fit.theta_p, other.fit.theta_p)


def _limited(one: Repeats, budget: float, unique: float, level: float) -> Option:
    theta_tp = answers.sets(one.fit)
    sizes_t = best_sizes(one.fit.law, theta_tp, np.full(len(theta_tp), budget), {"unique_tokens": unique})
    if np.isnan(sizes_t[0]):
        raise RequestError(f"This fit has no best size for {numbers.short(budget)} FLOP.", do="Look at its findings.")
    tokens_t = cost.partner(budget, sizes_t)
    inputs = one.surface.inputs(sizes_t[:1], tokens_t[:1])
    outcome = one.fit.predict(level=level, **inputs).estimate[0]
    fresh_t = Surface(one.fit.law, one.surface.size, one.surface.data).value(one.columns, sizes_t, tokens_t)
    repeated_t = one.surface.value(one.columns, sizes_t, tokens_t)
    more = {
        "epochs": tokens_t / unique,
        "effective_tokens": one.worth(tokens_t, unique),
        "next_token_worth": one.next_worth(tokens_t, unique),
        one.fit.law.output.name: outcome,
        "lost_to_repeats": repeated_t / fresh_t - 1,
    }
    run = answers.run(one.surface, sizes_t, tokens_t, **more)
    return answers.option({**run, "flops": budget}, level, one.name)


def _stopped(one: Repeats, size: float, unique: float, level: float) -> Option:
    sizes_t = np.full(len(one.columns[0]), size)
    tokens_t = one.surface.balanced_tokens(one.columns, sizes_t)
    decay_t = one.columns[one.fit.law.names.index("R_D")]
    more = {
        "epochs": tokens_t / unique,
        "effective_tokens": one.worth(tokens_t, unique),
        one.fit.law.output.name: one.surface.value(one.columns, sizes_t, tokens_t),
        "epochs_to_half": 1 + np.log(2) * decay_t,
        "epochs_to_tenth": 1 + np.log(10) * decay_t,
    }
    return answers.option(answers.run(one.surface, sizes_t, tokens_t, **more), level, one.name)


def _disagreement(options: tuple[Option, ...]) -> tuple[Finding, ...]:
    epochs = np.array([option["epochs"].mid for option in options])
    if len(epochs) < 2 or not np.isfinite(epochs).all():
        return ()
    apart = float(epochs.max() / epochs.min())
    spans = f"{numbers.short(epochs.min())} to {numbers.short(epochs.max())} epochs"
    sentence = f"The laws of repetition put the best between {spans}, {apart:.2f} times apart."
    fix = "Runs with repeats of your own would decide between them." if apart > DISAGREE else ""
    return (Finding("Q3", "amber" if apart > DISAGREE else "note", sentence, apart, fix),)


def _stated(known: list[Repeats]) -> tuple[str, ...]:
    first = known[0]
    borrowed = [one.name.removeprefix("repeats as in ") for one in known if one.name.startswith("repeats as in ")]
    whose = [
        f"R_D = {card(key).theta_p[list(card(key).bound_law.names).index('R_D')]:.4g} of {key}" for key in borrowed
    ]
    constants = (f"constants of repeats as published, without an interval: {', '.join(whose)}",) if whose else ()
    stated = tuple(line for line in first.fit.stated() if not line.startswith("the law '"))
    return (
        f"size and data as in {answers.named(first.fit)}",
        *stated,
        cost.stated(first.surface.size_name),
        *constants,
        "up to one pass every token is new; lost_to_repeats is against as many tokens, all new, at the same size",
    )


def _reach(one: Repeats, sizes: np.ndarray, tokens: np.ndarray) -> tuple[Finding, ...]:
    return answers.reach(one.fit, one.surface, sizes, tokens)

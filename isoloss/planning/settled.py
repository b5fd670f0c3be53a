"""Questions with one number settled: a size, an amount of data or a ratio, with a budget or a loss; or a whole run.

Shapes: `t` parameter sets, the best estimate and then the draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Plan
from isoloss.core.text import together
from isoloss.planning import answers, cost, roots
from isoloss.planning.goals import Flops, GivenParams, GivenRatio, GivenTokens, TargetLoss, UniqueTokens
from isoloss.planning.questions import question
from isoloss.planning.surface import LOG_MOST, Surface, columns_of

Anyone = Fit | Frontier


@question
def size_for_budget(
    fit: Anyone, level: float, *, params: GivenParams, flops: Flops, unique_tokens: UniqueTokens = None
) -> Plan:
    """The data and the loss of a settled size, for a budget."""
    size = answers.number(params, "size")
    return _for_budgets(fit, level, flops, unique_tokens, f"{numbers.short(size)} parameters", lambda _: size)


@question
def data_for_budget(
    fit: Anyone, level: float, *, tokens: GivenTokens, flops: Flops, unique_tokens: UniqueTokens = None
) -> Plan:
    """The size and the loss on settled data, for a budget."""
    data = answers.number(tokens, "number of tokens")
    words = f"{numbers.short(data)} tokens"
    return _for_budgets(fit, level, flops, unique_tokens, words, lambda C: cost.partner(C, data))


@question
def ratio_for_budget(
    fit: Anyone, level: float, *, ratio: GivenRatio, flops: Flops, unique_tokens: UniqueTokens = None
) -> Plan:
    """Size, data and loss at settled tokens per parameter, for a budget."""
    per_param = answers.number(ratio, "ratio")
    words = f"{numbers.short(per_param)} tokens per parameter"
    return _for_budgets(fit, level, flops, unique_tokens, words, lambda C: np.sqrt(cost.partner(C, per_param)))


@question
def size_for_loss(
    fit: Anyone, level: float, *, params: GivenParams, loss: TargetLoss, unique_tokens: UniqueTokens = None
) -> Plan:
    """The data and the compute with which a settled size reaches a loss."""
    size, target = answers.number(params, "size"), answers.number(loss, "loss")

    def run(surface: Surface, theta_tp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes_t = np.full(len(theta_tp), size)
        return sizes_t, surface.tokens_for(columns_of(theta_tp), sizes_t, np.full(len(theta_tp), target))

    return _to_loss(fit, level, target, unique_tokens, f"{numbers.short(size)} parameters", run)


@question
def data_for_loss(
    fit: Anyone, level: float, *, tokens: GivenTokens, loss: TargetLoss, unique_tokens: UniqueTokens = None
) -> Plan:
    """The size and the compute that reach a loss on settled data."""
    data, target = answers.number(tokens, "number of tokens"), answers.number(loss, "loss")

    def run(surface: Surface, theta_tp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tokens_t = np.full(len(theta_tp), data)
        return surface.sizes_for(columns_of(theta_tp), tokens_t, np.full(len(theta_tp), target)), tokens_t

    return _to_loss(fit, level, target, unique_tokens, f"{numbers.short(data)} tokens", run)


@question
def ratio_for_loss(
    fit: Anyone, level: float, *, ratio: GivenRatio, loss: TargetLoss, unique_tokens: UniqueTokens = None
) -> Plan:
    """Size, data and compute at settled tokens per parameter, for a loss."""
    per_param, target = answers.number(ratio, "ratio"), answers.number(loss, "loss")

    def run(surface: Surface, theta_tp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes_t = _size_at_ratio(surface, theta_tp, per_param, target)
        return sizes_t, per_param * sizes_t

    return _to_loss(fit, level, target, unique_tokens, f"{numbers.short(per_param)} tokens per parameter", run)


@question
def run_of_size_and_data(
    fit: Anyone, level: float, *, params: GivenParams, tokens: GivenTokens, unique_tokens: UniqueTokens = None
) -> Plan:
    """The compute and the loss of a settled run."""
    size, data = answers.number(params, "size"), answers.number(tokens, "number of tokens")
    words = f"{numbers.short(size)} parameters on {numbers.short(data)} tokens"
    return _for_budgets(fit, level, cost.total(size, data), unique_tokens, words, lambda _: size)


@question
def run_of_size_and_ratio(
    fit: Anyone, level: float, *, params: GivenParams, ratio: GivenRatio, unique_tokens: UniqueTokens = None
) -> Plan:
    """Data, compute and loss of a size at settled tokens per parameter."""
    size = answers.number(params, "size")
    return run_of_size_and_data(
        fit, level, params=size, tokens=size * answers.number(ratio, "ratio"), unique_tokens=unique_tokens
    )


def _for_budgets(
    fit: Anyone, level: float, flops: Any, unique: Any, settled: str, size_of: Callable[[Any], Any]
) -> Plan:
    flops_m = answers.budgets(flops)
    surface, held = _held(fit, unique)
    assert isinstance(fit, Fit)
    sizes_m = np.broadcast_to(np.asarray(size_of(flops_m), float), flops_m.shape)
    tokens_m = cost.partner(flops_m, sizes_m)
    _require_a_run(sizes_m, tokens_m)
    outcome = fit.predict(level=level, **surface.inputs(sizes_m, tokens_m))
    labels = [f"{numbers.short(float(C))} FLOP" for C in flops_m] if len(flops_m) > 1 else [""]
    options = []
    for i, label in enumerate(labels):
        found = {fit.law.output.name: outcome.estimate[i], **_epochs(tokens_m[i], held)}
        options.append(answers.option(answers.run(surface, sizes_m[i], tokens_m[i], **found), level, label))
    whose = "one new run" if outcome.kind == "run" else "the mean curve"
    interval = (f"the interval of {fit.law.output.name} is that of {whose}",) if len(fit.draws_sp) else ()
    assumptions = (*outcome.assumptions, cost.stated(surface.size_name), *interval, *_of_repeats(surface, held))
    flops_seen = {cost.count_of_compute(surface.size_name): flops_m}
    findings = (*fit.findings, *outcome.findings, *fit.reach(flops_seen))
    listed = ", ".join(numbers.short(float(C)) for C in flops_m)
    return Plan(f"{listed} training FLOP with {settled}", tuple(options), level, assumptions, findings)


def _to_loss(
    fit: Anyone,
    level: float,
    target: float,
    unique: Any,
    settled: str,
    run: Callable[[Surface, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> Plan:
    surface, held = _held(fit, unique)
    assert isinstance(fit, Fit)
    sizes_t, tokens_t = run(surface, answers.sets(fit))
    if not (np.isfinite(sizes_t[0]) and np.isfinite(tokens_t[0])):
        raise RequestError(
            f"No amount of training takes this fit to {target:g} with {settled}.",
            f"The law '{fit.law.name}' with " + together(f"{k} = {v:.4g}" for k, v in fit.theta.items()) + ".",
            "Ask for a higher loss, or settle something else.",
        )
    found = {fit.law.output.name: target, **_epochs(tokens_t, held)}
    options = (answers.option(answers.run(surface, sizes_t, tokens_t, **found), level),)
    findings = (
        *fit.findings,
        *answers.reach(fit, surface, sizes_t[0], tokens_t[0]),
        *answers.lost(sizes_t * tokens_t, f"run of {settled} that reaches {target:g}", "Q2"),
    )
    assumptions = (*fit.stated(), cost.stated(surface.size_name), *_of_repeats(surface, held))
    said = ("the loss is that of the mean curve, not of one new run",) if len(fit.draws_sp) else ()
    goal = f"a {fit.law.output.name} of {target:g} with {settled}"
    return Plan(goal, options, level, (*assumptions, *said), findings)


def _size_at_ratio(surface: Surface, theta_tp: np.ndarray, per_param: float, target: float) -> np.ndarray:
    columns = columns_of(theta_tp)

    def gap(log_size_t: np.ndarray) -> np.ndarray:
        size_t = np.exp(log_size_t)
        return np.log(surface.value(columns, size_t, per_param * size_t)) - np.log(target)

    low_t = np.zeros(len(theta_tp))
    with np.errstate(all="ignore"):
        found_t = np.exp(roots.between(gap, low_t, low_t + LOG_MOST))
        return np.where(gap(low_t + LOG_MOST) > 0, np.inf, found_t)


def _held(fit: Anyone, unique: Any) -> tuple[Surface, dict[str, float]]:
    held = {} if unique is None else {"unique_tokens": answers.number(unique, "number of distinct tokens")}
    return answers.surface_of(fit, held), held


def _epochs(tokens: Any, held: dict[str, float]) -> dict[str, Any]:
    return {"epochs": tokens / held["unique_tokens"]} if held else {}


def _of_repeats(surface: Surface, held: dict[str, float]) -> tuple[str, ...]:
    if held and "unique_tokens" not in surface.law.columns:
        return ("repeated tokens count as new ones: this law knows no other; ask with flops and unique_tokens alone",)
    if not held and not surface.bare:
        return ("every token is new; with unique_tokens=... there are so many and no more",)
    return ()


def _require_a_run(sizes_m: np.ndarray, tokens_m: np.ndarray) -> None:
    if not ((sizes_m >= 1) & (tokens_m >= 1)).all():
        raise RequestError(
            "The budget is too small for what is settled: it buys less than one parameter or one token.",
            f"It would take {numbers.short(float(sizes_m.min()))} parameters on "
            f"{numbers.short(float(tokens_m.min()))} tokens.",
        )

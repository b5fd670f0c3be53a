"""When a teacher exists: the loss of a student that learns from it, beside the same student trained without one.

Shapes: `t` parameter sets, the best estimate and then the draws; `s` steps of a scan.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.core import numbers
from isoloss.core.errors import RequestError
from isoloss.core.finding import Finding
from isoloss.core.fit import Fit
from isoloss.core.frontier import Frontier
from isoloss.core.plan import Option, Plan
from isoloss.planning import answers, cost, literature, roots
from isoloss.planning.goals import Beside, GivenParams, GivenTeacherLoss, GivenTokens
from isoloss.planning.questions import question
from isoloss.planning.surface import LOG_MOST, columns_of

SUPERVISED = "busbridge2025_supervised"
COLUMNS = {"teacher_loss", "supervised_loss", "student_params", "student_tokens"}
SCAN_STEPS = 1000


@question
def distilled(
    fit: Fit | Frontier,
    level: float,
    *,
    params: GivenParams,
    tokens: GivenTokens,
    teacher_loss: GivenTeacherLoss,
    beside: Beside = None,
) -> Plan:
    """A student's loss under a teacher that exists, and without one, at the same size and data.

    One option for each teacher and one without, the lowest loss first. `gain` is the loss that the teacher saves, and
    `even_tokens` the most tokens with which a student of this size still gains: none (0) or endless where it never or
    always does. The law without a teacher is `beside`, a fit of a size and data (that of the paper where not given).
    Raises RequestError for a law that has no teacher. Busbridge et al. 2025, Eq. 8.
    """
    fit, alone = _require_teacher(fit), _supervised_fit(beside)
    size, data = answers.number(params, "size"), answers.number(tokens, "number of tokens")
    teachers = answers.several(teacher_loss, "losses of teachers")
    pair = _Pair(fit, alone, size)
    alone_t = pair.supervised(data)
    flops = cost.total(size, data)
    run = {"student_params": size, "student_tokens": data, "flops": flops}
    options = [answers.option({**run, "loss": alone_t}, level, "without a teacher")]
    options += [_taught(pair, run, teacher, alone_t, level) for teacher in teachers]
    options.sort(key=lambda option: option.loss.mid)
    goal = f"{numbers.short(size)} parameters on {numbers.short(data)} tokens, with and without a teacher"
    findings = (*fit.findings, *_about(alone, beside, size, data), *_weaker(teachers, float(alone_t[0])))
    return Plan(goal, tuple(options), level, _said(fit, alone), findings)


class _Pair:
    """The two laws at one size: the losses (t,) of a student with and without a teacher."""

    def __init__(self, fit: Fit, alone: Fit, size: float) -> None:
        theta_tp, alone_tp = answers.sets(fit), answers.sets(alone)
        rows = max(len(theta_tp), len(alone_tp))
        self._columns, self._alone = (columns_of(_to_length(sets, rows)) for sets in (theta_tp, alone_tp))
        self._law, self._surface, self._size = fit.law, answers.surface_of(alone), size

    def supervised(self, tokens: Any) -> np.ndarray:
        return self._surface.value(self._alone, self._size, tokens)

    def taught(self, tokens: Any, teacher: float) -> np.ndarray:
        known = {
            "teacher_loss": teacher,
            "supervised_loss": self.supervised(tokens),
            "student_params": self._size,
            "student_tokens": tokens,
        }
        return self._law.formula.value([known[name] for name in self._law.columns], self._columns)

    def even_tokens(self, teacher: float) -> np.ndarray:
        """The most tokens (t,) with which the taught student has the lower loss."""

        def gain(log_tokens: np.ndarray) -> np.ndarray:
            tokens = np.exp(log_tokens)
            return self.supervised(tokens) - self.taught(tokens, teacher)

        steps_s = np.linspace(0, LOG_MOST, SCAN_STEPS)
        with np.errstate(all="ignore"):
            gains_st = np.array([gain(np.full(len(self._alone[0]), step)) > 0 for step in steps_s])
            last_t = SCAN_STEPS - 1 - np.argmax(gains_st[::-1], axis=0)
            ends_t = np.minimum(last_t + 1, SCAN_STEPS - 1)
            found_t = np.exp(roots.between(gain, steps_s[last_t], steps_s[ends_t]))
        found_t = np.where(gains_st[-1], np.inf, found_t)
        return np.where(gains_st.any(axis=0), found_t, 0.0)


def _taught(pair: _Pair, run: dict[str, float], teacher: float, alone_t: np.ndarray, level: float) -> Option:
    taught_t = pair.taught(run["student_tokens"], teacher)
    more = {"teacher_loss": teacher, "gain": alone_t - taught_t, "even_tokens": pair.even_tokens(teacher)}
    return answers.option({**run, "loss": taught_t, **more}, level, f"under a teacher of loss {teacher:g}")


def _to_length(theta_tp: np.ndarray, rows: int) -> np.ndarray:
    # The best estimate first, then the draws, over again where there are fewer, or the best where there are none.
    draws_sp = theta_tp[1:] if len(theta_tp) > 1 else theta_tp
    return np.vstack([theta_tp[:1], draws_sp[np.arange(rows - 1) % len(draws_sp)]])


def _said(fit: Fit, alone: Fit) -> tuple[str, ...]:
    size_name = answers.surface_of(alone).size_name
    curve = ("the intervals are those of the mean curves, the two fits independent",)
    return (
        *fit.stated(),
        f"the loss without a teacher by {answers.named(alone)}, to which the size is {size_name}",
        "the teacher exists and its answers cost nothing: flops are the student's alone, 6 N D",
        "teacher and student share the data and the vocabulary",
        *(("Busbridge et al. 2025 fitted students of a loss above 2.3 (Figure 1)",) if fit.origin else ()),
        *(curve if len(fit.draws_sp) or len(alone.draws_sp) else ()),
    )


def _about(alone: Fit, beside: Any, size: float, data: float) -> tuple[Finding, ...]:
    surface = answers.surface_of(alone)
    if beside is None:
        return literature.warnings(SUPERVISED, {surface.size_name: size, "tokens": data})
    return (*alone.findings, *answers.reach(alone, surface, size, data))


def _weaker(teachers: list[float], alone: float) -> tuple[Finding, ...]:
    weak = [teacher for teacher in teachers if teacher >= alone]
    if not weak:
        return ()
    sentence = (
        f"A teacher of loss {min(weak):.4g} is no better than this student is without one ({alone:.4g}). The law lets "
        "no student pass its teacher and is not valid there: some do on finite data (Busbridge et al. 2025, E.7)."
    )
    return (Finding("Q7", "amber", sentence, min(weak), "Train the student without it."),)


def _supervised_fit(beside: Any) -> Fit:
    fits = answers.fits(SUPERVISED if beside is None else beside)
    if len(fits) != 1:
        raise RequestError(f"The student without a teacher follows one fit, not {len(fits)}.")
    answers.surface_of(fits[0])
    return fits[0]


def _require_teacher(fit: Fit | Frontier) -> Fit:
    if isinstance(fit, Fit) and set(fit.law.columns) == COLUMNS:
        return fit
    raise RequestError(
        f"{answers.named(fit)} knows no teacher.", "A law that does: distilled (published: busbridge2025_distill)."
    )

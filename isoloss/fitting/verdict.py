"""How a fit ended: its certificate, one word, and findings: which starts agreed, what sits at a bound, what is unseen.

Shapes: `n` runs, `p` coordinates, `b` starts, `s` draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from isoloss.core import numbers
from isoloss.core.certificate import Certificate
from isoloss.core.finding import Finding
from isoloss.core.fit import Status
from isoloss.fitting import spread
from isoloss.fitting.newton import Posed, Solved

AGREEMENT = 1e-7  # starts whose objectives differ by less, relatively, have reached the same optimum
VANISHED = 1e-6  # a term that is nowhere a larger part of the output has left the law
UNSEEN = 1e-6  # singular values below this part of the largest are rounding
TOGETHER = 0.98  # correlation of log inputs beyond which they count as one
GROWTH = 0.01  # of the objective, by which the play of the parameters is told
FAR_OFF = 4.5  # robust standard deviations beyond which normal scatter throws a run in fewer than 1 of 100 sweeps
LEAST_SPARE = 5  # runs more than parameters, before the scatter is known at all
EXACT = 1e8  # times rounding: below this the law passes through every run
STOOD = 1e-9  # an optimum nearer to its start, in natural steps, has not moved


def verdict(problem: Posed, starts: Solved) -> tuple[Status, list[Finding], Certificate]:
    """The status of the best of the solved starts, the findings behind it, and the certificate."""
    u_p = starts.u_pb[:, starts.best]
    with np.errstate(all="ignore"):
        ends = _at_end(problem, u_p)
        flat, unseen = flat_findings(problem, u_p)
        paper = certificate(problem, starts, ends, flat)
        outliers = outlier_findings(problem, u_p)
    seen = [*bound_findings(problem, u_p, ends), *(unseen or tie_findings(problem))]
    found = [*seen, *start_findings(paper), *outliers]
    if len(ends):
        return "at_bound", found, paper
    if flat:
        return "flat", found, paper
    if not starts.converged_b[starts.best]:
        return "out_of_steps", [_stopped_finding(), *found], paper
    return "converged", found, paper


def agreeing(problem: Posed, starts: Solved) -> np.ndarray:
    """Which starts reached the lowest objective, (b,)."""
    least = starts.value_b.min()
    return starts.value_b <= least * (1 + AGREEMENT) + 10 * problem.rounding


def certificate(problem: Posed, starts: Solved, ends: np.ndarray, flat: Sequence[str]) -> Certificate:
    """What the starts and the derivatives at the best of them say."""
    best, agree_b = starts.best, agreeing(problem, starts)
    u_p, least = starts.u_pb[:, best], float(starts.value_b[best])
    others_b = starts.value_b[~agree_b & starts.converged_b]
    free = np.setdiff1d(spread.free_coordinates(problem, u_p), ends)
    slope_p = problem.derivatives(u_p[:, None]).gradient_pb[:, 0] * problem.stride_p
    answer_nf = problem.sensitivity(u_p)[:, free]
    size_f = np.linalg.norm(answer_nf, axis=0)
    return Certificate(
        starts=len(starts.value_b),
        agreed=int(agree_b.sum()),
        gap=float(others_b.min() / least - 1) if len(others_b) and least > 0 else math.inf,
        gradient=float(np.abs(slope_p[free]).max(initial=0.0)),
        moved=float((np.abs(u_p[:, None] - starts.start_pb[:, agree_b]) / problem.stride_p[:, None]).max()),
        condition=float(np.linalg.cond(answer_nf / size_f)) if len(free) and (size_f > 0).all() else math.inf,
        bounds=tuple(problem.names[j] for j in ends),
        flat=tuple(flat),
        play={problem.names[j]: play for j, play in zip(free, _play(problem, u_p, free, least), strict=True)},
    )


def start_findings(paper: Certificate) -> list[Finding]:
    """C1: how many starts reached the same optimum; amber for one alone, or for one that ended where it began."""
    if paper.agreed == 1 and paper.starts > 1:
        lone = f"Only 1 of {paper.starts} starts reached the optimum that is reported: there may be a better one."
        fix = "Compare with objective='squared_log', or fit a law with fewer parameters."
        found = [Finding("C1", "amber", lone, 1.0, fix)]
    else:
        agreed = f"{paper.agreed} of {paper.starts} starts reached the same optimum."
        found = [Finding("C1", "note", agreed, float(paper.agreed))]
    if paper.moved <= STOOD:
        stood = "The result is the point that the solver started from: it has not moved."
        found.append(Finding("C1", "amber", stood, paper.moved, "Check that the outputs differ from each other."))
    return found


def draw_findings(draws: Solved) -> list[Finding]:
    """C1: how many bootstrap draws did not reach an optimum, if any; amber beyond one in a hundred."""
    lost, tried = int((~draws.converged_b).sum()), len(draws.converged_b)
    if not lost:
        return []
    return [
        Finding(
            "C1",
            "amber" if lost > 0.01 * tried else "note",
            f"{lost} of {tried} bootstrap draws stopped before their optimum; they are kept where they stood.",
            lost / tried,
            "Intervals may be off in the tails: look for a parameter that the runs do not fix.",
        )
    ]


def bound_findings(problem: Posed, u_p: np.ndarray, ends: np.ndarray) -> list[Finding]:
    """C1, amber: each parameter at the end of its range, or whose term has vanished from the law."""
    theta_p = problem.theta(u_p[:, None])[:, 0]
    found = []
    for j in ends:
        name, end = problem.names[j], "lower" if u_p[j] < problem.high_p[j] else "upper"
        limit = problem.theta(np.where(end == "lower", problem.low_p, problem.high_p)[:, None])[j, 0]
        found.append(
            Finding(
                "C1",
                "amber",
                f"{name} is at the {end} end of its range, {numbers.short(float(limit))}: "
                "the runs ask for a value beyond it.",
                float(theta_p[j]),
                f"Add runs that {name} matters for, or fit a law without it.",
            )
        )
    return found


def flat_findings(problem: Posed, u_p: np.ndarray) -> tuple[list[str], list[Finding]]:
    """B2, red: a direction of the parameters that the data cannot see, by name, with how far it may move.

    Seen means that one standard deviation of the residuals moves no exponent by its own size, and no offset by the
    size of the output. Amplitudes and scales do not count: how sure they are depends on the inputs' units.
    """
    free = spread.free_coordinates(problem, u_p)
    if not len(free):
        return [], []
    sensitivity_nf = problem.sensitivity(u_p)[:, free] * problem.stride_p[free]
    norm_f = np.linalg.norm(sensitivity_nf, axis=0)
    if not np.isfinite(norm_f).all() or (norm_f == 0).any():
        blind = [problem.names[j] for j, norm in zip(free, norm_f, strict=True) if not norm > 0]
        return _flat(problem, blind or list(problem.names), np.inf)
    _, singular_f, right_ff = np.linalg.svd(sensitivity_nf / norm_f, full_matrices=False)
    is_unseen_f = singular_f <= UNSEEN * singular_f[0]
    if is_unseen_f.any():
        return _flat(problem, _named(problem, free, right_ff[is_unseen_f]), np.inf)
    spread_ff = right_ff.T / singular_f / norm_f[:, None]
    deviation_f = _scatter(problem, u_p) * np.linalg.norm(spread_ff, axis=1)
    size_f = np.where(problem.is_offset_p, 1.0, np.abs(u_p) / problem.stride_p)[free]
    share_f = np.where(problem.is_log_p[free], 0.0, deviation_f / size_f)
    if share_f.max(initial=0.0) <= 1:
        return [], []
    return _flat(problem, _named(problem, free, right_ff[-1:]), float(share_f.max()))


def tie_findings(problem: Posed) -> list[Finding]:
    """B2, amber: inputs so correlated that their effects are told apart by little."""
    inputs = _inputs_together(problem)
    fix = "Add runs that change one of them and keep the other."
    return [Finding("B2", "amber", inputs, None, fix)] if inputs else []


def outlier_findings(problem: Posed, u_p: np.ndarray) -> list[Finding]:
    """C2, amber: runs so far off that squares of their residuals pull the whole law after them, and its intervals.

    Residuals are corrected for leverage; their scale is the median of their sizes, which outliers hardly move.
    """
    residual_n, n = problem.residual_n(u_p), len(problem.y_n)
    is_exact = float(np.sum(residual_n**2)) <= EXACT * problem.rounding
    if not spread.is_square(problem.objective) or n < len(u_p) + LEAST_SPARE or is_exact:
        return []
    size_n = np.abs(residual_n) * np.sqrt(_weights(problem) / (1 - np.minimum(spread.leverage(problem, u_p), 0.99)))
    far_n = size_n / max(1.4826 * float(np.median(size_n)), 1e-300)
    count = int((far_n > FAR_OFF).sum())
    if not count:
        return []
    runs = f"{count} of {n} runs lies" if count == 1 else f"{count} of {n} runs lie"
    sentence = (
        f"{runs} more than {FAR_OFF:g} standard deviations off the law (the farthest {far_n.max():.1f}): "
        "squares let them pull the law, and the intervals do not know of that."
    )
    fix = 'Check these runs, or fit with objective="huber_log".'
    return [Finding("C2", "amber", sentence, float(far_n.max()), fix)]


def _weights(problem: Posed) -> np.ndarray | float:
    return 1.0 if problem.weight_n is None else problem.weight_n


def _play(problem: Posed, u_p: np.ndarray, free: np.ndarray, least: float) -> np.ndarray:
    # The ellipse on which the objective has grown by GROWTH, seen along each parameter.
    hessian_ff = spread.curvature(problem, u_p)[np.ix_(free, free)]
    reach_f = np.sqrt(np.maximum(2 * GROWTH * least * np.diag(spread.inverse(hessian_ff)), 0.0))
    theta_f = problem.theta(u_p[:, None])[free, 0]
    return np.where(problem.is_log_p[free], theta_f * np.expm1(np.minimum(reach_f, 500.0)), reach_f)


def _flat(problem: Posed, names: Sequence[str], share: float) -> tuple[list[str], list[Finding]]:
    subject = "it" if len(names) == 1 else "they"
    far = f"by up to {share:.1f} times their own size" if np.isfinite(share) else "without limit"
    inputs = _inputs_together(problem)
    fix = "Add runs that break this tie" if inputs else "Add runs over a wider range"
    sentence = f"The runs do not fix {_listed(names)}: {subject} may move {far}, and the residuals hardly grow." + (
        f" {inputs}" if inputs else ""
    )
    value = share if np.isfinite(share) else None
    return list(names), [Finding("B2", "red", sentence, value, f"{fix}, or fit a law with fewer parameters.")]


def _inputs_together(problem: Posed) -> str:
    columns = problem.law.columns
    with np.errstate(all="ignore"):
        correlation_kk = np.atleast_2d(np.corrcoef(np.log(problem.x_kn)))
    pairs = [(i, j) for i in range(len(columns)) for j in range(i) if abs(correlation_kk[i, j]) > TOGETHER]
    told = [f"{columns[j]} and {columns[i]} move together (correlation {correlation_kk[i, j]:.3f})." for i, j in pairs]
    return " ".join(told)


def _named(problem: Posed, free: np.ndarray, direction_gf: np.ndarray) -> list[str]:
    size_gf = np.abs(direction_gf)
    large_f = (size_gf >= 0.2 * size_gf.max(axis=1, keepdims=True)).any(axis=0)
    return [problem.names[j] for j, large in zip(free, large_f, strict=True) if large]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _scatter(problem: Posed, u_p: np.ndarray) -> float:
    residual_n = problem.residual_n(u_p)
    return float(np.sqrt(np.sum(residual_n**2) / max(len(residual_n) - len(u_p), 1)))


def _at_end(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    low_p, high_p = problem.low_p + 1e-9 * problem.stride_p, problem.high_p - 1e-9 * problem.stride_p
    return np.flatnonzero((u_p <= low_p) | (u_p >= high_p) | _has_vanished(problem, u_p))


def _has_vanished(problem: Posed, u_p: np.ndarray) -> np.ndarray:
    # For a term c * f, searched over log c, the sensitivity is the term's share of the output.
    share_np = np.abs(problem.sensitivity(u_p))
    if not problem.objective.log:
        share_np = share_np / np.abs(problem.predicted(u_p))[:, None]
    return problem.is_term_p & (share_np.max(axis=0) < VANISHED)


def _stopped_finding() -> Finding:
    sentence = "The solver stopped before it reached an optimum: the numbers are where it stood."
    return Finding("C1", "red", sentence, None, "Check the runs for outliers, or fit a law with fewer parameters.")

"""A3: was every loss taken at the end of its own schedule?

Shapes: `n` runs.
"""

from __future__ import annotations

import numpy as np

from isoloss.checking import labels, pointing
from isoloss.checking.case import Case
from isoloss.checking.diagnosis import Fine, Seen, Unseen, diagnosis
from isoloss.core.finding import Finding
from isoloss.core.runs import Runs
from isoloss.core.text import listed
from isoloss.fitting.rows import checkpointed

DONE, HARDLY = 0.99, 0.9  # of a schedule: below the second it has much to decay
MANY = 0.25  # of the rows
SAME = 0.003  # how near unfinished rows lie to finished ones where the schedule hardly matters, in logarithms
LEAST_PAIRS = 3
AS_LONG = 0.03  # in logarithms of tokens
READ = ("rate_sum", "rate_sum_after", "annealed_area", "schedule_number", "lr_before", "lr_after")


@diagnosis("A3", "was every loss taken at the end of its schedule?", quick=True)
def unfinished(case: Case) -> Seen:
    """A checkpoint from inside a decay is worse than a run that was planned to end there.

    Its learning rate has still to fall, so that short rows lie too high and the exponent of data is too large:
    Hoffmann et al. 2022 (arXiv 2203.15556, section 2) name this as the reason why Kaplan et al. 2020 found much larger
    models best. Rows below 99% of their schedule count as unfinished, unless it is constant; so does every row of one
    decay over a fixed horizon. Red from a quarter of the rows on. Where finished runs of the same size reach as far,
    both are compared, and within 0.3% nothing is said. A constant rate with a cool-down over the last fifth gives many
    lengths from one run (Hägele et al. 2024, arXiv 2405.18392).
    """
    if {*READ} & {*case.law.columns}:
        return Fine(f"{case.law.name} reads the schedule")
    share_n, source = progress(case)
    names = labels.columns(case.runs, "schedule")
    if share_n is None and not names:
        return Unseen("no column says of the schedule, or how much of it was done (schedule, portion, total_steps)")
    is_inside_n = inside(case)
    if not is_inside_n.any():
        return Fine(_fine(share_n, names, case.runs))
    gap = _gap(case, is_inside_n)
    if abs(gap) < SAME:
        return Fine(f"{is_inside_n.sum()} rows from inside a schedule lie {gap:+.1%} from finished runs")
    return [_finding(is_inside_n, gap, source or f"column '{names[0]}'", bool(names) or source != _BY_RUN)]


_BY_RUN = "later rows of the same runs"


@pointing.once
def progress(case: Case) -> tuple[np.ndarray | None, str]:
    """How much of its schedule each row has behind it (n,), and by which columns; None where none tells."""
    for name in labels.columns(case.runs, "progress"):
        share_n = labels.numbers(case.runs, name)
        if share_n is not None and not np.isnan(share_n).all():
            return share_n / (100.0 if np.nanmax(share_n) > 1.5 else 1.0), f"column '{name}'"
    for done, planned in (("steps", "planned_steps"), ("tokens", "planned_tokens")):
        for name in labels.columns(case.runs, planned):
            planned_n = labels.numbers(case.runs, name)
            if done in case.runs and planned_n is not None:
                return case.runs[done] / planned_n, f"{done} against column '{name}'"
    run, axis = checkpointed(case.runs), "tokens" if "tokens" in case.runs else "steps"
    if run and axis in case.runs:
        code_n = np.unique(labels.words(case.runs, run), return_inverse=True)[1]
        last_c = np.zeros(int(code_n.max()) + 1)
        np.maximum.at(last_c, code_n, case.runs[axis])
        return case.runs[axis] / last_c[code_n], _BY_RUN
    return None, ""


@pointing.once
def inside(case: Case) -> np.ndarray:
    """Which rows (n,) were taken before the end of a schedule that was still to decay."""
    share_n, _ = progress(case)
    names = labels.columns(case.runs, "schedule")
    if share_n is None and not names:
        return np.zeros(len(case.runs), bool)
    word_n = labels.words(case.runs, names[0]) if names else np.full(len(case.runs), "")
    is_constant_n = labels.is_any(word_n, labels.CONSTANT)
    is_fixed_n = labels.is_any(word_n, labels.FIXED_HORIZON)
    is_early_n = np.zeros(len(word_n), bool) if share_n is None else share_n < DONE
    return (is_early_n | is_fixed_n) & ~is_constant_n


def _gap(case: Case, is_inside_n: np.ndarray) -> float:
    # How far unfinished rows lie above a finished one of that size and length: the median, in logarithms; or NaN.
    reached_n, size = pointing.output(case), pointing.size(case)
    if reached_n is None or size is None or "tokens" not in case.runs or is_inside_n.all():
        return float("nan")
    same = [case.runs[name] for name in (size, "lr") if name in case.runs]
    code_n = pointing.numbered(len(reached_n), [pointing.kind(case), *same])
    with np.errstate(all="ignore"):
        x_n, y_n = np.log(case.runs["tokens"]), np.log(reached_n)
    done = np.flatnonzero(~is_inside_n & np.isfinite(y_n))
    share_n, _ = progress(case)
    is_early_n = is_inside_n if share_n is None else is_inside_n & (share_n < HARDLY)
    gaps: list[float] = []
    for code in np.unique(code_n[done]):
        ends = done[code_n[done] == code]
        ends = ends[np.argsort(x_n[ends], kind="stable")]
        early = np.flatnonzero((code_n == code) & is_early_n)
        near = np.abs(x_n[early][:, None] - x_n[ends][None, :])
        beside = near.argmin(axis=1)
        is_near = near.min(axis=1) < AS_LONG
        gaps.extend((y_n[early] - y_n[ends[beside]])[is_near].tolist())
    known = np.array(gaps)[np.isfinite(gaps)] if gaps else np.empty(0)
    return float(np.median(known)) if len(known) >= LEAST_PAIRS else float("nan")


def _finding(is_inside_n: np.ndarray, gap: float, source: str, is_sure: bool) -> Finding:
    k, n = int(is_inside_n.sum()), len(is_inside_n)
    above = "" if np.isnan(gap) else f"; the median lies {gap:+.1%} from finished runs of that size and length"
    unsure = "" if is_sure else ", and nothing says that their learning rate was constant"
    sentence = f"{k} of {n} rows were taken before the end of their schedule (by {source}){unsure}{above}."
    fix = "Train each length with its own decay, or branch lengths off a constant rate and cool each down for a fifth."
    if gap < 0:
        fix = "Finished runs of that length are worse still: look at their warm-up and rates (A4, A5)."
    if k < n:
        fix = f"Fit the other {n - k} rows alone. {fix}"
    is_grave = is_sure and k >= MANY * n and not gap < 0
    return Finding("A3", "red" if is_grave else "amber", sentence, k / n, fix)


def _fine(share_n: np.ndarray | None, names: list[str], runs: Runs) -> str:
    said = f"schedule {listed(labels.distinct(runs, names[0]))}" if names else "no schedule is named"
    return f"{said}; " + ("one row a run" if share_n is None else f"the least row is {np.nanmin(share_n):.0%} through")

"""The bootstrap: the same fit to runs drawn anew, all draws solved together, each to its own lowest optimum.

Pairs draw whole runs, so nothing is assumed of how the scatter changes over the table (Efron and Tibshirani 1993,
section 9.5); clusters draw all rows of a run together, strata draw within each part; the wild bootstrap keeps the
design and turns the residuals (Wu 1986; Feng, He and Hu 2011 for objectives with corners).
Shapes: `n` runs, `p` coordinates, `s` draws, `c` clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isoloss.core.implicit import Implicit
from isoloss.fitting.linked import Linked
from isoloss.fitting.newton import LOOSE, Posed, Progress, Solved, gradually, minimise
from isoloss.fitting.sample import Sample
from isoloss.fitting.spread import restored

NUMBERS_AT_ONCE = 4_000_000  # numbers of the table of weights held in memory together
FEW_STEPS = 32  # enough for nearly every draw, from the optimum of all runs
MANY_STEPS = 100
PROBED = 8  # of the draws that are on their way still, which tell whether more steps are of use to the others
EXCHANGED, EXCHANGES = 64, 3  # optima of other draws that every draw is tried at, and how often
SEARCHED, SEARCHES, GAIN = 16, 3, 1e-6  # draws that are searched longer at first, how often, and what counts as lower
MOST_LOST = 0.2  # of draws that are on their way still, beyond which there is a valley, and no search is of use
HELPED = 0.5  # of draws that must end at an optimum, for a way to be worth its cost for the others
AFFORDED = 5e6  # draws times runs times squared coordinates: beyond, a search of all would take many seconds
IMPLICIT = 4  # times as much work is an output that is the root of an equation
RARE = 0.05  # of draws that a longer search lowers: so few hardly change an interval
NEAR_AND_FAR = (0, 2, 5, 11)  # places of other draws' optima in their order, from which a search begins
RESTARTS, RESTART_STEPS = 2, 15
COIN, FEWEST_COINS = np.array([-1.0, 1.0]), 12
WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])  # Webb 2023, six points


@dataclass(frozen=True, eq=False)
class Basis:
    """What draws are made from: the problem, its best optima from_pb (p, 1 or 2), and what is drawn together.

    cluster_n numbers the runs that are drawn together, stratum_n the parts that are drawn within. `thorough` takes
    draws that are lost through the objective's easier scales.
    """

    problem: Posed
    from_pb: np.ndarray
    cluster_n: np.ndarray
    stratum_n: np.ndarray
    thorough: bool = True
    seed: int = 0
    progress: Progress | None = None

    @classmethod
    def plain(cls, problem: Posed, from_pb: np.ndarray, seed: int = 0) -> Basis:
        """Every run by itself, all in one stratum."""
        n = len(problem.y_n)
        return cls(problem, from_pb, np.arange(n), np.zeros(n, int), seed=seed)


Sampler = Callable[[Basis, np.random.Generator, int], Sample]


def redrawn(basis: Basis, rng: np.random.Generator, draws: int) -> Sample:
    """Whole clusters drawn with replacement within their strata, priors drawn about their means."""
    return Sample(weights(basis, rng, draws), None, _centres(basis.problem, rng, draws))


def turned(basis: Basis, rng: np.random.Generator, draws: int) -> Sample:
    """The law's own outputs with restored residuals, each cluster's turned or not by the toss of a coin.

    Coins keep both the variance and the density at zero, which decides how sure a robust fit is; few clusters have too
    few of them, and take Webb's six points.
    """
    problem, u_p = basis.problem, basis.from_pb[:, 0]
    clusters = int(basis.cluster_n.max()) + 1
    factor_sc = rng.choice(COIN if clusters >= FEWEST_COINS else WEBB, size=(draws, clusters))
    moved_sn = -restored(problem, u_p, basis.cluster_n) * factor_sc[:, basis.cluster_n]
    predicted_n = problem.predicted(u_p)
    y_sn = predicted_n * np.exp(moved_sn) if problem.objective.log else predicted_n + moved_sn
    return Sample(None, y_sn, _centres(problem, rng, draws, about_p=u_p))


def draw(basis: Basis, draws: int, sampler: Sampler = redrawn) -> Solved:
    """Refit to `draws` samples, from the optima of all runs and from those of other draws, and keep the lowest."""
    rng = np.random.default_rng(basis.seed)
    size = max(1, NUMBERS_AT_ONCE // len(basis.problem.y_n))
    p = len(basis.from_pb)
    parts = [Solved(np.empty((p, 0)), np.empty(0), np.empty(0, bool), np.empty((p, 0)))]
    for first in range(0, draws, size):
        sample = sampler(basis, rng, min(size, draws - first))

        def tell(done: int, _: int, first: int = first) -> None:
            if basis.progress:
                basis.progress(first + done, draws)

        parts.append(_refitted(basis, sample, min(size, draws - first), tell))
    return Solved.join(parts)


def weights(basis: Basis, rng: np.random.Generator, draws: int) -> np.ndarray:
    """How often each run is drawn, (s, n). Draws with fewer different designs than coordinates are drawn again."""
    least, designs = len(basis.from_pb), int(basis.problem.design_n.max()) + 1
    weight_sn = _counts(basis, rng, draws)
    if min(designs, int(basis.cluster_n.max()) + 1) > 8 * least:
        return weight_sn
    member_nd = np.eye(designs)[basis.problem.design_n]
    for _ in range(100):
        poor_s = ((weight_sn @ member_nd) > 0).sum(axis=1) < least
        if not poor_s.any():
            break
        weight_sn[poor_s] = _counts(basis, rng, int(poor_s.sum()))
    return weight_sn


def _counts(basis: Basis, rng: np.random.Generator, draws: int) -> np.ndarray:
    stratum_c = np.zeros(int(basis.cluster_n.max()) + 1, int)
    stratum_c[basis.cluster_n] = basis.stratum_n
    count_sc = np.empty((draws, len(stratum_c)))
    for stratum in np.unique(stratum_c):
        members = np.flatnonzero(stratum_c == stratum)
        c = len(members)
        drawn_sc = rng.integers(c, size=(draws, c)) + c * np.arange(draws)[:, None]
        count_sc[:, members] = np.bincount(drawn_sc.ravel(), minlength=draws * c).reshape(draws, c)
    return count_sc if len(stratum_c) == len(basis.cluster_n) else count_sc[:, basis.cluster_n]


def _centres(
    problem: Posed, rng: np.random.Generator, draws: int, about_p: np.ndarray | None = None
) -> np.ndarray | None:
    # A prior is as uncertain as it says: each draw believes another centre, about its mean, or about the optimum that
    # outputs are made anew from.
    if not (isinstance(problem, Linked) and problem.worth and problem.precision_q.any()):
        return None
    deviation_q = np.divide(1, np.sqrt(problem.precision_q), where=problem.precision_q > 0, out=0 * problem.mean_q)
    centre_q = problem.mean_q if about_p is None else about_p
    return centre_q + deviation_q * rng.standard_normal((draws, len(deviation_q)))


def _refitted(basis: Basis, sample: Sample, draws: int, tell: Progress) -> Solved:
    problem = basis.problem
    starts = [np.repeat(u_p[:, None], draws, axis=1) for u_p in basis.from_pb.T]
    best = minimise(problem, starts[0], sample, most_steps=FEW_STEPS, progress=tell)
    for start_ps in starts[1:]:
        best = best.put(np.arange(draws), minimise(problem, start_ps, sample, most_steps=FEW_STEPS))
    best = _onward(problem, best, sample)
    if np.mean(~best.converged_b) > MOST_LOST:
        return best
    if basis.thorough:
        best = _through_easier_scales(problem, best, starts[0], sample)
    best = _exchanged(problem, best, sample)
    return _searched(basis, best, sample) if basis.thorough and _is_cheap(problem, draws) else best


def _onward(problem: Posed, best: Solved, sample: Sample) -> Solved:
    # Draws that are on their way still go on from where they are.
    def further(rows: np.ndarray) -> Solved:
        return minimise(problem, best.u_pb[:, rows], sample.take(rows), most_steps=MANY_STEPS)

    return _probed(problem, best, further)


def _through_easier_scales(problem: Posed, best: Solved, start_ps: np.ndarray, sample: Sample) -> Solved:
    # Draws that are on their way still begin anew.
    def anew(rows: np.ndarray) -> Solved:
        return gradually(problem, start_ps[:, rows], sample.take(rows), most_steps=MANY_STEPS)

    return _probed(problem, best, anew)


def _probed(problem: Posed, best: Solved, further: Callable[[np.ndarray], Solved]) -> Solved:
    # For a few of the draws that are lost, and for the others if that helps, which in an endless valley it does not.
    lost = np.flatnonzero(~best.converged_b)
    for rows in (lost[:PROBED], lost[PROBED:]):
        if len(rows):
            found = further(rows)
            best = best.put(rows, found)
            if np.mean(found.converged_b) < HELPED or not _is_cheap(problem, len(lost)):
                break
    return best


def _exchanged(problem: Posed, best: Solved, sample: Sample) -> Solved:
    # A draw that is lower at another draw's optimum than at its own has not found its lowest: it goes on from there.
    for _ in range(EXCHANGES):
        others = _some(len(best.value_b))
        with np.errstate(all="ignore"):
            value_os = problem.crossed(best.u_pb[:, others], sample)
        lower = np.flatnonzero(value_os.min(axis=0) < best.value_b * (1 - GAIN))
        if not len(lower):
            break
        start_ps = best.u_pb[:, others[value_os[:, lower].argmin(axis=0)]]
        best = best.put(lower, minimise(problem, start_ps, sample.take(lower), most_steps=MANY_STEPS))
    return best


def _searched(basis: Basis, best: Solved, sample: Sample) -> Solved:
    # Where some draws end lower after a longer search, all are searched, and then those that gained. A draw that creeps
    # along a valley without an end is always lower, and does not count.
    draws, rng = len(best.value_b), np.random.default_rng(basis.seed)
    rows = np.unique(np.linspace(0, draws - 1, min(SEARCHED, draws)).astype(int))
    for search in range(SEARCHES):
        after = _again(basis.problem, best, sample, rows, rng)
        is_lower_s = after.value_b[rows] < best.value_b[rows] * (1 - GAIN)
        gained = rows[is_lower_s & after.converged_b[rows]]
        if len(gained) <= RARE * len(rows):
            return after
        best, rows = after, gained if search else np.arange(draws)
    return best


def _again(problem: Posed, best: Solved, sample: Sample, rows: np.ndarray, rng: np.random.Generator) -> Solved:
    # From the draw's own optimum through easier scales, from good optima of other draws, and from those of resamples
    # of the draw's own runs (bootstrap restarting: Wood 2001, Biometrics 57:240).
    part, n = sample.take(rows), len(problem.y_n)

    def put(*starts: np.ndarray) -> Solved:
        many = minimise(problem, np.concatenate(starts, axis=1), part.repeated(len(starts)), most_steps=MANY_STEPS)
        found = best
        for k in range(len(starts)):
            found = found.put(rows, many.take(np.arange(k * len(rows), (k + 1) * len(rows))))
        return found

    best = put(gradually(problem, best.u_pb[:, rows], part, most_steps=MANY_STEPS).u_pb)
    others = _some(len(best.value_b))
    with np.errstate(all="ignore"):
        order_os = others[problem.crossed(best.u_pb[:, others], part).argsort(axis=0)]
    best = put(*(best.u_pb[:, order_os[min(place, len(others) - 1)]] for place in NEAR_AND_FAR))
    for _ in range(RESTARTS):
        count_sn = rng.multinomial(n, np.full(n, 1 / n), size=len(rows)).astype(float)
        turned_sn = count_sn if part.weight_bn is None else part.weight_bn * count_sn
        start = minimise(
            problem, best.u_pb[:, rows], replace(part, weight_bn=turned_sn), most_steps=RESTART_STEPS, tolerance=LOOSE
        )
        best = put(start.u_pb)
    return best


def _is_cheap(problem: Posed, draws: int) -> bool:
    work = draws * len(problem.y_n) * len(problem.names) ** 2
    return work * (IMPLICIT if isinstance(problem.law.formula, Implicit) else 1) <= AFFORDED


def _some(draws: int) -> np.ndarray:
    return np.unique(np.linspace(0, draws - 1, min(EXCHANGED, draws)).astype(int))

"""Where draws come from: one function a method, chosen by name, or by what the runs are.

Shapes: `n` runs, `p` coordinates, `s` draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from isoloss.core.errors import MissingExtraError, RequestError
from isoloss.core.finding import Finding
from isoloss.fitting import spread
from isoloss.fitting.newton import Solved
from isoloss.fitting.objectives import Objective
from isoloss.fitting.resampling import Basis, draw, turned

Method = Callable[[Basis, int], Solved]

METHODS: dict[str, Method] = {}
WORDS: dict[str, str] = {}
PAIRS_COST = 3e7  # runs times draws beyond which refitting every draw would take too long
# How many of 100 nominal 90% intervals held the truth, by runs: isoFLOP sweeps, huber_log, scatter 0.5%, 200 sweeps
# each; the mean over exponents, best sizes and losses, measured as benchmarks/coverage.py does.
MEASURED_RUNS = (15, 30, 60, 120)
BELL_HELD = {"laplace": (74, 81, 85, 86), "sandwich": (81, 84, 87, 87)}
ENOUGH_HELD = 86
MOSTLY_STRAIGHT = 0.5  # the share of runs in an objective's curved part below which it counts as robust
MANY_RUNS = 200  # from here on pairs hold the truth as often as they say: docs/coverage.md
WALKERS_PER_COORDINATE, BURN, CORRELATIONS = 6, 500, 50


def method(words: str) -> Callable[[Method], Method]:
    """Register a way to make draws, with the words that its fits state as an assumption."""

    def register(function: Method) -> Method:
        METHODS[function.__name__], WORDS[function.__name__] = function, words
        return function

    return register


@method("intervals from the bootstrap of pairs: runs are independent of each other")
def pairs(basis: Basis, draws: int) -> Solved:
    """Runs drawn with replacement."""
    return draw(basis, draws)


@method("intervals from the bootstrap of clusters: all rows of a run are drawn together")
def cluster(basis: Basis, draws: int) -> Solved:
    """Clusters of runs drawn with replacement: Davison and Hinkley 1997, section 3.8."""
    return draw(basis, draws)


@method("intervals from the stratified bootstrap: runs are drawn within their stratum")
def stratified(basis: Basis, draws: int) -> Solved:
    """Runs drawn with replacement within strata."""
    return draw(basis, draws)


@method("intervals from the wild bootstrap: the design is fixed, and each residual is as likely to be turned as not")
def wild(basis: Basis, draws: int) -> Solved:
    """Residuals as of runs not fitted to, turned by coins: Wu 1986; Feng, He and Hu 2011 for robust objectives."""
    return _widened(basis, draw(basis, draws, turned))


@method("intervals from the curvature at the optimum (Laplace): bell-shaped, with the same scatter everywhere")
def laplace(basis: Basis, draws: int) -> Solved:
    """Student's t draws, n - p degrees of freedom, of the covariance that the objective's curvature gives."""
    return _bell(basis, spread.covariance(basis.problem, basis.from_pb[:, 0]), draws, _freedom(basis))


@method("intervals from the sandwich covariance: bell-shaped about the optimum, whatever the scatter of each run")
def sandwich(basis: Basis, draws: int) -> Solved:
    """Student's t draws of the covariance of White 1980, by clusters where there are any."""
    cov_pp = spread.sandwich(basis.problem, basis.from_pb[:, 0], basis.cluster_n)
    return _bell(basis, cov_pp, draws, _freedom(basis))


@method("intervals from the posterior by MCMC, flat priors on logarithms of scales and on other parameters")
def mcmc(basis: Basis, draws: int) -> Solved:
    """Draws of exp(-objective / worth) by emcee's ensemble sampler, thinned to be independent; needs extra `bayes`.

    Raises RequestError where the chain has not mixed after all its steps.
    """
    import emcee

    problem, u_p = basis.problem, basis.from_pb[:, 0]
    worth, p = spread.worth(problem, u_p), len(u_p)
    least = float(problem.value(u_p[:, None])[0])

    def log_density(u_wp: np.ndarray) -> np.ndarray:
        inside_w = ((u_wp >= problem.low_p) & (u_wp <= problem.high_p)).all(axis=1)
        with np.errstate(all="ignore"):
            value_w = problem.value(problem.inside(u_wp.T))
        return np.where(inside_w, (least - value_w) / worth, -np.inf)

    walkers = max(32, WALKERS_PER_COORDINATE * p)
    start_pw = _bell(basis, spread.covariance(problem, u_p), walkers).u_pb
    sampler = emcee.EnsembleSampler(walkers, p, log_density, vectorize=True)
    sampler.random_state = np.random.RandomState(basis.seed).get_state()
    state = sampler.run_mcmc(start_pw.T, BURN, skip_initial_state_check=True)
    sampler.reset()
    steps = max(2000, CORRELATIONS * 40)
    for _ in range(6):
        state = sampler.run_mcmc(state, steps, skip_initial_state_check=True)
        time = float(np.max(sampler.get_autocorr_time(quiet=True)))
        if np.isfinite(time) and sampler.iteration > CORRELATIONS * time:
            chain_mp = np.asarray(sampler.get_chain(flat=True))
            chosen = np.random.default_rng(basis.seed).choice(len(chain_mp), draws, replace=len(chain_mp) < draws)
            u_ps = np.ascontiguousarray(chain_mp[chosen].T)
            return Solved(u_ps, problem.value(u_ps), np.ones(draws, bool), u_ps)
    raise RequestError(
        f"The chain of {sampler.iteration} steps and {walkers} walkers has not mixed.",
        do="The runs hardly fix this law: fit one with fewer parameters, or give priors.",
    )


def choose(name: str, objective: Objective, n: int, draws: int, *, clusters: int, strata: bool) -> str:
    """The method called `name`; "auto" looks at what the runs are, in how many `clusters` (0: each by itself).

    It takes the sandwich where refits cost too much, strata where there are any, the wild bootstrap for few runs or
    clusters, which would be drawn so unevenly that some draws hardly fix the law, and clusters or pairs otherwise.
    Raises RequestError for a method that needs what the runs or the objective do not have, MissingExtraError for one
    whose package is not installed.
    """
    is_even = _is_even(objective)
    if name not in ("auto", *METHODS):
        raise RequestError(f"There is no uncertainty '{name}'.", f"Known: auto, {', '.join(METHODS)}.")
    if name == "cluster" and not clusters:
        raise RequestError("No column says which rows belong together.", do='Name it: cluster="run".')
    if name == "stratified" and not strata:
        raise RequestError("No column says which stratum a run belongs to.", do='Name it: strata="budget".')
    if name == "wild" and not is_even:
        sentence = f"The wild bootstrap turns residuals, and the objective {objective.name} has two sides."
        raise RequestError(sentence, do='Take uncertainty="pairs".')
    if name == "mcmc" and find_spec("emcee") is None:
        raise MissingExtraError("bayes", "emcee")
    if name != "auto":
        return name
    if n * draws > PAIRS_COST:
        return "sandwich"
    if strata and not clusters:
        return "stratified"
    if (clusters or n) < MANY_RUNS and is_even:
        return "wild"
    return "cluster" if clusters else "pairs"


def reserves(method: str, basis: Basis) -> list[Finding]:
    """D2, amber: a method that has held the truth less often than it says, where runs are as few as these."""
    n, problem = len(np.unique(basis.cluster_n)), basis.problem
    if method not in BELL_HELD or spread.curved(problem, basis.from_pb[:, 0]) >= MOSTLY_STRAIGHT:
        return []
    share = float(np.interp(np.log(n), np.log(MEASURED_RUNS), BELL_HELD[method]))
    if share >= ENOUGH_HELD:
        return []
    sentence = (
        f"Bell-shaped intervals about a robust fit to {n} runs are too narrow: in simulated sweeps those that should "
        f"hold the truth 90 times in 100 have held it about {share:.0f} times."
    )
    return [Finding("D2", "amber", sentence, share, 'Take uncertainty="auto", which draws and fits again.')]


def _is_even(objective: Objective) -> bool:
    settled = objective if objective.settled else objective.settled_on(spread.PROBES)
    return bool(np.allclose(settled.terms(spread.PROBES)[0], settled.terms(-spread.PROBES)[0]))


def _widened(basis: Basis, draws: Solved) -> Solved:
    # How sure straight parts of an objective are rests on the density of residuals at zero, where p parameters have
    # drawn some; squares need no more than the residuals restored.
    n, p, best_p1 = len(np.unique(basis.cluster_n)), len(basis.from_pb), basis.from_pb[:, :1]
    straight = 1 - spread.curved(basis.problem, best_p1[:, 0])
    factor = 1 + straight * (np.sqrt(n / max(n - p, 1)) - 1)
    return replace(draws, u_pb=basis.problem.inside(best_p1 + factor * (draws.u_pb - best_p1)))


def _freedom(basis: Basis) -> int:
    return max(len(np.unique(basis.cluster_n)) - len(basis.from_pb), 1)


def _bell(basis: Basis, cov_pp: np.ndarray, draws: int, freedom: int | None = None) -> Solved:
    # Normal draws, or Student's t with so many degrees of freedom.
    problem, u_p, rng = basis.problem, basis.from_pb[:, 0], np.random.default_rng(basis.seed)
    value_p, vector_pp = np.linalg.eigh(cov_pp / np.outer(problem.stride_p, problem.stride_p))
    root_pp = problem.stride_p[:, None] * vector_pp * np.sqrt(np.maximum(value_p, 0.0))
    standard_ps = rng.standard_normal((len(u_p), draws))
    if freedom:
        standard_ps *= np.sqrt(freedom / rng.chisquare(freedom, draws))
    u_ps = problem.inside(u_p[:, None] + root_pp @ standard_ps)
    return Solved(u_ps, np.full(draws, np.nan), np.ones(draws, bool), u_ps)

"""Where draws come from: one function a method, chosen by name, or by what the runs are.

Shapes: `n` runs, `p` coordinates, `s` draws.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isoloss.core.errors import MissingExtraError, RequestError
from isoloss.fitting import spread
from isoloss.fitting.newton import Solved
from isoloss.fitting.resampling import Basis, draw, turned

Method = Callable[[Basis, int], Solved]

METHODS: dict[str, Method] = {}
WORDS: dict[str, str] = {}
PAIRS_COST = 3e7  # runs times draws beyond which refitting every draw would take too long
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


@method("intervals from the wild bootstrap: the design is fixed, residuals are turned by random factors")
def wild(basis: Basis, draws: int) -> Solved:
    """Residuals, corrected for leverage, times Webb's six-point factors, one a cluster: Wu 1986; Webb 2023."""
    return draw(basis, draws, turned)


@method("intervals from the curvature at the optimum (Laplace): normal, with the same scatter everywhere")
def laplace(basis: Basis, draws: int) -> Solved:
    """Normal draws of the covariance that the objective's curvature gives."""
    return _normal(basis, spread.covariance(basis.problem, basis.from_pb[:, 0]), draws)


@method("intervals from the sandwich covariance: normal about the optimum, whatever the scatter of each run")
def sandwich(basis: Basis, draws: int) -> Solved:
    """Normal draws of the covariance of White 1980, by clusters where there are any."""
    return _normal(basis, spread.sandwich(basis.problem, basis.from_pb[:, 0], basis.cluster_n), draws)


@method("intervals from the posterior by MCMC, flat priors on logarithms of scales and on other parameters")
def mcmc(basis: Basis, draws: int) -> Solved:
    """Draws of exp(-objective / worth) by emcee's ensemble sampler, thinned to be independent; needs extra `bayes`.

    Raises RequestError where the chain has not mixed after all its steps.
    """
    try:
        import emcee
    except ImportError:
        raise MissingExtraError("bayes", "emcee") from None
    problem, u_p = basis.problem, basis.from_pb[:, 0]
    worth, p = spread.worth(problem, u_p), len(u_p)
    least = float(problem.value(u_p[:, None])[0])

    def log_density(u_wp: np.ndarray) -> np.ndarray:
        inside_w = ((u_wp >= problem.low_p) & (u_wp <= problem.high_p)).all(axis=1)
        with np.errstate(all="ignore"):
            value_w = problem.value(problem.inside(u_wp.T))
        return np.where(inside_w, (least - value_w) / worth, -np.inf)

    walkers = max(32, WALKERS_PER_COORDINATE * p)
    start_pw = _normal(basis, spread.covariance(problem, u_p), walkers).u_pb
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


def choose(name: str, n: int, draws: int, *, clusters: bool, strata: bool) -> str:
    """The method called `name`; "auto" takes clusters where there are any, and the sandwich where refits cost too much.

    Raises RequestError for a method that needs what the runs do not have.
    """
    if name not in ("auto", *METHODS):
        raise RequestError(f"There is no uncertainty '{name}'.", f"Known: auto, {', '.join(METHODS)}.")
    if name == "cluster" and not clusters:
        raise RequestError("No column says which rows belong together.", do='Name it: cluster="run".')
    if name == "stratified" and not strata:
        raise RequestError("No column says which stratum a run belongs to.", do='Name it: strata="budget".')
    if name != "auto":
        return name
    if n * draws > PAIRS_COST:
        return "sandwich"
    return "cluster" if clusters else "stratified" if strata else "pairs"


def _normal(basis: Basis, cov_pp: np.ndarray, draws: int) -> Solved:
    problem, u_p = basis.problem, basis.from_pb[:, 0]
    value_p, vector_pp = np.linalg.eigh(cov_pp / np.outer(problem.stride_p, problem.stride_p))
    root_pp = problem.stride_p[:, None] * vector_pp * np.sqrt(np.maximum(value_p, 0.0))
    standard_ps = np.random.default_rng(basis.seed).standard_normal((len(u_p), draws))
    u_ps = problem.inside(u_p[:, None] + root_pp @ standard_ps)
    return Solved(u_ps, np.full(draws, np.nan), np.ones(draws, bool), u_ps)

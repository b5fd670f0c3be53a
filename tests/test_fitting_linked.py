"""Parameters that are held, tied, shared or believed, beside laws written without them and answers by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import binomtest, kstest
from simulate import CHINCHILLA, bound, made_by, sweep, truth

from isoloss.core.errors import ColumnError, DesignError, IsolossError, RequestError, UnknownNameError
from isoloss.core.groups import Groups
from isoloss.core.law import find
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.fitting.linked import Linked, link
from isoloss.fitting.links import Links
from isoloss.fitting.objectives import find as objective_called
from isoloss.fitting.problem import Problem
from isoloss.fitting.rows import arrange
from isoloss.fitting.sample import Sample

FREE = {"A": CHINCHILLA["A"], "B": CHINCHILLA["B"], "alpha": CHINCHILLA["alpha"], "beta": CHINCHILLA["beta"]}


def two_groups(n: int = 40, noise: float = 0.005, seed: int = 0, **other: float) -> Runs:
    """Two sweeps in one table, the groups 'dense' and 'moe', the second with some parameters of its own."""
    one, two = sweep(n, noise, 2 * seed), sweep(n, noise, 2 * seed + 1, {**CHINCHILLA, **other})
    return one.with_columns(arch=np.repeat("dense", n)) + two.with_columns(arch=np.repeat("moe", n))


def linked(runs: Runs, objective: str, links: Links, by: str | None = None) -> Linked:
    law = find("chinchilla")
    rows = arrange(law, runs, by=by)
    problem = Problem(law, rows.x_kn, rows.y_n, objective_called(objective))
    return link({label: problem.of_runs(group) for label, group in rows.groups.items()}, links)


def by_scipy(runs: Runs, residual: Any, start_p: np.ndarray) -> optimize.OptimizeResult:
    """The least half sum of squares of log residuals."""
    tight: dict[str, Any] = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)
    return optimize.least_squares(residual, start_p, "3-point", x_scale="jac", max_nfev=5000, **tight)


def straight(n: int = 50, seed: int = 0, noise: float = 0.3) -> Runs:
    """Runs of the law a + b log10 x, which is linear in its parameters, with normal scatter in its own unit."""
    rng = np.random.default_rng(seed)
    tokens_n = np.exp(rng.uniform(np.log(1e6), np.log(1e10), n))
    law = bound("logarithmic")
    y_n = law.value(tokens_n[None], [2.0, 1.0]) + noise * rng.standard_normal(n)
    return Runs({"tokens": tokens_n, law.output.name: y_n})


def normal_equations(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    law = bound("logarithmic")
    return law.jacobian(runs["tokens"][None], np.ones(2)), runs[law.output.name]


LINKS = {
    "held": Links({"E": 1.8}, (), (), {}),
    "tied": Links({}, (("alpha", "beta"),), (), {}),
    "shared": Links({}, (), ("E", "alpha"), {}),
    "believed": Links({}, (), (), {"alpha": (0.3, 0.1), "A": (300.0, 90.0)}),
    "all": Links({"E": 1.8}, (("alpha", "beta"),), ("alpha", "A"), {"alpha": (0.3, 0.1), "B": (2000.0, 500.0)}),
}


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("objective", ["squared_log", "student_t(scale=0.01)"])
def test_derivatives_agree_with_differences(name: str, objective: str) -> None:
    problem = linked(two_groups(), objective, LINKS[name], "arch").believing(2e-3)
    q, rng = len(problem.names), np.random.default_rng(5)
    theta_g = [find("chinchilla").theta(CHINCHILLA)[:, None] * np.exp(0.02 * rng.standard_normal((5, 3))) for _ in "ab"]
    u_qb = problem.gathered([part.internal(t) for part, t in zip(problem.parts, theta_g, strict=True)])
    centre_bp = np.tile(problem.mean_q, (3, 1)) + 0.1 * rng.standard_normal((3, q))
    sample = Sample(rng.integers(0, 3, (3, 80)).astype(float), None, centre_bp)
    at = problem.derivatives(u_qb, sample)
    np.testing.assert_allclose(problem.value(u_qb, sample), at.value_b, rtol=1e-13)
    np.testing.assert_allclose(np.diag(problem.crossed(u_qb, sample)), at.value_b, rtol=1e-12)
    for j in range(q):
        step_q1 = np.zeros((q, 1))
        step_q1[j] = 1e-6 * max(1.0, float(np.abs(u_qb[j]).max()))
        up, down = (problem.derivatives(u_qb + sign * step_q1, sample) for sign in (1, -1))
        slope_b = (up.value_b - down.value_b) / (2 * step_q1[j])
        bend_qb = (up.gradient_pb - down.gradient_pb) / (2 * step_q1[j])
        np.testing.assert_allclose(slope_b, at.gradient_pb[j], rtol=1e-4, atol=1e-6 * np.abs(at.gradient_pb).max())
        limit = 1e-5 * np.abs(at.hessian_ppb[:, j]).max()
        np.testing.assert_allclose(bend_qb, at.hessian_ppb[:, j], rtol=1e-4, atol=limit)
        answer_n = (problem.residual_n((u_qb + step_q1)[:, 0]) - problem.residual_n((u_qb - step_q1)[:, 0])) / 2
        seen_n = problem.sensitivity(u_qb[:, 0])[:, j]
        np.testing.assert_allclose(answer_n / step_q1[j], seen_n, rtol=1e-4, atol=1e-6 * np.abs(seen_n).max())


@pytest.mark.parametrize("objective", ["huber_log", "squared_log", "squared"])
def test_a_floor_held_at_zero_is_the_law_without_a_floor(objective: str) -> None:
    runs = made_by(bound("power"), truth(bound("power")), n=40, noise=0.01)
    held = fit(runs, "scaled_power_floor", inputs={"x": "tokens"}, hold={"E": 0.0}, objective=objective, draws=20)
    without = fit(runs, "power", inputs={"x": "tokens"}, objective=objective, draws=20)
    assert held.objective[1] == pytest.approx(without.objective[1], rel=1e-12)
    np.testing.assert_allclose(held.theta_p[1:], without.theta_p, rtol=1e-7)
    np.testing.assert_allclose(held.draws_sp[:, 1:], without.draws_sp, rtol=1e-4)
    assert held.scatter == pytest.approx(without.scatter, rel=1e-7)
    assert (held.draws_sp[:, 0] == 0).all() and held.fixed == ("E",)
    assert "E is held at 0" in held.assumptions


def test_a_held_parameter_agrees_with_least_squares_of_the_others() -> None:
    runs = sweep(50, noise=0.01)
    found = fit(runs, hold={"E": 1.7}, objective="squared_log", draws=0)
    n, d, log_loss = runs["params"], runs["tokens"], np.log(runs["loss"])

    def residual(v: np.ndarray) -> np.ndarray:
        return np.log(1.7 + np.exp(v[0] - v[2] * np.log(n)) + np.exp(v[1] - v[3] * np.log(d))) - log_loss

    judged = by_scipy(runs, residual, np.array([np.log(FREE["A"]), np.log(FREE["B"]), 0.35, 0.37]))
    assert found.objective[1] == pytest.approx(judged.cost, rel=1e-9)
    expected = [1.7, *np.exp(judged.x[:2]), *judged.x[2:]]
    np.testing.assert_allclose(list(found.theta.values()), expected, rtol=2e-5)
    assert found.theta["E"] == 1.7


def test_a_tie_is_the_law_with_one_exponent() -> None:
    runs = sweep(50, noise=0.01, seed=1)
    found = fit(runs, tie=("alpha", "beta"), objective="squared_log", draws=30)
    n, d, log_loss = runs["params"], runs["tokens"], np.log(runs["loss"])

    def residual(v: np.ndarray) -> np.ndarray:
        return np.log(v[0] + np.exp(v[1] - v[3] * np.log(n)) + np.exp(v[2] - v[3] * np.log(d))) - log_loss

    judged = by_scipy(runs, residual, np.array([1.8, np.log(FREE["A"]), np.log(FREE["B"]), 0.36]))
    assert found.objective[1] == pytest.approx(judged.cost, rel=1e-9)
    expected = [judged.x[0], *np.exp(judged.x[1:3]), judged.x[3], judged.x[3]]
    np.testing.assert_allclose(list(found.theta.values()), expected, rtol=2e-5)
    j, k = found.law.names.index("alpha"), found.law.names.index("beta")
    assert np.array_equal(found.draws_sp[:, j], found.draws_sp[:, k])
    assert found.fixed == ("beta",) and "alpha and beta are tied" in found.assumptions


@pytest.mark.parametrize("tie", ["alpha,beta", "alpha, beta", ("alpha", "beta"), [("alpha", "beta")], ["alpha,beta"]])
def test_a_tie_may_be_written_in_several_ways(tie: Any) -> None:
    assert fit(sweep(40), tie=tie, draws=0).fixed == ("beta",)


def test_a_very_wide_prior_is_none_and_a_very_narrow_one_holds() -> None:
    runs = sweep(50, noise=0.01, seed=2)
    free = fit(runs, objective="squared_log", draws=0)
    wide = fit(runs, objective="squared_log", prior={"alpha": (0.4, 1e6), "A": (300.0, 1e9)}, draws=0)
    np.testing.assert_allclose(wide.theta_p, free.theta_p, rtol=1e-6)
    held = fit(runs, objective="squared_log", hold={"alpha": 0.4, "A": 900.0}, draws=0)
    narrow = fit(runs, objective="squared_log", prior={"alpha": (0.4, 1e-8), "A": (900.0, 1e-5)}, draws=0)
    np.testing.assert_allclose(narrow.theta_p, held.theta_p, rtol=1e-4)


@pytest.mark.parametrize("uncertainty", ["laplace", "pairs", "wild", "mcmc"])
def test_a_prior_gives_the_conjugate_answer_where_the_law_is_linear(uncertainty: str) -> None:
    runs, mean, deviation = straight(), 1.03, 0.01
    found = fit(
        runs, "logarithmic", inputs={"x": "tokens"}, objective="squared", prior={"b": (mean, deviation)}, draws=1500,
        uncertainty=uncertainty,
    )  # fmt: skip
    slope_n2, y_n = normal_equations(runs)
    theta_2 = np.linalg.lstsq(slope_n2, y_n)[0]
    believed_22 = np.diag([0.0, deviation**-2])
    cov_22 = np.eye(2)
    for _ in range(50):
        variance = np.sum((y_n - slope_n2 @ theta_2) ** 2) / (len(y_n) - 2)
        cov_22 = np.linalg.inv(slope_n2.T @ slope_n2 / variance + believed_22)
        theta_2 = cov_22 @ (slope_n2.T @ y_n / variance + believed_22 @ [0, mean])
    spread_2 = np.sqrt(np.diag(cov_22))
    assert (np.abs(found.theta_p - theta_2) < 1e-3 * spread_2).all()
    near = {"laplace": 0.08, "mcmc": 0.08, "pairs": 0.35, "wild": 0.35}[uncertainty]
    np.testing.assert_allclose(found.draws_sp.std(axis=0), spread_2, rtol=near)
    assert (np.abs(found.draws_sp.mean(axis=0) - theta_2) < 0.15 * spread_2).all()
    free = fit(runs, "logarithmic", inputs={"x": "tokens"}, objective="squared", draws=300)
    assert found.draws_sp[:, 1].std() < 0.75 * free.draws_sp[:, 1].std()


def test_priors_of_tied_parameters_multiply() -> None:
    apart = Links({}, (("alpha", "beta"),), (), {"alpha": (0.2, 0.1), "beta": (0.5, 0.2)})
    problem = linked(sweep(30), "squared_log", apart)
    q = problem.names.index("alpha=beta")
    assert problem.precision_q[q] == pytest.approx(100 + 25)
    assert problem.mean_q[q] == pytest.approx((100 * 0.2 + 25 * 0.5) / 125)


@pytest.mark.parametrize("objective", ["huber_log", "squared_log"])
def test_groups_that_share_nothing_are_separate_fits(objective: str) -> None:
    runs = two_groups(30, seed=3, E=1.7)
    together = fit(runs, by="arch", objective=objective, draws=0)
    apart = {label: fit(runs.where(arch=label), objective=objective, draws=0) for label in ("dense", "moe")}
    for label, alone in apart.items():
        assert together[label].objective == alone.objective
        np.testing.assert_array_equal(together[label].theta_p, alone.theta_p)
        assert together[label].data.n == 30
        assert together[label].scatter == pytest.approx(alone.scatter, rel=1e-4)


@pytest.mark.parametrize("labels", [[1.5, 1e18], [True, False], [3, 20]])
def test_groups_may_be_told_apart_by_numbers(labels: list[Any]) -> None:
    runs = two_groups(12)
    kind_n = np.repeat(np.array(labels), 12)
    found = fit(runs.with_columns(kind=kind_n), by="kind", draws=0)
    assert sorted(found) == sorted(str(v) for v in np.array(labels))
    assert [f.data.n for f in found.values()] == [12, 12]


def test_sharing_recovers_the_truth_and_is_tighter() -> None:
    runs = two_groups(60, noise=0.003, seed=4, E=1.7, B=1500.0)
    shared = fit(runs, by="arch", share="A,alpha,beta", objective="squared_log", draws=200)
    apart = fit(runs, by="arch", objective="squared_log", draws=200)
    for name in ("A", "alpha", "beta"):
        both = [fitted.interval(name) for fitted in shared.values()]
        assert both[0] == both[1]
        assert both[0].low <= CHINCHILLA[name] <= both[0].high
    for label, floor in (("dense", 1.82), ("moe", 1.7)):
        close, wide = shared[label].interval("E"), apart[label].interval("E")
        assert close.low <= floor <= close.high
        assert close.high - close.low < 0.95 * (wide.high - wide.low)
    assert shared.share == ("A", "alpha", "beta") and "alpha is the same in all groups" in shared["moe"].assumptions
    gap = shared.difference("E", "dense", "moe")
    assert gap.low < 0.12 < gap.high
    assert gap.mid == pytest.approx(shared["dense"].theta["E"] - shared["moe"].theta["E"], rel=1e-12)


def test_a_tie_and_a_share_go_together() -> None:
    found = fit(two_groups(30, E=1.7), by="arch", tie="alpha,beta", share="alpha", draws=20)
    assert found["dense"].theta["beta"] == found["moe"].theta["alpha"]
    with pytest.raises(RequestError, match="beta is the same in all groups"):
        found.equal("beta")
    apart = fit(two_groups(30, E=1.7), by="arch", tie="alpha,beta", draws=60)
    assert apart.equal("beta").p_value == pytest.approx(apart.equal("alpha").p_value, rel=1e-6)
    assert apart.equal("alpha", "beta").freedom == 1


def p_values(pairs: int, n: int, draws: int, floor: float = 1.82, first: int = 0) -> np.ndarray:
    """Of the test that two groups have equal floors, over simulated pairs whose exponents are shared."""
    found = []
    for seed in range(first, first + pairs):
        runs = two_groups(n, seed=seed, E=floor)
        groups = fit(runs, by="arch", share="A,B,alpha,beta", objective="squared_log", draws=draws)
        found.append(groups.equal("E").p_value)
    return np.array(found)


def test_equality_is_seldom_rejected_where_it_holds_and_often_where_it_does_not() -> None:
    assert (p_values(20, 40, 60, first=1000) < 0.05).sum() <= 4  # 5 or more of 20 have a chance of 0.3%
    assert (p_values(4, 40, 60, floor=1.80) < 0.05).all()


@pytest.mark.slow
def test_equality_has_the_size_that_it_claims() -> None:
    p_n = p_values(300, 60, 300, first=100)
    assert binomtest(int((p_n < 0.05).sum()), 300, 0.05, "two-sided").pvalue > 0.01, (p_n < 0.05).mean()
    assert kstest(p_n, "uniform").pvalue > 0.001


def test_amplitudes_are_compared_and_names_need_no_order() -> None:
    found = fit(two_groups(40, A=900.0), by="arch", share="E,alpha,beta", draws=200)
    assert found.equal("A").p_value < 1e-6
    once, twice = found.equal("A", "B"), found.equal("B", "A", "A")
    assert (once.freedom, twice.freedom) == (2, 2)
    assert once.left == 80 - (2 + 2 + 3)  # runs less amplitudes of each group less what is shared
    assert once.chi_square == pytest.approx(twice.chi_square, rel=1e-6)
    assert "differ" in str(once) and json.loads(json.dumps(once.to_json()))["freedom"] == 2


def test_groups_survive_their_file(tmp_path: Path) -> None:
    found = fit(two_groups(20), by="arch", share="alpha", prior={"beta": (0.36, 0.1)}, draws=30)
    path = tmp_path / "groups.json"
    found.save(path)
    again = Groups.load(path)
    assert again.to_json() == found.to_json() and str(again) == str(found)
    assert list(again) == ["dense", "moe"] and (again.by, again.share) == ("arch", ("alpha",))
    assert again.equal("E") == found.equal("E")


def test_groups_are_printed_as_one_table_of_at_most_100_columns() -> None:
    runs = two_groups(12, E=1.7)
    kinds = np.array([f"{arch}-of-another-kind-{i % 3}" for i, arch in enumerate(runs["arch"])])
    more = runs + runs.with_columns(arch=kinds)
    found = fit(more, "power", inputs={"x": "tokens"}, by="arch", draws=20)
    shown = str(found).splitlines()
    assert max(map(len, shown)) <= 100
    for label in found:
        assert sum(label in line.split() for line in shown) == 1
    assert sum(line.startswith("  alpha ") for line in shown) == 3  # eight groups need three blocks


def test_questions_about_groups_that_have_no_answer() -> None:
    found = fit(two_groups(20), by="arch", share="alpha", hold={"E": 1.8}, draws=15)
    with pytest.raises(UnknownNameError, match="no group of arch 'mamba'"):
        found["mamba"]
    with pytest.raises(UnknownNameError, match="gamma"):
        found.equal("gamma")
    with pytest.raises(UnknownNameError, match="gamma"):
        found.difference("gamma", "dense", "moe")
    for name in ("alpha", "E"):
        with pytest.raises(RequestError, match=f"{name} is the same in all groups"):
            found.equal(name)
    with pytest.raises(RequestError, match="15 draws are too few"):
        found.equal("A", "B")
    with pytest.raises(RequestError, match="no parameter to test"):
        found.equal()


WRONG: dict[str, tuple[dict[str, Any], type[IsolossError], str]] = {
    "unknown held": ({"hold": {"Q": 1.0}}, UnknownNameError, "no parameter of the law 'chinchilla' 'Q'"),
    "unknown tied": ({"tie": "alpha,gamma"}, UnknownNameError, "gamma"),
    "unknown shared": ({"by": "arch", "share": "gamma"}, UnknownNameError, "gamma"),
    "unknown believed": ({"prior": {"gamma": (1.0, 1.0)}}, UnknownNameError, "gamma"),
    "unknown setting": ({"holds": {"E": 1.0}}, UnknownNameError, "hold"),
    "held and tied": ({"hold": {"alpha": 0.3}, "tie": "alpha,beta"}, RequestError, "alpha is held at 0.3"),
    "held and believed": ({"hold": {"E": 1}, "prior": {"E": (1, 1)}}, RequestError, "E is held at 1"),
    "tied to itself": ({"tie": "alpha"}, RequestError, "ties nothing"),
    "tied twice": ({"tie": [("alpha", "beta"), ("beta", "E")]}, RequestError, "tied twice"),
    "tied kinds": ({"tie": "alpha,A"}, RequestError, "of different kinds"),
    "share without by": ({"share": "E"}, RequestError, "there are no groups"),
    "all held": ({"hold": CHINCHILLA}, RequestError, "Every parameter of the law 'chinchilla' is held"),
    "beyond the range": ({"hold": {"alpha": 20.0}}, RequestError, "alpha cannot be held at 20"),
    "held at nan": ({"hold": {"alpha": float("nan")}}, RequestError, "alpha cannot be held"),
    "held at a word": ({"hold": {"alpha": "much"}}, RequestError, "hold of alpha: 'much' is not a number"),
    "held nothing": ({"hold": "E=1.7"}, RequestError, "names no parameter"),
    "prior of no width": ({"prior": {"alpha": (0.3, 0.0)}}, RequestError, "positive width"),
    "prior of one number": ({"prior": {"alpha": 0.3}}, RequestError, "not a mean and a standard deviation"),
    "prior below zero": ({"prior": {"A": (-1.0, 1.0)}}, RequestError, "A is a scale"),
    "one group": ({"by": "same"}, RequestError, "All 40 runs have the same same, 'x'"),
    "no such column": ({"by": "architecture"}, ColumnError, "no column 'architecture'"),
    "small group": ({"by": "tiny"}, DesignError, "3 runs cannot fit 5 parameters"),
    "uncertainty": ({"uncertainty": "bayes"}, RequestError, "no uncertainty 'bayes'"),
    "uncertainty unused": ({"uncertainty": "bayes", "draws": 0}, RequestError, "no uncertainty 'bayes'"),
    "no clusters": ({"uncertainty": "cluster"}, RequestError, "No column says which rows belong together"),
    "no strata": ({"uncertainty": "stratified"}, RequestError, "No column says which stratum"),
}


@pytest.mark.parametrize("what", WRONG)
def test_contradictions_are_refused_before_any_work(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("work was done before the check")

    settings, error, says = WRONG[what]
    monkeypatch.setattr("isoloss.fitting.posing.solve", never)
    runs = two_groups(20).with_columns(same="x", tiny=np.repeat(["few", "many"], [3, 37]))
    with pytest.raises(error) as caught:
        fit(runs, **settings)
    assert says in str(caught.value)

"""What curvature alone says of uncertainty where priors are believed and runs have no weight."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from simulate import sweep

from isoloss.core.errors import MissingExtraError
from isoloss.core.runs import Runs
from isoloss.fitting import fit, posing, spread
from isoloss.fitting.settings import Settings


@pytest.mark.parametrize("objective", ["squared_log", "huber_log"])
def test_a_prior_that_decides_alone_is_as_uncertain_as_it_says(objective: str) -> None:
    """At one size alone nothing tells alpha, so that its deviation is the prior's own."""
    runs = sweep(60, noise=0.003).with_columns(params=1e8)
    how = Settings.read({"objective": objective, "hold": {"A": 480.0}, "prior": {"alpha": (0.35, 1e-4)}})
    found = posing.solved(runs.with_columns(params=np.geomspace(1e8, 1.01e8, 60)), "chinchilla", how)
    j = found.problem.names.index("alpha")
    for cov_pp in (
        spread.covariance(found.problem, found.u_p),
        spread.sandwich(found.problem, found.u_p, np.arange(60)),
    ):
        assert np.sqrt(cov_pp[j, j]) == pytest.approx(1e-4, rel=0.1)


@pytest.mark.parametrize("objective", ["squared_log", "huber_log"])
def test_runs_without_weight_are_as_if_they_were_not_there(objective: str) -> None:
    runs = sweep(60, noise=0.003)
    spoilt = runs + runs.with_columns(loss=2 * runs["loss"])
    how = {"objective": objective, "weights": np.repeat([1.0, 0.0], 60)}
    all_of_them = posing.solved(spoilt, "chinchilla", Settings.read(how))
    alone = posing.solved(runs, "chinchilla", Settings.read({"objective": objective}))
    # Weights have a mean of 1, so that those that count are 2: the objective is worth twice as much.
    double = spread.worth(all_of_them.problem, all_of_them.u_p), spread.worth(alone.problem, alone.u_p)
    assert double[0] == pytest.approx(2 * double[1], rel=1e-6)
    np.testing.assert_allclose(
        spread.covariance(all_of_them.problem, all_of_them.u_p),
        spread.covariance(alone.problem, alone.u_p),
        rtol=1e-5,
    )


def test_a_package_that_is_missing_is_missed_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object) -> None:
        raise AssertionError("work was done")

    monkeypatch.setitem(sys.modules, "emcee", None)
    monkeypatch.setattr(posing, "solve", work)
    with pytest.raises(MissingExtraError, match=r"isoloss\[bayes\]"):
        fit(sweep(40), draws=10, uncertainty="mcmc")


def test_weights_by_scale_learn_from_the_residuals_that_the_objective_compares() -> None:
    """Plain scatter that is the same everywhere needs no weights, however much the output itself falls."""
    smooth = sweep(400, 0.0, theta={"E": 0.05, "A": 2000.0, "B": 9000.0, "alpha": 0.348, "beta": 0.366})
    loss_n = smooth["loss"] + 0.003 * np.random.default_rng(2).standard_normal(400)
    runs = Runs({**{c: smooth[c] for c in ("params", "tokens")}, "loss": loss_n})
    how = Settings.read({"objective": "squared", "weights": "scale"})
    weight_n = posing.solved(runs, "chinchilla", how).problem.weight_n
    assert weight_n is not None and weight_n.max() / weight_n.min() < 1.5

"""What fit() refuses, before any work, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
from simulate import ray, sweep

from isoloss.core.errors import CellError, ColumnError, DesignError, RequestError, UnknownNameError
from isoloss.core.runs import Runs
from isoloss.fitting import fit


def test_one_run() -> None:
    with pytest.raises(DesignError, match="One run cannot fit 5 parameters") as caught:
        fit(sweep(1))
    assert "Give 6 runs" in str(caught.value)


def test_no_more_runs_than_parameters() -> None:
    with pytest.raises(DesignError, match="5 runs cannot fit 5 parameters"):
        fit(sweep(5))


def test_repeats_are_not_new_points() -> None:
    runs = sweep(3)
    with pytest.raises(DesignError, match="only 3 different points of params, tokens") as caught:
        fit(runs + runs + runs)
    assert "2 or more new points" in str(caught.value)


def test_an_input_that_never_varies() -> None:
    with pytest.raises(DesignError, match="All 60 runs have the same params, 100M") as caught:
        fit(sweep(60).with_columns(params=1e8))
    assert "25M and 400M" in str(caught.value)


@pytest.mark.parametrize("objective", ["huber_log", "squared_log"])
def test_an_output_without_a_logarithm(objective: str) -> None:
    runs = sweep(60)
    loss_n = runs["loss"].copy()
    loss_n[7] = 0.0
    with pytest.raises(DesignError, match="loss is 0 in run 8") as caught:
        fit(runs.with_columns(loss=loss_n), objective=objective)
    assert 'objective="squared"' in str(caught.value)


def test_an_output_of_zero_is_fine_for_plain_squares() -> None:
    runs = sweep(60)
    loss_n = runs["loss"].copy()
    loss_n[7] = 0.0
    found = fit(runs.with_columns(loss=loss_n), objective="squared", draws=0)
    assert np.isfinite(found.scatter)


def test_an_unbound_input_says_how_to_bind_it() -> None:
    with pytest.raises(DesignError, match="does not say which column its input x is") as caught:
        fit(sweep(60), law="power")
    assert 'inputs={"x": "tokens"}' in str(caught.value)


@pytest.mark.parametrize("draws", [-1, 2.5, True, "100"])
def test_draws_that_are_no_number_of_draws(draws: object) -> None:
    with pytest.raises(RequestError, match="draws="):
        fit(sweep(60), draws=draws)  # type: ignore[arg-type]


def test_a_negative_seed() -> None:
    with pytest.raises(RequestError, match="seed=-1"):
        fit(sweep(60), seed=-1)


def test_unknown_names_offer_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="huber_log"):
        fit(sweep(60), objective="huber_lag")
    with pytest.raises(UnknownNameError, match="chinchilla"):
        fit(sweep(60), law="chinchila")
    with pytest.raises(UnknownNameError, match="tokens"):
        fit(sweep(60), law="power", inputs={"x": "token"})


def test_a_missing_column_and_a_missing_number() -> None:
    runs = sweep(60)
    with pytest.raises(ColumnError, match="no column 'body_params'"):
        fit(runs, law="kaplan")
    gap = runs["loss"].copy()
    gap[3] = np.nan
    with pytest.raises(CellError, match="no number in 1 of 60 runs: row 4"):
        fit(runs.with_columns(loss=gap))


def test_nothing_is_refused_late(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("work was done before the check")

    monkeypatch.setattr("isoloss.fitting.posing.solve", never)
    one = Runs({name: np.ones(1) for name in ("params", "tokens", "loss")})
    for runs in (sweep(4), sweep(60).with_columns(tokens=1e9), one):
        with pytest.raises(DesignError):
            fit(runs)
    with pytest.raises(RequestError):
        fit(ray(), draws=-5)


def groups_of(few: int, many: int) -> Runs:
    return sweep(few).with_columns(arch="few") + sweep(many, seed=1).with_columns(arch="many")


def test_a_group_needs_runs_for_its_own_parameters_alone() -> None:
    shared = "E,A,alpha,beta"
    found = fit(groups_of(2, 30), by="arch", share=shared, draws=0)
    assert found["few"].theta["E"] == found["many"].theta["E"]
    with pytest.raises(DesignError, match="2 runs cannot fit 5 parameters"):
        fit(groups_of(2, 30), by="arch", draws=0)
    with pytest.raises(DesignError, match="5 runs cannot fit 6 parameters"):
        fit(groups_of(2, 3), by="arch", share=shared, draws=0)


def test_a_group_of_one_size_is_fine_where_what_tells_sizes_is_shared() -> None:
    one_size = sweep(20).with_columns(arch="few", params=1e8)
    runs = one_size + sweep(30, seed=1).with_columns(arch="many")
    assert fit(runs, by="arch", share="A,alpha", draws=0)["few"].status == "converged"
    with pytest.raises(DesignError, match="All 20 runs have the same params"):
        fit(runs, by="arch", share="alpha", draws=0)


def test_an_input_that_never_varies_is_fine_where_its_parameters_are_held() -> None:
    level = sweep(40).with_columns(params=1e8)
    assert fit(level, hold={"A": 482.0, "alpha": 0.348}, draws=0).status == "converged"
    with pytest.raises(DesignError, match="hold the parameters that belong to it"):
        fit(level, hold={"alpha": 0.348}, draws=0)


def test_a_law_whose_output_and_input_are_one_column() -> None:
    runs = sweep(40).with_columns(experts=np.resize([2.0, 4.0, 8.0], 40))
    with pytest.raises(DesignError, match="output and its input N from one column, dense_params") as caught:
        fit(runs, "effective_params", draws=0)
    assert 'inputs={"y"' in str(caught.value)

"""A fitted floor against its truth: the entropy of a chain, which is exactly known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isoloss as il
from isoloss.core.runs import Runs
from isoloss.lab import known_entropy, load_ladder, train
from isoloss.lab.corpora import markov

EXAMPLE = Path(__file__).parents[1] / "examples" / "ladder-known-entropy.toml"


def floor(runs: Runs) -> tuple[float, float, float]:
    """The fitted floor and the ends of its 90% interval, from losses against tokens."""
    fit = il.fit(runs, law="power_floor", inputs={"x": "tokens"})
    assert fit.status == "converged"
    place = fit.law.names.index("E")
    low, high = np.quantile(fit.draws_sp[:, place], [0.05, 0.95])
    return float(fit.theta_p[place]), float(low), float(high)


def test_the_floor_of_a_learner_that_counts_is_the_entropy() -> None:
    """It counts what follows each letter; its loss is the exact one of its guesses, not that on a sample."""
    truth_cv, share_c = markov.transitions(1), markov.stationary(1)
    losses = []
    horizons = np.geomspace(2000, 128_000, 7).astype(int)
    for seed in range(3):
        stream = np.random.RandomState(seed)
        for tokens in horizons:
            from_c = stream.multinomial(tokens, share_c)
            count_cv = np.array([stream.multinomial(n, row) for n, row in zip(from_c, truth_cv, strict=True)]) + 0.5
            guess_cv = count_cv / count_cv.sum(axis=1, keepdims=True)
            losses.append(-float(share_c @ np.sum(truth_cv * np.log(guess_cv), axis=1)))
    runs = Runs({"tokens": np.tile(horizons, 3).astype(float), "loss": np.array(losses)})
    best, low, high = floor(runs)
    exact, _ = known_entropy("markov-1")
    assert low < exact < high and high - low < 0.005, (exact, best, low, high)
    assert min(losses) - exact > 3 * abs(best - exact), "the floor is far below the lowest loss seen, and right"


def test_the_example_asks_for_runs_whose_floor_is_known() -> None:
    specs = load_ladder(EXAMPLE)
    assert {spec.corpus for spec in specs} == {"markov-1"} and {spec.to_json()["shape"]["vocab"] for spec in specs} == {
        17
    }
    exact, error = known_entropy("markov-1", specs[0].shape.context)
    assert error == 0 and f"{exact:.6f}" in EXAMPLE.read_text(), "the file says the truth"
    assert sum(spec.flops for spec in specs) < 5e11, "a minute on one core"


@pytest.mark.slow
def test_the_floor_of_trained_models_is_the_entropy(tmp_path: Path) -> None:
    """A minute of training on one core. The validation set's own share of the truth is 0.0005 above it."""
    runs = train(EXAMPLE, out=tmp_path)
    best, low, high = floor(runs)
    exact, _ = known_entropy("markov-1", 128)
    assert low < exact < high, (exact, best, low, high)
    assert high - low < 0.03 and abs(best - exact) < 0.01, (exact, best, low, high)
    assert min(runs["loss"]) > exact

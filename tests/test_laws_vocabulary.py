"""Laws of the vocabulary, of shape, of parallel streams and of distillation."""

import csv
from pathlib import Path

import numpy as np
import pytest
from law_values import value

from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.published import published

RUNS = Path(__file__).resolve().parents[2] / "shared" / "data" / "parscale" / "tidy.csv"
VOCABULARIES = RUNS.parents[1] / "vocab_scaling" / "tidy.csv"
COMPARED = ("vocabulary", "vocabulary_coupled")
N, D = np.logspace(8, 10, 5), 2e10


def vocabularies(split: str) -> Runs:
    names = {
        "nonvocab_params": "N_nonvocab",
        "vocab_params": "N_vocab",
        "vocab": "vocab_size",
        "tokens": "D_characters",
        "unigram_loss": "loss",
    }
    with VOCABULARIES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return Runs({name: np.array([float(row[column]) for row in rows]) for name, column in names.items()}, split)


def explained(found: Fit, test: Runs) -> float:
    missed = np.asarray(found.predict(test).mid) - test["unigram_loss"]
    return 1 - float(np.mean(missed**2) / np.var(test["unigram_loss"]))


class TestVocabulary:
    def test_growth_with_the_other_parameters(self) -> None:
        """G71: gamma is 0.83 (Tao et al. 2024)."""
        gamma = published("tao2024_vocab_a1").theta["a"] / published("tao2024_vocab_a1_body").theta["a"]
        assert gamma == pytest.approx(0.833, rel=1e-3)
        assert published("tao2024_vocab_a2").theta["a"] == pytest.approx(gamma, rel=0.01)

    def test_second_approach_starts_where_it_was_measured(self) -> None:
        assert published("tao2024_vocab_a2").predict(nonvocab_params=33e6).mid[0] == pytest.approx(3145728, rel=1e-12)

    def test_fixed_vocabulary_is_chinchilla_below_zero(self) -> None:
        t = {"A_1": 800.0, "alpha_1": 0.45, "A_2": 2000.0, "alpha_2": 0.67, "B": 2e4, "beta": 0.45}
        fixed = value("vocabulary", [N, 1e8, D], E=5.5, **t)
        above = value("chinchilla", [N, D], E=2000 * 1e8**-0.67, A=800.0, alpha=0.45, B=2e4, beta=0.45)
        np.testing.assert_allclose(fixed, above - 5.5, rtol=1e-13)

    def test_best_vocabulary_without_offset_or_coupling_is_chinchilla_below_zero(self) -> None:
        t = {"A": 800.0, "alpha": 0.45, "B": 2e4, "beta": 0.45}
        free = {"kappa": 0.0, "lambda_": 0.0, "D_0": 0.0}
        coupled = value("vocabulary_coupled", [N, 4e4, D], E=5.5, h=0.02, V_0=4e4, **t, **free)
        np.testing.assert_allclose(coupled, value("chinchilla", [N, D], E=0.0, **t) - 5.5, rtol=1e-13)

    @pytest.mark.skipif(not VOCABULARIES.exists(), reason="needs the runs of Tao et al. 2024")
    def test_a_larger_vocabulary_than_any_seen(self) -> None:
        """The nine vocabularies up to 64,512 tell the losses with 96,256; the sum of three powers does not."""
        train, test = (vocabularies(split) for split in ("train", "test"))
        assert train["vocab"].max() < test["vocab"].min()
        r2 = {name: explained(fit(train, name, objective="squared", draws=0), test) for name in COMPARED}
        assert r2["vocabulary_coupled"] > 0.987 and r2["vocabulary"] < 0.94

    def test_best_vocabulary_of_a_7B_model(self) -> None:
        """The released code gives 59,547 for 7B other parameters of width 4096 at 7.05e21 FLOP."""
        fit, N_v = published("tao2024_vocab_a3"), np.linspace(1e8, 4e8, 30001)
        made = fit.predict(nonvocab_params=np.full(30001, 7e9), vocab_params=N_v, tokens=7.05e21 / 6 / (7e9 + N_v)).mid
        assert N_v[np.argmin(made)] / 4096 == pytest.approx(59547, rel=1e-3)

    def test_constants_in_millions_and_billions_come_out_in_base_units(self) -> None:
        fit = published("tao2024_vocab_a3")
        assert fit.theta["A_1"] == pytest.approx(1.8313851559554126 * 1e6**0.44660634152009615, rel=1e-13)
        assert fit.theta["B"] == pytest.approx(2.1241123120064955 * 1e9**0.44660634152009615, rel=1e-13)


class TestShape:
    def test_fixed_depth_is_chinchilla_in_width(self) -> None:
        t = {"E": 1.5, "A": 30.0, "alpha": 0.6, "B": 2.0, "beta": 0.9, "C": 400.0, "gamma": 0.3}
        w = np.array([256.0, 1024.0, 4096.0])
        np.testing.assert_allclose(
            value("width_depth", [w, 24.0, D], **t),
            value("chinchilla", [w, D], E=1.5 + 2 * 24**-0.9, A=30.0, alpha=0.6, B=400.0, beta=0.3),
            rtol=1e-13,
        )
        np.testing.assert_allclose(
            value("width_depth_params", [w, 24.0, 1e9, D], F=0.0, phi=0.3, **t),
            value("width_depth", [w, 24.0, D], **t),
            rtol=1e-14,
        )

    def test_without_shape_is_chinchilla(self) -> None:
        none = {"A": 0.0, "alpha": 0.6, "B": 0.0, "beta": 0.9}
        t = {"E": 1.5, "F": 400.0, "phi": 0.34, "C": 410.0, "gamma": 0.28, **none}
        np.testing.assert_allclose(
            value("width_depth_params", [512.0, 8.0, N, D], **t),
            value("chinchilla", [N, D], E=1.5, A=400.0, alpha=0.34, B=410.0, beta=0.28),
            rtol=1e-13,
        )

    def test_first_token_and_last(self) -> None:
        ends = value("position", [np.array([1e-12, 1e12])], a_0=3.0, a_1=0.1, a_2=2.0)
        np.testing.assert_allclose(ends, [5.0, 2.0], rtol=1e-9)


class TestStreams:
    def test_one_stream_is_a_power_law(self) -> None:
        t = published("parscale2025_pile").theta
        one = value("parallel_streams", [N, 1.0], **t)
        np.testing.assert_allclose(
            one, value("scaled_power_floor", [N], E=t["E"], x_c=t["A"], alpha=t["alpha"]), rtol=1e-13
        )
        eight = value("parallel_streams", [N, 8.0], **t)
        np.testing.assert_allclose(
            eight, value("parallel_streams", [N * (t["k"] * np.log(8) + 1), 1.0], **t), rtol=1e-13
        )

    @pytest.mark.skipif(not RUNS.exists(), reason="the runs are not on this machine")
    @pytest.mark.parametrize(("group", "r2"), [("pile", 0.9987), ("stack", 0.9978)])
    def test_runs_of_the_authors(self, group: str, r2: float) -> None:
        rows = [r for r in csv.DictReader(RUNS.read_text().splitlines()) if r["group"] == group]
        size, streams, loss = (np.array([float(r[c]) for r in rows]) for c in ("N_nonembed", "parallel", "loss"))
        made = published(f"parscale2025_{group}").predict(body_params=size, streams=streams).mid
        assert 1 - ((made - loss) ** 2).sum() / ((loss - loss.mean()) ** 2).sum() == pytest.approx(r2, abs=1e-4)


class TestDistillation:
    THETA = published("busbridge2025_distill").theta

    def test_endless_student_reaches_its_teacher(self) -> None:
        assert value("distilled", [2.2, 2.5, 1e40, 1e40], **self.THETA) == pytest.approx(2.2, abs=1e-6)

    def test_weak_teacher_adds_the_outer_law(self) -> None:
        t = self.THETA
        far = value("distilled", [0.5, 2.5, N, D], **t)
        own = value("outer", [N, D], E=0.0, A=t["A"], B=t["B"], alpha=t["alpha"], beta=t["beta"], k=t["gamma"])
        np.testing.assert_allclose(far, 0.5 + 0.5 ** -t["c_0"] * own, rtol=1e-5)

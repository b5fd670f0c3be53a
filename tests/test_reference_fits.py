"""fit() from its defaults on the tables of published studies: their optimum or a lower one, their constants."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from isoloss.core.fit import Fit
from isoloss.core.formula import Formula
from isoloss.core.law import Law, find
from isoloss.core.runs import Runs
from isoloss.fitting import fit
from isoloss.fitting.objectives import find as find_objective
from isoloss.published import published

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Row = dict[str, str]


@cache
def every_row(table: str) -> tuple[Row, ...]:
    path = DATA / table
    if not path.exists():
        pytest.skip(f"{table} is not here")
    return tuple(csv.DictReader(path.read_text().splitlines()))


def rows(table: str, keep: Callable[[Row], bool] = lambda _: True) -> list[Row]:
    return [row for row in every_row(table) if keep(row)]


def runs(table: Iterable[Row], **columns: str) -> Runs:
    table = list(table)
    return Runs({new: np.array([float(row[old]) for row in table]) for new, old in columns.items()}, source="tidy.csv")


def predicted(law: Law, table: Runs, theta_p: np.ndarray) -> np.ndarray:
    return law.value(np.array([table[c] for c in law.columns]), theta_p)


def r2(found: Fit, *tables: Runs) -> float:
    measured = np.concatenate([t[found.law.output.name] for t in tables])
    made = np.concatenate([predicted(found.law, t, found.theta_p) for t in tables])
    return float(1 - ((measured - made) ** 2).mean() / measured.var())


def objective_at(law: Law, table: Runs, theta: Mapping[str, float], name: str) -> float:
    objective = find_objective(name)
    made, measured = predicted(law, table, law.theta(theta)), table[law.output.name]
    return float(objective.terms(np.log(made / measured) if objective.log else made - measured)[0].sum())


def holding(law: Law, **held: float) -> Law:
    """The same law with some parameters at fixed values."""

    def formula(*x: object, **theta: object) -> object:
        return law.formula.function(*x, **held, **theta)

    free = tuple(p for p in law.parameters if p.name not in held)
    made = Formula(formula, law.formula.inputs, tuple(p.name for p in free), law.formula.signed)
    return replace(law, parameters=free, formula=made)


class TestDatablations:
    """Muennighoff et al. 2023: 182 runs, sum-Huber 0.01582594, R2 0.772205 in the authors' notebook."""

    @staticmethod
    def table() -> Runs:
        names = {"params": "N", "tokens": "D", "unique_tokens": "unique_tokens", "loss": "loss"}
        return runs(rows("datablations/tidy.csv"), **names)

    def test_the_published_law_has_its_printed_objective_and_values(self) -> None:
        law, theta = find("data_constrained"), published("muennighoff2023").theta
        assert objective_at(law, self.table(), theta, "huber_log") == pytest.approx(0.01582594, abs=1e-6)
        x = np.array([[6.34e9, 8.67e9], [242e9, 178e9], [25e9, 25e9]])
        np.testing.assert_allclose(law.value(x, law.theta(theta)), [2.2256440889984477, 2.2269634075087867], rtol=1e-9)

    def test_worth_of_repeats_alone_reaches_below_the_published_optimum(self) -> None:
        found = fit(self.table(), law="repeated", draws=0)
        assert found.status == "converged"
        assert found.objective[1] == pytest.approx(0.0065658956, rel=1e-6)
        assert r2(found, self.table()) > 0.772205

    def test_two_worths_reach_the_published_objective_where_all_else_is_held(self) -> None:
        theta = published("muennighoff2023").theta
        held = {name: theta[name] for name in ("E", "A", "alpha", "B", "beta")}
        found = fit(self.table(), law=holding(find("data_constrained"), **held), draws=0)
        assert found.objective[1] <= 0.01582594

    @pytest.mark.slow
    def test_own_fit_of_the_whole_law_is_below_the_published_optimum(self) -> None:
        found = fit(self.table(), law="data_constrained", draws=0)
        assert found.objective[1] <= 0.0065713
        assert r2(found, self.table()) > 0.93


class TestRouted:
    """Clark et al. 2022: their released runs; three routers, each with the dense runs at one expert."""

    @pytest.mark.parametrize(("router", "key"), [("S-Base", "sbase"), ("RL-R", "rlr"), ("Hash", "hash")])
    def test_own_fit_is_below_the_printed_constants(self, router: str, key: str) -> None:
        of = rows("routing_moe/tidy.csv", lambda r: r["in_paper_fit"] == "True" and r["group"] in (router, "Dense"))
        table = runs(of, dense_params="N_dense", experts="experts", loss="loss")
        theta = published(f"clark2022_{key}").theta
        found = fit(table, law="routed", objective="squared_log", draws=0)
        assert found.status == "converged"
        assert found.objective[1] < objective_at(find("routed"), table, theta, "squared_log")
        assert r2(found, table) > 0.995
        for name, tolerance in {"a": 0.002, "b": 0.011, "c": 0.001, "d": 0.011}.items():
            assert found.theta[name] == pytest.approx(theta[name], abs=tolerance), name
        assert found.theta["E_start"] == pytest.approx(theta["E_start"], rel=0.15)

    @pytest.mark.parametrize(
        ("law", "inputs", "objective", "least"),
        [
            ("routed", {}, "squared_log", 0.703),
            ("multiplicative", {"x": "dense_params", "D_f": "experts"}, "huber_log", 0.773),
        ],
    )
    def test_larger_models_are_predicted(self, law: str, inputs: dict[str, str], objective: str, least: float) -> None:
        """SLDBench: R2 0.703 for the paper's law, 0.773 for the best automatic search."""
        train, test = (self.sld_table(split) for split in ("train", "test"))
        assert r2(fit(train, law=law, inputs=inputs, objective=objective, draws=0), test) >= least

    def sld_table(self, split: str) -> Runs:
        names = {"dense_params": "dense_parameter_count", "experts": "num_experts", "loss": "loss_validation"}
        return runs(rows("sldbench/moe.csv", lambda r: r["split"] == split), **names)


class TestVocabulary:
    """Tao et al. 2024: 1200 checkpoints; data counted in tokens, that is FLOP over 6 N."""

    @staticmethod
    def table(split: str = "") -> Runs:
        names = {"nonvocab_params": "N_nonvocab", "vocab_params": "N_vocab", "flops": "C", "unigram_loss": "loss"}
        found = runs(rows("vocab_scaling/tidy.csv", lambda r: split in ("", r["split"])), **names)
        return found.with_columns(params=found["nonvocab_params"] + found["vocab_params"])

    def test_a_vocabulary_left_out_is_predicted(self) -> None:
        """SLDBench: R2 0.966 for the paper's law."""
        found = fit(self.table("train"), law="vocabulary", objective="squared", draws=0)
        assert "tokens = training FLOP / 6 N" in found.assumptions
        assert r2(found, self.table("test").complete(["tokens"])) >= 0.966

    def test_own_fit_is_below_the_printed_constants(self) -> None:
        table, law = self.table().complete(["tokens"]), find("vocabulary")
        printed = objective_at(law, table, published("tao2024_vocab_a3").theta, "squared")
        assert fit(table, law=law, objective="squared", draws=0).objective[1] < printed


class TestParallelStreams:
    """Chen et al. 2025: the authors' objective on 24 runs a corpus."""

    @staticmethod
    def table(group: str, split: str = "") -> Runs:
        names = {"body_params": "N_nonembed", "streams": "parallel", "loss": "loss"}
        return runs(rows("parscale/tidy.csv", lambda r: r["group"] == group and split in ("", r["split"])), **names)

    @pytest.mark.parametrize(
        ("group", "reached", "explained"), [("pile", 1.814e-5, 0.9986), ("stack", 3.677e-5, 0.9978)]
    )
    def test_the_authors_optimum_is_reached(self, group: str, reached: float, explained: float) -> None:
        found = fit(self.table(group), law="parallel_streams", draws=0)
        assert found.status == "converged"
        assert found.objective[1] <= reached * 1.001
        assert r2(found, self.table(group)) > explained
        for name, value in published(f"parscale2025_{group}").theta.items():
            assert found.theta[name] == pytest.approx(value, rel=2e-3), name

    def test_eight_streams_are_predicted_from_up_to_four(self) -> None:
        made, measured = [], []
        for group in ("pile", "stack"):
            found, left = fit(self.table(group, "train"), law="parallel_streams", draws=0), self.table(group, "test")
            made.append(predicted(found.law, left, found.theta_p))
            measured.append(left["loss"])
        error = np.concatenate(made) - np.concatenate(measured)
        assert 1 - (error**2).mean() / np.concatenate(measured).var() >= 0.999


class TestOuterExponent:
    """Beck et al. 2025: Llama runs on 8192 tokens of context, sum-Huber with and without an exponent gamma."""

    @staticmethod
    def selected(row: Row) -> bool:
        if row["group"] != "isoflop_llama_ctx8192" or not row["loss"]:
            return False
        loss, flops, params = (float(row[name]) for name in ("loss", "C", "N"))
        spiked = 2.75e19 < flops < 4.5e19 and loss > 3.0 and params == 406635520.0
        return loss < 3.5 and not spiked and not (0.9e20 < flops < 1.4e20 and loss > 3.2)

    @pytest.mark.parametrize("most_per_param", [100, 300, 5000])
    def test_both_published_optima_are_reached(self, most_per_param: int) -> None:
        chosen = rows("xlstm_isoflop/tidy.csv", self.selected)
        chosen = [r for r in chosen if float(r["D"]) / float(r["N"]) <= most_per_param]
        table = runs(chosen, params="N", tokens="D", loss="loss")
        for law, gamma in (("chinchilla", "False"), ("outer", "True"), ("nested", "True")):
            end = f"fitgamma-{gamma}"
            (printed,) = rows(
                "xlstm_isoflop/reference_parametric_fits_best.csv",
                lambda r, end=end: (
                    r["fit"].endswith(end)
                    and (r["model_type"], r["experiment_set"]) == ("llama", "isoflop")
                    and r["token_param_range"] == f"0-{most_per_param}"
                ),
            )
            found = fit(table, law=law, draws=0)
            assert found.status == "converged"
            assert found.objective[1] <= float(printed["optim_results|loss"]) * (1 + 1e-6)
            if law == "outer":
                assert found.theta["k"] == pytest.approx(float(printed["optim_params|gamma"]), abs=1e-3)


class TestClip:
    """Cherti et al. 2022: a line through the lowest error of each of five bins of log compute."""

    @staticmethod
    def table(group: str, keep: Callable[[str], bool]) -> Runs:
        of = rows("openclip_laion/tidy.csv", lambda r: r["group"] == group and keep(r["upstream_dataset"]))
        return runs(of, macs="C_gmacs_total", error="loss")

    @staticmethod
    def lowest(table: Runs, bins: int = 5) -> Runs:
        x, y = np.log10(table["macs"]), table["error"]
        edges = np.linspace(x.min(), x.max() + 0.1, bins + 1)
        where = np.digitize(x, edges)
        centres = 10 ** ((edges[:-1] + edges[1:]) / 2)
        return Runs({"macs": centres, "error": np.array([y[where == i + 1].min() for i in range(bins)])}, source="bins")

    @pytest.mark.parametrize("group", ["imagenet1k", "imagenet_robustness", "mscoco_captions", "flickr30k"])
    def test_published_exponents(self, group: str) -> None:
        (printed,) = rows("openclip_laion/reference_powerlaws_recomputed.csv", lambda r: r["target"] == group)
        laion = self.lowest(self.table(group, lambda data: data != "CLIP-WIT"))
        found = fit(laion, law="power_rule", inputs={"x": "macs", "y": "error"}, objective="squared_log", draws=0)
        assert found.status == "converged"
        assert found.theta["p"] == pytest.approx(float(printed["openclip_alpha"]), abs=1e-6)
        assert found.theta["k"] == pytest.approx(float(printed["openclip_coef"]), rel=1e-5)

    @pytest.mark.parametrize("group", ["imagenet1k", "imagenet_robustness", "mscoco_captions", "flickr30k"])
    def test_published_exponents_of_three_models(self, group: str) -> None:
        (printed,) = rows("openclip_laion/reference_powerlaws_recomputed.csv", lambda r: r["target"] == group)
        table = self.table(group, lambda data: data == "CLIP-WIT")
        found = fit(table, law="power_rule", inputs={"x": "macs", "y": "error"}, objective="squared_log", draws=0)
        assert found.theta["p"] == pytest.approx(float(printed["clip_alpha"]), abs=1e-6)


class TestLlama3:
    """Czech et al. 2026: the surface through the 133 digitised points, in loss and in log loss."""

    @pytest.mark.parametrize(
        ("objective", "expected"),
        [
            ("squared", {"E": 0.6047, "A": 59.1, "B": 155.1, "alpha": 0.3100, "beta": 0.3136}),
            ("squared_log", {"E": 0.6021, "A": 56.2, "B": 147.3, "alpha": 0.3068, "beta": 0.3110}),
        ],
    )
    def test_published_surface(self, objective: str, expected: dict[str, float]) -> None:
        table = runs(rows("llama3_isoflop/tidy.csv"), params="N", tokens="D", loss="loss")
        found = fit(table, law="chinchilla", objective=objective, draws=0)
        assert found.status == "converged"
        for name, value in expected.items():
            assert found.theta[name] == pytest.approx(value, rel=1e-3), name


class TestMisfitting:
    """Li et al. 2025: 261 runs, sum-Huber 0.005021654; 0.005243706 with one exponent for both."""

    @staticmethod
    def table() -> Runs:
        return runs(rows("misfitting/tidy.csv"), params="N", tokens="D", loss="loss")

    def test_published_optimum(self) -> None:
        found = fit(self.table(), law="chinchilla", draws=0)
        assert found.status == "converged"
        assert found.objective[1] <= 0.005021654212110655 * (1 + 1e-6)
        assert np.log(found.theta["E"]) == pytest.approx(0.5921, abs=1e-3)
        assert found.theta["alpha"] == pytest.approx(0.2002, abs=1e-3)
        assert found.theta["beta"] == pytest.approx(0.6357, abs=1e-3)

    def test_published_optimum_with_tied_exponents(self) -> None:
        """`overtraining` is Chinchilla's law with both exponents 2 eta, in C = 6 N D and D / N."""
        table = self.table()
        table = table.with_columns(tokens_per_param=table["tokens"] / table["params"])
        found = fit(table, law="overtraining", draws=0)
        assert found.status == "converged"
        assert found.objective[1] <= 0.005243705787850444 * (1 + 1e-6)
        assert 2 * found.theta["eta"] == pytest.approx(0.6034, abs=1e-3)

    def test_ties_reach_the_same_optimum(self) -> None:
        found = fit(self.table(), law="chinchilla", tie=("alpha", "beta"), draws=0)
        assert found.status == "converged"
        assert found.objective[1] <= 0.005243705787850444 * (1 + 1e-6)
        assert found.theta["alpha"] == found.theta["beta"] == pytest.approx(0.6034, abs=1e-3)

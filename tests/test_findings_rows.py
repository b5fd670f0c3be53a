"""Findings about rows and columns: what people call them, what must not be accused, and what real tables have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoloss as il
from examples.findings._sweeps import grid, loss, ray, sweep
from examples.findings.b3 import BUDGETS, _budgets
from isoloss.checking import labels
from isoloss.checking.case import Case
from isoloss.checking.checklist import checklist
from isoloss.checking.diagnosis import every
from isoloss.core.checkup import Verdict
from isoloss.core.finding import Finding
from isoloss.core.law import find
from isoloss.loaders.columns import understand

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
QUICK = ("A2", "A3", "A4", "A5", "A6", "D2", "E1", "R1", "R2", "R4", "R6")


def verdict(code: str, runs: il.Runs, law: str = "chinchilla", **settings: Any) -> Verdict:
    return il.check(runs, law, only=[code], draws=0, **settings)[code]


def accused(code: str, runs: il.Runs, law: str = "chinchilla", **settings: Any) -> Sequence[Finding]:
    return [f for f in verdict(code, runs, law, **settings).findings if f.severity != "note"]


def test_a_name_is_about_one_thing_and_no_quantity() -> None:
    names = [name for told in labels.NAMES.values() for name in told.split()]
    assert len(names) == len(set(names))
    taken = {name for name in names if understand(name)}
    assert taken <= {"total_steps", "param_count"}


def test_a_label_counts_in_any_case_and_with_any_separators() -> None:
    runs = grid(**{"LR Scheduler": "Cosine", "Warmup-Ratio": 0.3})
    assert labels.columns(runs, "schedule", "warmup_share") == ["LR Scheduler", "Warmup-Ratio"]
    assert labels.distinct(runs, "LR Scheduler") == ["cosine"]


class TestA2:
    @pytest.mark.parametrize("name", ["eval_set", "loss_split", "tokenizer", "loss_unit", "which_loss"])
    def test_a_mixed_column_is_red(self, name: str) -> None:
        mixed: dict[str, Any] = {name: ["one", "other"] * 18}
        (found,) = accused("A2", grid(**mixed))
        assert found.severity == "red"
        assert name in found.sentence and name in found.fix

    def test_train_and_test_are_no_evaluation_sets_but_validation_is(self) -> None:
        assert not accused("A2", grid(split=["train", "test"] * 18))
        assert accused("A2", grid(split=["train", "val"] * 18))

    def test_vocabularies_are_mixed_unless_bytes_are_counted(self) -> None:
        runs = grid(vocab=[32000, 50257] * 18)
        assert "vocabularies" in accused("A2", runs)[0].sentence
        assert not accused("A2", runs.rename(bits_per_byte="loss"), inputs={"y": "bits_per_byte"})

    def test_bits_per_byte_that_contradict_the_loss_are_named(self) -> None:
        runs = grid()
        bits = runs["loss"] / (np.log(2) * 4.2) * np.where(np.arange(36) == 7, 1 / np.log(2), 1)
        (found,) = accused("A2", runs.with_columns(bits_per_byte=bits))
        assert "row 8" in found.sentence and "4.20 bytes a token" in found.sentence

    def test_one_bad_run_is_no_unit(self) -> None:
        runs = grid()
        assert not accused("A2", runs.with_columns(loss=runs["loss"] * np.where(np.arange(36) == 7, 1.44, 1)))


class TestA3:
    def test_a_constant_rate_may_be_read_anywhere(self) -> None:
        assert not accused("A3", grid(schedule="constant", portion=0.5))
        assert accused("A3", grid(schedule="cosine", portion=0.5))
        assert accused("A3", grid(schedule="wsd", portion=0.5))

    def test_progress_follows_from_what_was_planned(self) -> None:
        runs = grid()
        (found,) = accused("A3", runs.with_columns(planned_tokens=np.full(36, 5e10)))
        assert "30 of 36" in found.sentence

    def test_percent_is_a_share(self) -> None:
        assert not accused("A3", grid(progress=100.0))

    def test_rows_of_one_run_without_a_schedule_are_amber(self) -> None:
        runs = grid(schedule="linear").with_columns(run=[f"run-{i % 6}" for i in range(36)])
        assert [f.severity for f in accused("A3", runs)] == ["red"]
        bare = il.Runs({n: c for n, c in runs.columns.items() if n != "schedule"})
        assert [f.severity for f in accused("A3", bare)] == ["amber"]

    def test_rows_as_good_as_finished_runs_are_not_accused(self) -> None:
        params, tokens = np.tile(np.geomspace(1e7, 1e9, 6), 6), np.repeat(np.geomspace(5e8, 5e10, 6), 6)
        both = sweep(np.tile(params, 2), np.tile(tokens, 2), scatter=1e-4)
        told = both.with_columns(portion=np.repeat([0.5, 1.0], 36))
        assert "finished runs" in verdict("A3", told).fine
        worse = told.with_columns(loss=told["loss"] * np.repeat([1.02, 1.0], 36))
        (found,) = accused("A3", worse)
        assert "+2.0%" in found.sentence


class TestA4:
    @pytest.mark.parametrize(
        "columns",
        [
            {"warmup_ratio": 0.3},
            {"warmup": 0.3},
            {"warmup_steps": 300, "steps": 1000.0},
            {"warmup": 300, "steps": 1000.0},
            {"warmup": "long"},
        ],
    )
    def test_a_long_warm_up_is_found_however_it_is_told(self, columns: dict[str, Any]) -> None:
        assert accused("A4", grid(**columns))

    @pytest.mark.parametrize("columns", [{"warmup_ratio": 0.02}, {"warmup": "short"}, {"warmup_steps": 2000}])
    def test_a_short_one_or_one_that_cannot_be_weighed_is_not(self, columns: dict[str, Any]) -> None:
        assert not accused("A4", grid(**columns))

    def test_the_sentence_holds_the_share(self) -> None:
        runs = grid()
        (found,) = accused("A4", runs.with_columns(warmup_tokens=4e8))
        assert found.number == pytest.approx(0.8) and found.severity == "red" and "80%" in found.sentence


class TestA5:
    def test_a_rate_that_is_transferred_suits_all_sizes(self) -> None:
        assert accused("A5", grid(lr=1e-3))
        assert not accused("A5", grid(lr=1e-3, parametrization="muP"))

    def test_a_batch_that_falls_with_the_tokens_of_a_budget_is_right(self) -> None:
        runs = _budgets({flops: np.geomspace(1 / 3, 3.0, 9) for flops in BUDGETS})
        assert not accused("A5", runs.with_columns(batch=runs["tokens"] ** 0.383))
        assert accused("A5", runs.with_columns(batch=1e15 / runs["tokens"]))

    def test_the_best_rate_must_lie_inside_those_tried(self) -> None:
        inside, edge = (self._swept(best) for best in (3e-3, 1e-2))
        (found,) = [f for f in accused("A5", edge) if "rates were tried" in f.sentence]
        assert "0.0333" in found.fix or "0.033" in found.fix
        assert not [f for f in accused("A5", inside) if "rates were tried" in f.sentence]
        (worse,) = [f for f in accused("A5", inside) if "better one" in f.sentence]
        assert worse.number == pytest.approx(2 / 3)

    def test_seeds_are_no_settings(self) -> None:
        runs = grid(lr=1e-3, parametrization="mup")
        assert not accused("A5", runs + runs.with_columns(loss=1.02 * runs["loss"]))

    def _swept(self, best: float) -> il.Runs:
        tried = [grid().with_columns(lr=lr) for lr in (1e-3, 3e-3, 1e-2)]
        worse = [runs["loss"] * (1 + 0.02 * np.log(runs["lr"] / best) ** 2) for runs in tried]
        first, second, third = (runs.with_columns(loss=y) for runs, y in zip(tried, worse, strict=True))
        return first + second + third


class TestA6:
    def test_a_law_of_unique_tokens_may_read_repeated_ones(self) -> None:
        runs = grid(unique_tokens=5e9)
        assert accused("A6", runs)
        assert "reads what is unique" in verdict("A6", runs, "data_constrained").fine

    def test_epochs_do_as_well(self) -> None:
        assert [f.severity for f in accused("A6", grid(epochs=3))] == ["amber"]
        assert [f.severity for f in accused("A6", grid(epochs=5))] == ["red"]


class TestB3:
    def test_a_grid_is_no_isoflop_sweep(self) -> None:
        assert "no isoFLOP sweep" in verdict("B3", grid()).unseen

    def test_no_minimum_at_all_is_red_and_says_where_to_look(self) -> None:
        (found,) = accused("B3", _budgets({flops: np.geomspace(2, 16, 6) for flops in BUDGETS}))
        assert found.severity == "red" and "at 1e18 FLOP" in found.fix

    def test_rows_without_a_loss_do_not_matter(self) -> None:
        runs = _budgets({flops: np.geomspace(1 / 3, 3.0, 9) for flops in BUDGETS})
        loss = np.where(np.arange(45) == 0, np.nan, runs["loss"])
        assert not accused("B3", runs.with_columns(loss=loss))


class TestD1:
    def test_the_rung_asked_for_is_cheap(self) -> None:
        runs = grid()
        (found,) = accused("D1", runs)
        assert "Train two more seeds of row" in found.fix and "FLOP" in found.fix
        share = float(found.fix.split("FLOP, ")[1].split("%")[0])
        assert share <= 1

    def test_a_law_that_does_not_fit_is_told_from_noise(self) -> None:
        runs = grid(scatter=1e-4) + grid(scatter=1e-4, seed=1)
        bent = runs.with_columns(loss=runs["loss"] * (1 + 0.05 * np.sin(3 * np.log(runs["params"]))))
        assert not accused("D1", runs)
        assert "times that of seeds" in accused("D1", bent)[0].sentence

    def test_copies_are_no_seeds(self) -> None:
        assert "repeats another" in accused("D1", grid() + grid())[0].sentence


def test_d2_rows_that_are_parts_of_trainings() -> None:
    runs = grid(portion=np.tile([0.5, 1.0], 18), model=[f"m{i % 6}" for i in range(36)])
    (found,) = accused("D2", runs)
    assert 'cluster="model"' in found.fix and found.number == 0.5
    assert not accused("D2", grid(portion=1.0))


def test_e1_sizes_that_are_names() -> None:
    params, tokens = np.meshgrid(np.geomspace(1.3e7, 1.1e9, 8), np.geomspace(5e8, 5e10, 6))
    runs = sweep(params.ravel(), tokens.ravel(), scatter=1e-4)
    power = 10.0 ** np.floor(np.log10(runs["params"]))
    assert not accused("E1", runs)
    (found,) = accused("E1", runs.with_columns(params=np.round(runs["params"] / power) * power))
    assert "1 significant digit " in found.sentence


def test_e2_every_item_has_its_place_and_labels_fill_it() -> None:
    case = Case(grid(tokenizer="gpt2", corpus="c4"), find("chinchilla"), None)
    items = {item.question: item for item in checklist(case)}
    assert [*dict.fromkeys(i.head for i in items.values())] == [
        "law hypothesis",
        "training set-up",
        "data collection",
        "fitting",
    ]
    assert items["tokenizer or vocabulary"].answer == "gpt2 (column 'tokenizer')"
    assert items["training corpus"].answer == "c4 (column 'corpus')"
    assert items["starts of the search"].answer == ""


class TestR1:
    def test_rounded_losses_may_agree(self) -> None:
        runs = grid() + grid(seed=1)
        rounded = runs.with_columns(loss=np.round(runs["loss"], 1), lr_seed=np.repeat([0, 1], 36))
        assert not accused("R1", rounded)
        assert accused("R1", rounded + rounded.take([3]))

    def test_one_name_for_two_losses(self) -> None:
        runs = grid().with_columns(run_id=[f"run-{i}" for i in range(36)])
        again = runs.take([4, 5]).with_columns(loss=[3.9, 3.8])
        (found,) = accused("R1", runs + again)
        assert found.severity == "amber" and "(run-4)" in found.sentence


class TestR2:
    def test_a_missing_loss_is_told_though_nothing_can_be_fitted(self) -> None:
        runs = grid()
        (found,) = accused("R2", runs.with_columns(loss=np.where(np.arange(36) == 3, np.nan, runs["loss"])))
        assert "row 4" in found.sentence

    @pytest.mark.parametrize("status", ["crashed", "Diverged", "timed out", "running"])
    def test_a_status_counts(self, status: str) -> None:
        (found,) = accused("R2", grid(status=["finished"] * 35 + [status]))
        assert found.severity == "red" and "row 36" in found.sentence

    @pytest.mark.parametrize("status", ["finished", "done", "completed", "success", "COMPLETED"])
    def test_an_end_is_an_end(self, status: str) -> None:
        assert not accused("R2", grid(status=status))


class TestR4:
    def test_perplexities(self) -> None:
        runs = grid()
        (found,) = accused("R4", runs.with_columns(loss=np.exp(runs["loss"])))
        assert "perplexities" in found.fix

    @pytest.mark.parametrize(
        ("factor", "words"), [(1 / 8.64e19, "PF-days"), (1 / 6, "without the 6"), (1e6, "millions"), (1e-9, "1e+09")]
    )
    def test_compute_in_other_units(self, factor: float, words: str) -> None:
        runs = grid()
        (found,) = accused("R4", runs.with_columns(flops=6 * runs["params"] * runs["tokens"] * factor))
        assert words in found.fix

    def test_tokens_in_billions(self) -> None:
        runs = grid()
        (found,) = accused("R4", runs.with_columns(tokens=runs["tokens"] / 1e9))
        assert found.number == 1e9 and "tokens_billions" in found.fix

    def test_a_count_that_stopped(self) -> None:
        runs = grid()
        stopped = np.minimum(runs["tokens"], 2.0**31 - 1)
        (found,) = accused("R4", runs.with_columns(tokens=stopped))
        assert "2147483647" in found.sentence

    @pytest.mark.parametrize("table", [ray(ratio=2), ray(ratio=2000), grid()])
    def test_usual_sweeps_are_in_range(self, table: il.Runs) -> None:
        assert not accused("R4", table)


class TestR6:
    def test_noise_is_no_fault(self) -> None:
        for seed in range(6):
            assert not accused("R6", grid(seed=seed)), seed
            assert not accused("R6", ray(seed=seed)), seed
        assert not accused("R6", grid(scatter=0.0)) and not accused("R6", ray(scatter=0.0))

    def test_like_runs_are_rarely_accused(self) -> None:
        alike = [sweep(np.geomspace(1e8, 1.1e8, 40), 2e9, seed=seed) for seed in range(20)]
        assert sum(bool(accused("R6", runs)) for runs in alike) <= 1

    def test_other_kinds_of_runs_are_not_held_against_each_other(self) -> None:
        recipes = grid(group="good") + grid(seed=1, group="bad")
        worse = recipes.with_columns(loss=recipes["loss"] * np.repeat([1.0, 1.3], 36))
        assert not accused("R6", worse) and not accused("R2", worse)

    def test_repeated_data_may_make_larger_models_worse(self) -> None:
        runs = ray().with_columns(unique_tokens=1e7)
        assert not accused("R6", runs.with_columns(loss=np.linspace(3, 4, 8)))


def test_the_fitted_tables_of_this_project_carry_no_quick_accusation() -> None:
    found = il.fit(il.samples.ladder(), draws=0).findings
    assert not [f for f in found if f.code in QUICK]


def test_columns_of_another_law_break_nothing() -> None:
    tokens = np.geomspace(1e8, 1e11, 12)
    runs = il.Runs({"tokens": tokens, "loss": loss(1e8, tokens), "schedule": np.array(["cosine"] * 12)})
    case = Case(runs, find("chinchilla"), None)
    verdicts = [d.of(case) for d in every()]
    assert all(v.findings or v.fine or v.unseen for v in verdicts)


REAL = {
    "chinchilla_epoch": {},
    "colpret_families": {"A3": "red", "D2": "amber"},
    "datablations": {"A6": "red"},
    "llama3_isoflop": {},
    "misfitting": {"A5": "amber", "R1": "amber"},
    "openclip_laion": {"A2": "amber", "R4": "amber"},
    "parscale": {},
    "porian2024": {"A2": "red", "A3": "red", "A4": "amber", "A5": "amber", "R6": "amber"},
    "routing_moe": {},
    "xlstm_isoflop": {"R2": "red", "R6": "amber"},
}


@pytest.mark.parametrize("table", REAL)
def test_what_real_tables_have(table: str) -> None:
    path = DATA / table / "tidy.csv"
    if not path.exists():
        pytest.skip("the shared data are not here")
    runs = il.read(path)
    if table == "colpret_families":
        runs = runs.where(group="opt") + runs.where(group="redpajama")
    inputs: dict[str, Any] = {} if "params" in runs else {"inputs": {"N": "body_params"}}
    found = [f for f in il.check(runs, only=QUICK, draws=0, **inputs).findings if f.severity != "note"]
    gravest: dict[str, str] = {}
    for f in found:
        gravest.setdefault(f.code, f.severity)
    assert gravest == REAL[table]


def test_the_diverged_run_left_in_xlstm_is_named() -> None:
    path = DATA / "xlstm_isoflop" / "tidy.csv"
    if not path.exists():
        pytest.skip("the shared data are not here")
    (far,) = [f for f in accused("R2", il.read(path)) if "far worse" in f.sentence]
    assert "ihp79346" in far.sentence


@pytest.mark.skipif(not (DATA / "porian2024").exists(), reason="the shared data are not here")
def test_porian_s_causes_are_named_recipe_by_recipe() -> None:
    """Each step of the paper takes one cause away: counting, warm-up, schedule, tuning."""
    runs = il.read(DATA / "porian2024" / "tidy.csv")
    for group in sorted(set(runs["group"])):
        _, hparams, warmup, decay, count, _ = group.rsplit("-", 5)
        expected = {"A1"} if count == "kaplan" else set()
        expected |= {"A4"} if warmup == "long" else set()
        expected |= {"A3"} if decay == "kaplan" else set()
        expected |= {"A5"} if hparams == "base" else set()
        examined = il.check(runs.where(group=group), draws=0, only=("A1", "A3", "A4", "A5"))
        assert {f.code for f in examined.findings} == expected, group

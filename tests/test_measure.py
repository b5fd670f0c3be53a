"""What is measured beside the loss: right where the truth is known, and without moving the run."""

from __future__ import annotations

import json
import math
from collections import namedtuple
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lab_help import SMALL, markov_corpus, markov_spec

import isoloss.lab.trainer as trainer
from isoloss.core.accounting import LEDGER
from isoloss.core.quantities import QUANTITIES
from isoloss.core.run_record import CONVENTIONS
from isoloss.core.spec import Spec
from isoloss.lab import energy, measure, table
from isoloss.lab.energy import Packages, Silent, board_counter, package_counter
from isoloss.lab.measure import Meter, batches_at_a_look, estimates, noise_look, split, with_scales
from isoloss.lab.record import record_of
from isoloss.lab.table import foreseen
from isoloss.lab.trainer import Course, Outcome, train_run
from isoloss.loaders import read

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class Linear(torch.nn.Module):
    """y = w x with a squared error: at w = 0 the gradient of one example is -x y, of known mean and covariance."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(width))

    def loss(self, batch) -> torch.Tensor:
        x, y = batch
        return 0.5 * ((y - x @ self.weight) ** 2).mean()


def examples(rng: np.random.Generator, n: int, truth: np.ndarray, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    x = rng.standard_normal((n, len(truth)))
    y = x @ truth + noise * rng.standard_normal(n)
    return torch.tensor(x), torch.tensor(y)


class TestNoise:
    def test_the_estimates_are_those_of_the_paper(self) -> None:
        small, big, part, whole = 5.0, 2.0, 16.0, 128.0
        g2, trace = estimates(small, big, 8, part)
        assert g2 == pytest.approx((whole * big - part * small) / (whole - part))
        assert trace == pytest.approx((small - big) / (1 / part - 1 / whole))

    def test_a_problem_whose_noise_is_known(self) -> None:
        # For x normal, y = a x + e: G = -a, and the covariance of x y has the trace |a|^2 (d + 1) + s^2 d.
        truth, noise, rng = np.array([0.3, -0.2, 0.1, 0.4]), 0.5, np.random.default_rng(0)
        model = Linear(4).double()
        g2, trace = float(truth @ truth), float(truth @ truth) * 5 + noise**2 * 4
        looks = [noise_look(model, model.loss, [examples(rng, 32, truth, noise) for _ in range(2)], 32)
                 for _ in range(400)]  # fmt: skip
        found = np.array([[look["g2"], look["trace"]] for look in looks], float)
        error = found.std(axis=0) / math.sqrt(len(found))
        assert np.all(np.abs(found.mean(axis=0) - [g2, trace]) < 4 * error)
        assert np.all(error < 0.05 * np.array([g2, trace]))

    def test_the_ratio_of_smoothed_estimates_not_the_smoothed_ratio(self) -> None:
        rng, truth = np.random.default_rng(1), np.full(4, 0.3)
        model = Linear(4).double()
        looks = [noise_look(model, model.loss, [examples(rng, 64, truth, 0.5)], 64) for _ in range(3)]
        g2, trace = (
            np.dot([0.25, 0.25, 0.5], np.array([look[name] for look in looks], float)) for name in ("g2", "trace")
        )
        assert with_scales(looks)[-1]["noise_scale"] == pytest.approx(trace / g2)

    def test_noise_that_drowns_the_gradient_gives_no_noise_scale(self) -> None:
        model, rng = Linear(4).double(), np.random.default_rng(5)
        looks = [noise_look(model, model.loss, [examples(rng, 8, np.zeros(4), 1.0)], 8) for _ in range(20)]
        (alone,) = zip(*(with_scales([look]) for look in looks), strict=True)
        assert any(look["g2"] < 0 and look["noise_scale"] is None for look in alone)
        assert all((look["noise_scale"] is None) == (look["g2"] <= 0) for look in alone)

    def test_one_part_alone_says_nothing(self) -> None:
        model = Linear(4).double()
        look = noise_look(model, model.loss, [examples(np.random.default_rng(0), 1, np.ones(4), 1.0)], 1)
        assert set(look.values()) == {None}
        assert set(noise_look(model, model.loss, [], 1).values()) == {None}

    def test_batches_of_every_make_are_cut_alike(self) -> None:
        pair = namedtuple("pair", "x y")
        x, y = torch.arange(12).view(12, 1), torch.arange(12)
        for batch in ((x, y), [x, y], pair(x, y), {"x": x, "y": y}):
            parts = list(split(batch))
            assert len(parts) == 6 and all(type(part) is type(batch) or isinstance(batch, list) for part in parts)
            pieces = [list(part.values()) if isinstance(part, dict) else part for part in parts]
            assert torch.equal(torch.cat([piece[1] for piece in pieces]), y)
        assert [len(part) for part in split(y)] == [2] * 6
        assert len(list(split((x, torch.arange(5))))) == len(list(split((x, "words")))) == 1
        assert [batches_at_a_look(steps) for steps in (1, 99, 450, 10_000)] == [1, 1, 4, 8]

    def test_weights_that_a_part_does_not_touch_count_as_zero(self) -> None:
        model = torch.nn.ModuleDict({"used": Linear(2).double(), "idle": Linear(3).double()})
        used: Linear = model["used"]  # type: ignore[assignment]
        batch = [examples(np.random.default_rng(0), 16, np.ones(2), 0.1)]
        assert noise_look(model, used.loss, batch, 16) == noise_look(used, used.loss, batch, 16)


@pytest.fixture(scope="module")
def trained() -> tuple[Spec, Outcome]:
    torch.set_num_threads(1)
    spec = markov_spec(markov_corpus(), SMALL, 60_000)
    return spec, train_run(spec, markov_corpus())


class TestRun:
    def test_a_small_transformer_has_a_noise_scale_in_reason(self, trained: tuple[Spec, Outcome]) -> None:
        spec, outcome = trained
        steps = [look["step"] for look in outcome.gradient_noise]
        assert steps == [round(part * spec.steps) for part in (0.25, 0.5, 0.75)]
        assert all(look["g2"] > 0 and 10 < look["noise_scale"] < 1e5 for look in outcome.gradient_noise)
        assert [look["tokens"] for look in outcome.gradient_noise] == [step * spec.batch for step in steps]

    def test_measuring_does_not_move_the_run(
        self, trained: tuple[Spec, Outcome], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec, outcome = trained
        monkeypatch.setattr(trainer, "_noise", lambda *_: {"g2": None, "trace": None})
        monkeypatch.setattr(trainer, "Meter", lambda _: SimpleNamespace(read=dict))
        without = train_run(spec, markov_corpus())
        assert without.curve == outcome.curve and without.validations == outcome.validations
        assert without.validation == outcome.validation

    def test_a_look_costs_what_its_batches_cost(self) -> None:
        spec, calls = markov_spec(markov_corpus(), SMALL, 60_000), []
        course = Course(spec)
        course.task = SimpleNamespace(  # type: ignore[assignment]
            batches=course.task.batches, loss=lambda m, b: calls.append(len(b[0])) or course_loss(m, b)
        )
        trainer._noise(course, markov_corpus())
        assert sum(calls) == spec.batch // SMALL.context * batches_at_a_look(0)

    def test_the_last_look_may_find_no_batch_left(self) -> None:
        spec = markov_spec(markov_corpus(), SMALL, 640, batch=640)
        outcome = train_run(spec, markov_corpus())
        assert spec.steps == 1 and [look["noise_scale"] for look in outcome.gradient_noise] == [None]

    def test_a_record_and_its_row_hold_what_was_measured(self, trained: tuple[Spec, Outcome], tmp_path: Path) -> None:
        spec, outcome = trained
        record = json.loads(json.dumps(record_of(spec, markov_corpus(), outcome), allow_nan=False))
        row = table([record])
        assert row["noise_scale"][0] == record["gradient_noise"][-1]["noise_scale"]
        assert row["peak_memory"][0] == record["usage"]["peak_memory"] > 10e6
        assert row["tokens_per_cpu_second"][0] == record["tokens_per_cpu_second"]
        assert ("energy" not in row) == (record["usage"]["energy"] is None)
        assert record["usage"]["energy_of"] and record["usage"]["memory_of"]
        (tmp_path / spec.id).mkdir()
        (tmp_path / spec.id / "record.json").write_text(json.dumps(record))
        seen = read(tmp_path)
        assert set(row.columns) == set(seen.columns)
        for name in row.columns:
            assert str(seen[name][0]) == str(row[name][0]), name

    def test_every_convention_is_a_column_that_a_law_can_be_bound_to(self, trained: tuple[Spec, Outcome]) -> None:
        spec, outcome = trained
        row = table([record_of(spec, markov_corpus(), outcome)])
        assert {*CONVENTIONS.values(), "isoloss"} == set(LEDGER)
        for name, convention in CONVENTIONS.items():
            assert row[name][0] == LEDGER[convention](spec.shape) * spec.tokens and name in QUANTITIES
        assert row["body_flops"][0] == 6 * row["body_params"][0] * row["tokens"][0]

    def test_a_record_of_an_earlier_version_lacks_what_came_since(self, trained: tuple[Spec, Outcome]) -> None:
        spec, outcome = trained
        record = record_of(spec, markov_corpus(), outcome)
        for gone in ("usage", "gradient_noise", "noise_scale", "cpu_seconds", "tokens_per_cpu_second"):
            del record[gone]
        del record["flops_per_token"]["deepseek"]
        row = table([record])
        for gone in ("noise_scale", "peak_memory", "energy", "cpu_seconds", "context_flops"):
            assert gone not in row
        assert row["six_n_flops"][0] == 6 * row["params"][0] * row["tokens"][0]


def test_a_spec_tells_the_row_that_its_record_will_have() -> None:
    from verify_help import run

    spec = run(1, 20_000)
    from isoloss.lab import load_corpus

    row = table([record_of(spec, load_corpus("python"), finished())])
    told = foreseen(spec)
    assert {name: told[name][0] for name in told.columns} == {name: row[name][0] for name in told.columns}


class TestMemory:
    def test_what_is_taken_in_shows(self) -> None:
        meter = Meter(CPU)
        before = meter.read()["peak_memory"]
        taken = np.ones(30_000_000)
        assert meter.read()["peak_memory"] - before > 0.8 * taken.nbytes

    def test_a_run_that_was_brought_back_keeps_the_greater_peak_and_the_sum_of_energy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(measure, "counter_for", lambda _: SimpleNamespace(read=lambda: (5.0, "board")))
        meter = Meter(CPU)
        meter.goes_on_from({"peak_memory": 10**15, "energy": 2.0, "energy_of": "board"})
        assert (meter.read()["peak_memory"], meter.read()["energy"]) == (10**15, 7.0)
        meter.goes_on_from({"peak_memory": None, "energy": None, "energy_of": "not told"})
        assert (meter.read()["energy"], meter.read()["energy_of"]) == (None, "not told")

    def test_a_system_that_does_not_let_the_peak_begin_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(measure, "_status", lambda _: None)
        usage = Meter(CPU).read()
        assert usage["peak_memory"] > 10e6 and "since it began" in usage["memory_of"]


class TestEnergy:
    @pytest.fixture
    def powercap(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1"), ("intel-rapl:0:0", "core")):
            (tmp_path / zone).mkdir()
            (tmp_path / zone / "name").write_text(f"{name}\n")
            (tmp_path / zone / "energy_uj").write_text("1000000\n")
            (tmp_path / zone / "max_energy_range_uj").write_text("5000000\n")
        monkeypatch.setattr(energy, "POWERCAP", tmp_path)
        return tmp_path

    def test_packages_are_summed_and_begin_again(self, powercap: Path) -> None:
        counter = package_counter()
        assert isinstance(counter, Packages) and counter.read()[0] == 0.0
        (powercap / "intel-rapl:0" / "energy_uj").write_text("4000000")
        (powercap / "intel-rapl:0:0" / "energy_uj").write_text("4000000")
        assert counter.read() == (3.0, energy.OF_PACKAGE)
        (powercap / "intel-rapl:1" / "energy_uj").write_text("500000")
        assert counter.read()[0] == pytest.approx(3.0 + 4.5)

    def test_a_counter_that_may_not_be_read_says_so(self, powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(path: Path) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(energy, "_number", denied)
        assert package_counter().read() == (
            None,
            "the counter of the processor's energy may not be read: Permission denied",
        )
        monkeypatch.setattr(energy, "POWERCAP", powercap / "none")
        assert package_counter() == Silent("the system offers no counter of the processor's energy")

    def test_a_board_counts_from_where_it_stood(self, monkeypatch: pytest.MonkeyPatch) -> None:
        millijoules = iter([1_000, 4_500])

        class Library:
            def __getattr__(self, name: str):
                return partial(self.call, name)

            def call(self, name: str, *arguments) -> int:
                if name == "nvmlDeviceGetTotalEnergyConsumption":
                    arguments[1]._obj.value = next(millijoules)
                return 0

        monkeypatch.setattr(energy.ctypes, "CDLL", lambda _: Library())
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="0"))
        assert board_counter("cuda:0").read() == (3.5, energy.OF_BOARD)
        monkeypatch.setattr(Library, "call", lambda *_: 3)
        assert board_counter("cuda:0").read() == (None, "the board's counter of energy cannot be read: NVML answers 3")


def course_loss(model, batch):
    inputs, targets = batch
    return torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def finished() -> Outcome:
    from isoloss.lab.evaluate import Validation

    return Outcome("done", "all tokens seen", 1, validation=Validation(2.0, 0.1, 10, 5))

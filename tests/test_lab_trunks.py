"""Trunks and forks: a run that branches off from another is the separate run, to the last bit, and cheaper."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lab_help import TINY, markov_corpus, markov_spec
from lab_store_help import NANO, SPENT, events, prepare_forks, start, tiny, wait_for

import isoloss.lab.trainer as trainer
from isoloss.core.errors import DataError, RequestError, UnknownNameError
from isoloss.core.spec import Spec
from isoloss.lab import load_records, table
from isoloss.lab.data import batches
from isoloss.lab.index import listing
from isoloss.lab.ladder import declare
from isoloss.lab.pool import Pool
from isoloss.lab.schedule import share
from isoloss.lab.store import Keeping, missing, queue
from isoloss.lab.trainer import Course, train_run
from isoloss.lab.trunks import branches, common_steps, shares_left, state_path, tidy, trunk_key, want, wanting
from isoloss.lab.worker import train_to

UNIT = 40  # steps of the shortest run
TIMES = ("seconds", "cpu_seconds", "tokens_per_cpu_second", "usage", "ended")
PASSING = (*TIMES, "resumed_at", "forked_from", "flops_spent")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def family(*times: int, seed: int = 0, **changes: Any) -> list[Spec]:
    """Return runs of a fraction of a second that share a trunk, `times` as long as the shortest."""
    base = tiny(seed)
    alike = {"batch": 64, "warmup_steps": 10, **changes}
    return [
        dataclasses.replace(base, tokens=64 * UNIT * k, **{"cooldown_steps": UNIT // 5 * k, **alike}) for k in times
    ]


def wsd_s(*times: int) -> list[Spec]:
    ends = [64 * UNIT * k for k in times]
    specs = family(*times, schedule="wsd-s")
    return [dataclasses.replace(spec, decays=tuple(ends[:place])) for place, spec in enumerate(specs)]


def trained(out: Path, specs: Sequence[Spec], keeping: Keeping | None = None, ask: bool = True) -> list[dict[str, Any]]:
    """Train the runs one after the other as the pool orders them, longest first, and return what was said."""
    heard: list[dict[str, Any]] = []
    if ask:
        want(out, specs)
    for spec in sorted(specs, key=lambda spec: -spec.steps):
        train_to(out, spec, keeping or Keeping(), lambda: False, lambda e, i=spec.id: heard.append({**e, "id": i}))
    tidy(out)
    return heard


def numbers_of(out: Path, spec: Spec) -> dict[str, Any]:
    record = json.loads((out / spec.id / "record.json").read_text())
    lines = (out / spec.id / "metrics.jsonl").read_text()
    return {"metrics": lines, **{name: value for name, value in record.items() if name not in PASSING}}


def assert_same(one: Path, other: Path, specs: Sequence[Spec]) -> None:
    for spec in specs:
        assert numbers_of(one, spec) == numbers_of(other, spec)


def told(heard: list[dict[str, Any]], kind: str) -> dict[str, int]:
    return {event["id"]: event["step"] for event in heard if event["event"] == kind}


FAMILIES: dict[str, Callable[[], list[Spec]]] = {
    "wsd": lambda: family(1, 2, 4),
    "wsd-s": lambda: wsd_s(1, 2, 4),
    "constant": lambda: family(1, 2, 4, schedule="constant", cooldown_steps=0),
    "averaged": lambda: family(1, 2, 4, ema=15),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_forks_are_separate_runs_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    specs = FAMILIES[kind]()
    heard = trained(tmp_path / "forks", specs)
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(tmp_path / "forks", tmp_path / "apart", specs)
    forked = told(heard, "forked")
    assert forked == {spec.id: common_steps(spec, specs[-1]) for spec in specs[:-1]}
    ends = {"wsd": [33, 65], "averaged": [33, 65]}.get(kind, [40, 80])
    assert list(forked.values()) == ends[::-1]
    records = {record["id"]: record for record in load_records(tmp_path / "forks")}
    for spec in specs[:-1]:
        origin = records[spec.id]["forked_from"]
        assert origin == {"trunk": trunk_key(spec), "step": forked[spec.id], "left_by": specs[-1].id}
        assert records[spec.id]["flops_spent"] == pytest.approx(spec.flops * (1 - forked[spec.id] / spec.steps))
    assert records[specs[-1].id]["forked_from"] is None
    assert not (tmp_path / "forks" / "trunks").exists(), "nobody needs them any longer"


def test_the_records_of_forks_say_what_was_spent(tmp_path: Path) -> None:
    specs = family(1, 2, 4, 8)
    trained(tmp_path, specs)
    records = load_records(tmp_path)
    spent, whole = (sum(record[name] for record in records) for name in ("flops_spent", "flops"))
    assert whole == pytest.approx(sum(spec.flops for spec in specs))
    assert spent <= 0.65 * whole
    assert spent == pytest.approx(sum(spec.flops * left for spec, left in zip(specs, left_of(specs), strict=True)))


def left_of(specs: Sequence[Spec]) -> list[float]:
    left = shares_left(specs)
    return [left[spec.id] for spec in specs]


def test_the_first_steps_are_alike_and_see_the_same_data_however_often_it_is_repeated() -> None:
    corpus = markov_corpus(documents=60, length=200)
    base = markov_spec(corpus, TINY, 128 * 8, batch=128, max_epochs=99)
    short, long = (dataclasses.replace(base, tokens=128 * k, cooldown_steps=3) for k in (120, 300))
    assert short.tokens > len(corpus.train_t) and long.tokens > 2 * len(corpus.train_t)
    assert common_steps(short, long) == 118
    for (inputs, _), (other, _) in zip(batches(short, corpus), batches(long, corpus), strict=False):
        assert np.array_equal(inputs, other)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"lr": 0.01}, {"batch": 128}, {"warmup_steps": 5}, {"ema": 3}, {"corpus_digest": "0" * 64}]
)
def test_runs_that_differ_in_anything_else_share_nothing(change: dict[str, Any]) -> None:
    one, other = family(1, 2)
    other = dataclasses.replace(other, **change)
    assert common_steps(one, other) == 0 and not branches([one, other])


def test_labels_do_not_part_and_what_is_hardly_shared_does() -> None:
    one, other = family(1, 2)
    labelled = dataclasses.replace(other, split="test", note="held out")
    assert branches([one, labelled])[one.id].step == 33
    cosine = family(1, 2, schedule="cosine", cooldown_steps=0)
    assert common_steps(*cosine) == branches(cosine)[cosine[0].id].step == 11, "the warm-up and the peak"
    linear = family(2, 4, schedule="linear", cooldown_steps=0)
    assert not branches(linear), "a warm-up is not worth waiting for"


def spoilt(change: Callable[[bytes], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (spoilt(lambda content: content[: len(content) // 2]), "was cut short"),
        (spoilt(lambda content: b""), "does not say what it holds"),
        (spoilt(lambda content: content[:-900] + bytes([content[-900] ^ 4]) + content[-899:]), "checksum is wrong"),
        (spoilt(lambda content: content.replace(b'"torch": "2', b'"torch": "1', 1)), "was made with torch 1"),
        (Path.unlink, None),
    ],
)
def test_a_state_that_cannot_be_used_is_said_and_an_earlier_one_is(damage, says: str | None, tmp_path: Path) -> None:
    specs = family(1, 2, 4)
    want(tmp_path / "forks", specs)
    train_to(tmp_path / "forks", specs[-1], Keeping(), lambda: False, lambda event: None)
    damage(state_path(tmp_path / "forks", specs[1], 65))
    heard = trained(tmp_path / "forks", specs[:2], ask=False)
    assert told(heard, "forked") == {specs[1].id: 33, specs[0].id: 33}
    said = [event["why"] for event in heard if event["event"] == "unforked"]
    assert len(said) == (says is not None) and all(says in why for why in said)
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(tmp_path / "forks", tmp_path / "apart", specs)


def test_without_any_state_a_fork_begins_at_its_start(tmp_path: Path) -> None:
    specs = family(1, 2)
    heard = trained(tmp_path / "forks", specs[:1]) + trained(tmp_path / "forks", specs[1:])
    assert not told(heard, "forked") and not told(heard, "left")
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(tmp_path / "forks", tmp_path / "apart", specs)


def test_a_state_of_other_rates_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    specs = wsd_s(1, 2, 4)
    early = dataclasses.replace(specs[-1], decays=(64 * UNIT // 2,))
    trained(tmp_path, [early], Keeping(keep=True))
    path = state_path(tmp_path, specs[0], UNIT)
    path.parent.mkdir(parents=True, exist_ok=True)
    state_path(tmp_path, early, early.steps).rename(path)
    heard = trained(tmp_path, specs[:1])
    assert not told(heard, "forked") and not told(heard, "unforked")


def test_a_trunk_that_diverges_loses_only_what_would_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step_of = trainer.take_step
    monkeypatch.setattr(trainer, "take_step", lambda c, s, step, b: step_of(c, s, step, b) if step < 70 else math.inf)
    specs = family(1, 2, 3, 4)
    heard = trained(tmp_path / "forks", specs)
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(tmp_path / "forks", tmp_path / "apart", specs)
    statuses = {record["steps"]: record["status"] for record in load_records(tmp_path / "forks")}
    assert statuses == {40: "done", 80: "diverged", 120: "diverged", 160: "diverged"}
    assert told(heard, "forked") == {specs[0].id: 33, specs[1].id: 65, specs[2].id: 65}
    assert max(record["flops_spent"] / record["flops"] for record in load_records(tmp_path / "forks")) < 0.5


def test_a_trunk_that_was_killed_goes_on_from_the_last_state_that_it_left(tmp_path: Path) -> None:
    specs = family(1, 2, 4)
    trained(tmp_path / "apart", specs, ask=False)
    want(tmp_path / "forks", specs)

    def die(event: dict[str, Any]) -> None:
        if event.get("step", 0) > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_to(tmp_path / "forks", specs[-1], Keeping(), lambda: False, die)
    heard = trained(tmp_path / "forks", specs)
    assert told(heard, "resumed") == {specs[-1].id: 65} and told(heard, "forked")
    assert_same(tmp_path / "forks", tmp_path / "apart", specs)


def test_states_stay_while_somebody_wants_them_and_no_longer(tmp_path: Path) -> None:
    specs = family(1, 2, 4)
    folder = tmp_path / "trunks" / trunk_key(specs[0])
    want(tmp_path, specs)
    assert {spec.id for spec in wanting(tmp_path, folder.name)} == {specs[0].id, specs[1].id}
    for spec, left in ((specs[2], {"33", "65"}), (specs[1], {"33"}), (specs[0], None)):
        train_to(tmp_path, spec, Keeping(), lambda: False, lambda event: None)
        assert left is None or {path.name for path in folder.iterdir() if path.name.isdigit()} == left
    tidy(tmp_path)
    assert not folder.parent.exists()


def test_what_is_kept_serves_a_longer_run_that_is_asked_for_later(tmp_path: Path) -> None:
    short, long = family(2, 4)
    trained(tmp_path / "forks", [short], Keeping(keep=True))
    heard = trained(tmp_path / "forks", [long])
    trained(tmp_path / "apart", [long], ask=False)
    assert told(heard, "forked") == {long.id: 64}
    assert_same(tmp_path / "forks", tmp_path / "apart", [long])
    assert state_path(tmp_path / "forks", long, 64).exists()


def test_a_fork_waits_for_its_trunk_only_while_somebody_will_leave_what_it_needs(tmp_path: Path) -> None:
    short, long = family(1, 2)
    pool = Pool(tmp_path, 1, lambda event: None)
    pool.branches, pool.open = branches([short, long]), {short.id, long.id}
    assert pool._waits(short) and not pool._waits(long)
    pool._tell({"event": "point", "id": long.id, "step": 33})
    assert pool._waits(short)
    pool._tell({"event": "point", "id": long.id, "step": 34})
    assert not pool._waits(short), "the trunk has passed the place and left nothing"
    pool.reached.clear()
    path = state_path(tmp_path, short, 33)
    path.parent.mkdir(parents=True)
    path.touch()
    assert not pool._waits(short)
    path.unlink()
    queue(tmp_path, [long])
    pool.elsewhere[long.id] = long
    assert pool._waits(short)
    (tmp_path / long.id / "metrics.jsonl").write_text('{"step": 40}\n')
    assert not pool._waits(short)
    del pool.elsewhere[long.id]
    assert pool._waits(short)
    pool._tell({"event": "refused", "id": long.id, "error": "no room"})
    assert not pool._waits(short)


def test_kills_of_a_ladder_of_forks_lose_nothing(tmp_path: Path) -> None:
    prepare_forks()
    specs, out = family(8, 4, 2), tmp_path / "killed"
    want(out, specs)
    chance = random.Random(3)
    for _ in range(2):
        process = start(out, missing(out, specs), Keeping(every=0.05))
        wait_for(lambda process=process: any(event["event"] == "point" for event in said(out, process)))
        time.sleep(chance.uniform(0.0, 0.2))
        process.kill()
        process.join()
    last = start(out, missing(out, specs), Keeping(every=0.05))
    last.join()
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(out, tmp_path / "apart", specs)
    tidy(out)
    assert not (out / "trunks").exists() and not list(out.glob("*/*.part"))


def said(out: Path, process: Any) -> list[dict[str, Any]]:
    return events(out, process) if Path(f"{out}.{process.pid}.jsonl").exists() else []


def test_processes_that_race_through_one_ladder_of_forks_train_every_run_once(tmp_path: Path) -> None:
    prepare_forks()
    specs, out = family(4, 2, 1), tmp_path / "runs"
    want(out, specs)
    racers = [start(out, specs), start(out, [specs[0], specs[2], specs[1]])]
    for racer in racers:
        racer.join()
    left = start(out, missing(out, specs))  # those that both found busy
    left.join()
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(out, tmp_path / "apart", specs)
    trains = [event["id"] for racer in [*racers, left] for event in events(out, racer) if event["event"] == "point"]
    assert trains.count(specs[0].id) == specs[0].steps


@pytest.mark.slow
def test_two_commands_race_through_a_ladder_of_forks(tmp_path: Path) -> None:
    from test_lab_store_kills import command

    specs, out = [spec for seed in (0, 1) for spec in family(8, 4, 2, seed=seed)], tmp_path / "runs"
    both = [command(out, specs, workers=2, every=0.2) for _ in range(2)]
    for process in both:
        _, said = process.communicate()
        assert process.returncode == 0, said
    trained(tmp_path / "apart", specs, ask=False)
    assert_same(out, tmp_path / "apart", specs)
    assert listing(out).counts == {"done": 6} and not (out / "trunks").exists()
    assert sum(record["forked_from"] is not None for record in load_records(out)) == 4


@pytest.mark.slow
def test_ten_kills_at_random_moments_of_a_ladder_of_forks_end_with_the_same_table(tmp_path: Path) -> None:
    from test_lab_store_kills import kill_ten_times

    specs = [spec for seed in range(5) for spec in family(100, 50, 25, 12, seed=seed)]
    assert len(branches(specs)) == 15
    apart = start(tmp_path / "apart", specs)
    kill_ten_times(tmp_path / "killed", specs, seed=4)
    apart.join()
    assert_same(tmp_path / "killed", tmp_path / "apart", specs)
    assert not (tmp_path / "killed" / "trunks").exists()


@pytest.mark.slow
def test_forks_cost_less_than_two_thirds_of_separate_runs_in_cpu_seconds(tmp_path: Path) -> None:
    specs = declare(shapes=[{"width": 16, "depth": 1, "heads": 1, "context": 32}], forks=True,
                    tokens=[400_000, 800_000, 1_600_000, 3_200_000])  # fmt: skip
    Course(specs[0])  # the first optimizer imports half of torch
    trained(tmp_path / "forks", specs)
    trained(tmp_path / "apart", specs, ask=False)
    for name, most in (("flops_spent", 0.65), ("cpu_seconds", 0.65)):
        forks, apart = (sum(r[name] for r in load_records(tmp_path / folder)) for folder in ("forks", "apart"))
        print(f"{name}: {forks:.4g} of {apart:.4g}, {forks / apart:.3f}")
        assert forks <= most * apart, name
    one, other = (table(load_records(tmp_path / folder)) for folder in ("forks", "apart"))
    assert all(list(map(str, one[name])) == list(map(str, other[name])) for name in set(one.columns) - SPENT)


def test_the_rates_of_every_schedule() -> None:
    def rates_of(name: str, **changes: Any) -> list[float]:
        (spec,) = family(1, **{"cooldown_steps": 0, **changes}, schedule=name)
        return [share(spec, step) for step in range(spec.steps)]

    for name in ("cosine", "linear", "constant"):
        assert rates_of(name)[:10] == pytest.approx([k / 10 for k in range(1, 11)]), "the warm-up"
    after = np.arange(30) / 30
    assert rates_of("constant")[10:] == [1.0] * 30
    assert rates_of("linear")[10:] == pytest.approx(1 - after)
    assert rates_of("cosine")[10:] == pytest.approx(0.55 + 0.45 * np.cos(np.pi * after))
    assert rates_of("cosine", batch=16, warmup_steps=0)[-1] == pytest.approx(0.1, abs=1e-3)
    twice = rates_of("wsd-s", cooldown_steps=8, decays=(64 * 20,))
    assert twice[15:22] == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.25, 1.0, 1.0])
    assert twice[31:] == pytest.approx([1.0, *np.arange(8, 0, -1) / 8])
    with pytest.raises(UnknownNameError, match="Near names: cosine"):
        share(dataclasses.replace(family(1)[0], schedule="cosin", cooldown_steps=0), 0)


@pytest.mark.parametrize("k", [3, 7, 12])
def test_a_run_of_wsd_s_is_the_beginning_of_the_next(k: int) -> None:
    specs = wsd_s(1, 2, 4, k + 4)
    for one, other in pairwise(specs):
        assert common_steps(one, other) == one.steps


def test_averaged_weights_are_those_averaged_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = markov_corpus()
    spec = dataclasses.replace(markov_spec(corpus, NANO, 64 * 30), tokens=64 * 30, batch=64, ema=8, warmup_steps=5,
                               cooldown_steps=0)  # fmt: skip
    seen: list[dict[str, torch.Tensor]] = []

    class Watching:
        def bring_back(self, course: Course) -> None:
            self.course = course

        def look(self, course: Course) -> None:
            seen.append({name: value.clone().double() for name, value in course.model.state_dict().items()})

    keeper = Watching()
    outcome = train_run(spec, corpus, keeper=keeper)
    assert keeper.course.averaged
    for name, averaged in keeper.course.averaged.state_dict().items():
        mean = sum(weights[name] for weights in seen[:8]) / 8
        for weights in seen[8:]:
            mean = mean * (1 - 1 / 8) + weights[name] / 8
        assert torch.allclose(averaged.double(), torch.as_tensor(mean), rtol=1e-4, atol=1e-6)
    assert [point["step"] for point in outcome.averaged] == [8, 15, 22, 30]
    last = keeper.course.task.validate(keeper.course.averaged, spec, corpus)
    assert outcome.averaged[-1]["loss"] == last.loss and outcome.validation and last.loss != outcome.validation.loss
    plain = train_run(dataclasses.replace(spec, ema=0), corpus)
    assert plain.validation == outcome.validation and plain.averaged == []


def test_averaged_points_are_a_table_of_their_own(tmp_path: Path) -> None:
    specs = family(1, 2, ema=10)
    trained(tmp_path, specs)
    runs, averaged = table(load_records(tmp_path)), table(load_records(tmp_path), points="averaged")
    assert len(runs) == 2 and "points" not in runs and len(averaged) == 2 * 4
    assert set(averaged["points"]) == {"averaged"} and any("averaged weights" in note for note in averaged.notes)
    assert averaged["tokens"].tolist() == [64 * k for k in (10, 20, 30, 40, 20, 40, 60, 80)]
    assert np.allclose(averaged["flops"] / averaged["tokens"], runs["flops"][0] / runs["tokens"][0])
    assert np.allclose(averaged["bits_per_byte"], averaged["loss"] / np.log(2))
    with pytest.raises(DataError, match="two kinds cannot be one table: averaged, final"):
        _ = runs + averaged
    assert len(averaged + averaged) == 16
    with pytest.raises(UnknownNameError, match="Near names: averaged"):
        table(load_records(tmp_path), points="average")
    with pytest.raises(DataError, match="None of 1 runs kept averaged weights"):
        table([{**load_records(tmp_path)[0], "averaged": []}], points="averaged")


def test_a_ladder_of_forks_has_one_batch_rate_and_warm_up_a_size() -> None:
    grid: dict[str, Any] = {"dials": [1, 2], "tokens": [200_000, 400_000, 1_600_000], "seeds": [0, 1]}
    specs, apart = declare(**grid, forks=True), declare(**grid)
    order = [(spec.shape, round(spec.tokens, -4), spec.seed) for spec in specs]
    assert order == [(spec.shape, round(spec.tokens, -4), spec.seed) for spec in apart]
    assert len({trunk_key(spec) for spec in specs}) == 4 and len(branches(specs)) == 8
    assert len({trunk_key(spec) for spec in apart}) == 12
    assert {spec.batch for spec in specs} == {1024} and {spec.lr for spec in specs} == {spec.lr for spec in apart}
    assert {spec.warmup_steps for spec in specs if spec.shape == specs[0].shape} == {20}
    assert all(spec.cooldown_steps == round(0.2 * spec.steps) for spec in specs)
    assert {spec.ema for spec in declare(**grid, ema=50)} == {50}


def test_a_ladder_in_one_run_decays_at_every_horizon() -> None:
    specs = declare(dials=[1], tokens=[100_000, 230_000, 400_000], schedule="wsd-s")
    ends = [spec.tokens for spec in specs]
    assert [spec.decays for spec in specs] == [(), (ends[0],), (ends[0], ends[1])]
    assert all(common_steps(spec, specs[-1]) == spec.steps for spec in specs)
    assert all(spec.cooldown_steps * 5 == spec.steps for spec in specs)
    assert ends == pytest.approx([100_000, 230_000, 400_000], rel=0.03)
    assert sum(left_of(specs)) == 1


def test_schedules_that_a_ladder_cannot_have_are_answered() -> None:
    grid: dict[str, Any] = {"dials": [1], "tokens": [100_000, 200_000]}
    cosine = declare(**grid, schedule="cosine")
    assert {(spec.schedule, spec.cooldown_steps) for spec in cosine} == {("cosine", 0)}
    with pytest.raises(RequestError, match="'cosine' cannot share a trunk"):
        declare(**grid, schedule="cosine", forks=True)
    with pytest.raises(UnknownNameError, match="Near names: linear"):
        declare(**grid, schedule="linea")

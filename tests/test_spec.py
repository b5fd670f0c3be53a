"""Spec: its id is its content and nothing else, and it survives JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from isoloss.core.accounting import Shape
from isoloss.core.errors import FormatError, RequestError
from isoloss.core.spec import Spec, roles

SPEC = Spec(
    shape=Shape(32, 2, 2),
    tokens=128 * 40,
    corpus="python",
    corpus_digest="ab" * 32,
    batch=256,
    lr=0.03,
    warmup_steps=5,
    cooldown_steps=4,
)
OTHER_VALUES: dict[str, Any] = {
    "shape": Shape(32, 3, 2),
    "tokens": 128 * 42,
    "corpus": "other",
    "corpus_digest": "cd" * 32,
    "batch": 128,
    "lr": 0.02,
    "warmup_steps": 6,
    "cooldown_steps": 5,
    "seed": 1,
    "beta1": 0.8,
    "beta2": 0.95,
    "eps": 1e-9,
    "weight_decay": 0.0,
    "clip": 0.5,
    "max_epochs": 2.0,
    "recipe": "other",
    "optimizer": "muon",
    "parameterisation": "completep",
    "schedule": "wsd-s",
    "decays": (128 * 20,),
    "ema": 10,
}


def test_equal_content_has_equal_ids_and_any_other_content_another() -> None:
    assert dataclasses.replace(SPEC).id == SPEC.id
    content = {name for role in ("scientific", "nuisance", "fixed") for name in roles(role)} - {"dtype"}
    assert content == set(OTHER_VALUES)
    together = {"decays": {"schedule": "wsd-s"}}
    ids = {
        dataclasses.replace(SPEC, **{name: value, **together.get(name, {})}).id for name, value in OTHER_VALUES.items()
    }
    assert len(ids | {SPEC.id}) == len(OTHER_VALUES) + 1


def test_the_id_does_not_move_between_versions() -> None:
    assert SPEC.id == "89260ccbd68ba36f", (
        "The ids of Specs have changed: runs that were trained are no longer found under their ids and would be "
        "trained again. Undo it, or raise the schema, say so in the changes, and then put the new id here."
    )


def test_labels_are_no_part_of_the_id() -> None:
    labelled = dataclasses.replace(SPEC, split="test", note="held out", judged_on=("prose",))
    assert roles("label") == ("split", "note", "judged_on")
    assert labelled.id == SPEC.id and labelled == SPEC


def test_every_field_has_a_role() -> None:
    named = {name for role in ("scientific", "nuisance", "fixed", "label") for name in roles(role)}
    assert named == {f.name for f in dataclasses.fields(Spec)}


def test_json_round_trip() -> None:
    labelled = dataclasses.replace(SPEC, split="test", note="held out", judged_on=("prose",))
    back = Spec.from_json(json.loads(json.dumps(labelled.to_json())))
    assert back == labelled and (back.split, back.note) == ("test", "held out")
    changed = dataclasses.replace(SPEC, **OTHER_VALUES)
    assert Spec.from_json(json.loads(json.dumps(changed.to_json()))) == changed


def test_an_option_at_its_default_is_not_written() -> None:
    assert "optimizer" not in SPEC.to_json() and "decays" not in SPEC.to_json()


def test_content_changed_under_its_id_is_refused() -> None:
    with pytest.raises(FormatError, match="calls itself"):
        Spec.from_json({**SPEC.to_json(), "lr": 0.02})


@pytest.mark.parametrize("change", [{"schema": 2}, {"colour": "blue"}])
def test_json_that_is_no_spec_is_refused(change: dict) -> None:
    with pytest.raises(FormatError, match="schema 1"):
        Spec.from_json({**SPEC.to_json(), **change})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch": 200}, "multiple of 128"),
        ({"tokens": 300}, "multiple of 256"),
        ({"tokens": 0}, "whole number of batches"),
        ({"warmup_steps": 18}, "do not fit into a run of 20 steps"),
        ({"cooldown_steps": -1}, "do not fit"),
        ({"lr": 0.0}, "learning rate of 0"),
        ({"lr": float("nan")}, "learning rate of nan"),
        ({"max_epochs": 0.0}, "seen 0.0 times"),
        ({"dtype": "float8"}, "Known: float32"),
        ({"schedule": "cosine"}, "'cosine' has no cooldown, and the run asks for 4"),
        ({"decays": (2560,)}, "'wsd' decays once"),
        (
            {"schedule": "wsd-s", "decays": (2560, 2560)},
            "not increasing multiples of the batch, 256 tokens, below 5120",
        ),
        ({"schedule": "wsd-s", "decays": (5120,)}, "not increasing multiples"),
        ({"schedule": "wsd-s", "decays": (2561,)}, "not increasing multiples"),
        ({"schedule": "wsd-s", "decays": (0,)}, "not increasing multiples"),
    ],
)
def test_contradictions_are_refused_with_words(wrong: dict, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        dataclasses.replace(SPEC, **wrong)


def test_what_follows_from_a_spec() -> None:
    assert SPEC.steps == 20
    assert SPEC.counts.matmul_params == 32768
    assert SPEC.flops == pytest.approx(SPEC.tokens * (6 * 32768 + 3 * 2 * 4 * 32 * 64.5))

"""Kinds of model in Specs, dials, ladders, records and tables, and laws fitted to what was trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from lab_help import markov_corpus
from zoo_help import SHAPES, data_for, reversed_pairs, run, second_order, spec_of, templates

from isoloss.core.accounting import count, inapplicable, ledger, sizes, training_flops
from isoloss.core.architecture import Architecture
from isoloss.core.errors import FormatError, RequestError, UnknownNameError
from isoloss.core.quantities import QUANTITIES
from isoloss.core.shapes import (
    KINDS,
    EncoderDecoderShape,
    MLPShape,
    MoEShape,
    Shape,
    ViTShape,
)
from isoloss.core.spec import Spec
from isoloss.lab import dials, ladder
from isoloss.lab.data import check_repetition, usable_tokens
from isoloss.lab.pace import timed
from isoloss.lab.record import record_of, source_digest
from isoloss.lab.table import table

EACH = pytest.mark.parametrize("name", SHAPES)


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ladders find the small data of these tests by name."""
    known = {"text": markov_corpus(), "pairs": reversed_pairs(), "images": templates()}
    monkeypatch.setattr(ladder, "load_corpus", known.__getitem__)
    return known


@EACH
def test_a_spec_of_any_kind_is_written_and_read(name: str) -> None:
    spec = spec_of(SHAPES[name])
    written = json.loads(json.dumps(spec.to_json()))
    assert Spec.from_json(written) == spec and Spec.from_json(written).id == spec.id
    assert written["shape"].get("kind", "decoder") == spec.shape.kind


def test_the_specs_of_decoders_are_as_they_were() -> None:
    """The id of a Spec that a version before this one made."""
    spec = Spec(Shape(32, 2, 2), 4096, "python", "0" * 64, 1024, 0.02, 1, 1)
    assert spec.id == "50b07c3810d77957"
    assert set(spec.to_json()["shape"]) == {"width", "depth", "heads", "vocab", "context", "ff", "tied"}


def test_a_kind_of_another_version_is_refused_and_so_is_a_shape_with_foreign_parts() -> None:
    written = spec_of(SHAPES["mlp"]).to_json()
    with pytest.raises(UnknownNameError, match="There is no kind of model 'mlpp'"):
        Spec.from_json({**written, "shape": {**written["shape"], "kind": "mlpp"}})
    with pytest.raises(FormatError, match="it has heads"):
        Spec.from_json({**written, "shape": {**written["shape"], "heads": 2}})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: MoEShape(16, 1, 1, 0), "experts = 0"),
        (lambda: MoEShape(16, 1, 1, 2, 3), "cannot be routed to 3 of 2"),
        (lambda: MoEShape(16, 1, 1, 2, routing="best"), "no routing 'best'"),  # type: ignore[arg-type]
        (lambda: MoEShape(16, 1, 1, 1, expert_ff=8), "One expert is the dense model"),
        (lambda: MoEShape(15, 1, 2, 2), "2 heads do not share width 15"),
        (lambda: EncoderDecoderShape(16, 0, 1), "depth = 0"),
        (lambda: EncoderDecoderShape(16, 1, 1, source=-1), "source = -1"),
        (lambda: ViTShape(16, 1, 1, 28, 5, 1, 10), r"do not tile(.|\n)*1, 2, 4, 7, 14, 28"),
        (lambda: ViTShape(16, 1, 1, 28, 7, 1, 1), "classes = 1"),
        (lambda: MLPShape(16, 1, 0, 2), "features = 0"),
        (lambda: MLPShape(16, 1, True, 2), "features = True"),
    ],
)
def test_shapes_that_cannot_be_are_answered(wrong: Any, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        wrong()


def test_a_batch_is_whole_in_the_words_of_its_kind() -> None:
    with pytest.raises(RequestError, match="whole number of images of 16 tokens"):
        dataclasses.replace(spec_of(SHAPES["vit"]), batch=100)


def test_conventions_that_do_not_apply_are_absent_with_a_reason() -> None:
    assert set(ledger(SHAPES["moe, hash"])) == {"isoloss", "kaplan", "six_n", "palm", "chinchilla", "deepseek"}
    for name in ("encoder-decoder", "vit", "mlp"):
        shape = SHAPES[name]
        assert not set(ledger(shape)) & set(inapplicable(shape))
        assert ledger(shape)["isoloss"] == training_flops(shape)
    assert ledger(SHAPES["mlp"])["six_n"] == 6 * count(SHAPES["mlp"]).params


def test_what_laws_know_a_kind_by_is_in_the_glossary() -> None:
    for shape in SHAPES.values():
        assert set(sizes(shape)) <= set(QUANTITIES)
    routed = MoEShape(32, 2, 2, experts=8, active_experts=2, expert_ff=64)
    dense = Shape(32, 2, 2)
    assert sizes(routed)["dense_params"] == count(dense).params
    assert sizes(routed)["active_params"] == count(dense).params + 2 * 32 * 8
    assert (sizes(routed)["idle_share"], sizes(routed)["granularity"]) == (0.75, 2)
    both = EncoderDecoderShape(32, 2, 2, encoder_depth=3)
    assert sum(sizes(both).values()) == count(both).body_params
    assert sizes(both)["encoder_params"] == 3 * (12 * 32**2 + 2 * 32) + 32


def test_an_architecture_is_had_of_transformers_over_text_alone() -> None:
    for name in ("moe, top-k", "moe, hash", "encoder-decoder"):
        assert count(Architecture.of(SHAPES[name])) == count(SHAPES[name])
    with pytest.raises(RequestError, match="no transformer over tokens of text"):
        Architecture.of(SHAPES["mlp"])


def test_one_dial_makes_every_kind() -> None:
    options = {
        "moe": {"experts": 4},
        "vit": {"image": 8, "patch": 2, "channels": 1, "classes": 4},
        "mlp": {"features": 64, "classes": 4},
    }
    for kind in KINDS:
        made = [dials.shape(dial, kind=kind, **options.get(kind, {})) for dial in (2, 3, 4)]
        assert [shape.width for shape in made] == [32, 48, 64] and {type(s) for s in made} == {KINDS[kind]}
        middle = dials.measure(made[1])
        assert dials.nearest(middle, kind=kind, **options.get(kind, {})) == 3
    assert dials.nearest(1e5, kind="moe", experts=16) == dials.nearest(1e5)
    with pytest.raises(UnknownNameError, match="kind of model 'rnn'"):
        dials.shape(2, kind="rnn")


def test_a_ladder_of_routed_models_has_every_number_of_experts_at_every_size(corpora: dict[str, Any]) -> None:
    specs = ladder.declare(
        "text", kind="moe", dials=[1, 2], experts=[1, 4], routing="hash", tokens=[20_000], seeds=[0, 1]
    )
    shapes = [spec.shape for spec in specs if spec.seed == 0]
    assert [(s.width, s.experts, s.routing) for s in shapes if isinstance(s, MoEShape)] == [
        (16, 1, "hash"),
        (16, 4, "hash"),
        (32, 1, "hash"),
        (32, 4, "hash"),
    ]
    assert len(specs) == 8
    assert len({spec.lr for spec in specs if spec.shape.width == 16}) == 1


def test_ladders_of_other_kinds_take_from_the_data_what_follows_from_them(corpora: dict[str, Any]) -> None:
    (image,) = ladder.declare("images", kind="vit", dials=[1], tokens=[4000])
    assert image.shape == ViTShape(16, 2, 1, image=8, patch=2, channels=1, classes=4)
    (rows,) = ladder.declare("images", kind="mlp", dials=[1], tokens=[400])
    assert rows.shape == MLPShape(16, 2, features=64, classes=4)
    pairs = ladder.declare(
        "pairs", kind="encoder_decoder", dials=[1], encoder_depths=[1, 3], context=16, tokens=[10_000]
    )
    assert [s.shape for s in pairs] == [EncoderDecoderShape(16, 2, 1, depth, context=16) for depth in (1, 3)]
    (written,) = ladder.declare(
        "text", kind="moe", shapes=[{"width": 32, "depth": 1, "heads": 2, "experts": 2, "ff": 64}], tokens=[20_000]
    )
    assert written.shape == MoEShape(32, 1, 2, experts=2, ff=64)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"kind": "moe"}, "needs experts"),
        ({"kind": "rnn"}, "no kind of model in ladder, runs 1 called 'rnn'"),
        ({"experts": [2]}, "experts is no key of kind = 'decoder'"),
        ({"kind": "moe", "experts": [0]}, "experts holds 0"),
        ({"kind": "moe", "experts": [2], "routing": "best"}, "no routing 'best'"),
        ({"kind": "vit"}, r"learns from examples with a class each(.|\n)*decoder, moe"),
    ],
)
def test_ladders_that_cannot_be_are_answered(corpora: dict[str, Any], grid: dict[str, Any], words: str) -> None:
    with pytest.raises((RequestError, FormatError, UnknownNameError), match=words):
        ladder.declare("text", dials=[1], tokens=[20_000], **grid)


def test_an_epoch_is_counted_in_what_the_kind_sees() -> None:
    assert usable_tokens(spec_of(SHAPES["vit"]), templates()) == 900 * 16
    assert usable_tokens(spec_of(SHAPES["mlp"]), templates()) == 900
    assert usable_tokens(spec_of(SHAPES["encoder-decoder"]), reversed_pairs()) == 1500 * 16
    spec = dataclasses.replace(spec_of(SHAPES["mlp"], steps=100), max_epochs=1.0)
    with pytest.raises(RequestError, match=r"1600 tokens are 1.78 times the corpus 'templates'"):
        check_repetition(spec, templates())
    with pytest.raises(RequestError, match=r"features = 65, and the examples of 'templates' 64"):
        usable_tokens(dataclasses.replace(spec, shape=MLPShape(16, 1, 65, 4)), templates())
    with pytest.raises(RequestError, match="learns from text, and 'templates' is examples"):
        check_repetition(spec_of(SHAPES["decoder"]), templates())


@EACH
def test_a_record_of_any_kind_says_what_its_numbers_count(name: str) -> None:
    shape, corpus = SHAPES[name], data_for(SHAPES[name])
    spec = spec_of(shape, steps=4)
    record = json.loads(json.dumps(record_of(spec, corpus, run(spec, corpus))))
    assert record["kind"] == shape.kind and record["status"] == "done"
    parts = ("embedding", "attention", "mlp", "norms", "head", "inputs")
    assert sum(record["counts"].get(f"{part}_params", 0) for part in parts) == record["counts"]["params"]
    for convention, flops in record["flops_per_token"].items():
        assert (flops is None) == (f"flops_per_token.{convention}" in record["conventions"])
    assert set(record["extras"]) <= set(record["conventions"]) | {"error_rate_se", "target_tokens"}
    assert {"token", "loss", "flops", "params"} <= set(record["conventions"])
    assert (record["bits_per_byte"] is None) == (shape.kind in ("vit", "mlp"))
    runs = table([record])
    assert set(sizes(shape)) <= set(runs.columns) or shape.kind == "decoder"
    assert ("error" in runs) == (shape.kind in ("vit", "mlp"))


def test_a_table_of_decoders_alone_has_the_columns_that_it_had() -> None:
    spec = spec_of(SHAPES["decoder"], steps=4)
    runs = table([record_of(spec, markov_corpus(), run(spec, markov_corpus()))])
    assert "kind" not in runs and "experts" not in runs and runs["heads"].tolist() == [1]


def test_dense_decoders_beside_routed_ones_have_one_expert() -> None:
    records = []
    for shape in (SHAPES["decoder"], SHAPES["moe, hash"]):
        spec = spec_of(shape, steps=4)
        records.append(record_of(spec, markov_corpus(), run(spec, markov_corpus())))
    runs = table(records)
    assert sorted(runs["experts"]) == [1, 4] and len(set(runs["dense_params"])) == 1


def test_laws_of_routed_models_are_fitted_to_a_trained_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve tiny runs on one number of tokens: a law without tokens is fitted, one with them is refused for that."""
    import isoloss as il

    text = second_order(letters=12, length=600)
    monkeypatch.setattr(ladder, "load_corpus", lambda name: text)
    specs = ladder.declare(
        "text",
        kind="moe",
        shapes=[{"width": w, "depth": 1, "heads": w // 8, "context": 32, "ff": w} for w in (8, 16, 32)],
        experts=[1, 2, 4, 8],
        routing="hash",
        tokens=[6000],
        batch=512,
    )
    runs = table([record_of(spec, text, run(spec, text)) for spec in specs])
    assert sorted(set(runs["experts"])) == [1, 2, 4, 8] and len(set(runs["dense_params"])) == 3
    assert (runs["active_params"] == runs["dense_params"]).all() and (runs["params"] >= runs["active_params"]).all()
    fit = il.fit(runs, law="routed_floor", draws=50)
    assert fit.law.columns[:2] == ("dense_params", "experts")
    with pytest.raises(il.IsolossError, match="12 runs have the same tokens"):
        il.fit(runs, law="joint_routed")


@pytest.mark.parametrize("name", ["moe, top-k", "encoder-decoder", "vit", "mlp"])
def test_any_kind_is_timed(name: str) -> None:
    spec = spec_of(SHAPES[name], steps=4)
    assert min(timed([spec])[spec.id]) > 0


def test_the_digest_of_the_code_reads_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    from isoloss.lab import record

    own = set(Path(record.__file__).parent.glob("models/*.py")) - {Path(record.__file__).parent / "models/__init__.py"}
    assert {path.name for path in own} <= {Path(name).name for name in record.MATHS}
    before = source_digest()
    source_digest.cache_clear()
    monkeypatch.setattr(record, "MATHS", tuple(name for name in record.MATHS if "moe" not in name))
    assert source_digest() != before
    source_digest.cache_clear()

"""Ladders in TOML: read into runs, and every mistake answered."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from isoloss.core.accounting import Shape, count, training_flops
from isoloss.core.errors import FormatError, IsolossError, RequestError, UnknownNameError
from isoloss.lab import dials, load_ladder
from isoloss.lab.ladder import declare

GOOD = """
schema = 1
corpus = "python"
recipe = "wsd-adamw"

[[runs]]
shapes = [{ width = 16, depth = 1, heads = 1 }, { width = 32, depth = 2, heads = 2 }]
tokens = [20_000, 40_000]
seeds = [0, 1]

[[runs]]
shapes = [{ width = 32, depth = 2, heads = 2 }]
tokens = [40_000, 80_000]
split = "test"
note = "held out"
"""


def read(folder: Path, text: str):
    path = folder / "ladder.toml"
    path.write_text(text)
    return load_ladder(path)


def test_a_ladder_is_every_shape_at_every_horizon_with_every_seed_each_once(tmp_path: Path) -> None:
    specs = read(tmp_path, GOOD)
    assert len(specs) == 2 * 2 * 2 + 1, "the run asked for twice is there once"
    assert len({spec.id for spec in specs}) == len(specs)
    assert [(s.split, s.note) for s in specs if s.tokens > 70_000] == [("test", "held out")]
    assert all(spec.corpus == "python" and len(spec.corpus_digest) == 64 for spec in specs)


def test_options_replace_the_recipes_own(tmp_path: Path) -> None:
    specs = read(tmp_path, GOOD.replace('split = "test"', "lr = 0.01\nbatch = 1024\nmax_epochs = 2"))
    assert (specs[-1].lr, specs[-1].batch, specs[-1].max_epochs) == (0.01, 1024, 2)


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("schema = 1", "schema = 2", FormatError, "reads schema 1"),
        ("schema = 1", "", FormatError, "lacks schema"),
        ("schema = 1", 'schema = "1"', FormatError, "schema = '1' is not an integer"),
        ('corpus = "python"', 'corpus = "pythn"', UnknownNameError, "Near names: python"),
        ('corpus = "python"', "corpus = 7", FormatError, "corpus = 7 is not text"),
        ("wsd-adamw", "wsd-adam", UnknownNameError, "Near names: wsd-adamw"),
        ("[[runs]]", "[[run]]", UnknownNameError, "Near names: runs"),
        ("tokens = [20_000, 40_000]", "token = [20_000]", UnknownNameError, "Near names: tokens"),
        ("tokens = [20_000, 40_000]", "", FormatError, "lacks tokens"),
        ("tokens = [20_000, 40_000]", "tokens = []", FormatError, "tokens holds nothing"),
        ("tokens = [20_000, 40_000]", "tokens = [20e3]", FormatError, "tokens holds 20000.0"),
        ("tokens = [20_000, 40_000]", "tokens = [-5]", FormatError, "tokens holds -5"),
        ("seeds = [0, 1]", "seeds = [true]", FormatError, "seeds holds True"),
        ("seeds = [0, 1]", "seeds = 3", FormatError, "seeds = 3 is not a list"),
        ("{ width = 16, depth = 1, heads = 1 }", "16", FormatError, "shape 1 is 16, where a table is needed"),
        ("width = 16,", "width = 16.5,", FormatError, "width = 16.5 is not an integer"),
        ("width = 16, depth = 1,", "width = 16,", FormatError, "lacks depth"),
        ("heads = 1 }", "head = 1 }", UnknownNameError, "Near names: heads"),
        ("heads = 1 }", "heads = 3 }", RequestError, "shape 1: 3 heads do not share width 16"),
        ("shapes = [{ width = 16, depth = 1, heads = 1 }, { width = 32, depth = 2, heads = 2 }]", "shapes = []",
         FormatError, "shapes is empty"),
        ("[[runs]]", "[[runs", FormatError, "is no TOML"),
    ],
)  # fmt: skip
def test_every_mistake_is_answered(tmp_path: Path, old: str, new: str, kind: type[IsolossError], words: str) -> None:
    assert old in GOOD
    with pytest.raises(kind, match=words):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_no_runs_and_no_file_are_answered(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="asks for no runs"):
        read(tmp_path, 'schema = 1\ncorpus = "python"\nruns = []')
    with pytest.raises(FormatError, match="There is no file"):
        load_ladder(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[1] / "examples").glob("ladder*.toml")), ids=lambda p: p.name
)
def test_the_examples_are_ladders(path: Path) -> None:
    assert load_ladder(path)


def test_the_shipped_ladder_varies_size_and_horizon_independently_and_holds_out_the_largest() -> None:
    specs = load_ladder(str(files("isoloss.samples") / "ladder.toml"))
    train = [spec for spec in specs if spec.split == "train"]
    grid = {(spec.shape.width, spec.tokens) for spec in train if spec.seed == 0}
    widths, horizons = {width for width, _ in grid}, {tokens for _, tokens in grid}
    common = {tokens for tokens in horizons if all((width, tokens) in grid for width in widths)}
    assert len(widths) >= 6 and len(common) >= 5
    most = max(spec.flops for spec in train)
    assert len([spec for spec in specs if spec.split == "test"]) == 2
    assert all(spec.flops >= 4 * most for spec in specs if spec.split == "test")


FIVE_LINES = """
schema = 1
corpus = "python"
[[runs]]
dials = [2, 3, 4]
budgets = [3e11, 1e12]
"""


def test_budgets_give_each_size_the_tokens_that_its_flops_pay_for(tmp_path: Path) -> None:
    specs = read(tmp_path, FIVE_LINES)
    assert [s.shape for s in specs[::2]] == [Shape(32, 2, 2), Shape(48, 3, 3), Shape(64, 3, 4)]
    for spec, budget in zip(specs, [3e11, 1e12] * 3, strict=True):
        assert spec.flops == pytest.approx(budget, abs=spec.batch * training_flops(spec.shape) / 2 + 1)


def test_horizons_are_tokens_a_parameter_and_sizes_the_nearest_dial(tmp_path: Path) -> None:
    text = FIVE_LINES.replace("dials = [2, 3, 4]", 'sizes = [30_000, "100k"]')
    specs = read(tmp_path, text.replace("budgets = [3e11, 1e12]", "horizons = [20]"))
    assert [spec.shape.width for spec in specs] == [32, 48]
    assert all(abs(spec.tokens - 20 * spec.counts.params) <= spec.batch / 2 + 1 for spec in specs)


def test_the_dials_are_the_shapes_of_the_shipped_ladder_and_grow() -> None:
    shapes = {spec.shape for spec in load_ladder(str(files("isoloss.samples") / "ladder.toml"))}
    assert {dials.shape(getattr(shape, "heads", 0)) for shape in shapes} == shapes
    sizes = [count(dials.shape(dial)).matmul_params for dial in range(1, 100)]
    assert sizes == sorted(set(sizes))
    assert all(dials.nearest(size) == dial for dial, size in enumerate(sizes, start=1))
    for dial in (0, 513):
        with pytest.raises(RequestError, match="There is no dial"):
            dials.shape(dial)


def test_a_declaration_in_python_is_the_same_ladder(tmp_path: Path) -> None:
    assert declare(dials=(2, 3, 4), budgets=[3e11, 1e12]) == read(tmp_path, FIVE_LINES)
    with pytest.raises(UnknownNameError, match="Near names: budgets"):
        declare(dials=[2], budget=[1e12])


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("dials = [2, 3, 4]", "", FormatError, "lacks shapes, dials or sizes"),
        ("dials = [2, 3, 4]", "dials = [2]\nsizes = [3e4]", FormatError, "has dials and sizes"),
        ("dials = [2, 3, 4]", "dials = [2.5]", FormatError, "dials holds 2.5"),
        ("dials = [2, 3, 4]", "dials = [9999]", RequestError, "no dial 9999"),
        ("dials = [2, 3, 4]", "sizes = [30e3, 33e3]", RequestError, "both nearest to dial 2"),
        ("dials = [2, 3, 4]", "sizes = [5]", RequestError, "No dial has about 5"),
        ("dials = [2, 3, 4]", 'sizes = ["many"]', FormatError, "sizes holds 'many'"),
        ("budgets = [3e11, 1e12]", "budgets = [-1.0]", FormatError, "budgets holds -1.0"),
        ("budgets = [3e11, 1e12]", "budgets = [inf]", FormatError, "budgets holds inf"),
        ("budgets = [3e11, 1e12]", "budgets = [3e11]\ntokens = [7]", FormatError, "has tokens and budgets"),
        ("budgets = [3e11, 1e12]", "horizons = []", FormatError, "horizons holds nothing"),
        ('corpus = "python"', 'corpus = "python"\nengine = "gpu"', UnknownNameError, "There is no engine 'gpu'"),
    ],
)
def test_mistakes_in_declarations_are_answered(
    tmp_path: Path, old: str, new: str, kind: type[IsolossError], words: str
) -> None:
    assert old in FIVE_LINES
    with pytest.raises(kind, match=words):
        read(tmp_path, FIVE_LINES.replace(old, new, 1))

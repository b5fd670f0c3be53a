"""The gallery: a picture and a section for every plot, small, and drawn from what its captions say."""

from pathlib import Path

from examples.gallery import EXAMPLES, FOLDER, index
from isoloss import plots
from isoloss.core import figure_file

LIMIT = 3e6  # bytes


def test_has_one_picture_for_every_plot_and_none_besides() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(plots.every())
    assert {path.suffix for path in FOLDER.iterdir()} == {".png", ".md"}


def test_its_page_is_as_it_would_be_made_now() -> None:
    assert (FOLDER / "index.md").read_text(encoding="utf-8") == index()


def test_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < LIMIT


def test_make_gallery_makes_it() -> None:
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")
    assert "python -m examples.gallery" in makefile


def test_a_picture_is_the_same_bytes_every_time() -> None:
    figure = EXAMPLES["profile"].draw("profile")
    for kind in ("png", "svg", "pdf"):
        assert figure_file.picture(figure, kind) == figure_file.picture(figure, kind)

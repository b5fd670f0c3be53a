"""One suite over every registered picture, drawn from its gallery example, and how pictures find their nouns."""

import dataclasses
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import small_ladder

import isoloss as il
from examples.gallery import EXAMPLES
from isoloss import plots
from isoloss.core.errors import ColumnError, DesignError, RequestError, UnknownNameError
from isoloss.core.figure import Band, Figure, Line, Region
from isoloss.core.figure_quantities import drawn as measured
from isoloss.core.fit import Data, Fit
from isoloss.core.frontier import Frontier
from isoloss.core.law import find
from isoloss.core.runs import Runs
from isoloss.plots import Slot

FLOPS = 3e14
RUNS = small_ladder.ladder()
FIT = small_ladder.fitted(RUNS)

FITTED = [name for name, plot in plots.every().items() if any(Fit in slot.types for slot in plot.slots)]
OF_LADDER = [name for name, plot in plots.every().items() if plot.suits([RUNS, FIT])]
WITHOUT_BANDS = {"residuals", "pairs", "allocation"}


@cache
def drawn(name: str) -> Figure:
    return EXAMPLES[name].draw(name)


def without_draws(fit: Fit) -> Fit:
    return dataclasses.replace(fit, draws_sp=np.empty((0, len(fit.theta_p))), residuals_n=np.empty(0))


def test_every_picture_has_an_example() -> None:
    assert set(EXAMPLES) == set(plots.every())


@pytest.mark.parametrize("name", plots.every())
class TestEveryPlot:
    def test_every_number_is_finite_or_a_gap_in_a_line(self, name: str) -> None:
        marks = list(drawn(name).marks())
        assert marks
        for mark in marks:
            if isinstance(mark, Region):
                continue
            for column in ("x", "y", "low", "high", "values"):
                numbers = getattr(mark, column, np.empty(0))
                gaps = isinstance(mark, Line)
                assert np.isfinite(numbers).any() if gaps and len(numbers) else np.isfinite(numbers).all()

    def test_axes_are_quantities_with_units(self, name: str) -> None:
        for panel in drawn(name).panels:
            for axis in (panel.x, panel.y):
                unit = axis.unit or measured(axis.quantity).unit
                assert axis.names or unit == "1" or axis.label.endswith(f"({unit})"), axis.label
                assert axis.names or axis.label

    def test_survives_json(self, name: str) -> None:
        plain = drawn(name).to_json()
        assert Figure.from_json(json.loads(json.dumps(plain, allow_nan=False))).to_json() == plain

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_drawable_with_both_backends(self, name: str, theme: Any, tmp_path: Any) -> None:
        figure = drawn(name)
        traces = [m for m in figure.marks() if not isinstance(m, Region)]
        assert len(figure.to_plotly(theme).data) == len(traces)
        figure.to_matplotlib(theme).savefig(tmp_path / "figure.png", dpi=40)

    def test_no_word_leaves_the_picture(self, name: str) -> None:
        canvas = drawn(name).to_matplotlib()
        canvas.draw_without_rendering()
        shown = [axes for axes in canvas.axes if axes.get_visible()]
        words = [label for axes in shown for label in (axes.xaxis.label, axes.yaxis.label) if label.get_text()]
        for one in [*words, *canvas.legends, canvas._suptitle]:
            extent = one.get_window_extent()
            assert extent.x0 >= 0 and extent.y0 >= 0, one
            assert extent.x1 <= canvas.bbox.x1 and extent.y1 <= canvas.bbox.y1, one

    def test_each_panel_is_a_figure_of_its_own(self, name: str) -> None:
        for part in drawn(name).split():
            part.to_plotly()

    def test_has_a_title_notes_and_its_own_name(self, name: str) -> None:
        figure = drawn(name)
        assert figure.title
        assert figure.notes
        assert figure.name == name

    def test_says_what_it_is_drawn_from(self, name: str) -> None:
        with pytest.raises(RequestError, match="drawn from"):
            plots.find(name)(3.0)
        with pytest.raises(UnknownNameError, match="colour_of_curtains"):
            plots.find(name)(*EXAMPLES[name].given, colour_of_curtains="red")


@pytest.mark.parametrize("name", sorted(set(FITTED) - WITHOUT_BANDS))
def test_bands_are_drawn_when_there_are_draws_and_only_then(name: str) -> None:
    nouns = EXAMPLES[name].given
    assert any(isinstance(m, Band) for m in drawn(name).marks())
    bare = [without_draws(noun) if isinstance(noun, Fit) else noun for noun in nouns]
    figure = plots.find(name)(*bare, **EXAMPLES[name].options)
    assert not any(isinstance(m, Band) for m in figure.marks())
    assert any("nterval" in note for note in figure.notes)
    figure.to_plotly()


@pytest.mark.parametrize("name", OF_LADDER)
class TestOfRunsAndAFit:
    def draw(self, name: str, runs: Runs = RUNS, fit: Fit = FIT) -> Figure:
        return plots.find(name)(runs, fit, flops=FLOPS)

    def test_draws_runs_of_which_none_is_held_out(self, name: str) -> None:
        figure = self.draw(name, runs=RUNS.where(split="train"))
        assert not any(m.role == "held-out" for m in figure.marks())

    def test_refuses_a_law_of_anything_else(self, name: str) -> None:
        law = find("repeated")
        fit = Fit(law, np.ones(6), np.empty((0, 6)), "converged", Data(3, "nowhere"))
        if name == "residuals":
            pytest.skip("residuals are there for every law")
        with pytest.raises(RequestError, match="repeated"):
            self.draw(name, fit=fit)

    def test_names_a_column_that_is_missing(self, name: str) -> None:
        if name in ("inference", "returns"):
            pytest.skip("drawn without runs as well, where a budget is given")
        with pytest.raises(ColumnError, match="loss"):
            self.draw(name, runs=Runs({"params": np.ones(2), "tokens": np.ones(2)}))

    def test_draws_kaplans_law_by_its_own_count(self, name: str) -> None:
        law = find("kaplan")
        theta_p = law.theta({"N_c": 8.8e13, "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.103})
        runs = RUNS.rename(body_params="params")
        fit = Fit(law, theta_p, theta_p * np.full((20, 1), 1.01), "converged", Data(24, "nowhere"))
        figure = self.draw(name, runs, fit)
        axes = {a.quantity for p in figure.panels for a in (p.x, p.y)}
        assert "params" not in axes
        assert "flops" not in axes


@pytest.mark.parametrize("name", OF_LADDER)
def test_refuses_when_no_run_was_fitted(name: str) -> None:
    with pytest.raises(DesignError, match="held out"):
        plots.find(name)(RUNS.where(split="test"), FIT)
    with pytest.raises(DesignError, match="no runs"):
        plots.find(name)(RUNS.take(np.arange(0)), FIT)


@pytest.mark.parametrize("name", OF_LADDER)
@pytest.mark.parametrize("rows", [[0], [0, 0, 0], [0, 1]])
def test_draws_very_few_runs(name: str, rows: list[int]) -> None:
    plots.find(name)(RUNS.take(rows), FIT).to_plotly()


def test_an_unknown_picture_offers_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="contours"):
        plots.find("contour")


def test_a_signature_says_what_a_picture_is_drawn_from() -> None:
    assert Slot.of("runs", Runs | None) == Slot("runs", (Runs,), True, False)
    assert Slot.of("fits", Sequence[Fit | Frontier]) == Slot("fits", (Fit, Frontier), False, True)
    assert plots.find("scaling").drawn_from == "[Runs], Fit"
    assert plots.find("inference").options == {"flops", "loss", "served", "level"}


class TestTheVerb:
    def test_takes_nouns_in_any_order(self) -> None:
        assert il.plot(FIT, RUNS, name="residuals").to_json() == il.plot(RUNS, FIT, name="residuals").to_json()

    def test_draws_the_only_picture_there_is(self) -> None:
        (found,) = EXAMPLES["profile"].given
        assert il.plot(found).name == "profile"

    def test_lists_pictures_where_there_are_several(self) -> None:
        with pytest.raises(RequestError, match="compute: What loss") as caught:
            il.plot(RUNS, FIT)
        assert "repetition" not in str(caught.value)
        assert "experts" not in str(caught.value)

    def test_lists_what_pictures_need_where_there_is_none(self) -> None:
        with pytest.raises(RequestError, match=r"pairs: Fit"):
            il.plot(3.0)
        with pytest.raises(RequestError, match="nothing"):
            il.plot()

    def test_reads_keys_and_numbers_as_people_write_them(self) -> None:
        figure = il.plot(FIT, "besiroglu2024", name="allocation", flops="1e20")
        labels = {m.label for m in figure.marks()}
        assert "besiroglu2024 (language)" in labels
        served = il.plot(FIT, name="inference", flops="1e14", served=["1M", "1B"])
        assert {"1M tokens served", "1B tokens served"} <= {m.label for m in served.marks()}

    def test_flops_and_level_are_of_every_picture(self) -> None:
        il.plot(RUNS, FIT, name="residuals", flops=1e15, level=0.5)
        with pytest.raises(RequestError, match="level"):
            il.plot(RUNS, FIT, name="residuals", level=90)


class TestRefusals:
    def test_overfitting_is_of_kaplans_law(self) -> None:
        with pytest.raises(RequestError, match="kaplan"):
            il.plot(RUNS, FIT, name="overfitting")

    def test_pairs_need_draws(self) -> None:
        with pytest.raises(RequestError, match="no draws"):
            il.plot(without_draws(FIT), name="pairs")

    def test_breaks_need_a_law_that_breaks(self) -> None:
        with pytest.raises(RequestError, match="bnsl_1"):
            il.plot(FIT, name="breaks")

    def test_curves_need_several_rows_a_run(self) -> None:
        with pytest.raises(DesignError, match="one row only"):
            il.plot(RUNS, name="curves")

    def test_profiles_and_curves_know_their_frontiers(self) -> None:
        runs, isoflop = EXAMPLES["profiles"].given
        steps, envelope = EXAMPLES["curves"].given
        with pytest.raises(RequestError, match="envelope"):
            il.plot(steps, isoflop, name="curves")
        with pytest.raises(RequestError, match="isoflop"):
            il.plot(runs, envelope, name="profiles")

    def test_scaling_is_of_one_input_or_of_size_and_data(self) -> None:
        _, fit = EXAMPLES["experts"].given
        with pytest.raises(RequestError, match="routed"):
            il.plot(fit, name="scaling")

    def test_allocation_of_too_many_laws_or_of_one_without_a_best_size(self) -> None:
        with pytest.raises(RequestError, match="told apart"):
            il.plot([FIT] * 8, name="allocation")
        _, broken = EXAMPLES["breaks"].given
        with pytest.raises(RequestError, match="bnsl_1"):
            il.plot(FIT, broken, name="allocation")

    def test_inference_without_runs_needs_a_loss(self) -> None:
        with pytest.raises(RequestError, match="loss to reach"):
            il.plot(FIT, name="inference")

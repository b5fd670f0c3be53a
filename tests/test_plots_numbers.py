"""The numbers in the pictures: frontiers are the planner's, contours the law's, minima minima."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import small_ladder

import isoloss as il
from examples.gallery import EXAMPLES
from isoloss import plots
from isoloss.core import figure_style as style
from isoloss.core.figure import Band, Figure, Line, Points
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.planning import plan
from isoloss.plots._curves import stretches
from isoloss.plots.contours import tokens_for

FLOPS = 3e14
RUNS = small_ladder.ladder()
FIT = small_ladder.fitted(RUNS)


def of_ladder(name: str, runs: Runs = RUNS) -> Figure:
    return plots.find(name)(runs, FIT, flops=FLOPS)


def labelled(figure: Figure, label: str) -> Any:
    found = [m for m in figure.marks() if m.label.startswith(label)]
    found.sort(key=lambda m: isinstance(m, Band))
    assert found, f"no mark '{label}' among {sorted({m.label for m in figure.marks()})}"
    return found[0]


def test_frontier_is_the_planners() -> None:
    line = labelled(of_ladder("compute"), "the law's best for each")
    for i in (0, len(line.x) // 2, -1):
        option = plan(FIT, flops=float(line.x[i])).options[0]
        assert line.y[i] == pytest.approx(option.loss.mid, rel=1e-12)


def test_frontier_turns_to_dashes_where_the_fitted_runs_end() -> None:
    figure = of_ladder("compute")
    solid = labelled(figure, "the law's best for each")
    before, after = (m for m in figure.marks() if isinstance(m, Line) and m.label == "the law's best, beyond the runs")
    assert [m.beyond for m in (before, solid, after)] == [True, False, True]
    assert before.x[-1] == solid.x[0]
    assert solid.x[-1] == after.x[0] == pytest.approx(max(small_ladder.BUDGETS))
    assert labelled(figure, "beyond the data").x[0] == pytest.approx(max(small_ladder.BUDGETS))
    assert after.x[-1] >= 3 * FLOPS
    smallest = RUNS.where(split="train")["params"].min()
    sizes = [plan(FIT, flops=float(c)).options[0].params.mid for c in (before.x[-2], solid.x[0])]
    assert sizes[0] < smallest <= sizes[1]


def test_a_table_that_counts_flop_otherwise_is_noted() -> None:
    counted = RUNS.with_columns(flops=1.3 * 6 * RUNS["params"] * RUNS["tokens"])
    assert any("1.30 times 6 N D" in note for note in of_ladder("compute", runs=counted).notes)
    assert not any("times 6 N D" in note for note in of_ladder("compute").notes)


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ([0, 0, 0], [(0, 3, False)]),
        ([1, 1, 1], [(0, 3, True)]),
        ([0, 1, 1, 0], [(0, 2, False), (1, 3, True), (2, 4, False)]),
        ([0, 1, 0], [(0, 3, False)]),
        ([1, 1, 0, 0, 1, 1], [(0, 2, True), (1, 5, False), (4, 6, True)]),
    ],
)
def test_stretches_meet_and_cover_the_curve(within: list[int], expected: list[tuple[int, int, bool]]) -> None:
    found = stretches(np.array(within, bool))
    assert [(part.start, part.stop, inside) for part, inside in found] == expected


def test_held_out_runs_stand_beside_their_predictions() -> None:
    figure = of_ladder("compute")
    reached, predicted = labelled(figure, "held-out runs"), labelled(figure, "predicted for them")
    test = RUNS.where(split="test")
    np.testing.assert_allclose(reached.y, test["loss"])
    told = FIT.predict(test, level=0.9)
    np.testing.assert_allclose(predicted.y, told.mid)
    np.testing.assert_allclose(predicted.low, told.low)
    np.testing.assert_allclose(predicted.high, told.high)


def test_isoflop_curves_have_the_designed_budgets_and_their_minima() -> None:
    figure = of_ladder("isoflop")
    budgets = sorted({m.value for m in figure.marks() if isinstance(m, Line) and m.value is not None})
    np.testing.assert_allclose(budgets, [*small_ladder.BUDGETS, FLOPS], rtol=1e-9)
    best = labelled(figure, "best size")
    for i, budget in enumerate(budgets):
        sizes = np.geomspace(best.x[i] / 3, best.x[i] * 3, 2001)
        losses = FIT.predict(params=sizes, tokens=budget / (6 * sizes), kind="mean").mid
        assert sizes[np.argmin(losses)] == pytest.approx(best.x[i], rel=2e-3)
    near = [m for m in figure.marks() if isinstance(m, Points) and m.role == "run"]
    assert sum(len(m.x) for m in near) == 24


def test_isoflop_draws_a_grid_that_has_no_common_budgets() -> None:
    rng = np.random.default_rng(1)
    params, tokens = 10 ** rng.uniform(4.5, 6, 20), 10 ** rng.uniform(5.3, 6.5, 20)
    runs = Runs({"params": params, "tokens": tokens, "loss": FIT.law.value([params, tokens], FIT.theta_p)})
    of_ladder("isoflop", runs=runs).to_plotly()


def test_along_a_contour_the_loss_is_its_number() -> None:
    lines = [(m, m.value) for m in of_ladder("contours").marks() if isinstance(m, Line) and m.value is not None]
    assert len({value for _, value in lines}) >= 5
    for line, value in lines:
        known = np.isfinite(line.y)
        losses = FIT.law.value([line.x[known], line.y[known]], FIT.theta_p)
        np.testing.assert_allclose(losses, value, rtol=1e-9)


def test_contours_are_dashed_outside_the_box_and_only_there() -> None:
    figure = of_ladder("contours")
    box = labelled(figure, "range of the fitted runs")
    for line in (m for m in figure.marks() if isinstance(m, Line) and m.value is not None and not m.beyond):
        x, y = line.x[np.isfinite(line.y)], line.y[np.isfinite(line.y)]
        assert np.all((x >= box.x[0]) & (x <= box.x[1]) & (y >= box.y[0]) & (y <= box.y[1]))


def test_bisection_finds_the_data_for_a_loss() -> None:
    size_m, value = np.array([5e4, 2e5]), 4.5
    exact = (small_ladder.TRUTH["B"] / (value - small_ladder.TRUTH["E"] - 60.0 * size_m**-0.35)) ** (1 / 0.45)
    found = tokens_for(FIT, FIT.theta_p[None], size_m, value, (1e3, 1e9))[0]
    np.testing.assert_allclose(found, exact, rtol=1e-9)
    np.testing.assert_array_equal(tokens_for(FIT, FIT.theta_p[None], size_m, 1.0, (1e3, 1e9))[0], 1e9)
    np.testing.assert_array_equal(tokens_for(FIT, FIT.theta_p[None], size_m, 99.0, (1e3, 1e9))[0], 1e3)


def test_residuals_are_measured_over_predicted_less_one() -> None:
    figure = of_ladder("residuals")
    assert [p.x.quantity for p in figure.panels] == ["params", "tokens", "flops"]
    train = RUNS.where(split="train")
    expected = 100 * (train["loss"] / FIT.law.value([train["params"], train["tokens"]], FIT.theta_p) - 1)
    for panel in figure.panels:
        points = next(m for m in panel.marks if isinstance(m, Points) and m.role == "run")
        np.testing.assert_allclose(points.y, expected)
    band = labelled(figure, "scatter")
    assert band.high[0] == pytest.approx(100 * np.expm1(FIT.scatter))


def test_the_fewest_flop_of_a_line_are_the_planners_and_touch_it() -> None:
    figure = of_ladder("contours")
    points = labelled(figure, "fewest FLOP of a line")
    assert len(points.x) >= 4
    losses = FIT.law.value([points.x, points.y], FIT.theta_p)
    lines = {m.value for m in figure.marks() if isinstance(m, Line) and m.value is not None}
    for params, tokens, loss in zip(points.x, points.y, losses, strict=True):
        assert min(abs(loss - value) for value in lines) < 1e-6
        option = plan(FIT, loss=float(loss)).options[0]
        assert params == pytest.approx(option["params"].mid, rel=1e-6)
        along = np.geomspace(params / 3, params * 3, 401)
        data = tokens_for(FIT, FIT.theta_p[None], along, float(loss), (tokens / 100, tokens * 100))[0]
        assert np.min(along * data) >= params * tokens * (1 - 1e-6)


def test_bands_of_lines_do_not_cover_each_other() -> None:
    def bands(fit: Fit) -> int:
        figure = plots.find("contours")(RUNS, fit, flops=FLOPS)
        shown = [m for m in figure.marks() if isinstance(m, Band) and m.value is not None]
        assert any("Shaded" in note for note in figure.notes)
        assert len(shown) >= 1
        return len(shown)

    spread_sp = FIT.theta_p + 12 * (FIT.draws_sp - FIT.theta_p)
    wide = dataclasses.replace(FIT, draws_sp=np.maximum(spread_sp, 0.1 * FIT.theta_p))
    assert bands(wide) < bands(FIT)


def test_seven_decades_of_compute_keep_their_ticks_and_their_edge() -> None:
    flops = np.repeat(np.geomspace(1e17, 1e24, 15), 4)
    params = np.sqrt(flops / 120) * np.tile([0.3, 1, 2, 3], 15)
    tokens = flops / (6 * params)
    wide = Runs({"params": params, "tokens": tokens, "loss": FIT.law.value([params, tokens], FIT.theta_p)})
    figure = plots.find("compute")(wide, FIT, flops=1e25)
    panel = figure.panels[0]
    low, high = style.ends(panel, "x")
    assert high / low > 1e7
    shown = style.ticks(panel.x, low, high)
    assert 4 <= len(shown) <= 9 and all("10" in words for _, words in shown)
    assert labelled(figure, "beyond the data").x[0] == pytest.approx(1e24)
    assert all(np.isfinite(m.y).all() for m in figure.marks() if isinstance(m, Line))


def test_scaling_ends_where_the_other_resource_is_endless() -> None:
    figure = of_ladder("scaling")
    truth = small_ladder.TRUTH
    of_size = labelled(figure, "with endless data")
    np.testing.assert_allclose(of_size.y, truth["E"] + truth["A"] * of_size.x ** -truth["alpha"], rtol=1e-9)
    of_data = labelled(figure, "with endless size")
    np.testing.assert_allclose(of_data.y, truth["E"] + truth["B"] * of_data.x ** -truth["beta"], rtol=1e-9)
    best = next(m for m in figure.marks() if isinstance(m, Line) and m.label == "spent best" and m.beyond)
    option = plan(FIT, flops=float(best.x[-1])).options[0]
    assert best.y[-1] == pytest.approx(option["loss"].mid, rel=1e-9)
    edges = [m.x[0] for m in figure.marks() if m.label == "beyond the data"]
    train = RUNS.where(split="train")
    assert edges == pytest.approx([train["params"].max(), train["tokens"].max(), max(small_ladder.BUDGETS)])


def test_scaling_of_one_input_is_the_law_with_its_runs() -> None:
    runs, fit = EXAMPLES["breaks"].given
    figure = il.plot(runs, fit, name="scaling")
    (panel,) = figure.panels
    assert (panel.x.quantity, panel.y.quantity) == ("tokens", "loss")
    beyond = next(m for m in figure.marks() if isinstance(m, Line) and m.beyond)
    np.testing.assert_allclose(beyond.y, fit.law.value([beyond.x], fit.theta_p))
    assert beyond.x[0] == pytest.approx(runs["tokens"].max())


def test_sample_efficiency_has_a_curve_a_size() -> None:
    figure = of_ladder("sample_efficiency")
    sizes = sorted({m.value for m in figure.marks() if isinstance(m, Line) and m.value is not None})
    assert 2 <= len(sizes) <= 6
    assert set(sizes) <= set(RUNS["params"])
    for line in (m for m in figure.marks() if isinstance(m, Line)):
        known = FIT.law.value([np.full(len(line.x), line.value), line.x], FIT.theta_p)
        np.testing.assert_allclose(line.y, known)


def test_overfitting_falls_on_one_curve() -> None:
    runs, fit = EXAMPLES["overfitting"].given
    exact = runs.with_columns(loss=fit.law.value([runs["body_params"], runs["tokens"]], fit.theta_p))
    figure = il.plot(exact, fit, name="overfitting")
    points, line = labelled(figure, "runs fitted"), labelled(figure, "the law, for all sizes")
    at = np.exp(np.interp(np.log(points.x), np.log(line.x), np.log(line.y)))
    np.testing.assert_allclose(points.y, at, rtol=0.02)
    exponent = fit.theta["alpha_N"] / fit.theta["alpha_D"]
    shown = exact["body_params"] ** exponent / exact["tokens"]
    np.testing.assert_allclose(np.sort(points.x), np.sort(shown)[-len(points.x) :])


def test_allocation_is_the_planners_for_every_law() -> None:
    frontier = EXAMPLES["profiles"].given[1]
    figure = il.plot(FIT, frontier, name="allocation")
    for series, fit in enumerate((FIT, frontier)):
        for panel, name in zip(figure.panels, ("params", "tokens"), strict=True):
            line = next(m for m in panel.marks if isinstance(m, Line) and m.series == series)
            option = plan(fit, flops=float(line.x[0])).options[0]
            assert line.y[0] == pytest.approx(option[name].mid, rel=1e-9)
    minima = next(m for m in figure.panels[0].marks if isinstance(m, Points))
    np.testing.assert_array_equal(minima.y, [o.size.mid for o in frontier.optima if not o.left_out])


def test_returns_are_the_planners() -> None:
    figure = of_ladder("returns")
    told = plan(FIT, flops=FLOPS, times=[2, 10])
    for said, way in (("more data alone", "the data"), ("more compute, spent best", "the compute, spent best")):
        points = next(m for m in figure.marks() if isinstance(m, Points) and m.label == said)
        gains = [100 * o["gain"].mid for o in told.options if o.label.endswith(way)]
        np.testing.assert_allclose(points.y, gains, rtol=1e-9)


def test_inference_reaches_the_loss_at_the_least_cost() -> None:
    target, demand = 2.1, 1e9
    figure = il.plot(FIT, name="inference", loss=target, served=[demand])
    best = plan(FIT, loss=target, served=demand).options[0]
    stars = [m for m in figure.marks() if isinstance(m, Points)]
    assert stars[1].x[0] == pytest.approx(best["params"].mid)
    lines = [m for m in figure.marks() if isinstance(m, Line) and m.series == 1 and len(m.x) > 2]
    cheapest = min(float(np.nanmin(line.y)) for line in lines)
    assert best["lifetime_flops"].mid <= cheapest * (1 + 1e-9)
    assert cheapest == pytest.approx(best["lifetime_flops"].mid, rel=5e-3)
    size, cost = lines[0].x[-1], lines[0].y[-1]
    tokens = (cost - 2 * size * demand) / (6 * size)
    assert FIT.law.value([[size], [tokens]], FIT.theta_p)[0] == pytest.approx(target, rel=1e-6)


def test_repetition_parts_from_fresh_data_as_passes_go_on() -> None:
    runs, fit = EXAMPLES["repetition"].given
    figure = il.plot(runs, fit, name="repetition")
    seen = [m for m in figure.marks() if isinstance(m, Line) and m.role == "law"]
    fresh = [m for m in figure.marks() if isinstance(m, Line) and m.role == "guide"]
    assert len(fresh) == 4
    first = fresh[0]
    whole = [m for m in seen if m.value == first.value]
    assert whole[0].y[0] == pytest.approx(first.y[0], rel=1e-9), "at one pass all data are fresh"
    assert whole[-1].y[-1] > first.y[-1] * 1.05


def test_experts_curves_are_the_law() -> None:
    runs, fit = EXAMPLES["experts"].given
    figure = il.plot(runs, fit, name="experts")
    for line in (m for m in figure.marks() if isinstance(m, Line)):
        known = fit.law.value([np.full(len(line.x), line.value), line.x], fit.theta_p)
        np.testing.assert_allclose(line.y, known)
    assert max(m.x.max() for m in figure.marks() if isinstance(m, Line)) == pytest.approx(4 * 512)


def test_the_exponent_changes_at_the_break() -> None:
    runs, fit = EXAMPLES["breaks"].given
    figure = il.plot(runs, fit, name="breaks")
    box = labelled(figure, "break 1")
    assert box.x[0] < fit.theta["d_1"] < box.x[1]
    exponents = np.concatenate([m.y for m in figure.panels[1].marks if isinstance(m, Line)])
    assert exponents[0] == pytest.approx(fit.theta["c_0"], abs=0.01)
    assert exponents[-1] == pytest.approx(fit.theta["c_0"] + fit.theta["c_1"], abs=0.01)


def test_the_profiles_interval_is_where_the_rise_meets_the_threshold() -> None:
    (found,) = EXAMPLES["profile"].given
    figure = il.plot(found)
    box, line = labelled(figure, "90% interval"), labelled(figure, "rise")
    rise = np.interp([box.x[0], box.x[1]], line.x, line.y)
    np.testing.assert_allclose(rise, found.threshold, rtol=0.15)


def test_the_envelope_lies_below_the_curves() -> None:
    runs, frontier = EXAMPLES["curves"].given
    figure = il.plot(runs, name="curves")
    lowest = labelled(figure, "least loss so far")
    assert (np.diff(lowest.y) <= 0).all()
    assert lowest.y[-1] == runs["loss"].min()
    drawn = [m for m in figure.marks() if m.label == "training runs"]
    assert len(drawn) == 12
    fitted = il.plot(runs, frontier, name="curves")
    assert any(isinstance(m, Band) for m in fitted.marks())


def test_pairs_shows_those_that_move_together_most() -> None:
    figure = il.plot(FIT, name="pairs")
    assert len(figure.panels) == 6 and figure.grid == (2, 3)
    shown = [{p.x.words, p.y.words} for p in figure.panels]
    assert {"A", "alpha"} in shown[:3]
    assert "4 pairs that correlate less are not shown" in figure.notes[0]


def test_backtest_tells_inside_from_outside() -> None:
    (test,) = EXAMPLES["backtest"].given
    figure = il.plot(test, name="backtest")
    inside, outside = (
        next(m for m in figure.panels[0].marks if isinstance(m, Points) and m.label.startswith(words))
        for words in ("inside", "outside")
    )
    assert len(inside.x) == test.inside_r.sum()
    assert len(inside.x) + len(outside.x) == len(test.mid_r)
    shares = labelled(figure, "share inside")
    assert np.average(shares.y) == pytest.approx(100 * test.inside_r.mean(), abs=5)


def test_comparison_and_options_and_groups_stand_beside_their_names() -> None:
    (found,) = EXAMPLES["comparison"].given
    figure = il.plot(found)
    assert figure.panels[0].y.names == tuple(r.label for r in found.rivals)
    errors = next(m for m in figure.panels[0].marks if isinstance(m, Points))
    np.testing.assert_allclose(errors.x, [100 * r.error for r in found.rivals])
    told = plan(FIT, flops=[1e14, 1e15])
    options = il.plot(told)
    assert options.panels[0].y.names == ("100T FLOP", "1e15 FLOP")
    (groups,) = EXAMPLES["groups"].given
    parts = il.plot(groups)
    floor = next(m for m in parts.panels[0].marks if isinstance(m, Points))
    np.testing.assert_allclose(floor.x, [fit.theta["E"] for fit in groups.values()])

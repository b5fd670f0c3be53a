"""The sections of the report, in the order in which a reader needs them: the answer first, how it was made last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from isoloss.core import numbers
from isoloss.core.estimate import Estimate
from isoloss.core.figure import Figure
from isoloss.core.figure_style import scientific
from isoloss.core.fit import STATUS_MEANING
from isoloss.core.quantities import QUANTITIES
from isoloss.core.split import held_out, training
from isoloss.planning import cost
from isoloss.reporting import provenance
from isoloss.reporting.diagnoses import findings, serious
from isoloss.reporting.markup import Html, facts, formula, items, joined, section, symbol, table, tag

if TYPE_CHECKING:
    from isoloss.reporting.page import Content

WORDS = {
    "params": "model size N",
    "body_params": "model size N, embeddings left out",
    "tokens": "training tokens D",
    "tokens_per_param": "tokens per parameter",
    "flops": "training compute C",
    "body_flops": "training compute C, embeddings left out",
    "loss": "validation loss L",
}


def body(content: Content) -> Html:
    """Everything between the page's head and its scripts."""
    return joined(
        answer(content),
        parameters(content),
        predictions(content),
        *(picture(figure) for figure in content.figures),
        findings(content),
        assumptions(content),
        computed(content),
        made_from(content),
    )


def answer(content: Content) -> Html:
    """The plan for the budget in question, with intervals, and what speaks against relying on it."""
    option = content.plan.options[0]
    asked = [name for name in option.estimates if name not in ("flops", "body_flops")]
    size, output = asked[0], content.fit.law.output.name
    expect = f", and expect a loss of {_mid(option[output])}" if output in option.estimates else ""
    return tag(
        "header",
        tag("p", f"What to train, from {content.runs.source}", class_="kicker"),
        tag(
            "h1",
            f"For {scientific(content.flops)} FLOP, train {_mid(option[size])} parameters on "
            f"{_mid(option['tokens'])} tokens{expect}",
        ),
        tag("p", _standing(content), class_="lead"),
        tag("dl", *(_tile(name, option[name], content.level) for name in asked), class_="tiles"),
        serious(content),
        _around(content, asked),
        class_="answer",
    )


def _standing(content: Content) -> str:
    """How far the answer stands from what was seen, in a sentence."""
    law, most = content.fit.law.name, _largest_fitted(content)
    told = f"The law '{law}' with the constants of {content.fit.origin}"
    if not content.fit.origin:
        told = f"The law '{law}' fitted to {content.fit.data.n} runs"
    if not math.isfinite(most):
        return f"{told}."
    if content.flops <= most:
        return f"{told}, the largest of {scientific(most)} FLOP (6 N D): this budget lies within them."
    return (
        f"{told}, the largest of {scientific(most)} FLOP (6 N D). "
        f"This budget is {numbers.short(content.flops / most, 2)} times beyond them."
    )


def _largest_fitted(content: Content) -> float:
    runs, fit = content.runs, content.fit
    if fit.origin:
        return fit.data.ranges.get("flops", (math.nan, math.nan))[1]
    fitted = training(runs.complete(fit.law.columns))
    size = next(c for c in fit.law.columns if c != "tokens")
    return float(cost.total(fitted[size], fitted["tokens"]).max(initial=0.0)) if len(fitted) else math.nan


def _tile(name: str, estimate: Estimate, level: float) -> Html:
    unit = QUANTITIES[name].unit if name in QUANTITIES and QUANTITIES[name].unit != "1" else ""
    interval = f"{level:.0%}: {_interval(estimate)}" if estimate.known else "no interval is known"
    return tag(
        "div",
        tag("dt", _word(name)),
        tag("dd", tag("span", _mid(estimate), class_="mid"), tag("span", f" {unit}", class_="unit")),
        tag("dd", interval, class_="range"),
        class_="tile",
    )


def _around(content: Content, asked: list[str]) -> Html:
    shown = [name for name in asked if name != "tokens_per_param"]
    rows = [
        [f"{scientific(option['flops'].mid)} FLOP", *(str(option[name]) for name in shown)] for option in content.around
    ]
    head = ["budget", *(_word(name) for name in shown)]
    return table(
        head, rows, f"The best use of a tenth, all and ten times of this budget ({content.level:.0%} intervals)"
    )


def parameters(content: Content) -> Html:
    """The law's parameters with intervals, and how the fit ended."""
    fit = content.fit
    rows = []
    for name in fit.law.names:
        estimate = fit.interval(name, content.level)
        rows.append([symbol(name), _mid(estimate), _interval(estimate) if estimate.known else "not known"])
    scatter = f" One run scatters by {fit.scatter:.2%} about the law." if math.isfinite(fit.scatter) else ""
    return section(
        "The law's parameters",
        formula(fit.law.output.symbol, [i.symbol for i in fit.law.inputs], fit.law.formula.shown),
        tag("p", tag("b", f"Status: {fit.status}"), f": {STATUS_MEANING[fit.status]}.{scatter}"),
        table(["parameter", "estimate", f"{content.level:.0%} interval"], rows, f"Parameters of '{fit.law.name}'"),
    )


def predictions(content: Content) -> Html:
    """What the fit said about runs that it had not seen, beside what they reached."""
    title = "Has it predicted before?"
    if not content.outcomes:
        return section(title, tag("p", "No run was held out, so nothing here has been checked beyond the runs fitted."))
    return section(title, tag("p", _verdict(content)), _outcomes(content))


def _verdict(content: Content) -> str:
    misses = np.abs([o.miss for o in content.outcomes])
    inside = sum(o.inside for o in content.outcomes)
    counted = ""
    if content.outcomes[0].predicted.known:
        counted = f"{inside} of {len(misses)} lie inside their {content.level:.0%} intervals. "
    return (
        f"{len(misses)} held-out run{'s' if len(misses) > 1 else ''} took no part in the fit. {counted}"
        f"The prediction missed by {np.sqrt(np.mean(misses**2)):.2%} in root mean square, "
        f"and by {misses.max():.2%} at worst."
    )


def _outcomes(content: Content) -> Html:
    runs = held_out(content.runs)
    name = runs.named_by
    known = content.outcomes[0].predicted.known
    order = sorted(range(len(content.outcomes)), key=lambda i: math.prod(content.outcomes[i].inputs.values()))
    rows = []
    for i in order:
        outcome = content.outcomes[i]
        verdict = tag(
            "span", "inside" if outcome.inside else "outside", class_="inside" if outcome.inside else "outside"
        )
        rows.append(
            [
                str(runs[name][i]) if name else f"run {i + 1}",
                *(numbers.short(v) for v in outcome.inputs.values()),
                _mid(outcome.predicted),
                *([_interval(outcome.predicted)] if known else []),
                f"{outcome.reached:.4f}",
                f"{outcome.miss:+.2%}",
                *([verdict] if known else []),
            ]
        )
    interval, verdict = ([f"{content.level:.0%} interval"], ["interval held?"]) if known else ([], [])
    sizes = [_word(column) for column in content.outcomes[0].inputs]
    head = ["run", *sizes, "predicted", *interval, "reached", "miss", *verdict]
    return table(head, rows, "Predicted beside reached; the interval is that of one new run")


def picture(figure: Figure) -> Html:
    """A figure's place on the page, its legend and its notes; the script draws it."""
    charts = [
        tag("div", class_="chart", role="img", aria_label=f"{figure.title} {panel.y.label} against {panel.x.label}")
        for panel in figure.panels
    ]
    several = " several" if len(charts) > 1 else ""
    return section(
        figure.title,
        tag(
            "figure",
            tag("div", class_="legend"),
            tag("div", *charts, class_=f"panels{several}"),
            tag("figcaption", items(figure.notes)),
            id=f"figure-{figure.name}",
        ),
        tag("noscript", tag("p", "This picture needs JavaScript; the tables do not.")),
    )


def assumptions(content: Content) -> Html:
    """What every number on the page takes for granted."""
    stated = dict.fromkeys((*content.plan.assumptions, *content.runs.notes))
    return section("Assumptions", items((_sentence(a) for a in stated), class_="plain"))


def computed(content: Content) -> Html:
    """The formula for the reader's own tools, the objective, and where the intervals come from."""
    fit = content.fit
    objective = (
        f"{fit.objective[0]}, at its optimum {fit.objective[1]:.8g}" if fit.objective[0] else "none: not fitted here"
    )
    drawn = (
        f"{len(fit.draws_sp)} draws of all parameters together. The interval of a run adds the scatter of single runs, "
        "resampled from the fit's residuals; that of a size or of a curve does not."
        if len(fit.draws_sp)
        else "There are no draws, so there are no intervals."
    )
    told = {
        "objective": objective,
        "intervals": drawn,
        "best size": "for a budget C, the N that minimises the law's loss at D = C / 6N, found anew for every draw",
        "held-out runs": "predicted from the fit as it stands here; none of them entered it",
    }
    if not content.outcomes:
        del told["held-out runs"]
    return section(
        "How it was computed",
        tag("p", fit.law.summary),
        facts(told),
        tag("p", "The formula in LaTeX:"),
        tag("pre", fit.law.latex),
    )


def made_from(content: Content) -> Html:
    """Where the runs came from, what computed this, and how to repeat it."""
    return section(
        "Provenance",
        facts(provenance.facts(content)),
        tag("p", "To repeat it:"),
        tag("pre", provenance.command(content)),
    )


def _sentence(words: str) -> str:
    begun = words if "_" in words.partition(" ")[0] else words[:1].upper() + words[1:]
    return begun + ("" if words.endswith(".") else ".")


def _word(name: str) -> str:
    known = QUANTITIES.get(name)
    return WORDS.get(name) or (f"{known.meaning.split(',')[0]} {known.symbol}" if known else name.replace("_", " "))


def _mid(estimate: Estimate) -> str:
    return str(estimate).partition(" (")[0]


def _interval(estimate: Estimate) -> str:
    return str(estimate).partition(" (")[2].rstrip(")")

"""`isoloss plot`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import progress, show
from isoloss.cli.source import LADDER, fit_from, fit_groups, fit_runs, pairs, runs_from, settings
from isoloss.core import storage
from isoloss.core.errors import DesignError, RequestError
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs
from isoloss.core.split import training

PAGE = Path("isoloss-plot.html")
AROUND = (0.1, 1.0, 10.0)  # the budgets of a plan that is drawn, in multiples of the one in question


@dataclass(frozen=True)
class Asked:
    """What a picture is to be drawn from: a table or a fit, how to fit, and what some nouns need besides."""

    source: str
    how: o.Fitting
    flops: str | None
    beside: Sequence[str]
    parameter: str | None
    by: str | None

    @property
    def is_table(self) -> bool:
        from isoloss.cli.source import noun_in

        path = Path(self.source)
        return self.source == LADDER or (path.exists() and not noun_in(path))

    def runs(self) -> Runs:
        if not self.is_table:
            raise RequestError(f"This picture needs a table of runs, and '{self.source}' is none.")
        return runs_from(self.source, self.how.column, self.how.where)

    def fit(self) -> Fit:
        return fit_runs(training(self.runs()), self.how) if self.is_table else fit_from(self.source, self.how)

    def needed(self, value: str | None, flag: str, what: str) -> str:
        if value is None:
            raise RequestError(f"This picture needs {what}.", do=f"Give {flag}.")
        return value


@command
def plot(
    *,
    source: o.Source,
    picture: Annotated[
        str | None, typer.Option("--picture", help="Which picture; without it, those that there are, are listed.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="The file to write: .html, .png, .svg, .pdf or .json.")] = PAGE,
    flops: Annotated[str | None, typer.Option("--flops", help="The budget in question.")] = None,
    beside: Annotated[
        list[str] | None, typer.Option("--beside", metavar="FIT|KEY", help="A law to set beside; repeatable.")
    ] = None,
    parameter: Annotated[str | None, typer.Option("--of", help="The parameter of a profile.")] = None,
    by: o.By = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="An option of the picture: loss=2.1, served=1T,10T."),
    ] = None,
    theme: Annotated[str, typer.Option("--theme", help="light or dark, for a picture that is no page.")] = "light",
    how: o.Fitting,
    level: o.Level = 0.9,
    as_json: o.AsJson = False,
) -> None:
    """Draw one picture of runs or of a fit, as a page, an image, or data."""
    from isoloss.core import figure_file
    from isoloss.plots import every, find

    if picture is None:
        known = {one.name: one for one in every().values()}
        lines = [f"{name:<18} {one.title} (from {one.drawn_from})" for name, one in known.items()]
        show("\n".join(lines), {"schema": 1, "pictures": {n: p.title for n, p in known.items()}}, as_json)
        return
    chosen, shade = find(picture), _theme(theme)
    figure_file.check_suffix(to)
    storage.check_writable(to)
    options = _options(given)
    chosen.check_options(options)
    asked = Asked(source, how, flops, beside or (), parameter, by)
    nouns = [noun for slot in chosen.slots for noun in _nouns(chosen.name, slot.types, slot.optional, asked)]
    from isoloss.plots.drawing import plot as draw

    figure = draw(*nouns, name=picture, flops=flops, level=level, **options)
    figure.save(to, shade)
    show(f"Wrote {to}.", {"schema": 1, "picture": picture, "to": str(to), "notes": list(figure.notes)}, as_json)


def _theme(word: str) -> Literal["light", "dark"]:
    if word == "light" or word == "dark":
        return word
    raise RequestError(f"There is no theme '{word}'.", "There are: light, dark.")


def _options(given: Sequence[str] | None) -> dict[str, Any]:
    read = pairs(given, "--set")
    return {name: words.split(",") if "," in words else words for name, words in read.items()}


def _nouns(picture: str, types: Sequence[type], optional: bool, asked: Asked) -> list[Any]:
    # The nouns for one argument of the picture, made from what was asked.
    name = next((t.__name__ for t in types if t.__name__ in MAKERS), types[0].__name__)
    if optional and name == "Runs" and not asked.is_table:
        return []
    if picture == "curves" and name == "Frontier":
        return _envelope(asked)
    if picture == "allocation":
        from isoloss.planning.answers import fits

        return [asked.fit(), *fits(list(asked.beside))]
    if name not in MAKERS:
        raise RequestError(f"The command line cannot make a {name}.", do="Draw it from Python: isoloss.plot(...).")
    return [MAKERS[name](asked)]


def _envelope(asked: Asked) -> list[Any]:
    from isoloss.fitting.envelope import envelope

    try:
        return [envelope(asked.runs(), draws=asked.how.draws, seed=asked.how.seed)]
    except DesignError as error:
        progress(f"Without an envelope: {error.given}")
        return []


def _isoflop(asked: Asked) -> Any:
    from isoloss.fitting.isoflop import isoflop

    return isoflop(asked.runs(), draws=asked.how.draws, seed=asked.how.seed)


def _comparison(asked: Asked) -> Any:
    from isoloss.comparing import compare

    return compare(training(asked.runs()), draws=asked.how.draws, seed=asked.how.seed)


def _backtest(asked: Asked) -> Any:
    from isoloss.comparing import backtest

    return backtest(training(asked.runs()), law=asked.how.law, **settings(asked.how))


def _profile(asked: Asked) -> Any:
    from isoloss.fitting import profile

    parameter = asked.needed(asked.parameter, "--of PARAMETER", "a parameter")
    return profile(training(asked.runs()), asked.how.law, parameter=parameter, **settings(asked.how))


def _multiverse(asked: Asked) -> Any:
    from isoloss.checking.multiverse import DRAWS, multiverse

    flops, given = asked.needed(asked.flops, "--flops", "a budget"), settings(asked.how)
    draws = min(given.pop("draws"), DRAWS)
    return multiverse(training(asked.runs()), asked.how.law, flops=flops, draws=draws, **given)


def _groups(asked: Asked) -> Any:
    by = asked.needed(asked.by, "--by COLUMN", "groups")
    return fit_groups(training(asked.runs()), asked.how, by, None)


def _plan(asked: Asked) -> Any:
    from isoloss.core import numbers
    from isoloss.planning import plan

    flops = numbers.parse(asked.needed(asked.flops, "--flops", "a budget"))
    return plan(asked.fit(), flops=[k * flops for k in AROUND])


MAKERS: dict[str, Callable[[Asked], Any]] = {
    "Runs": Asked.runs,
    "Fit": Asked.fit,
    "Frontier": _isoflop,
    "Comparison": _comparison,
    "Backtest": _backtest,
    "Profile": _profile,
    "Multiverse": _multiverse,
    "Groups": _groups,
    "Plan": _plan,
}

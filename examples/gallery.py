"""Makes docs/gallery/: every picture once, of the embedded ladder or of a small simulated sweep whose law is known.

python -m examples.gallery [NAME ...]            pictures and index.md
python -m examples.gallery --page gallery.html   all of them interactively, on one page that needs no other file
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

import isoloss as il
from isoloss import plots, samples
from isoloss.core import figure_file, storage
from isoloss.core.figure import Figure
from isoloss.core.fit import Fit
from isoloss.core.law import Law, find
from isoloss.core.runs import Runs
from isoloss.core.split import training

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "gallery"
DRAWS, SCATTER, DPI = 200, 0.004, 90
HEAD = """# Gallery

Every picture that isoloss draws: `isoloss plot RUNS --picture NAME --to picture.html`, or
`isoloss.plot(nouns, name=...)`. Each is drawn for a page (Plotly) and for a paper (Matplotlib) from the same data,
which `to_json` writes. This page is made by `make gallery` from the ladder that isoloss brings along and from small
simulated sweeps.
"""

CHINCHILLA = {"E": 1.8, "A": 60.0, "B": 900.0, "alpha": 0.35, "beta": 0.45}
KAPLAN = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
REPEATED = {"E": 1.87, "A": 521.0, "alpha": 0.353, "B": 1488.0, "beta": 0.353, "R_D": 15.4}
ROUTED = {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.85, "E_max": 314.0}
BROKEN = {"a": 0.5, "b": 12.0, "c_0": 0.12, "c_1": 0.35, "d_1": 3e8, "f_1": 0.25}


@dataclass(frozen=True)
class Example:
    """What one picture of the gallery is drawn from, in code and in a sentence."""

    nouns: Callable[[], tuple[Any, ...]]
    caption: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def given(self) -> tuple[Any, ...]:
        """The nouns, made once."""
        return self.nouns()

    def draw(self, name: str) -> Figure:
        return plots.find(name)(*self.given, **self.options)


def simulated(law: str | Law, truth: Mapping[str, float], seed: int = 0, **columns: Any) -> Runs:
    """Runs of a known law: its inputs as columns, its output with the scatter of single runs."""
    known = find(law)
    values = known.value(np.array([columns[c] for c in known.columns], float), known.theta(truth))
    noisy = values * np.exp(SCATTER * np.random.default_rng(seed).standard_normal(len(values)))
    return Runs({**columns, known.output.name: noisy}, source=f"a simulated sweep of '{known.name}'")


@cache
def ladder() -> Runs:
    return samples.ladder()


@cache
def fit() -> Fit:
    return il.fit(training(ladder()), "chinchilla", draws=DRAWS)


@cache
def curves() -> tuple[Runs, Any]:
    """Twelve training curves of 24 checkpoints, and the envelope fitted to them."""
    sizes, tokens = np.geomspace(3e4, 3e7, 12), np.geomspace(1e6, 3e9, 24)
    params, seen = (a.ravel() for a in np.meshgrid(sizes, tokens, indexing="ij"))
    runs = simulated("chinchilla", CHINCHILLA, params=params, tokens=seen)
    return runs, il.envelope(runs, draws=DRAWS)


@cache
def profiles() -> tuple[Runs, Any]:
    """Six isoFLOP profiles of nine sizes, and the frontier through their minima."""
    budgets = np.repeat(np.geomspace(1e13, 3e16, 6), 9)
    params = np.tile(np.geomspace(1 / 4, 4, 9), 6) * 2e5 * (budgets / 1e13) ** 0.56
    runs = simulated("chinchilla", CHINCHILLA, params=params, tokens=budgets / (6 * params))
    return runs, il.isoflop(runs, draws=DRAWS)


@cache
def sweep() -> tuple[Runs, Fit]:
    """The same six profiles, and the law fitted to all of their runs."""
    return profiles()[0], il.fit(profiles()[0], "chinchilla", draws=DRAWS)


@cache
def limited() -> tuple[Runs, Fit]:
    """Kaplan's grid of sizes and data, early-stopped."""
    params, tokens = (a.ravel() for a in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(2e7, 2e10, 7)))
    runs = simulated("kaplan", KAPLAN, body_params=params, tokens=tokens)
    return runs, il.fit(runs, "kaplan", draws=DRAWS)


@cache
def repeated() -> tuple[Runs, Fit]:
    """Four amounts of distinct tokens, each seen 1 to 60 times by three sizes."""
    grid = np.meshgrid([5e7, 2e8, 8e8], [1e8, 4e8, 1.6e9, 6.4e9], np.geomspace(1, 60, 7), indexing="ij")
    params, unique, passes = (a.ravel() for a in grid)
    runs = simulated("repeated", REPEATED, params=params, tokens=unique * passes, unique_tokens=unique)
    return runs, il.fit(runs, "repeated", draws=DRAWS // 2)


@cache
def routed() -> tuple[Runs, Fit]:
    """Five dense sizes, each with 1 to 512 experts."""
    size, count = (a.ravel() for a in np.meshgrid(np.geomspace(1.5e7, 1.3e9, 5), 2.0 ** np.arange(10), indexing="ij"))
    runs = simulated("routed", ROUTED, dense_params=size, experts=count)
    return runs, il.fit(runs, "routed", draws=DRAWS // 2)


@cache
def broken() -> tuple[Runs, Fit]:
    """Runs over four decades of data on either side of a break."""
    runs = simulated(find("bnsl_1").bind(x="tokens"), BROKEN, tokens=np.geomspace(1e6, 1e11, 40))
    return runs, il.fit(runs, "bnsl_1", inputs={"x": "tokens"}, draws=DRAWS // 2)


@cache
def corpora() -> tuple[Any]:
    """The same ladder on two corpora that differ in their floor and in what data cost."""
    grid = np.meshgrid(np.geomspace(1e5, 1e8, 6), np.geomspace(1e7, 1e10, 6), indexing="ij")
    params, tokens = (a.ravel() for a in grid)
    parts = [
        simulated("chinchilla", {**CHINCHILLA, **other}, seed=i, params=params, tokens=tokens).with_columns(corpus=name)
        for i, (name, other) in enumerate({"code": {"E": 1.1, "B": 600.0}, "prose": {}, "web": {"E": 2.1}}.items())
    ]
    runs = parts[0] + parts[1] + parts[2]
    return (il.fit(runs, "chinchilla", by="corpus", draws=DRAWS),)


def _of_ladder() -> tuple[Runs, Fit]:
    return ladder(), fit()


SWEEP = "A simulated sweep of isoFLOP profiles, and `chinchilla` fitted to it."
LADDER = "The embedded ladder, and `chinchilla` fitted to it."
EXAMPLES = {
    "allocation": Example(
        lambda: (profiles()[1], fit(), il.published("besiroglu2024")),
        "A simulated sweep's isoFLOP minima, the embedded ladder, and a published law.",
    ),
    "backtest": Example(
        lambda: (il.backtest(training(ladder()), law="chinchilla", draws=100, cuts=4),),
        "The embedded ladder: `isoloss.backtest(runs)`.",
    ),
    "breaks": Example(
        broken, "A simulated power law that bends once: `isoloss.fit(runs, 'bnsl_1', inputs={'x': 'tokens'})`."
    ),
    "comparison": Example(
        lambda: (il.compare(training(ladder()), laws=["chinchilla", "kaplan"], cuts=2, draws=50),),
        "Laws compared on the embedded ladder: `isoloss.compare(runs)`.",
    ),
    "compute": Example(_of_ladder, LADDER, {"flops": 1e16}),
    "contours": Example(_of_ladder, LADDER, {"flops": 1e15}),
    "curves": Example(curves, "Simulated training curves, and `isoloss.envelope(runs)`."),
    "experts": Example(routed, "A simulated sweep of routed models, and `routed` fitted to it."),
    "groups": Example(corpora, "One ladder on three simulated corpora: `isoloss.fit(runs, by='corpus')`."),
    "inference": Example(sweep, SWEEP, {"flops": 1e18}),
    "isoflop": Example(_of_ladder, LADDER, {"flops": 1e15}),
    "multiverse": Example(
        lambda: (il.multiverse(training(ladder()), flops=1e15, laws=["nested", "outer"], draws=30),),
        "One question under several laws, objectives and counts: `isoloss.multiverse(runs, flops=1e15)`.",
    ),
    "options": Example(
        lambda: (il.plan(fit(), flops=1e15, size_ratio=[0.25, 0.5, 1, 2]),),
        "A plan with several options: `isoloss.plan(fit, flops=1e15, size_ratio=[0.25, 0.5, 1, 2])`.",
    ),
    "overfitting": Example(limited, "A simulated grid of sizes and data, and `kaplan` fitted to it."),
    "pairs": Example(lambda: (fit(),), LADDER),
    "profile": Example(
        lambda: (il.profile(training(ladder()), "chinchilla", parameter="alpha", draws=0),),
        "The embedded ladder: `isoloss.profile(runs, parameter='alpha')`.",
    ),
    "profiles": Example(profiles, "A simulated sweep, and `isoloss.isoflop(runs)`."),
    "repetition": Example(repeated, "A simulated sweep of repeated data, and `repeated` fitted to it."),
    "residuals": Example(_of_ladder, LADDER),
    "returns": Example(sweep, SWEEP, {"flops": 1e18}),
    "sample_efficiency": Example(_of_ladder, LADDER),
    "scaling": Example(_of_ladder, LADDER),
}


def index() -> str:
    """The text of index.md."""
    sections = []
    for name, plot in plots.every().items():
        title = f"## {plot.title}"
        drawn_from = plot.drawn_from.replace("[", "").replace("]", " (optional)")
        told = f"`{name}`, drawn from {drawn_from}. {EXAMPLES[name].caption}"
        sections += [title, f"![{plot.title}]({name}.png)", told]
    return "\n\n".join([HEAD.strip(), *sections]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pictures to make; all where none is named")
    parser.add_argument("--page", type=Path, help="write an interactive page here instead")
    asked = parser.parse_args()
    names = asked.names or list(plots.every())
    if asked.page:
        storage.write_text(asked.page, figure_file.page([EXAMPLES[n].draw(n) for n in names], "isoloss: gallery"))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        storage.write_bytes(FOLDER / f"{name}.png", figure_file.picture(EXAMPLES[name].draw(name), "png", dpi=DPI))
    storage.write_text(FOLDER / "index.md", index())


if __name__ == "__main__":
    main()

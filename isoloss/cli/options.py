"""Options that several commands share, each with its help text said once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str,
    typer.Argument(
        metavar="RUNS|FIT|KEY",
        help="A table of runs, a saved fit, a published law's key, or `ladder` (the embedded one).",
    ),
]
RunsFile = Annotated[str, typer.Argument(metavar="RUNS", help="A table of runs, or `ladder` (the embedded one).")]
LawName = Annotated[str, typer.Option("--law", help="The law to fit (`isoloss laws` lists them), or auto.")]
Bind = Annotated[
    list[str] | None,
    typer.Option(
        "--input", metavar="ARGUMENT=QUANTITY", help="What an argument of the law stands for: x=tokens, y=loss."
    ),
]
At = Annotated[
    list[str] | None, typer.Option("--at", metavar="QUANTITY=VALUE", help="An input by name: flops=1e21, x=3B.")
]
ParamsAt = Annotated[str | None, typer.Option("--params", help="Model size: 7B.")]
TokensAt = Annotated[str | None, typer.Option("--tokens", help="Training tokens: 140B.")]
FlopsAt = Annotated[str | None, typer.Option("--flops", help="Training compute: 1e21.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column", metavar="QUANTITY=NAME", help="Which column of the file holds a quantity: params=n_total."
    ),
]
Where = Annotated[str | None, typer.Option("--where", metavar="FILTER", help='Rows to use: "split=train,flops<3e21".')]
Draws = Annotated[int, typer.Option("--draws", min=0, help="Bootstrap draws behind the intervals.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the draws.")]
Objective = Annotated[str, typer.Option("--objective", help="What the fit minimises.")]
Hold = Annotated[
    list[str] | None, typer.Option("--hold", metavar="NAME=VALUE", help="A parameter that is not fitted: E=1.7.")
]
Tie = Annotated[
    list[str] | None, typer.Option("--tie", metavar="NAME,NAME", help="Parameters that are equal: alpha,beta.")
]
Prior = Annotated[
    list[str] | None,
    typer.Option("--prior", metavar="NAME=MEAN±SD", help="What is known of a parameter: alpha=0.35±0.05 (or +-)."),
]
Weights = Annotated[
    str | None,
    typer.Option("--weights", help="A column of weights, or a model of the scatter: scale, replicates."),
]
Uncertainty = Annotated[
    str,
    typer.Option("--uncertainty", help="auto, pairs, cluster, stratified, wild, laplace, sandwich or mcmc."),
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="COLUMN", help="Rows that are drawn together; 'none' draws rows."),
]
Strata = Annotated[
    str | None, typer.Option("--strata", metavar="COLUMN", help="Parts of the table that are drawn within.")
]
By = Annotated[str | None, typer.Option("--by", metavar="COLUMN", help="Fit each group, all at once.")]
Share = Annotated[
    str | None, typer.Option("--share", metavar="NAMES", help="Parameters that the groups have in common: E,alpha.")
]
Level = Annotated[float, typer.Option("--level", help="Level of the intervals, between 0 and 1.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 if there is a red finding.")]
Output = Annotated[Path, typer.Option("--to", help="The file to write.")]


@dataclass(frozen=True)
class Fitting:
    """How runs are read and fitted; a command that takes one gets all of its fields as options."""

    law: LawName = "chinchilla"
    bind: Bind = None
    column: Columns = None
    where: Where = None
    objective: Objective = "huber_log"
    hold: Hold = None
    tie: Tie = None
    prior: Prior = None
    weights: Weights = None
    uncertainty: Uncertainty = "auto"
    cluster: Cluster = None
    strata: Strata = None
    draws: Draws = 1000
    seed: Seed = 0


@dataclass(frozen=True)
class Point:
    """A point asked about; a command that takes one gets its fields as options."""

    at: At = None
    params: ParamsAt = None
    tokens: TokensAt = None
    flops: FlopsAt = None

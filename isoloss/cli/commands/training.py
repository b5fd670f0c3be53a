"""`isoloss train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import progress, show

LawName = Annotated[str, typer.Option("--law", help="The law that the fits to come are expected of.")]
Truth = Annotated[
    str | None, typer.Option("--truth", help="The law assumed to be true: a saved fit, or a published law's key.")
]
Noise = Annotated[
    str | None, typer.Option("--noise", help="Scatter of one run assumed: 0.02 is two percent of its loss.")
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="FLOP", help="The budget that the ladder is for: 1e15.")
]


@command
def train(
    ladder: Annotated[Path, typer.Argument(help="A ladder in TOML: sizes, horizons or budgets, seeds.")],
    out: Annotated[Path, typer.Option("--out", help="The folder that keeps one record a run.")] = Path("runs"),
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Training processes, one thread each; default: one a core. See --engine for others.",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="Where to train: cpu, cuda, ray or fsdp; default: the ladder's own, or cpu."),
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Train only the runs of this split.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Train nothing: show every cell, the cost, and what the fit is expected to tell."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train a ladder that is refused.")] = False,
    law: LawName = "chinchilla",
    truth: Truth = None,
    noise: Noise = None,
    target: Target = None,
    as_json: o.AsJson = False,
) -> None:
    """Train a ladder of small models; runs that are already recorded are not trained again.

    A ladder that cannot answer what it is for is refused before anything is spent: sizes and data that move together,
    fewer cells than parameters, a best size at the end of a budget, one learning rate for sizes far apart, data
    repeated unasked.
    """
    from isoloss.cli.source import fit_from
    from isoloss.designing import check, preview
    from isoloss.designing.preview import recorded_in
    from isoloss.lab import load_ladder
    from isoloss.lab import train as train_ladder
    from isoloss.lab.ladder import engine_of

    specs = load_ladder(ladder)
    assumed = fit_from(truth, o.Fitting()) if truth else None
    if dry_run:
        seen = preview(specs, out, workers=workers, law=law, truth=assumed, noise=noise, target=target)
        show(f"{seen}\nNothing was trained. Next: isoloss train {ladder} --out {out}", seen.to_json(), as_json)
        return
    for refusal in check(specs, recorded_in(out, specs), force=force, law=law, truth=assumed):
        progress(f"isoloss: forced past {refusal}")
    runs = train_ladder(specs, out=out, engine=engine or engine_of(ladder), workers=workers, split=split)
    best = min(runs["loss"], default=float("nan"))
    text = f"{len(runs)} runs in {out}; lowest validation loss {best:.4f} nats/token.\nNext: isoloss fit {out}"
    show(text, {"schema": 1, "out": str(out), "runs": len(runs), "columns": list(runs.columns)}, as_json)

"""`isoloss train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    checkpoint_every: Annotated[
        float, typer.Option("--checkpoint-every", metavar="SECONDS", help="How often a run under way is kept.")
    ] = 60.0,
    keep_checkpoints: Annotated[
        bool, typer.Option("--keep-checkpoints", help="Keep what longer runs could go on from.")
    ] = False,
    seeds_more: Annotated[
        int,
        typer.Option(
            "--more-seeds", min=0, metavar="K", help="Train K more runs, with new seeds, where they tell most."
        ),
    ] = 0,
    law: LawName = "chinchilla",
    truth: Truth = None,
    noise: Noise = None,
    target: Target = None,
    as_json: o.AsJson = False,
) -> None:
    """Train a ladder of small models; runs that are already recorded are not trained again.

    A ladder that cannot answer what it is for is refused before anything is spent: sizes and data that move together,
    fewer cells than parameters, a best size at the end of a budget, one learning rate for sizes far apart, data
    repeated unasked. Runs alike but for their length and cooldown train once what they have in common.
    """
    from isoloss.cli.source import fit_from
    from isoloss.designing import preview
    from isoloss.designing.training import admit
    from isoloss.lab import flags, load_ladder, load_records, more_seeds
    from isoloss.lab import train as train_ladder
    from isoloss.lab.ladder import engine_of

    specs = load_ladder(ladder)
    assumed = fit_from(truth, o.Fitting()) if truth else None
    if dry_run:
        seen = preview(specs, out, workers=workers, law=law, truth=assumed, noise=noise, target=target)
        show(f"{seen}\nNothing was trained. Next: isoloss train {ladder} --out {out}", seen.to_json(), as_json)
        return
    for refusal in admit(specs, out, force=force, law=law, truth=assumed):
        progress(f"isoloss: forced past {refusal}")
    how: dict[str, Any] = {"checkpoint_every": checkpoint_every, "keep_checkpoints": keep_checkpoints}
    how["engine"] = engine or engine_of(ladder)
    runs, trained = train_ladder(specs, out=out, workers=workers, split=split, **how), specs
    if seeds_more:
        trained = (*specs, *more_seeds(load_records(out), specs, seeds_more))
        runs = train_ladder(trained, out=out, workers=workers, split=split, **how)
    odd = flags(record for record in load_records(out) if record["id"] in {spec.id for spec in trained})
    best = min(runs["loss"], default=float("nan"))
    text = f"{len(runs)} runs in {out}; lowest validation loss {best:.4f} nats/token.\nNext: isoloss fit {out}"
    told = {"schema": 1, "out": str(out), "runs": len(runs), "columns": list(runs.columns)}
    show(text, {**told, "flags": [flag.to_json() for flag in odd]}, as_json)

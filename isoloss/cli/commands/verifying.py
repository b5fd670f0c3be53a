"""`isoloss verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import show
from isoloss.cli.source import LADDER, fit_from, noun_in, runs_from, settings
from isoloss.core.fit import Fit
from isoloss.core.runs import Runs


@command
def verify(
    *,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[FIT|RUNS]",
            help="What predicts: a saved fit, or runs to fit (those held out are left aside). "
            "Without it, what was predicted before is gone on with.",
        ),
    ] = None,
    how: o.Fitting,
    ladder: Annotated[
        Path | None, typer.Option("--ladder", help="A ladder in TOML: its runs, or with --compute its family.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="The runs of the ladder that are predicted.")] = "test",
    compute: Annotated[
        str | None, typer.Option("--compute", metavar="FLOP", help="Predict the best run for this budget: 1e14.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder of the runs and of their predictions.")] = Path("runs"),
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train the runs, or write the predictions down alone.")
    ] = True,
    tally: Annotated[
        bool, typer.Option("--tally", help="Only count: how the predictions kept in the folder FIT|RUNS or --out held.")
    ] = False,
    retrospective: Annotated[
        bool, typer.Option("--retrospective", help="Predict runs that were trained already, apart from the tally.")
    ] = False,
    head: Annotated[
        str | None, typer.Option("--head", help="A head that was published: say if it is no longer in the log.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Training processes, one thread each; default: one a core.")
    ] = None,
    as_json: o.AsJson = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 3 if the log was changed, or a run ended outside its interval.")
    ] = False,
) -> None:
    """Predict runs, write the predictions down before they are trained, train them, and count how often they held.

    Every prediction is kept in OUT/predictions, in a log chained by hashes, so that one which is edited, removed or
    moved later is found. The first prediction of a run counts. A run that has begun is not predicted any more.
    What the log cannot show is that it was not made anew as a whole: publish its head, the hash that is printed, by
    committing it or sending it to somebody, before you train.
    """
    from isoloss.verifying import verify as verify_runs

    if tally:
        done = verify_runs(out=source or out, train=False, head=head)
    elif source is None:
        done = verify_runs(target=ladder, out=out, compute=compute, train=train, head=head, workers=workers)
    else:
        done = verify_runs(
            _given(source, how),
            ladder,
            out,
            compute=compute,
            split=split,
            train=train,
            retrospective=retrospective,
            head=head,
            workers=workers,
            law=how.law,
            **settings(how),
        )
    show(done, done.to_json(), as_json)
    if strict and (done.tally.faults or (done.missed and not tally)):
        raise typer.Exit(3)


def _given(source: str, how: o.Fitting) -> Fit | Runs | str:
    path = Path(source)
    if path.is_dir() and not how.column and not how.where:
        return source  # a folder also tells the family of its runs
    is_table = source == LADDER or (path.exists() and noun_in(path) != "fit")
    return runs_from(source, how.column, how.where) if is_table else fit_from(source, how)

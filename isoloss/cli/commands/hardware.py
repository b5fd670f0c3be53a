"""`isoloss hardware`."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from isoloss.cli import options as o
from isoloss.cli.app import command
from isoloss.cli.output import show
from isoloss.core.text import wrapped
from isoloss.planning.hardware import NUMBERS, Accelerator, accelerator, accelerators

NameOfAccelerator = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One accelerator, with its sources.")]
Table = Annotated[
    Path | None, typer.Option("--hardware", metavar="FILE", help="A table of your own, in place of the shipped one.")
]


@command
def hardware(name: NameOfAccelerator = None, table: Table = None, as_json: o.AsJson = False) -> None:
    """List the accelerators that a plan may run on: FLOP/s, memory, power, price, sources."""
    known = [accelerator(name, table=table)] if name else list(accelerators(table).values())
    text = "\n".join(_in_full(known[0]) if name else [_HEAD, *map(_line, known), _FOOT])
    show(text, {"schema": 1, "accelerators": [_content(kind) for kind in known]}, as_json)


_HEAD = f"{'':<12} {'TFLOP/s':>8} {'memory':>7} {'TB/s':>6} {'watts':>6} {'dollars an hour':>20}  name"
_FOOT = (
    "TFLOP/s are of dense 16-bit products; prices low-typical-high as found; - where no source gives it.\n"
    "Addresses and dates: isoloss hardware NAME, or --json."
)


def _in_full(kind: Accelerator) -> list[str]:
    known = [number for number in NUMBERS if not math.isnan(getattr(kind, number))]
    priced = ["price"] if not math.isnan(kind.price.mid) else []
    return [f"{kind.key}: {kind.name}", *(wrapped(f"  {kind.stated(number)}") for number in (*known, *priced))]


def _line(kind: Accelerator) -> str:
    numbers = (kind.flops / 1e12, kind.memory / 1e9, kind.bandwidth / 1e12, kind.power)
    tflops, memory, bandwidth, power = (
        "-" if math.isnan(value) else f"{value:.{places}f}" for value, places in zip(numbers, (0, 0, 2, 0), strict=True)
    )
    price = kind.price
    ends = "-" if math.isnan(price.mid) else "-".join(_dollars(v) for v in (price.low, price.mid, price.high))
    return f"{kind.key:<12} {tflops:>8} {memory:>4} GB {bandwidth:>6} {power:>6} {ends:>20}  {kind.name}"


def _dollars(value: float) -> str:
    return "?" if math.isnan(value) else f"{value:.2f}"


def _content(kind: Accelerator) -> dict[str, Any]:
    told = {**asdict(kind), "price": kind.price.to_json()}
    return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in told.items() if name != "chosen"}

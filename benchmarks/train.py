"""How fast the lab trains: beside a plain loop, beside one while something else runs, and beside this machine's peak.

    python benchmarks/train.py [--quick]

Three tables, for the sizes of the embedded ladder and the two above them; nothing is asserted.

1. Tokens per wall second: a plain loop (plain_loop.py; one process, torch's own threads, eager float32) and the lab's
   own loop as the pool runs it (one process of one thread a core). Both train for a moment, in turn, on the same
   shapes and batches; a row gives the median of each and the median ratio of the pairs, with its extremes.
2. The same while another process keeps one core busy.
3. Tokens per CPU second of one thread: the plain loop, the lab's in float32 and in bfloat16, step by step in turn, and
   what share of the peak the lab's float32 reaches. The peak is the best float32 matrix product among several shapes
   and two libraries in the same run, so that a slow or busy machine is compared with itself. A training FLOP is
   counted as everywhere in isoloss (causal attention, lookups zero): the share is of useful work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from isoloss.core.accounting import Shape, count, training_flops
from isoloss.lab import dials
from isoloss.lab.corpus import load_corpus
from isoloss.lab.engine import cores
from isoloss.lab.pool import KEEP_MEMORY, ONE_THREAD
from isoloss.lab.recipes.registry import nearest
from isoloss.lab.recipes.wsd_adamw import batch_size, wsd_adamw

QUICK = "--quick" in sys.argv
DIALS = (2, 4, 8, 16) if QUICK else (2, 3, 4, 5, 6, 8, 10, 16, 24)  # the ladder's seven, then widths 256 and 384
GOALS = {"ratio": 1.5, "share from width 256": 0.5}
PAIRS = 3 if QUICK else 7
SECONDS = 0.7 if QUICK else 2.0  # that each trains for, in each pair
HORIZON = 1_600_000  # tokens; the batch timed is this horizon's

PRODUCTS = [(2048, 2048, 2048), (1024, 1024, 1024), (2048, 128, 512), (2048, 512, 128), (2048, 64, 256)]
STEPS = 8 if QUICK else 30
WARM = 3
BURSTS = 3 if QUICK else 5
SECONDS_PER_BURST = 0.2


def main() -> None:
    """Print the three tables."""
    print(f"goals: {', '.join(f'{name} {goal:g}' for name, goal in GOALS.items())}; {cores()} cores\n")
    with served("plain", {}) as plain, contextlib.ExitStack() as stack:
        packed = [stack.enter_context(served("packed", {**ONE_THREAD, **KEEP_MEMORY})) for _ in range(cores())]
        print("alone: tokens per wall second")
        beside(plain, packed)
        print("\nwhile another process keeps one core busy: tokens per wall second")
        with busy_core():
            beside(plain, packed)
    print(flush=True)
    run_serving("peak", {**ONE_THREAD, **KEEP_MEMORY}).wait()


def beside(plain: Any, packed: list[Any]) -> None:
    """Print the table of the plain loop and of the lab's, for every size."""
    print("width depth  matmul  batch   plain loop       lab    ratio (least to most)")
    for dial in DIALS:
        shape, batch = dials.shape(dial), batch_of(dials.shape(dial))
        for trainers in ([plain], packed):
            together(trainers, shape, batch, 0.0)
        pairs = [
            (together([plain], shape, batch, SECONDS), together(packed, shape, batch, SECONDS)) for _ in range(PAIRS)
        ]
        ratios = [ours / theirs for theirs, ours in pairs]
        medians = [statistics.median(rates) for rates in zip(*pairs, strict=True)]
        print(
            f"{sized(shape, batch)} {medians[0]:>12.0f} {medians[1]:>9.0f} {statistics.median(ratios):>8.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def batch_of(shape: Shape) -> int:
    return nearest(batch_size(HORIZON), shape.context)


def sized(shape: Shape, batch: int) -> str:
    return f"{shape.width:>5} {shape.depth:>5} {count(shape).matmul_params:>8} {batch:>5}"


@contextlib.contextmanager
def served(what: str, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Give a process that trains on request."""
    process = run_serving(what, settings)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run_serving(what: str, settings: dict[str, str]) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {**ONE_THREAD, **KEEP_MEMORY}}
    pipe = None if what == "peak" else subprocess.PIPE
    command = [sys.executable, __file__, *(["--quick"] if QUICK else []), "--serve", what]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**kept, **settings})


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with something that is not training."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def together(trainers: list[Any], shape: Shape, batch: int, seconds: float) -> float:
    """Let all train at the same time and return the sum of their tokens per wall second."""
    for trainer in trainers:
        trainer.stdin.write(json.dumps([dataclasses.asdict(shape), batch, seconds]) + "\n")
        trainer.stdin.flush()
    return sum(float(trainer.stdout.readline()) for trainer in trainers)


def serve(trainer: Callable[[Shape, int, Stopwatch], None]) -> None:
    """Train as long as each line of the input asks for, and answer with the tokens per second."""
    for line in sys.stdin:
        shape, batch, seconds = json.loads(line)
        stopwatch = Stopwatch(seconds)
        with contextlib.suppress(EnoughError):
            trainer(Shape(**shape), batch, stopwatch)
        print(stopwatch.steps * batch / stopwatch.elapsed(), flush=True)


class EnoughError(Exception):
    """The time is over."""


class Stopwatch:
    """Counts steps for so long, after two that warm up."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.steps, self.started = seconds, -2, 0.0

    def step(self) -> None:
        self.steps += 1
        if self.steps == 0:
            self.started = time.perf_counter()
        if self.steps > 0 and self.elapsed() >= self.seconds:
            raise EnoughError

    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def bring_back(self, course: Any) -> None:
        """Begin at the beginning: to the lab's trainer this is what keeps its runs."""

    def look(self, course: Any) -> None:
        self.step()


def plain_loop(shape: Shape, batch: int, stopwatch: Stopwatch) -> None:
    from plain_loop import plain_steps

    for _ in plain_steps(shape, batch, load_corpus("python").train_t):
        stopwatch.step()


def packed_loop(shape: Shape, batch: int, stopwatch: Stopwatch) -> None:
    """Train as the pool's processes do, in the middle of a long run."""
    import torch

    from isoloss.lab.trainer import train_run

    torch.set_num_threads(1)
    corpus = load_corpus("python")
    train_run(wsd_adamw(shape, corpus.train_t.size // 2, corpus, batch=batch), corpus, keeper=stopwatch)


def shares() -> None:
    """Measure the peak, then every size, and print a table."""
    import torch

    torch.set_num_threads(1)
    peak = measured_peak()
    print("width depth   matmul batch    plain      lab  bfloat16  lab/plain  GFLOP/CPU s  share")
    for dial in DIALS:
        print(row(dials.shape(dial), peak), flush=True)


def measured_peak() -> float:
    """Print the FLOP per CPU second of every product and return the best."""
    rates = {(library, shape): product_rate(library, shape) for library in ("numpy", "torch") for shape in PRODUCTS}
    for (library, shape), rate in rates.items():
        print(f"{library} {' x '.join(map(str, shape)):>18}  {rate / 1e9:6.1f} GFLOP per CPU second")
    library, shape = max(rates, key=lambda key: rates[key])
    peak = rates[library, shape]
    print(
        f"peak: {peak / 1e9:.1f} GFLOP per CPU second, float32, one thread: {library}, {' x '.join(map(str, shape))}\n"
    )
    return peak


def product_rate(library: str, shape: tuple[int, int, int]) -> float:
    """Return the FLOP per CPU second of one matrix product, rows x inner times inner x columns."""
    import numpy as np
    import torch

    rows, inner, columns = shape
    left, right = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    out = np.empty((rows, columns), np.float32)
    a, b, c = map(torch.from_numpy, (left, right, out))
    calls = {"numpy": lambda: np.matmul(left, right, out=out), "torch": lambda: torch.mm(a, b, out=c)}
    return 2 * rows * inner * columns / seconds_per_call(calls[library])


def seconds_per_call(call: Callable[[], object]) -> float:
    """Return the median over bursts of the CPU seconds of one call."""
    call()
    bursts = []
    for _ in range(BURSTS):
        calls, started = 0, time.process_time()
        while time.process_time() - started < SECONDS_PER_BURST:
            call()
            calls += 1
        bursts.append((time.process_time() - started) / calls)
    return statistics.median(bursts)


def row(shape: Shape, peak: float) -> str:
    """Return one line of the table: a size, trained as the ladder trains it and as the plain loop does."""
    batch = batch_of(shape)
    plain, lab, low = (batch / seconds for seconds in seconds_per_step(shape, batch))
    flops = lab * training_flops(shape)
    rates = f"{plain:>8.0f} {lab:>8.0f} {low:>9.0f} {lab / plain:>10.2f}"
    return f"{sized(shape, batch)} {rates} {flops / 1e9:>12.1f} {flops / peak:>6.0%}"


def seconds_per_step(shape: Shape, batch: int) -> list[float]:
    """Return the median CPU seconds of a step of the plain loop, of the lab's, and of the lab's in bfloat16."""
    from plain_loop import plain_steps

    ways = [plain_steps(shape, batch, load_corpus("python").train_t)]
    ways += [lab_steps(shape, batch, dtype) for dtype in ("float32", "bfloat16")]
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(STEPS + WARM):
        for way, of_way in zip(ways, times, strict=True):
            started = time.process_time()
            next(way)
            of_way.append(time.process_time() - started)
    return [statistics.median(of_way[WARM:]) for of_way in times]


def lab_steps(shape: Shape, batch: int, dtype: str) -> Iterator[None]:
    """Take steps of the lab's, one at a time."""
    from isoloss.lab.trainer import Course, take_step

    corpus = load_corpus("python")
    spec = dataclasses.replace(wsd_adamw(shape, corpus.train_t.size // 2, corpus, batch=batch), dtype=dtype)
    course = Course(spec)
    for step, inputs_and_targets in enumerate(course.task.batches(spec, corpus, 0)):
        take_step(course, spec, step, inputs_and_targets)
        yield


if __name__ == "__main__":
    served_as = {"plain": lambda: serve(plain_loop), "packed": lambda: serve(packed_loop), "peak": shares}
    served_as[sys.argv[sys.argv.index("--serve") + 1]]() if "--serve" in sys.argv else main()

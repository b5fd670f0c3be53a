"""How fast the lab trains: tokens per CPU second, and the share of this machine's own peak, for the ladder's sizes.

    python benchmarks/train.py

One thread. The peak is measured in the same run, as the best float32 matrix product among several shapes and two
libraries, so that a slow or busy machine is compared with itself; CPU seconds are of this process alone. A training
FLOP is counted as everywhere in isoloss (causal attention, lookups zero): the share is of useful work.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable

from isoloss.core.accounting import Shape, count, training_flops
from isoloss.lab.corpus import load_corpus
from isoloss.lab.pool import KEEP_MEMORY, ONE_THREAD
from isoloss.lab.recipes.registry import nearest
from isoloss.lab.recipes.wsd_adamw import batch_size, wsd_adamw

PRODUCTS = [(2048, 2048, 2048), (1024, 1024, 1024), (2048, 128, 512), (2048, 512, 128), (2048, 64, 256)]
SIZES = [(32, 2, 2), (48, 3, 3), (64, 3, 4), (80, 4, 5), (96, 4, 6), (128, 4, 8), (160, 5, 10)]
HORIZON = 1_600_000  # tokens; the batch timed is this horizon's
STEPS = 40
BURSTS = 5
SECONDS_PER_BURST = 0.2


def main() -> None:
    """Measure the peak, then every size, and print a table."""
    import torch

    torch.set_num_threads(1)
    peak = measured_peak()
    print("width depth  matmul  batch  tokens/CPU s  GFLOP/CPU s  share")
    for size in SIZES:
        print(row(*size, peak=peak), flush=True)


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


def row(width: int, depth: int, heads: int, peak: float) -> str:
    """Return one line of the table: a size, trained as the ladder trains it."""
    shape = Shape(width, depth, heads)
    batch = nearest(batch_size(HORIZON), shape.context)
    tokens = batch / seconds_per_step(shape, batch)
    flops = tokens * training_flops(shape)
    parameters = count(shape).matmul_params
    return f"{width:>5} {depth:>5} {parameters:>7} {batch:>6} {tokens:>13.0f} {flops / 1e9:>12.1f} {flops / peak:>6.0%}"


def seconds_per_step(shape: Shape, batch: int) -> float:
    """Return the median CPU seconds of one step of a short run, with next to nothing to be judged on."""
    from isoloss.lab.trainer import train_run

    corpus = load_corpus("python")
    corpus = dataclasses.replace(corpus, validation_t=corpus.validation_t[:4096])
    times = [time.process_time()]
    train_run(
        wsd_adamw(shape, STEPS * batch, corpus, batch=batch), corpus, lambda point: times.append(time.process_time())
    )
    return statistics.median(b - a for a, b in itertools.pairwise(times))


if __name__ == "__main__":
    settings = {**ONE_THREAD, **KEEP_MEMORY}
    if any(os.environ.get(name) != value for name, value in settings.items()):  # read by the process as it starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **settings})
    main()

"""How long runs will take on this machine: from records of the same shape, else from steps timed here and now.

    python -m isoloss.lab.pace          reads Specs, one JSON object a line; writes CPU seconds by id

The timing runs in a process of its own, with the settings of a training process. Times are CPU seconds of one core, so
that a busy machine does not change them.
"""

from __future__ import annotations

import heapq
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isoloss.core.accounting import training_flops
from isoloss.core.errors import TrainingError
from isoloss.core.shapes import AnyShape, shape_from_json
from isoloss.core.spec import Spec
from isoloss.lab.trunks import Branch, branches

START = 4.0  # CPU seconds until a training process trains: imports and corpus
JUDGED = 2048 + 3 * 256  # windows that a run is judged on, at its end and on its way, a forward pass each
STEPS, LONGEST, ALL = 3, 0.4, 8.0  # timed steps of a shape and batch, CPU seconds of one such timing, and of all
PRODUCT_SHARE = 0.5  # of the speed of bare matrix products of a model's width, that its training reaches
SIDE = 512


@dataclass(frozen=True)
class Pace:
    """CPU seconds of each run by id, how they are known, and the wall time in so many processes side by side."""

    seconds: dict[str, float]
    how: str
    judged: dict[str, float] = field(default_factory=dict)  # of these, for what each run is judged on

    def of(self, specs: Iterable[Spec], left: Mapping[str, float] | None = None) -> float:
        """CPU seconds of all these runs; `left` is, by id, the share of its steps that a run does itself."""
        return sum(self._one(spec, left) for spec in specs)

    def wall(self, specs: Sequence[Spec], workers: int, left: Mapping[str, float] | None = None) -> float:
        """Seconds until the last is done, if the cores are free: longest first, as they are trained.

        A run that branches off cannot begin before its trunk is at that step.
        """
        forks = branches(specs) if left else {}
        ends, begun = [START] * workers, {}
        for spec in sorted(specs, key=lambda spec: self._one(spec, left), reverse=True):
            at = max(ends[0], self._passed(forks[spec.id], begun) if spec.id in forks else 0.0)
            begun[spec.id] = at
            heapq.heapreplace(ends, at + self._one(spec, left))
        return max(ends) if any(end > START for end in ends) else 0.0

    def _one(self, spec: Spec, left: Mapping[str, float] | None) -> float:
        judged = min(self.judged.get(spec.id, 0.0), self.seconds[spec.id])
        return (self.seconds[spec.id] - judged) * (left[spec.id] if left else 1.0) + judged

    def _passed(self, branch: Branch, begun: Mapping[str, float]) -> float:
        trunk = branch.trunk
        return begun.get(trunk.id, START) + self.seconds[trunk.id] * branch.step / trunk.steps


def pace(specs: Sequence[Spec], records: Iterable[dict[str, Any]] = ()) -> Pace:
    """Return how long each run will take: by records where there are any of its shape, by timing for the rest."""
    known = _recorded(records)
    lacking = [spec for spec in specs if spec.shape not in known]
    has_torch = importlib.util.find_spec("torch") is not None
    timed = (_timed_apart if has_torch else _by_products)(lacking) if lacking else {}
    judged = {s.id: _judging(s, known[s.shape]) if s.shape in known else timed[s.id][1] for s in specs}
    seconds = {s.id: judged[s.id] + (known[s.shape] * s.flops if s.shape in known else timed[s.id][0]) for s in specs}
    timing = "training steps timed here" if has_torch else f"bare matrix products timed here, at {PRODUCT_SHARE:g}"
    sources = [*(["records of the same shapes"] if known and len(lacking) < len(specs) else [])]
    return Pace(seconds, " and ".join([*sources, *([timing] if lacking else [])]), judged)


def _recorded(records: Iterable[dict[str, Any]]) -> dict[AnyShape, float]:
    # CPU seconds a FLOP, by shape.
    rates: dict[AnyShape, list[float]] = {}
    for record in records:
        if record["status"] == "done" and not record.get("forked_from"):
            shape = shape_from_json(record["spec"]["shape"])
            rates.setdefault(shape, []).append(record["cpu_seconds"] / record["flops"])
    return {shape: statistics.median(values) for shape, values in rates.items()}


def _judging(spec: Spec, seconds_a_flop: float) -> float:
    return JUDGED * spec.shape.context * training_flops(spec.shape) / 3 * seconds_a_flop


def _timed_apart(specs: Sequence[Spec]) -> dict[str, tuple[float, float]]:
    # CPU seconds of training and of judging, by id.
    from isoloss.lab.pool import KEEP_MEMORY, ONE_THREAD

    done = subprocess.run(
        [sys.executable, "-m", "isoloss.lab.pace"],
        input="\n".join(json.dumps(spec.to_json()) for spec in specs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD, **KEEP_MEMORY},
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        raise TrainingError("A training step could not be timed.", last[0], "Train with a workable torch.")
    return json.loads(done.stdout)


def _by_products(specs: Sequence[Spec]) -> dict[str, tuple[float, float]]:
    rates = {width: _product_rate(width) * PRODUCT_SHARE for width in {spec.shape.width for spec in specs}}
    return {s.id: (s.flops / rates[s.shape.width], _judging(s, 1 / rates[s.shape.width])) for s in specs}


def _product_rate(width: int) -> float:
    left, right = np.ones((SIDE, width), np.float32), np.ones((width, 4 * width), np.float32)
    started, times = time.process_time(), 0
    while time.process_time() - started < 0.05:
        np.matmul(left, right)
        times += 1
    return 2 * SIDE * width * 4 * width * times / (time.process_time() - started)


def timed(specs: Sequence[Spec]) -> dict[str, tuple[float, float]]:
    """Time steps of every shape at its smallest and largest batch, cheapest shapes first.

    Returned are, by id, CPU seconds of training and of judging.

    Once the timings have taken 8 s, the shapes that are left go at the speed of the largest that was timed.
    """
    by_shape: dict[AnyShape, list[Spec]] = {}
    for spec in sorted(specs, key=lambda s: training_flops(s.shape)):
        by_shape.setdefault(spec.shape, []).append(spec)
    began, slowest = time.process_time(), 0.0
    seconds: dict[str, tuple[float, float]] = {}
    for shape, runs in by_shape.items():
        if slowest and time.process_time() - began > ALL:
            seconds |= {s.id: (slowest * s.flops, _judging(s, slowest)) for s in runs}
            continue
        batches = sorted({spec.batch for spec in runs})
        of_step = np.array([_step_seconds(runs[0], batch) for batch in (batches[0], batches[-1])])
        slowest = float(of_step[-1] / batches[-1] / training_flops(shape))
        for s in runs:
            step = float(np.interp(s.batch, [batches[0], batches[-1]], of_step))
            seconds[s.id] = step * s.steps, _judging(s, slowest)
    return seconds


def _step_seconds(spec: Spec, batch: int) -> float:
    import torch

    from isoloss.lab.task import task_of
    from isoloss.lab.trainer import optimizer_for

    task = task_of(spec)
    model = task.model(spec)
    optimizer = optimizer_for(model, spec)
    made_up = task.made_up(spec, batch)

    def step() -> None:
        loss = task.loss(model, made_up)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), spec.clip)
        optimizer.step()

    step()
    return _least(step)


def _least(step: Callable[[], None]) -> float:
    # The middle of a few, after one that warms up; a step that is long is timed once.
    times: list[float] = []
    while len(times) < STEPS and sum(times) < LONGEST:
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return statistics.median(times)


def main() -> None:
    """Time the Specs that come in."""
    import torch

    torch.set_num_threads(1)
    specs = [Spec.from_json(json.loads(line)) for line in sys.stdin if line.strip()]
    print(json.dumps(timed(specs)))


if __name__ == "__main__":
    main()

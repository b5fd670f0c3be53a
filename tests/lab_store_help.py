"""Processes that train into a folder and can be killed: forked from one that has imported torch and read the corpus."""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TextIO

import pytest
import torch

from isoloss.core.accounting import Shape
from isoloss.core.spec import Spec
from isoloss.lab.corpus import load_corpus
from isoloss.lab.recipes.wsd_adamw import wsd_adamw
from isoloss.lab.record import environment, source_digest
from isoloss.lab.store import Keeping
from isoloss.lab.trainer import Course
from isoloss.lab.worker import Stop, answer, main

SPENT = {"seconds", "cpu_seconds", "tokens_per_cpu_second", "peak_memory", "energy"}  # columns that differ each time
NANO = Shape(width=8, depth=1, heads=1, context=16)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["lab_store_preload"])


def tiny(seed: int = 0, tokens: int = 10_000, **options: Any) -> Spec:
    """Return a run of a fraction of a second."""
    return wsd_adamw(NANO, tokens, load_corpus("python"), seed, **options)


def prepare() -> None:
    """Do once what every fork would do again."""
    torch.set_num_threads(1)
    load_corpus("python")
    environment()
    source_digest()
    Course(tiny())  # the first optimizer imports half of torch


def start(out: Path, specs: Iterable[Spec], keeping: Keeping | None = None, file_limit: int | None = None) -> Any:
    """Start a process that trains these runs one after the other, and return it."""
    prepare_forks()
    texts = [json.dumps(spec.to_json()) for spec in specs]
    process = FORKS.Process(target=train_all, args=(str(out), texts, keeping or Keeping(), file_limit))
    process.start()
    return process


@functools.cache
def prepare_forks() -> None:
    """Start what processes are forked from where it finds its modules: it looks for them in PYTHONPATH alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("OMP_NUM_THREADS", "1")
        forkserver.ensure_running()
        first: Any = FORKS.Process(target=prepare)
        first.start()
        first.join()


def train_all(out: str, texts: list[str], keeping: Keeping, file_limit: int | None) -> None:
    """Train runs as a worker does, and append every event to OUT.PID.jsonl."""
    torch.set_num_threads(1)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    with open(f"{out}.{os.getpid()}.jsonl", "w", encoding="utf-8") as log:
        for text in texts:
            spec = Spec.from_json(json.loads(text))

            def tell(event: dict[str, Any], spec: Spec = spec) -> None:
                print(json.dumps({**event, "id": spec.id}), file=log, flush=True)

            tell(answer(Path(out), spec, keeping, Stop(), tell))


@contextlib.contextmanager
def served(out: Path) -> Iterator[tuple[Any, TextIO, TextIO]]:
    """Give a process that trains what it reads, as the pool's do, and what it reads from and writes to."""
    prepare_forks()
    out.mkdir(exist_ok=True)
    pipes = [f"{out}.in", f"{out}.out"]
    for pipe in pipes:
        os.mkfifo(pipe)
    process: Any = FORKS.Process(target=serve, args=(str(out), *pipes))
    process.start()
    with open(pipes[0], "w", encoding="utf-8") as requests, open(pipes[1], encoding="utf-8") as answers:
        yield process, requests, answers


def serve(out: str, requests: str, answers: str) -> None:
    sys.stdin, sys.stdout = open(requests, encoding="utf-8"), open(answers, "w", encoding="utf-8")  # noqa: SIM115
    main(out, Keeping())


def events(out: Path, process: Any) -> list[dict[str, Any]]:
    """Return what a process started by `start` said; a last line that was cut off is left out."""
    lines = Path(f"{out}.{process.pid}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)

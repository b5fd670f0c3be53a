"""The engine "cuda": small runs of one shape together on one GPU, as stacked weights; large ones one after the other.

A small model leaves a GPU idle: launching its operations takes longer than doing them. Runs whose models have one shape
and whose batches one size differ in numbers only (seed, rate, data, horizon), so that one operation can do a step of
all. The losses are those of the engine "cpu" to float32 rounding, not bit for bit, and which runs share a stack moves
the last bits; a run that is unstable by itself makes more of that, as it does of any change of one bit.
`seconds` and `cpu_seconds` in a record are those of the stack (`together` runs), not of one run's share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from isoloss.core.errors import RequestError
from isoloss.core.spec import Spec
from isoloss.lab.engine import Event, Job, engine, raise_for
from isoloss.lab.store import is_recorded, status_of

LARGE = 20_000_000  # matrix-product parameters from which a run has a device to itself; not yet measured on one
MOST = 64  # runs in a stack
MEMORY_SHARE = 0.8  # of what is free, that a stack may take
COPIES = 8  # of the weights: gradients, moments, rates, decays and what the update needs in between
POLL = 2.0  # seconds between looks at runs that another process trains


@engine("cuda")
class Cuda:
    """`workers` are the most runs in a stack. A test names another device."""

    def __init__(self, device: str = "cuda", large: int = LARGE, compiling: bool = True) -> None:
        self.device, self.large, self.compiling = device, large, compiling

    def check(self, specs: Sequence[Spec]) -> None:
        """Raise RequestError where there is no such device."""
        import torch

        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "processors alone"
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RequestError(
                "The engine 'cuda' needs an NVIDIA GPU, and torch sees none here.",
                f"This torch, {torch.__version__}, is built for {built}.",
                'Train with engine = "cpu", or where there is a GPU and a torch built for it.',
            )

    def train(self, specs: Sequence[Spec], job: Job) -> None:
        work = Work(job)
        groups = self.groups(specs, job.workers)
        while groups:
            group = groups.pop(0)
            try:
                self._train_group(group, work)
            except MemoryError:
                groups = _halved(group, work) + groups
            if not groups:
                groups = self.groups(work.freed(), job.workers)
        raise_for(work.failed, len(specs))

    def groups(self, specs: Sequence[Spec], most: int | None = None) -> list[list[Spec]]:
        """Return which runs are trained together: of one kind, as many as fit, the longest first."""
        kinds: dict[Any, list[Spec]] = {}
        for spec in sorted(specs, key=lambda s: -s.flops):
            alone = spec.id if spec.counts.matmul_params >= self.large else ""
            kind = (spec.shape, spec.batch, spec.dtype, spec.corpus, spec.optimizer, spec.parameterisation, alone)
            kinds.setdefault(kind, []).append(spec)
        groups = []
        for kind in kinds.values():
            size = min(most or MOST, self._fitting(kind[0]))
            groups += [kind[start : start + size] for start in range(0, len(kind), size)]
        return groups

    def _fitting(self, spec: Spec) -> int:
        """Return how many such runs fit into the device's free memory."""
        import torch

        if not self.device.startswith("cuda"):
            return MOST
        free, _ = torch.cuda.mem_get_info(self.device)
        return max(1, int(MEMORY_SHARE * free / bytes_of(spec, self.device)))

    def _train_group(self, group: Sequence[Spec], work: Work) -> None:
        from isoloss.lab.engines._places import Alone, Stack

        if group[0].counts.matmul_params >= self.large:
            work.train([(spec, Alone(self.device, self.compiling)) for spec in group])
        else:
            stack = Stack(self.device, len(group))
            work.train([(spec, stack) for spec in group])


class Work:
    """What one call of `train` has under way: threads, runs that are trained elsewhere, and what failed."""

    def __init__(self, job: Job) -> None:
        self.job, self.stop = job, threading.Event()
        self.failed: dict[str, str] = {}
        self.elsewhere: list[Spec] = []
        self.errors: list[BaseException] = []
        self.lock = threading.Lock()

    def train(self, runs: Sequence[tuple[Spec, Any]]) -> None:
        """Train these runs at the same time, each in its place; an interrupt lets each keep its run first.

        Raises MemoryError if they do not fit into the device's memory together.
        """
        self.errors = []
        threads = [threading.Thread(target=self._train_one, args=run, daemon=True) for run in runs]
        for thread in threads:
            thread.start()
        try:
            _wait(threads)
        except KeyboardInterrupt:
            self.stop.set()
            _wait(threads)
            raise
        if self.errors:
            raise self.errors[0]

    def _train_one(self, spec: Spec, place: Any) -> None:
        from torch import OutOfMemoryError

        from isoloss.lab.engines._places import BrokenStackError
        from isoloss.lab.worker import answer

        def tell(event: Event) -> None:
            self._tell(spec, event)

        try:
            tell({"event": "started"})
            tell(answer(self.job.out, spec, self.job.keeping, self.stop.is_set, tell, place))
        except (OutOfMemoryError, BrokenStackError) as error:
            cause = error.__cause__ or error
            self.errors.append(MemoryError(str(cause)) if isinstance(cause, OutOfMemoryError) else cause)
        except BaseException as error:
            self.errors.append(error)
        finally:
            with suppress(AttributeError):
                place.leave()

    def _tell(self, spec: Spec, event: Event) -> None:
        with self.lock:
            if event["event"] == "refused":
                self.failed[spec.id] = event["error"]
            if event["event"] == "busy":
                self.elsewhere.append(spec)
            self.job.listen({**event, "id": spec.id})

    def freed(self) -> list[Spec]:
        """Wait until one of the runs trained elsewhere has ended or was left, and return those to be trained here."""
        while self.elsewhere:
            ended = [s for s in self.elsewhere if status_of(self.job.out / s.id).status != "running"]
            self.elsewhere = [s for s in self.elsewhere if s not in ended]
            if left := [s for s in ended if not is_recorded(self.job.out, s)]:
                return left
            if self.elsewhere:
                time.sleep(POLL)
        return []


def bytes_of(spec: Spec, device: str) -> int:
    """Return the bytes that one run takes in training: copies of its weights, and what its backward pass keeps."""
    import torch

    from isoloss.lab.corpus import load_corpus
    from isoloss.lab.engines._stacked import moved
    from isoloss.lab.task import task_of
    from isoloss.lab.trainer import precision

    task = task_of(spec)
    model = task.model(spec).to(device)
    batch = moved(next(iter(task.batches(spec, load_corpus(spec.corpus), 0))), torch.device(device))
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), precision(spec, device):
        loss = task.loss(model, batch)
    weights = sum(weight.numel() * 4 for weight in model.parameters())
    del loss
    return COPIES * weights + 2 * sum(kept.values())  # twice: gradients of what is kept come beside it


def _halved(group: Sequence[Spec], work: Work) -> list[list[Spec]]:
    """Return a group that did not fit as two that may; one run that does not fit has failed."""
    left = [spec for spec in group if not is_recorded(work.job.out, spec)]
    if len(group) == 1:
        work._tell(group[0], {"event": "refused", "error": "it needs more memory than the device has free"})
        return []
    middle = (len(left) + 1) // 2
    return [half for half in (left[:middle], left[middle:]) if half]


def _wait(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # in pieces, so that an interrupt is heard

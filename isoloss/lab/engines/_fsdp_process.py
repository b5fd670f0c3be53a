"""One of the processes that share a model: `torchrun -m isoloss.lab.engines._fsdp_process OUT SPECS`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

from isoloss.core.errors import IsolossError
from isoloss.core.spec import Spec
from isoloss.lab.corpus import load_corpus
from isoloss.lab.engines._places import device_name
from isoloss.lab.engines._stacked import moved
from isoloss.lab.locks import HeldError
from isoloss.lab.record import record_of
from isoloss.lab.store import Status, append_metrics, begun, is_recorded, rewrite_metrics, write_json, write_status
from isoloss.lab.trainer import Course, take_step, train_run
from isoloss.lab.worker import say


class Shared:
    """A place in which all processes hold a part of the model, and each takes its share of the batch."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self.device = torch.device("cuda", self.rank) if torch.cuda.is_available() else torch.device("cpu")

    def about(self) -> dict[str, Any]:
        return {"engine": "fsdp", "device": device_name(str(self.device)), "parts": self.count}

    def put(self, model: torch.nn.Module) -> torch.nn.Module:
        model = model.to(self.device)
        mesh = dist.device_mesh.init_device_mesh(self.device.type, (self.count,))
        for layers in model.children():
            if isinstance(layers, torch.nn.ModuleList):
                for layer in layers:
                    fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        return model

    def step(self, course: Course, spec: Spec, step: int, batch: Any) -> float:
        own = moved(shared_out(batch, self.rank, self.count), self.device)
        loss = torch.tensor(take_step(course, spec, step, own), dtype=torch.float64, device=self.device)
        dist.all_reduce(loss)
        return loss.item() / self.count


def shared_out(batch: Any, rank: int, count: int) -> Any:
    """Return the part of a batch that is this process's: every `count`-th sequence."""
    if isinstance(batch, torch.Tensor):
        return batch[rank::count]
    if isinstance(batch, dict):
        return {name: shared_out(part, rank, count) for name, part in batch.items()}
    return type(batch)(shared_out(part, rank, count) for part in batch)


def main(out: Path, specs: list[Spec]) -> None:
    """Train one run after the other; the first process alone holds folders, writes and speaks."""
    torch.set_num_threads(1)
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(dist.get_rank())
    try:
        for spec in specs:
            if dist.get_rank() == 0:
                train_first(out, spec)
            elif agreed(None):
                with contextlib.suppress(IsolossError):  # the first process tells it
                    train_run(spec, load_corpus(spec.corpus), place=Shared())
    finally:
        dist.destroy_process_group()


def agreed(answer: bool | None) -> bool:
    """Return what the first process says to all: whether the run is to be trained."""
    answers = [answer]
    dist.broadcast_object_list(answers)
    return bool(answers[0])


def train_first(out: Path, spec: Spec) -> None:
    """Train the run with the others, and record it; one that another call trains, or has trained, is left to it."""
    with held_or_told(out, spec) as held:
        if not agreed(held and not is_recorded(out, spec)):
            return
        say(spec.id, {"event": "started"})
        folder, place, corpus = out / spec.id, Shared(), load_corpus(spec.corpus)
        rewrite_metrics(folder, [])
        write_status(folder, Status("running"))

        def watch(point: dict[str, Any]) -> None:
            append_metrics(folder, point)
            say(spec.id, {"event": "point", **point})

        try:
            outcome = train_run(spec, corpus, watch, place=place)
        except IsolossError as error:
            write_status(folder, Status("failed", str(error)))
            say(spec.id, {"event": "refused", "error": str(error)})
            return
        record = {**record_of(spec, corpus, outcome), "resumed_at": [], **place.about()}
        write_json(folder / "record.json", record)
        write_status(folder, Status(record["status"], record["why"]))
        say(spec.id, {"event": "ended", "status": record["status"], "loss": record["loss"]})


@contextlib.contextmanager
def held_or_told(out: Path, spec: Spec) -> Iterator[bool]:
    """Hold the run's folder, or say that it is refused because another process does."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(begun(out, spec))
            held = True
        except HeldError as error:
            say(spec.id, {"event": "refused", "error": str(error)})
            held = False
        yield held


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Spec.from_json(data) for data in json.loads(Path(sys.argv[2]).read_text("utf-8"))])

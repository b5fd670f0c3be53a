"""The engine "ray": one run a core of a Ray cluster; the driver alone writes, so that nodes need no folder in common.

A task trains one run with one thread in a folder of its own, which goes with it, and returns the record and the loss
curve; the driver holds the run's lock meanwhile and writes both. A node that is lost takes its runs with it and Ray
starts them anew on others, to the same numbers: there are no checkpoints here. The cluster is the one that RAY_ADDRESS
or `ray start` names, or this machine alone. Nodes need this version of isoloss; one whose code differs is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.core.errors import MissingExtraError
from isoloss.core.spec import Spec
from isoloss.lab.engine import Event, Job, engine, raise_for
from isoloss.lab.locks import HeldError
from isoloss.lab.pool import KEEP_MEMORY, ONE_THREAD
from isoloss.lab.store import (
    Keeping,
    Status,
    begun,
    is_recorded,
    note_failure,
    read_record,
    rewrite_metrics,
    status_of,
    write_json,
    write_status,
)

POLL = 1.0  # seconds between looks at what tasks have said, and at runs that another process trains


@engine("ray")
class Ray:
    """`workers` are the most runs under way; as many as the cluster has cores."""

    def check(self, specs: Sequence[Spec]) -> None:
        """Raise MissingExtraError without ray."""
        if importlib.util.find_spec("ray") is None:
            raise MissingExtraError("cluster", "ray")

    def train(self, specs: Sequence[Spec], job: Job) -> None:
        with connected() as ray:
            work = Work(ray, job, sorted(specs, key=lambda spec: spec.flops))
            try:
                work.finish()
            finally:
                work.cancel()
        raise_for(work.failed, len(specs))


@contextlib.contextmanager
def connected() -> Any:
    """Give ray, connected: to the cluster it is connected to already, or to one for this call alone."""
    ray: Any = importlib.import_module("ray")

    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, include_dashboard=False)
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


@dataclass
class Flying:
    """A run that a task trains, and what holds its folder."""

    spec: Spec
    hold: contextlib.ExitStack


class Work:
    """What one call has under way."""

    def __init__(self, ray: Any, job: Job, todo: list[Spec]) -> None:
        from isoloss.lab.record import source_digest

        self.ray, self.job, self.todo, self.digest = ray, job, todo, source_digest()
        self.flying: dict[Any, Flying] = {}
        self.elsewhere: list[Spec] = []
        self.failed: dict[str, str] = {}
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self.ear = ray.remote(Ear).options(num_cpus=0, scheduling_strategy=here).remote()
        settings = {"env_vars": {**ONE_THREAD, **KEEP_MEMORY}}
        self.task = ray.remote(train_apart).options(num_cpus=1, max_retries=-1, runtime_env=settings)

    def finish(self) -> None:
        """Train everything, longest first, and write what comes back."""
        while self.todo or self.flying or self.elsewhere:
            self._send()
            ended, _ = self.ray.wait(list(self.flying), timeout=POLL) if self.flying else ([], [])
            self._hear()
            for task in ended:
                self._land(task)
            self._look_elsewhere()

    def _send(self) -> None:
        most = self.job.workers or max(1, int(self.ray.cluster_resources().get("CPU", 1)))
        while self.todo and len(self.flying) < most:
            spec, hold = self.todo.pop(), contextlib.ExitStack()
            try:
                hold.enter_context(begun(self.job.out, spec))
            except HeldError:
                self.elsewhere.append(spec)
                continue
            write_status(self.job.out / spec.id, Status("running"))
            self.job.listen({"event": "started", "id": spec.id})
            self.flying[self.task.remote(spec.to_json(), self.digest, self.ear)] = Flying(spec, hold)

    def _hear(self) -> None:
        under_way = {flying.spec.id for flying in self.flying.values()}
        for event in self.ray.get(self.ear.heard.remote()):
            if event["id"] in under_way:
                self.job.listen(event)

    def _land(self, task: Any) -> None:
        flying = self.flying.pop(task)
        spec, folder = flying.spec, self.job.out / flying.spec.id
        with flying.hold:
            answer: dict[str, Any]
            try:
                answer = self.ray.get(task)
            except self.ray.exceptions.RayError as error:
                answer = {"error": str(error).strip().splitlines()[-1]}
            if record := answer.get("record"):
                rewrite_metrics(folder, record["curve"])
                write_json(folder / "record.json", record)
                write_status(folder, Status(record["status"], record["why"]))
        if record:
            self.job.listen({"event": "ended", "id": spec.id, "status": record["status"], "loss": record["loss"]})
        else:
            self.failed[spec.id] = answer["error"]
            note_failure(self.job.out, spec, answer["error"])
            self.job.listen({"event": "refused", "id": spec.id, "error": answer["error"]})

    def _look_elsewhere(self) -> None:
        """Take up what another process trained or left."""
        for spec in list(self.elsewhere):
            if is_recorded(self.job.out, spec):
                record = read_record(self.job.out / spec.id / "record.json")
                outcome = {"status": record["status"], "loss": record["loss"], "elsewhere": True}
                self.job.listen({"event": "ended", "id": spec.id, **outcome})
            elif status_of(self.job.out / spec.id).status == "running":
                continue
            else:
                self.todo.append(spec)
            self.elsewhere.remove(spec)

    def cancel(self) -> None:
        """Let go of everything that has not come back."""
        for task, flying in self.flying.items():
            self.ray.cancel(task, force=True)
            write_status(self.job.out / flying.spec.id, Status("queued", "cut off"))
            flying.hold.close()
        self.ray.kill(self.ear)


class Ear:
    """Hears, on the driver's machine, how the tasks' runs go."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def heard(self) -> list[Event]:
        """Return what was said since the last time."""
        events, self.events = self.events, []
        return events


def train_apart(spec_json: dict[str, Any], digest: str, ear: Any) -> dict[str, Any]:
    """Train one run in a folder of its own and return {"record": ...}, or {"error": ...} where it cannot be trained."""
    import torch

    from isoloss.core.errors import IsolossError
    from isoloss.lab.record import source_digest
    from isoloss.lab.trainer import Here
    from isoloss.lab.worker import train_to

    torch.set_num_threads(1)
    spec = Spec.from_json(spec_json)
    if source_digest() != digest:
        return {"error": f"a node's code has the digest {source_digest()[:12]}, the driver's {digest[:12]}"}

    def tell(event: Event) -> None:
        ear.hear.remote({**event, "id": spec.id})

    with tempfile.TemporaryDirectory() as folder:
        try:
            return {"record": train_to(Path(folder), spec, Keeping(float("inf")), lambda: False, tell, Here("ray"))}
        except IsolossError as error:
            return {"error": str(error)}

"""Several training processes side by side: one thread each, biggest runs first.

One thread a model and one process a core beats one model on all cores by 4 to 42 percent and does not collapse when
something else runs on the machine. A run that another process is training is left for later, and taken up if that one
ends without a record of it. A run that branches off from a trunk waits for it, but only while somebody trains it and
has not passed the place.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isoloss.core.errors import TrainingError
from isoloss.core.spec import Spec
from isoloss.lab.store import Keeping, is_recorded, last_point, note_failure, read_record, status_of
from isoloss.lab.trunks import Branch, branches, shares_left, state_path

Event = dict[str, Any]
Listener = Callable[[Event], None]

POLL = 2.0  # seconds between looks at what other processes train

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
KEEP_MEMORY = {  # glibc: hand freed arrays to the next step, not back to the system
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 27),
}


class Pool:
    """Trains Specs in `workers` processes that write into `out`; `listen` hears every event, one at a time."""

    def __init__(self, out: Path, workers: int, listen: Listener, keeping: Keeping | None = None) -> None:
        self.out, self.workers, self.listen, self.keeping = out, workers, listen, keeping or Keeping()
        self.todo: list[Spec] = []
        self.open: set[str] = set()  # ids of the runs that have not ended, however they do
        self.reached: dict[str, int] = {}  # steps of the runs that are trained here
        self.branches: dict[str, Branch] = {}
        self.elsewhere: dict[str, Spec] = {}
        self.failed: dict[str, str] = {}
        self.processes: set[subprocess.Popen[str]] = set()
        self.lock = threading.Condition()  # waited on for news: a run that ended, a state that was left
        self.stopped = False

    def train(self, specs: Sequence[Spec]) -> None:
        """Train all `specs`; raise TrainingError at the end if some could not be, KeyboardInterrupt as it comes.

        An interrupt lets every process keep its run first; a second one does not wait for that.
        """
        left, self.branches = shares_left(specs, self.out), branches(specs)
        self.todo = sorted(specs, key=lambda spec: spec.flops * left[spec.id])
        self.open = {spec.id for spec in specs}
        try:
            self._serve_all(min(self.workers, len(specs)))
        except KeyboardInterrupt:
            self._kill()
            raise
        if self.failed:
            raise TrainingError(
                f"{len(self.failed)} of {len(specs)} runs could not be trained.",
                "\n  ".join(f"{spec_id}: {why}" for spec_id, why in self.failed.items()),
                "The others are recorded; the same command trains only what is lacking.",
            )

    def _serve_all(self, count: int) -> None:
        with ThreadPoolExecutor(count) as threads:
            try:
                for served in as_completed([threads.submit(self._serve) for _ in range(count)]):
                    served.result()
            finally:
                self._stop()

    def _serve(self) -> None:
        """Feed one process after another until nothing is left to do: a new one replaces one that died."""
        while spec := self._next():
            with contextlib.suppress(BrokenPipeError), self._start() as process:
                while spec and self._train_one(process, spec):
                    spec = self._next()

    def _next(self) -> Spec | None:
        """Return a run to train; wait where those that are left are trained elsewhere, or wait for their trunks."""
        while True:
            with self.lock:
                if self.stopped or not (self.todo or self.elsewhere):
                    return None
                ready = next((spec for spec in reversed(self.todo) if not self._waits(spec)), None)
                if ready:
                    self.todo.remove(ready)
                    return ready
                self.lock.wait(POLL)
                waiting = list(self.elsewhere.values())
            for spec in waiting:
                self._look_elsewhere(spec)

    def _waits(self, spec: Spec) -> bool:
        """Say whether a run's trunk is, or will be, trained by somebody who has yet to leave what it begins from."""
        branch = self.branches.get(spec.id)
        if not branch or branch.trunk.id not in self.open or state_path(self.out, spec, branch.step).exists():
            return False
        if branch.trunk.id in self.elsewhere:
            return last_point(self.out / branch.trunk.id).get("step", 0) <= branch.step
        return self.reached.get(branch.trunk.id, 0) <= branch.step

    def _look_elsewhere(self, spec: Spec) -> None:
        """Take up a run that another process trained or left; one that it still trains is waited for."""
        recorded = is_recorded(self.out, spec)
        if not recorded and status_of(self.out / spec.id).status == "running":
            return
        with self.lock:
            if self.elsewhere.pop(spec.id, None) is None:
                return
            if not recorded:
                self.todo.append(spec)
            self.lock.notify_all()
        if recorded:
            record = read_record(self.out / spec.id / "record.json")
            outcome = {"status": record["status"], "loss": record["loss"]}
            self._tell({"event": "ended", "id": spec.id, **outcome, "elsewhere": True})

    def _start(self) -> subprocess.Popen[str]:
        with self.lock:
            process = subprocess.Popen(
                [sys.executable, "-m", "isoloss.lab.worker", str(self.out), json.dumps(asdict(self.keeping))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **ONE_THREAD, **KEEP_MEMORY},
            )
            self.processes.add(process)
            if self.stopped:
                process.terminate()
        return process

    def _train_one(self, process: subprocess.Popen[str], spec: Spec) -> bool:
        """Train one run in `process`; say whether the process can take another."""
        assert process.stdin and process.stdout
        self._tell({"event": "started", "id": spec.id})
        try:
            process.stdin.write(json.dumps(spec.to_json()) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "busy":
                    with self.lock:
                        self.elsewhere[spec.id] = spec
                self._tell(event)
                if event["event"] in ("ended", "refused", "busy"):
                    return True
                if event["event"] == "stopped":
                    return False
        except BrokenPipeError:
            pass  # the process died: what follows says how
        self._bury(spec, f"its process ended with status {process.wait()}")
        return False

    def _bury(self, spec: Spec, why: str) -> None:
        if not self.stopped:
            note_failure(self.out, spec, why)
        self._tell({"event": "refused", "id": spec.id, "error": why})

    def _tell(self, event: Event) -> None:
        with self.lock:
            if self.stopped:
                return
            if event["event"] in ("ended", "refused", "stopped"):
                self.open.discard(event["id"])
            self.reached[event["id"]] = event.get("step", self.reached.get(event["id"], 0))
            if event["event"] != "point":
                self.lock.notify_all()
            if event["event"] == "refused":
                self.failed[event["id"]] = event["error"]
            if event["event"] == "stopped":
                self.failed[event["id"]] = f"its process was told to end, and kept it at step {event['step']}"
            self.listen(event)

    def _stop(self) -> None:
        with self.lock:
            self.stopped = True
            self.lock.notify_all()
            for process in self.processes:
                process.terminate()

    def _kill(self) -> None:
        for process in self.processes:
            process.kill()

"""Long work: a queue, a few workers, progress that can be asked for, and a way to stop."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from isoloss.core.errors import IsolossError
from isoloss.web.limits import Limits, Refused, busy
from isoloss.web.security import reply

LOG = logging.getLogger("isoloss.web")
FINISHED = ("done", "failed", "cancelled")
Progress = Callable[[int, int], None]
Work = Callable[[Progress], Any]


class Stopped(Exception):
    """Raised from a progress callback: the visitor asked to stop, or the time is up."""


@dataclass
class Job:
    """A piece of work: whose it is, how far it is, what came of it."""

    id: str
    kind: str
    owner: str
    number: int
    askers: set[str]
    status: str = "waiting"
    done: int = 0
    total: int = 0
    result: Any = None
    error: dict[str, str] | None = None
    stop: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """All jobs of all sessions; the oldest finished ones of a session are forgotten."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, threading.Lock()
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._numbers = itertools.count()
        self._pool = ThreadPoolExecutor(limits.fits_at_once, thread_name_prefix="isoloss-fit")

    def start(self, owner: str, asker: str, id: str, kind: str, work: Work) -> Job:
        """The job `id` of `owner`: the one that is there, unless it failed or was stopped, or else a new one.

        A job that several ask for is stopped when all of them want that.

        Raises Refused (503) where too many wait.
        """
        with self._lock:
            known = self._jobs.get((owner, id))
            if known and known.status not in ("failed", "cancelled") and not known.stop:
                self._jobs.move_to_end((owner, id))
                known.askers.add(asker)
                return known
            waiting = sum(job.status == "waiting" for job in self._jobs.values())
            if waiting >= self._limits.fits_waiting:
                raise busy(waiting)
            job = Job(id, kind, owner, next(self._numbers), {asker})
            self._jobs[owner, id] = job
            self._forget(owner)
        self._pool.submit(self._run, job, work)
        return job

    def find(self, owners: tuple[str, ...], id: str) -> Job:
        """A job of one of these owners; Refused (404) for any other."""
        with self._lock:
            for owner in owners:
                if (owner, id) in self._jobs:
                    return self._jobs[owner, id]
        raise Refused(
            404,
            f"There is no fit or report '{id[:40]}' in this session.",
            "Results live in the memory of the server, for the session that asked for them.",
            "Ask for it again.",
        )

    def result(self, owners: tuple[str, ...], id: str) -> Any:
        """What a finished job made; Refused (409) where it is not finished."""
        job = self.find(owners, id)
        if job.status != "done":
            raise Refused(409, f"The {job.kind} '{id[:40]}' is {job.status}.", do="Wait until it is done.")
        return job.result

    def stop(self, job: Job, asker: str) -> None:
        """Stop a job, unless others ask for it too: at once if it waits, at its next step if it runs."""
        with self._lock:
            job.askers.discard(asker)
            if job.askers or job.status in FINISHED:
                return
            job.stop = True
            if job.status == "waiting":
                self._end(job, "cancelled")

    def ahead(self, job: Job) -> int:
        """How many wait before it."""
        with self._lock:
            return sum(other.status == "waiting" and other.number < job.number for other in self._jobs.values())

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            for job in self._jobs.values():
                job.stop = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Work) -> None:
        with self._lock:
            if job.status != "waiting":
                return
            job.status = "running"
        until = time.monotonic() + self._limits.fit_seconds

        def progress(done: int, total: int) -> None:
            job.done, job.total = int(done), int(total)
            if job.stop:
                raise Stopped
            if time.monotonic() > until:
                raise Refused(
                    503,
                    f"This {job.kind} took more than {self._limits.fit_seconds:g} seconds.",
                    do="Fit it with the command line, which waits: isoloss fit.",
                )

        try:
            progress(0, 0)
            result = work(progress)
        except Stopped:
            self._end(job, "cancelled")
        except IsolossError as error:
            job.error = reply(error)
            self._end(job, "failed")
        except Exception:
            LOG.exception("a %s failed", job.kind)
            job.error = {
                "error": "Failure",
                "given": f"This {job.kind} failed for a reason that isoloss did not foresee.",
                "exists": "The server's log holds the details.",
                "do": "Try another law or objective, and tell the makers of isoloss.",
            }
            self._end(job, "failed")
        else:
            job.result = result
            self._end(job, "done")

    def _end(self, job: Job, status: str) -> None:
        job.status = status
        job.ended.set()

    def _forget(self, owner: str) -> None:
        mine = [key for key, job in self._jobs.items() if key[0] == owner and job.status in FINISHED]
        for key in mine[: max(0, len(mine) - self._limits.fits_kept)]:
            del self._jobs[key]
        old = [key for key, job in self._jobs.items() if job.status in FINISHED]
        for key in old[: max(0, len(old) - 4 * self._limits.fits_kept)]:
            del self._jobs[key]

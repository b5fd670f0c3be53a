"""The engine "cpu": processes of one thread each on the cores of this machine, biggest runs first (see pool.py)."""

from __future__ import annotations

from collections.abc import Sequence

from isoloss.core.spec import Spec
from isoloss.lab.engine import Job, cores, engine
from isoloss.lab.pool import Pool


@engine("cpu")
class Cpu:
    """`workers` are processes: as many as there are cores."""

    def check(self, specs: Sequence[Spec]) -> None:
        """Every run can be trained on a processor."""

    def train(self, specs: Sequence[Spec], job: Job) -> None:
        Pool(job.out, job.workers or cores(), job.listen, job.keeping).train(specs)

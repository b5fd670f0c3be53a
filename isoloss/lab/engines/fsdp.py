"""The engine "fsdp": one model at a time in parts, for models larger than a device (FSDP2, torch's fully_shard).

torchrun starts `workers` processes, one a GPU, or on processors where there is none. Each keeps a part of the weights,
gradients and moments (Zhao et al. 2023), takes its share of every batch, and all judge together; the first writes the
record. The losses are those of one process to float32 rounding. Limits: a batch must be a whole number of sequences for
each process; the model is made whole in each process's memory before it is cut; there are no checkpoints, and a run
that is cut off begins again; several machines are left to torchrun's own options.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from isoloss.core.errors import RequestError, TrainingError
from isoloss.core.spec import Spec
from isoloss.lab.engine import Job, cores, engine, raise_for
from isoloss.lab.pool import ONE_THREAD


@engine("fsdp")
class Fsdp:
    """`workers` are the parts of a model: as many as there are GPUs, or cores where there is none."""

    def check(self, specs: Sequence[Spec]) -> None:
        """Raise RequestError where a batch cannot be shared out, as far as that is known before."""
        check_shares(specs, parts())

    def train(self, specs: Sequence[Spec], job: Job) -> None:
        count = job.workers or parts()
        check_shares(specs, count)
        failed: dict[str, str] = {}
        todo = sorted(specs, key=lambda spec: -spec.flops)
        with tempfile.TemporaryDirectory() as folder:
            asked = Path(folder) / "specs.json"
            asked.write_text(json.dumps([spec.to_json() for spec in todo]), encoding="utf-8")
            ended = _launch(count, asked, job, failed)
        for spec in todo:
            if spec.id not in ended and spec.id not in failed:
                failed[spec.id] = "its processes ended before it"
        raise_for(failed, len(specs))


def parts() -> int:
    """Return how many processes share a model where nobody says."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else cores()


def check_shares(specs: Sequence[Spec], count: int) -> None:
    """Raise RequestError unless every batch is a whole number of sequences for each process."""
    for spec in specs:
        sequences = spec.batch // spec.shape.context
        if sequences % count:
            raise RequestError(
                f"A batch of {sequences} sequences cannot be shared out among {count} processes.",
                f"Run {spec.id} has batches of {spec.batch} tokens in sequences of {spec.shape.context}.",
                "Choose another number of workers, or a batch that is a multiple.",
            )


def _launch(count: int, asked: Path, job: Job, failed: dict[str, str]) -> set[str]:
    """Let torchrun train, pass on what the first process says and return the ids of the runs that ended."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    ended: set[str] = set()
    with subprocess.Popen(
        [*command, "-m", "isoloss.lab.engines._fsdp_process", str(job.out), str(asked)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD},
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "refused":
                    failed[event["id"]] = event["error"]
                if event["event"] == "ended":
                    ended.add(event["id"])
                job.listen(event)
        except BaseException:
            process.terminate()
            raise
    if process.returncode and not ended and not failed:
        raise TrainingError("torchrun could not train.", f"It ended with status {process.returncode}.", "See above.")
    return ended

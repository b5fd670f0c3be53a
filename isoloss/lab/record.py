"""The record of a run: what was asked, every count, the losses, why it ended, and where it was trained."""

from __future__ import annotations

import ast
import functools
import hashlib
import math
import os
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isoloss.core.accounting import Counts, ledger
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Corpus
from isoloss.lab.data import windows
from isoloss.lab.trainer import Outcome

SCHEMA = 1
MATHS = ("model.py", "task.py", "optimizers.py", "schedule.py", "data.py", "corpus.py", "evaluate.py", "trainer.py")


def record_of(spec: Spec, corpus: Corpus, outcome: Outcome) -> dict[str, Any]:
    """Return the record of a run that has ended, as a JSON object."""
    usable = windows(corpus.train_t, spec.shape.context) * spec.shape.context
    return {
        "schema": SCHEMA,
        "id": spec.id,
        "status": outcome.status,
        "why": outcome.why,
        "spec": spec.to_json(),
        "counts": counts_of(spec.counts),
        "flops": spec.flops,
        "flops_per_token": ledger(spec.shape),
        "tokens": spec.tokens,
        "steps": spec.steps,
        "steps_done": outcome.steps_done,
        "unique_tokens": usable,
        "epochs": spec.tokens / usable,
        **losses_of(outcome),
        "curve": outcome.curve,
        "validations": outcome.validations,
        "gradient_noise": outcome.gradient_noise,
        "noise_scale": outcome.gradient_noise[-1]["noise_scale"] if outcome.gradient_noise else None,
        "seconds": outcome.seconds,
        "cpu_seconds": outcome.cpu_seconds,
        "tokens_per_cpu_second": outcome.steps_done * spec.batch / max(outcome.cpu_seconds, 1e-9),
        "usage": outcome.usage,
        "corpus": corpus_of(corpus),
        "environment": environment(),
        "source_digest": source_digest(),
        "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def counts_of(counts: Counts) -> dict[str, int]:
    """Return every count of parameters: the parts and the three sums."""
    sums = {name: getattr(counts, name) for name in ("params", "body_params", "matmul_params")}
    return {**sums, **{f"{part}_params": value for part, value in asdict(counts).items()}}


def losses_of(outcome: Outcome) -> dict[str, float | int | None]:
    """Return the final losses; a run that diverged has none."""
    seen = outcome.validation
    return {
        "loss": seen.loss if seen else None,
        "loss_se": seen.loss_se if seen else None,
        "bits_per_byte": seen.loss / math.log(2) if seen else None,
        "validation_windows": seen.windows if seen else None,
        "validation_documents": seen.documents if seen else None,
        "train_loss": outcome.curve[-1]["train_loss"] if outcome.curve else None,
    }


def corpus_of(corpus: Corpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "digest": corpus.digest,
        "train_tokens": len(corpus.train_t),
        "validation_tokens": len(corpus.validation_t),
        "documents": corpus.documents,
        "validation_documents": len(corpus.starts_f),
        "duplicates_dropped": corpus.duplicates,
        "notes": list(corpus.notes),
    }


@functools.cache
def environment() -> dict[str, Any]:
    """Say on what the run was trained; nothing that names the machine or its user."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "isoloss": version("isoloss"),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "dtype": "float32",
    }


def cpu_model() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


@functools.cache
def source_digest() -> str:
    """Return the SHA-256 of the code that decides the numbers, comments, docstrings and layout left out."""
    trees = (ast.parse(Path(__file__).with_name(name).read_text(encoding="utf-8")) for name in MATHS)
    return hashlib.sha256("\n".join(ast.unparse(_without_docstrings(tree)) for tree in trees).encode()).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree

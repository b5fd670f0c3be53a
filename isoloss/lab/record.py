"""The record of a run: what was asked, every count, the losses, why it ended, and where it was trained."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isoloss.core.accounting import inapplicable, ledger, sizes
from isoloss.core.counts import Counts
from isoloss.core.shapes import AnyShape
from isoloss.core.spec import Spec
from isoloss.lab.conventions import conventions
from isoloss.lab.corpus import Corpus, Examples, Pairs, Source
from isoloss.lab.data import usable_tokens
from isoloss.lab.trainer import Outcome

SCHEMA = 1
MATHS = (
    *(
        "model.py",
        "parameterisation.py",
        "task.py",
        "optimizers.py",
        "muon.py",
        "schedule.py",
        "curve.py",
        "trainer.py",
    ),
    *("data.py", "corpus.py", "building.py", "evaluate.py", "translating.py", "classifying.py"),
    *("models/blocks.py", "models/moe.py", "models/encoder_decoder.py", "models/vit.py", "models/mlp.py"),
)
IN_BITS_PER_BYTE = ("decoder", "moe", "encoder_decoder")  # kinds whose loss is that of bytes of text


def record_of(spec: Spec, corpus: Source, outcome: Outcome) -> dict[str, Any]:
    """Return the record of a run that has ended, as a JSON object."""
    usable = usable_tokens(spec, corpus)
    return {
        "schema": SCHEMA,
        "id": spec.id,
        "status": outcome.status,
        "why": outcome.why,
        "spec": spec.to_json(),
        "kind": spec.shape.kind,
        "counts": counts_of(spec.counts, spec.shape),
        "flops": spec.flops,
        "flops_per_token": {**ledger(spec.shape), **dict.fromkeys(inapplicable(spec.shape))},
        "conventions": conventions(spec.shape),
        "tokens": spec.tokens,
        "steps": spec.steps,
        "steps_done": outcome.steps_done,
        "unique_tokens": usable,
        "epochs": spec.tokens / usable,
        **losses_of(outcome, spec.shape),
        "offsets": outcome.offsets,
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


def counts_of(counts: Counts, shape: AnyShape) -> dict[str, float]:
    """Return every count of parameters: the parts, the three sums, and what laws know this kind of model by."""
    sums = {name: getattr(counts, name) for name in ("params", "body_params", "matmul_params")}
    parts = {f"{part}_params": value for part, value in asdict(counts).items() if value or part != "inputs"}
    return {**sums, **parts, **sizes(shape)}


def losses_of(outcome: Outcome, shape: AnyShape) -> dict[str, Any]:
    """Return the final losses; a run that diverged has none, and a class is no byte."""
    seen = outcome.validation
    return {
        "loss": seen.loss if seen else None,
        "loss_se": seen.loss_se if seen else None,
        "bits_per_byte": seen.bits_per_byte if seen and shape.kind in IN_BITS_PER_BYTE else None,
        "validation_windows": seen.windows if seen else None,
        "validation_documents": seen.documents if seen else None,
        "extras": seen.extras if seen else {},
        "train_loss": outcome.curve[-1]["train_loss"] if outcome.curve else None,
    }


def corpus_of(corpus: Source) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "digest": corpus.digest,
        **_sides(corpus),
        "documents": corpus.documents,
        "duplicates_dropped": corpus.duplicates,
        "licence": corpus.licence,
        "notes": list(corpus.notes),
    }


def _sides(corpus: Source) -> dict[str, float]:
    if isinstance(corpus, Corpus):
        return {
            "train_tokens": len(corpus.train_t),
            "validation_tokens": len(corpus.validation_t),
            "validation_documents": len(corpus.starts_f),
            "near_duplicates_dropped": corpus.near_duplicates,
            "vocab": corpus.vocab,
            "bytes_per_token": corpus.bytes_per_token,
        }
    if isinstance(corpus, Pairs):
        return {"train_pairs": len(corpus.train), "validation_pairs": len(corpus.validation)}
    assert isinstance(corpus, Examples)
    return {"train_examples": len(corpus.train_y), "validation_examples": len(corpus.validation_y)}


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
    trees = (ast.parse((Path(__file__).parent / name).read_text(encoding="utf-8")) for name in MATHS)
    return hashlib.sha256("\n".join(ast.unparse(_without_docstrings(tree)) for tree in trees).encode()).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree

"""What is measured of a run beside its losses: the noise of its gradient, its peak memory, its energy.

Nothing here moves the numbers of the run: gradients are taken beside the weights' own, and no random number is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isoloss.lab.energy import Counter, counter_for

PARTS = 8  # of a batch, whose gradients are told apart
EVERY = 100  # steps done that pay for one batch of measuring
MOST = 8  # batches measured at a look
KEPT = 0.5  # of the estimates of the look before

Loss = Callable[[Any], Tensor]


def noise_look(model: torch.nn.Module, loss: Loss, batches: Iterable[Any], tokens: int) -> dict[str, float | None]:
    """Return |G|^2 as `g2` and tr S as `trace`, from `batches` of `tokens` tokens each.

    G is the true gradient and S / B the covariance of that of a batch of B tokens (McCandlish et al. 2018, appendix
    A.1). Both are unbiased: |G|^2 may come out negative where the noise drowns it. They are of the plain gradient,
    before clipping and without what the optimizer makes of it. Batches that cannot be split give None for both.
    """
    pair = squared_norms(model, loss, batches)
    if pair is None:
        return {"g2": None, "trace": None}
    part_norm, whole_norm, parts, batches_seen = pair
    g2, trace = estimates(part_norm, whole_norm, parts, tokens * batches_seen / parts)
    return {"g2": g2, "trace": trace}


def with_scales(looks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the looks of one run, in order, each with its noise scale tr S / |G|^2 in tokens.

    It is the ratio of the two after smoothing each with those before it, since a mean of ratios is biased where a ratio
    of means is not. It is None where it is not known, or where noise drowns the gradient.
    """
    told: list[dict[str, Any]] = []
    smooth: dict[str, float] = {}
    for look in looks:
        if look["g2"] is None:
            told.append({**look, "noise_scale": None})
            continue
        smooth = {name: _smoothed(look[name], smooth.get(name)) for name in ("g2", "trace")}
        known = smooth["g2"] > 0 and smooth["trace"] > 0
        told.append({**look, "noise_scale": smooth["trace"] / smooth["g2"] if known else None})
    return told


def estimates(part_norm: float, whole_norm: float, parts: int, tokens: float) -> tuple[float, float]:
    """Return unbiased |G|^2 and tr S from mean |g|^2 over `parts` parts of `tokens` tokens and |g|^2 of their mean."""
    g2 = (parts * whole_norm - part_norm) / (parts - 1)
    trace = (part_norm - whole_norm) * tokens * parts / (parts - 1)
    return g2, trace


def squared_norms(model: torch.nn.Module, loss: Loss, batches: Iterable[Any]) -> tuple[float, float, int, int] | None:
    """Return the mean |g|^2 over parts, |g|^2 of their mean, and how many parts and batches; None for one part."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    total = [torch.zeros_like(weight) for weight in weights]
    part_norms, seen = [], 0
    for batch in batches:
        seen += 1
        for part in split(batch):
            gradient = torch.autograd.grad(loss(part), weights, allow_unused=True)
            part_norms.append(_squared(gradient))
            for sum_of, piece in zip(total, gradient, strict=True):
                if piece is not None:
                    sum_of += piece
    count = len(part_norms)
    return (sum(part_norms) / count, _squared(total) / count**2, count, seen) if count > 1 else None


def split(batch: Any, most: int = PARTS) -> Iterator[Any]:
    """Yield equal parts of a batch, cut along the first axis of its tensors; all of it where these have not one."""
    if isinstance(batch, dict):
        yield from (dict(zip(batch, part, strict=True)) for part in split(tuple(batch.values()), most))
    elif isinstance(batch, Tensor):
        yield from (part for (part,) in split((batch,), most))
    elif (length := _common_length(batch)) is None:
        yield batch
    else:
        parts = zip(*(piece.chunk(_divisor(length, most)) for piece in batch), strict=True)
        yield from (type(batch)(*part) if hasattr(batch, "_fields") else part for part in parts)


def batches_at_a_look(done: int) -> int:
    """Return how many batches are measured at a look after `done` steps, however long the run is to be."""
    return min(MOST, max(1, done // EVERY))


class Meter:
    """The peak memory and the energy of a run since it began in this process, and before it was cut off."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.memory_before = _reset_peak(device)
        self.counter: Counter = counter_for(device)
        self.earlier: dict[str, Any] = {}

    def goes_on_from(self, usage: Mapping[str, Any]) -> None:
        """Count what the run used in other processes, before it was brought back here."""
        self.earlier = dict(usage)

    def read(self) -> dict[str, Any]:
        """Return peak memory in bytes and energy in joules, None where it cannot be read, and in words what of."""
        peak, of = _peak(self.device)
        joules, whose = self.counter.read()
        if self.earlier:
            peak = max((p for p in (peak, self.earlier["peak_memory"]) if p is not None), default=None)
            first = self.earlier["energy"]
            if joules is None or first is None:
                joules, whose = None, whose if joules is None else self.earlier["energy_of"]
            else:
                joules += first
        return {
            "peak_memory": peak,
            "memory_before": self.memory_before,
            "memory_of": of,
            "energy": joules,
            "energy_of": whose,
        }


def _smoothed(value: float, before: float | None) -> float:
    return value if before is None else KEPT * before + (1 - KEPT) * value


def _squared(gradient: Iterable[Tensor | None]) -> float:
    return sum(float((piece * piece).sum(dtype=torch.float64)) for piece in gradient if piece is not None)


def _common_length(batch: Any) -> int | None:
    lengths = {len(piece) if isinstance(piece, Tensor) and piece.ndim else None for piece in batch}
    return lengths.pop() if len(lengths) == 1 else None


def _divisor(length: int, most: int) -> int:
    return max(parts for parts in range(1, most + 1) if length % parts == 0)


def _reset_peak(device: torch.device) -> int | None:
    # Linux: 5 lets the peak of resident memory begin anew (proc(5), clear_refs), so that earlier runs are not counted.
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return int(torch.cuda.memory_allocated(device))
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _status("VmRSS")


def _peak(device: torch.device) -> tuple[int | None, str]:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device)), "tensors on the accelerator"
    peak = _status("VmHWM")
    if peak is not None:
        return peak, "resident memory of the process while it trained this run, libraries and kept arrays included"
    try:
        import resource
    except ImportError:
        return None, "this system does not tell"
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "resident memory of the process since it began"


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)

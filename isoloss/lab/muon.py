"""Muon: momentum whose steps are turned into the nearest orthogonal matrix, beside AdamW for all that is no matrix.

Shapes: `b` matrices of one shape, `r` rows, `c` columns.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
FIRST_MOMENTUM, MOMENTUM, MOMENTUM_WARMUP = 0.85, 0.97, 400
TINY = 1e-7


class Muon(torch.optim.AdamW):
    """Muon (Jordan 2024) for groups with `pieces`, AdamW for the others; one state for checkpoints.

    `pieces` says into how many blocks of rows each matrix of its group is cut before it is turned: fused matrices are
    several. A step is lr times sqrt(max(1, rows / columns)) times the orthogonal factor of Nesterov's momentum, whose
    memory rises from 0.85 to 0.97 over 400 steps as in nanochat; the decay is AdamW's.
    """

    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float], eps: float) -> None:
        super().__init__(groups, betas=betas, eps=eps, fused=True)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; `closure` is AdamW's."""
        groups = self.param_groups
        try:
            self.param_groups = [group for group in groups if "pieces" not in group]
            loss = super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if "pieces" in group:
                self._turn(group)
        return loss

    def _turn(self, group: dict[str, Any]) -> None:
        weights, states = group["params"], [self._state(weight) for weight in group["params"]]
        memory = momentum(int(states[0]["step"]))
        ahead = [
            weight.grad.lerp(state["momentum"].lerp_(weight.grad, 1 - memory), memory)
            for weight, state in zip(weights, states, strict=True)
        ]
        steps = turned([piece for step, n in zip(ahead, group["pieces"], strict=True) for piece in step.chunk(n)])
        for weight, state, n in zip(weights, states, group["pieces"], strict=True):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(torch.cat([next(steps) for _ in range(n)]), alpha=-group["lr"])
            state["step"] += 1

    def _state(self, weight: Tensor) -> dict[str, Tensor]:
        state = self.state[weight]
        if not state:
            state.update(step=torch.zeros(()), momentum=torch.zeros_like(weight))
        return state


def momentum(step: int) -> float:
    """The memory of step `step`, counted from 0."""
    return FIRST_MOMENTUM + (MOMENTUM - FIRST_MOMENTUM) * min(1.0, step / MOMENTUM_WARMUP)


def turned(matrices: list[Tensor]) -> Any:
    """Return an iterator over the matrices' orthogonal factors times sqrt(max(1, rows / columns)), in their order.

    Matrices that are alike in shape, or would be if laid on their side, are worked on together.
    """
    by_shape: dict[tuple[int, int], list[int]] = {}
    for place, matrix in enumerate(matrices):
        by_shape.setdefault((min(matrix.shape), max(matrix.shape)), []).append(place)
    found: list[Tensor] = list(matrices)
    for places in by_shape.values():
        flat_brc = torch.stack([_laid(matrices[place]) for place in places])
        for place, factor in zip(places, orthogonal(flat_brc), strict=True):
            rows, columns = matrices[place].shape
            found[place] = factor.mT * (rows / columns) ** 0.5 if rows > columns else factor
    return iter(found)


def orthogonal(x_brc: Tensor) -> Tensor:
    """Return matrices (b, r, c), r <= c, with the singular vectors of `x_brc` and singular values near 1.

    Five rounds of a Newton-Schulz iteration of fifth degree whose coefficients trade exactness for speed: singular
    values above a hundredth of the matrix's norm end between about 0.7 and 1.2 (Jordan 2024). A matrix of zeros stays.
    """
    a, b, c = COEFFICIENTS
    x_brc = x_brc / (x_brc.norm(dim=(-2, -1), keepdim=True) + TINY)
    for _ in range(ROUNDS):
        square_brr = x_brc @ x_brc.mT
        x_brc = a * x_brc + (b * square_brr + c * square_brr @ square_brr) @ x_brc
    return x_brc


def _laid(matrix: Tensor) -> Tensor:
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix

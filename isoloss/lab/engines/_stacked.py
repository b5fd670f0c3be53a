"""Weights of several models of one shape side by side, trained by the same operations at once.

Shapes: c cells (runs), p parameters of one of them. Each weight that a model had of its own becomes a view of one row,
and so do its moments: whoever reads a model or its optimizer between steps (validation, checkpoints) sees the run.
AdamW is done on whole rows; any other optimizer takes its own step, cell by cell, on the same views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.utils.data import default_collate

from isoloss.core.spec import Spec
from isoloss.lab.optimizers import set_rate
from isoloss.lab.schedule import share
from isoloss.lab.task import Task
from isoloss.lab.trainer import Course, precision

TINY = 1e-6  # beside a norm, as in torch's own clipping


class LossOf(torch.nn.Module):
    """A model together with what it is trained to do: a batch in, a loss out."""

    def __init__(self, task: Task, model: torch.nn.Module) -> None:
        super().__init__()
        self.task, self.model = task, model

    def forward(self, batch: Any) -> Tensor:
        return self.task.loss(self.model, batch)


class Stacked:
    """Runs under way whose models have one shape and whose batches have one size."""

    def __init__(self, courses: Sequence[Course], specs: Sequence[Spec]) -> None:
        self.courses, self.specs = list(courses), list(specs)
        first = self.courses[0]
        self.loss_of = LossOf(first.task, first.model)
        self.weights_cp = torch.stack(
            [torch.cat([w.detach().flatten() for w in c.model.parameters()]) for c in courses]
        )
        self.gradients_cp = torch.zeros_like(self.weights_cp)
        self.device = self.weights_cp.device.type
        self.weights = self._leaves()
        self._let_models_see()
        self.adamw = StackedAdamW(self.courses, self.weights_cp) if all(map(_is_plain_adamw, courses)) else None

    def _leaves(self) -> dict[str, Tensor]:
        leaves, start = {}, 0
        for name, weight in self.courses[0].model.named_parameters():
            place, shape = slice(start, start + weight.numel()), (len(self.courses), *weight.shape)
            leaves[f"model.{name}"] = self.weights_cp[:, place].view(shape).detach().requires_grad_()
            start = place.stop
        return leaves

    @torch.no_grad()
    def _let_models_see(self) -> None:
        for cell, course in enumerate(self.courses):
            start = 0
            for weight in course.model.parameters():
                place, shape = slice(start, start + weight.numel()), weight.shape
                weight.data = self.weights_cp[cell, place].view(shape)
                weight.grad = self.gradients_cp[cell, place].view(shape)
                start = place.stop

    def step(self, steps: Sequence[int], batches: Sequence[Any]) -> list[float]:
        """Take one step of each run, on its batch, and return the losses before it."""
        batch = moved(default_collate(list(batches)), self.weights_cp.device)
        with precision(self.specs[0], self.device):
            loss_c = vmap(lambda weights, part: functional_call(self.loss_of, weights, (part,)))(self.weights, batch)
        gradients = torch.autograd.grad(loss_c.sum(), tuple(self.weights.values()))
        torch.cat([gradient.flatten(1) for gradient in gradients], dim=1, out=self.gradients_cp)
        self._clip()
        shares = [share(spec, step) for spec, step in zip(self.specs, steps, strict=True)]
        if self.adamw:
            self.adamw.step(self.gradients_cp, shares)
        else:
            self._step_one_by_one(shares)
        return loss_c.tolist()

    def _clip(self) -> None:
        norm_c = self.gradients_cp.norm(dim=1, keepdim=True)
        limit_c = torch.tensor([[spec.clip] for spec in self.specs], device=norm_c.device)
        self.gradients_cp.mul_((limit_c / (norm_c + TINY)).clamp(max=1.0))

    def _step_one_by_one(self, shares: Sequence[float]) -> None:
        for course, of_peak in zip(self.courses, shares, strict=True):
            set_rate(course.optimizer, of_peak)
            course.optimizer.step()


class StackedAdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2) of several runs, each with its own rates, decay and moments."""

    def __init__(self, courses: Sequence[Course], weights_cp: Tensor) -> None:
        self.weights_cp = weights_cp
        self.first_cp, self.second_cp = torch.zeros_like(weights_cp), torch.zeros_like(weights_cp)
        self.step_c = torch.zeros(len(courses), device=weights_cp.device)
        for cell, course in enumerate(courses):
            self._take_moments(cell, course)
        self.done = [int(step) for step in self.step_c.tolist()]
        self.peak_cp, self.decay_cp = self._by_parameter(courses, "peak"), self._by_parameter(courses, "weight_decay")
        groups = [course.optimizer.param_groups[0] for course in courses]
        self.betas = [group["betas"] for group in groups]
        self.new1_c, self.new2_c = (
            self._column([1 - b for b, _ in self.betas]),
            self._column([1 - b for _, b in self.betas]),
        )
        self.eps_c = self._column([group["eps"] for group in groups])

    def _take_moments(self, cell: int, course: Course) -> None:
        """Go on from the moments that the cell's own optimizer has, and let it see them from now on."""
        start = 0
        for weight in course.model.parameters():
            place, state = slice(start, start + weight.numel()), course.optimizer.state[weight]
            for name, row in (("exp_avg", self.first_cp[cell, place]), ("exp_avg_sq", self.second_cp[cell, place])):
                if name in state:
                    row.copy_(state[name].flatten())
                state[name] = row.view(weight.shape)
            if "step" in state:
                self.step_c[cell] = float(state["step"])
            state["step"], start = self.step_c[cell], place.stop

    def _by_parameter(self, courses: Sequence[Course], option: str) -> Tensor:
        """Return what the optimizers' groups say of each parameter, shape (c, p)."""
        rows = []
        for course in courses:
            value = {w: group[option] for group in course.optimizer.param_groups for w in group["params"]}
            rows.append(torch.cat([torch.full((w.numel(),), value[w]) for w in course.model.parameters()]))
        return torch.stack(rows).to(self.weights_cp.device)

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.weights_cp.device)[:, None]

    @torch.no_grad()
    def step(self, gradients_cp: Tensor, shares: Sequence[float]) -> None:
        """Move every run's weights, at this share of its peak rate."""
        self.step_c += 1
        self.done = [done + 1 for done in self.done]
        unbias1_c = self._column([1 - b**done for (b, _), done in zip(self.betas, self.done, strict=True)])
        unbias2_c = self._column([1 - b**done for (_, b), done in zip(self.betas, self.done, strict=True)])
        rate_cp = self.peak_cp * self._column(shares)
        self.first_cp.lerp_(gradients_cp, self.new1_c)
        self.second_cp.lerp_(gradients_cp.square(), self.new2_c)
        scale_cp = (self.second_cp / unbias2_c).sqrt_().add_(self.eps_c)
        self.weights_cp.mul_(1 - rate_cp * self.decay_cp)
        self.weights_cp.sub_((rate_cp / unbias1_c).mul_(self.first_cp).div_(scale_cp))


def _is_plain_adamw(course: Course) -> bool:
    """Whether the run's optimizer is AdamW, with the same averaging for all its groups."""
    if type(course.optimizer) is not torch.optim.AdamW:
        return False
    return len({(*group["betas"], group["eps"]) for group in course.optimizer.param_groups}) == 1


def moved(batch: Any, device: torch.device) -> Any:
    """Return a batch, a tensor or tensors in tuples, lists and dictionaries, on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: moved(part, device) for name, part in batch.items()}
    return type(batch)(moved(part, device) for part in batch) if isinstance(batch, list | tuple) else batch

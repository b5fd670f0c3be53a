"""Places on one device: a stack, in which runs that are trained in threads take their steps together, and one alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch

from isoloss.core.spec import Spec
from isoloss.lab.engines._stacked import LossOf, Stacked, moved
from isoloss.lab.trainer import Course, take_step


class BrokenStackError(Exception):
    """The step that runs were taking together failed in the thread of another."""


class Stack:
    """A place where `cells` runs of one kind meet for every step; one that ends leaves the others to go on."""

    def __init__(self, device: str, cells: int) -> None:
        self.device, self.cells, self.members = device, cells, cells
        self.lock = threading.Condition()
        self.asked: dict[Course, tuple[Spec, int, Any]] = {}
        self.losses: dict[Course, float] = {}
        self.stacked: Stacked | None = None
        self.broken: BaseException | None = None

    def about(self) -> dict[str, Any]:
        return {"engine": "cuda", "device": device_name(self.device), "together": self.cells, "compiled": False}

    def put(self, model: torch.nn.Module) -> torch.nn.Module:
        return model.to(self.device)

    def step(self, course: Course, spec: Spec, step: int, batch: Any) -> float:
        """Wait until every member has asked for its next step, and return this one's loss."""
        with self.lock:
            self.asked[course] = (spec, step, batch)
            self._meet()
            self.lock.wait_for(lambda: course in self.losses or self.broken)
            if self.broken:
                raise BrokenStackError from self.broken
            return self.losses.pop(course)

    def leave(self) -> None:
        """One run fewer: it has ended, or never began."""
        with self.lock:
            self.members -= 1
            self._meet()

    def _meet(self) -> None:
        if self.broken or not self.asked or len(self.asked) < self.members:
            return
        try:
            self._step_together()
        except Exception as error:  # every member has to end, in its own thread
            self.broken = error
        self.lock.notify_all()

    def _step_together(self) -> None:
        courses = list(self.asked) if self.stacked is None else [c for c in self.stacked.courses if c in self.asked]
        specs, steps, batches = zip(*(self.asked[course] for course in courses), strict=True)
        if self.stacked is None or len(courses) < len(self.stacked.courses):
            self._stack(courses, specs)
        assert self.stacked
        losses = self.stacked.step(steps, batches)
        self.losses, self.asked = dict(zip(courses, losses, strict=True)), {}

    def _stack(self, courses: list[Course], specs: tuple[Spec, ...]) -> None:
        if self.stacked is None:
            for course in courses:
                course.model.register_state_dict_post_hook(lambda module, state, *_: state.update(copied(state)))
                course.optimizer.register_state_dict_post_hook(lambda optimizer, state: copied(state))
        self.stacked = Stacked(courses, specs)


class Alone:
    """A place for one run that fills the device; compiled where that works."""

    def __init__(self, device: str, compiling: bool = True) -> None:
        self.device, self.compiling = device, compiling
        self.loss_of: Callable[[Any], torch.Tensor] | None = None

    def about(self) -> dict[str, Any]:
        about = {"engine": "cuda", "device": device_name(self.device), "together": 1}
        return {**about, "compiled": self.loss_of is not None and self.compiling}

    def put(self, model: torch.nn.Module) -> torch.nn.Module:
        return model.to(self.device)

    def step(self, course: Course, spec: Spec, step: int, batch: Any) -> float:
        batch = moved(batch, torch.device(self.device))
        if self.loss_of is None:
            self.loss_of = self._found(course, batch)
        return take_step(course, spec, step, batch, self.loss_of)

    def _found(self, course: Course, batch: Any) -> Callable[[Any], torch.Tensor]:
        """Return what finds the loss: compiled, unless that fails, which is then in the record."""
        plain = LossOf(course.task, course.model)
        if not self.compiling:
            return plain
        compiled: Any = torch.compile(plain, dynamic=False)
        try:
            compiled(batch).backward()
        except Exception:  # of the many kinds that a compiler has, each means the same here
            self.compiling = False
            return plain
        finally:
            course.optimizer.zero_grad(set_to_none=True)
        return compiled


def copied(state: Any) -> Any:
    """Return a state with copies of its tensors: the stack's views would drag all other runs into a checkpoint."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    return {name: copied(part) for name, part in state.items()} if isinstance(state, dict) else state


def device_name(device: str) -> str:
    """Return what the device calls itself."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device

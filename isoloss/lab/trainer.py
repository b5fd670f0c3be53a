"""Trains one run, from its Spec to its outcome, and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch

from isoloss.core.errors import TrainingError
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Corpus
from isoloss.lab.data import check_repetition
from isoloss.lab.evaluate import QUICK_WINDOWS, Validation
from isoloss.lab.optimizers import optimizer_for, set_rate
from isoloss.lab.schedule import rate, share
from isoloss.lab.task import task_of

POINTS = 100  # of the loss curve that a record keeps
LOOKS = (0.25, 0.5, 0.75)  # shares of the run after which the validation loss is looked at
LOST = 2.0  # a loss this many times that of a model that knows nothing has diverged

Watch = Callable[[dict[str, Any]], None]
LossOf = Callable[[Any], torch.Tensor]


@dataclass
class Outcome:
    """How a run ended: `status` is "done" or "diverged", `why` says it in words."""

    status: str
    why: str
    steps_done: int
    curve: list[dict[str, float]] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)
    validation: Validation | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    resumed_at: list[int] = field(default_factory=list)


class Place(Protocol):
    """Where a run is trained: it puts the model there before the optimizer is made, and takes the run's steps.

    `about` says in the record which engine, device and company that was.
    """

    def put(self, model: torch.nn.Module) -> torch.nn.Module: ...

    def step(self, course: Course, spec: Spec, step: int, batch: Any) -> float:
        """Take step `step` on `batch` and return the loss before it."""
        ...

    def about(self) -> dict[str, Any]: ...


class Here:
    """In this process, on the processor, for the engine that is named."""

    def __init__(self, engine: str = "cpu") -> None:
        self.engine = engine

    def put(self, model: torch.nn.Module) -> torch.nn.Module:
        return model

    def step(self, course: Course, spec: Spec, step: int, batch: Any) -> float:
        return take_step(course, spec, step, batch)

    def about(self) -> dict[str, Any]:
        return {"engine": self.engine}


class Course:
    """A run under way: all that its next step depends on beside its Spec and corpus.

    Nothing else is random or remembered: the order of the data is drawn from the seed alone and the rate is a function
    of the step, so that the number of steps done is also the place in both.
    """

    def __init__(self, spec: Spec, place: Place | None = None) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.task = task_of(spec)
        self.model = (place or Here()).put(self.task.model(spec))
        self.optimizer = optimizer_for(self.model, spec)
        self.outcome = Outcome("done", "all tokens seen", 0)
        self.recent: list[float] = []

    def state(self) -> dict[str, Any]:
        """Return everything as tensors and plain values; the tensors are those of the run, not copies."""
        self.read_clocks()
        outcome = {name: value for name, value in asdict(self.outcome).items() if name != "validation"}
        weights, moments = self.model.state_dict(), self.optimizer.state_dict()
        return {"model": weights, "optimizer": moments, "recent": self.recent, "outcome": outcome}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned in another process."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.outcome, self.recent = Outcome(**state["outcome"]), list(state["recent"])
        self.outcome.resumed_at.append(self.outcome.steps_done)
        self.wall, self.cpu = self.wall - self.outcome.seconds, self.cpu - self.outcome.cpu_seconds

    def read_clocks(self) -> None:
        """Take down the time spent so far, that before interruptions included."""
        self.outcome.seconds = time.perf_counter() - self.wall
        self.outcome.cpu_seconds = time.process_time() - self.cpu


class Keeper(Protocol):
    """Brings a run back that was cut off, and is shown it after every step so that it can keep it."""

    def bring_back(self, course: Course) -> None: ...

    def look(self, course: Course) -> None: ...


class NoKeeper:
    """Keeps nothing: the run begins at its beginning."""

    def bring_back(self, course: Course) -> None:
        pass

    def look(self, course: Course) -> None:
        pass


def train_run(
    spec: Spec,
    corpus: Corpus,
    watch: Watch = lambda point: None,
    keeper: Keeper | None = None,
    place: Place | None = None,
) -> Outcome:
    """Train `spec` on `corpus` and return its outcome; `watch` is called with each point of the loss curve.

    The same Spec gives the same numbers bit for bit on the same machine and versions, with one thread, whether or not
    it was cut off and brought back by `keeper` on the way.
    Raises TrainingError if the corpus is not the one that the Spec names, RequestError if it would be repeated unasked.
    """
    check_corpus(spec, corpus)
    check_repetition(spec, corpus)
    keeper, place = keeper or NoKeeper(), place or Here()
    course = Course(spec, place)
    keeper.bring_back(course)
    _descend(course, spec, corpus, watch, keeper, place)
    course.read_clocks()
    if course.outcome.status == "done":
        course.outcome.validation = course.task.validate(course.model, spec, corpus)
    return course.outcome


def check_corpus(spec: Spec, corpus: Corpus) -> None:
    """Raise TrainingError unless `corpus` is, byte for byte, the one that `spec` was made for."""
    if (spec.corpus, spec.corpus_digest) != (corpus.name, corpus.digest):
        raise TrainingError(
            f"Run {spec.id} was made for the corpus '{spec.corpus}' with digest {spec.corpus_digest[:12]}.",
            f"Here the corpus '{corpus.name}' has digest {corpus.digest[:12]}: other bytes, other losses.",
            "Make the Spec anew on this machine, or train it where its corpus is.",
        )


def _descend(course: Course, spec: Spec, corpus: Corpus, watch: Watch, keeper: Keeper, place: Place) -> None:
    outcome, task = course.outcome, course.task
    looks = {max(1, round(part * spec.steps)) for part in LOOKS}
    every, start = max(1, spec.steps // POINTS), outcome.steps_done
    for step, batch in enumerate(task.batches(spec, corpus, start), start):
        loss = place.step(course, spec, step, batch)
        course.recent.append(loss)
        outcome.steps_done = step + 1
        if not loss < LOST * task.ignorance(spec):
            outcome.status, outcome.why = "diverged", f"training loss {loss:.3g} at step {step + 1}"
            return
        if (step + 1) % every == 0 or step + 1 == spec.steps:
            outcome.curve.append(_point(spec, step, sum(course.recent) / len(course.recent)))
            watch(outcome.curve[-1])
            course.recent = []
        if step + 1 in looks:
            outcome.validations.append(_look(course, spec, corpus, step))
        keeper.look(course)


def take_step(course: Course, spec: Spec, step: int, batch: Any, loss_of: LossOf | None = None) -> float:
    """Take one step of one run, where its model and the batch are, and return the loss before it.

    `loss_of` finds the loss of a batch in another way than the task itself, such as a compiled one.
    """
    set_rate(course.optimizer, share(spec, step))
    with precision(spec, next(course.model.parameters()).device.type):
        loss = loss_of(batch) if loss_of else course.task.loss(course.model, batch)
    course.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(course.model.parameters(), spec.clip)
    course.optimizer.step()
    return loss.item()


def precision(spec: Spec, device: str) -> torch.autocast:
    """Return the context of the forward pass: weights and optimizer are float32, products what `dtype` says."""
    return torch.autocast(device, torch.bfloat16, enabled=spec.dtype == "bfloat16")


def _point(spec: Spec, step: int, loss: float) -> dict[str, float]:
    return {"step": step + 1, "tokens": (step + 1) * spec.batch, "train_loss": loss, "lr": rate(spec, step)}


def _look(course: Course, spec: Spec, corpus: Corpus, step: int) -> dict[str, float]:
    seen = course.task.validate(course.model, spec, corpus, QUICK_WINDOWS)
    return {"step": step + 1, "tokens": (step + 1) * spec.batch, "loss": seen.loss, "loss_se": seen.loss_se}

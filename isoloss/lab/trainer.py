"""Trains one run, from its Spec to its outcome, and writes nothing."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Protocol

import torch

from isoloss.core.errors import TrainingError
from isoloss.core.spec import Spec
from isoloss.lab.corpus import Source
from isoloss.lab.curve import Point, curve_of, is_point, looks_of, point_of
from isoloss.lab.data import check_repetition
from isoloss.lab.evaluate import QUICK_WINDOWS, WINDOWS, Validation, offsets
from isoloss.lab.measure import Meter, batches_at_a_look, noise_look, with_scales
from isoloss.lab.optimizers import optimizer_for, set_rate
from isoloss.lab.schedule import share
from isoloss.lab.suitable import check_fit
from isoloss.lab.task import task_of

LOST = 2.0  # a loss this many times that of a model that knows nothing has diverged

Watch = Callable[[Point], None]
DERIVED = ("curve", "validations", "averaged", "validation")  # what a state's losses and looks tell again
LossOf = Callable[[Any], torch.Tensor]


@dataclass
class Outcome:
    """How a run ended: `status` is "done" or "diverged", `why` says it in words."""

    status: str
    why: str
    steps_done: int
    curve: list[Point] = field(default_factory=list)
    validations: list[Point] = field(default_factory=list)
    averaged: list[Point] = field(default_factory=list)  # what the averaged weights reach, where the Spec asks for them
    validation: Validation | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    resumed_at: list[int] = field(default_factory=list)
    offsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    gradient_noise: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    forked_from: dict[str, Any] | None = None  # the trunk and the step at which the run left it

    @property
    def steps_spent(self) -> int:
        """The steps that this run did itself."""
        return self.steps_done - (self.forked_from["step"] if self.forked_from else 0)


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
    """A run under way: all that its next step depends on beside its Spec and corpus, and what it has seen so far.

    Nothing else is random or remembered: the order of the data is drawn from the seed alone and the rate is a function
    of the step, so that the number of steps done is also the place in both. `losses` holds the training loss of each
    step, `looks` what was seen at each look; `look_at` are the steps to look at, to which a keeper adds those of runs
    that will go on from this one.
    """

    def __init__(self, spec: Spec, place: Place | None = None) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.spec, self.task = spec, task_of(spec)
        self.model = (place or Here()).put(self.task.model(spec))
        self.optimizer = optimizer_for(self.model, spec)
        self.averaged = copy.deepcopy(self.model) if spec.ema else None
        self.outcome = Outcome("done", "all tokens seen", 0)
        self.losses: list[float] = []
        self.looks: dict[int, dict[str, Point]] = {}
        self.look_at = looks_of(spec)
        self.meter = Meter(next(self.model.parameters()).device)

    def state(self) -> dict[str, Any]:
        """Return everything as tensors and plain values; the tensors are those of the run, not copies."""
        self.read_clocks()
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else {},
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "looks": self.looks,
            "outcome": {name: value for name, value in asdict(self.outcome).items() if name not in DERIVED},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned in another process that trained this run."""
        self._take(state, Outcome(**state["outcome"]))
        self.outcome.resumed_at.append(self.outcome.steps_done)
        self.meter.goes_on_from(self.outcome.usage)
        self.wall, self.cpu = self.wall - self.outcome.seconds, self.cpu - self.outcome.cpu_seconds

    def branch(self, state: dict[str, Any], origin: dict[str, Any]) -> None:
        """Go on from the `state` of another run, which was this one so far; `origin` says which trunk and step."""
        self._take(state, Outcome("done", "all tokens seen", len(state["losses"]), forked_from=origin))

    def _take(self, state: dict[str, Any], outcome: Outcome) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.losses, self.looks, self.outcome = state["losses"].tolist(), dict(state["looks"]), outcome
        outcome.curve = curve_of(self.spec, self.losses)
        self.take_looks()

    def take_looks(self) -> None:
        """Put what the run's own looks have seen into its outcome."""
        outcome = self.outcome
        outcome.validations, outcome.averaged = self.seen("weights"), self.seen("averaged")
        outcome.gradient_noise = with_scales(self.seen("noise"))

    def seen(self, what: str) -> list[Point]:
        """Return what this run's own looks have seen: of the "weights", or of the "averaged" ones."""
        own = sorted(looks_of(self.spec) & set(self.looks))
        return [self.looks[step][what] for step in own if what in self.looks[step]]

    def read_clocks(self) -> None:
        """Take down the time, memory and energy spent so far, those before interruptions included."""
        self.outcome.seconds = time.perf_counter() - self.wall
        self.outcome.cpu_seconds = time.process_time() - self.cpu
        self.outcome.usage = self.meter.read()


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
    corpus: Source,
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
    check_fit(spec.shape, corpus)
    check_repetition(spec, corpus)
    keeper, place = keeper or NoKeeper(), place or Here()
    course = Course(spec, place)
    keeper.bring_back(course)
    _descend(course, spec, corpus, watch, keeper, place)
    course.read_clocks()
    if course.outcome.status == "done":
        judge = partial(course.task.validate, course.model, spec)
        course.outcome.validation = judge(corpus)
        course.outcome.offsets = offsets(judge, corpus, spec.judged_on)
        if course.averaged:
            course.outcome.averaged.append(_judged(course, course.averaged, corpus, WINDOWS))
    return course.outcome


def check_corpus(spec: Spec, corpus: Source) -> None:
    """Raise TrainingError unless `corpus` is, byte for byte, the one that `spec` was made for."""
    if (spec.corpus, spec.corpus_digest) != (corpus.name, corpus.digest):
        raise TrainingError(
            f"Run {spec.id} was made for the corpus '{spec.corpus}' with digest {spec.corpus_digest[:12]}.",
            f"Here the corpus '{corpus.name}' has digest {corpus.digest[:12]}: other bytes, other losses.",
            "Make the Spec anew on this machine, or train it where its corpus is.",
        )


def _descend(course: Course, spec: Spec, corpus: Source, watch: Watch, keeper: Keeper, place: Place) -> None:
    outcome, task = course.outcome, course.task
    for step, batch in enumerate(task.batches(spec, corpus, outcome.steps_done), outcome.steps_done):
        loss = place.step(course, spec, step, batch)
        outcome.steps_done = done = step + 1
        if course.averaged:
            _average(course.averaged, course.model, 1 / min(done, spec.ema))
        if not loss < LOST * task.ignorance(spec):
            outcome.status, outcome.why = "diverged", f"training loss {loss:.3g} at step {done}"
            return
        course.losses.append(loss)
        if is_point(spec, done):
            outcome.curve.append(point_of(spec, done, course.losses))
            watch(outcome.curve[-1])
        if done in course.look_at:
            course.looks[done] = _look(course, corpus)
            course.take_looks()
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


@torch.no_grad()
def _average(averaged: torch.nn.Module, model: torch.nn.Module, share_of_new: float) -> None:
    """Move the averaged weights towards the model's: a plain mean of the first `ema` steps, exponential after them."""
    for mean, weight in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, share_of_new)


def _look(course: Course, corpus: Source) -> dict[str, Point]:
    seen = {"weights": _judged(course, course.model, corpus, QUICK_WINDOWS), "noise": _noise(course, corpus)}
    return {**seen, "averaged": _judged(course, course.averaged, corpus, WINDOWS)} if course.averaged else seen


def _noise(course: Course, corpus: Source) -> Point:
    # On the batches that come next: the run has not learnt from them yet.
    spec, task, done = course.spec, course.task, course.outcome.steps_done
    coming = islice(task.batches(spec, corpus, done), batches_at_a_look(done))
    seen = noise_look(course.model, partial(task.loss, course.model), coming, spec.batch)
    return {"step": done, "tokens": done * spec.batch, **seen}


def _judged(course: Course, model: torch.nn.Module, corpus: Source, limit: int) -> Point:
    done, seen = course.outcome.steps_done, course.task.validate(model, course.spec, corpus, limit)
    return {"step": done, "tokens": done * course.spec.batch, "loss": seen.loss, "loss_se": seen.loss_se}

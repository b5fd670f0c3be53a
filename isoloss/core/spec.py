"""Spec: one training run to do, whose id is the hash of its content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import Field, dataclass, field, fields
from itertools import pairwise
from typing import Any

from isoloss.core.accounting import count, training_flops
from isoloss.core.counts import Counts
from isoloss.core.errors import FormatError, RequestError
from isoloss.core.shapes import KINDS, AnyShape, shape_from_json, shape_to_json

SCHEMA = 1
DTYPES = ("float32", "bfloat16")  # bfloat16: of the products alone; weights, optimizer and validation are float32
COOLED = ("wsd", "wsd-s")  # schedules that end in a cooldown of `cooldown_steps`

# Roles after Godbole et al., Deep Learning Tuning Playbook (2023): what is measured, what is tuned or averaged away for
# each measured value, what stays the same. A label is no part of the run and none of its identity.
SCIENTIFIC: dict[str, str] = {"role": "scientific"}
NUISANCE: dict[str, str] = {"role": "nuisance"}
FIXED: dict[str, str] = {"role": "fixed"}
LABEL: dict[str, str] = {"role": "label"}
OPTION = {"option": "not written while it has its default, so that Specs made before it was offered keep their id"}


@dataclass(frozen=True)
class Spec:
    """One training run to do.

    What `shape` says a token is: a token of text or of the target, a patch, a row (core/shapes.py).
    `tokens` (a multiple of `batch`, which is in tokens and a multiple of the context) are seen in `tokens / batch`
    steps: `warmup_steps` of linear rise to `lr`, then what `schedule` says; for "wsd" a constant rate and a linear fall
    to zero over the last `cooldown_steps`. `decays` are the ends, in tokens, of cooldowns before the last one, after
    each of which the rate returns to its peak ("wsd-s"); each takes the same share of what was seen by its end. `ema`
    is the memory, in steps, of an average of the weights that is looked at beside them; 0 keeps none. `max_epochs` is
    how often the corpus may be repeated. `split`, `note` and `judged_on`, the names of further corpora that the trained
    model is judged on, are labels: they are kept in the record and do not change the id; an option at its default is no
    part of the id either. Raises RequestError where the parts contradict each other.
    """

    shape: AnyShape = field(metadata=SCIENTIFIC)
    tokens: int = field(metadata=SCIENTIFIC)
    corpus: str = field(metadata=SCIENTIFIC)
    corpus_digest: str = field(metadata=SCIENTIFIC)
    batch: int = field(metadata=NUISANCE)
    lr: float = field(metadata=NUISANCE)
    warmup_steps: int = field(metadata=NUISANCE)
    cooldown_steps: int = field(metadata=NUISANCE)
    seed: int = field(default=0, metadata=NUISANCE)
    beta1: float = field(default=0.9, metadata=FIXED)
    beta2: float = field(default=0.99, metadata=FIXED)
    eps: float = field(default=1e-8, metadata=FIXED)
    weight_decay: float = field(default=0.1, metadata=FIXED)
    clip: float = field(default=1.0, metadata=FIXED)
    max_epochs: float = field(default=1.0, metadata=FIXED)
    dtype: str = field(default="float32", metadata=FIXED)
    recipe: str = field(default="wsd-adamw", metadata=FIXED)
    optimizer: str = field(default="adamw", metadata=FIXED | OPTION)
    parameterisation: str = field(default="standard", metadata=FIXED | OPTION)
    schedule: str = field(default="wsd", metadata=FIXED | OPTION)
    decays: tuple[int, ...] = field(default=(), metadata=SCIENTIFIC | OPTION)
    ema: int = field(default=0, metadata=FIXED | OPTION)
    split: str = field(default="train", compare=False, metadata=LABEL)
    note: str = field(default="", compare=False, metadata=LABEL)
    judged_on: tuple[str, ...] = field(default=(), compare=False, metadata=LABEL | OPTION)

    def __post_init__(self) -> None:
        _check_batch(self)
        _check_schedule(self)
        _check_ranges(self)

    @property
    def steps(self) -> int:
        return self.tokens // self.batch

    @property
    def counts(self) -> Counts:
        return count(self.shape)

    @property
    def flops(self) -> float:
        """Training FLOPs of the whole run, forward and backward, in our convention."""
        return training_flops(self.shape) * self.tokens

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name this run's content, labels excluded."""
        content = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the Spec as a JSON object, labels and id included."""
        labels = {f.name: getattr(self, f.name) for f in fields(self) if self._is_label(f)}
        return {"schema": SCHEMA, "id": self.id, **self._content(), **labels}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Spec:
        """Return the Spec written by `to_json`; raise FormatError if `data` is none, or was changed under its id."""
        needed = {f.name for f in fields(cls) if "option" not in f.metadata} | {"schema", "id"}
        options = {f.name for f in fields(cls) if "option" in f.metadata}
        wrong = sorted(set(data) - options ^ needed)
        if data.get("schema") != SCHEMA or wrong:
            raise FormatError(
                f"This is not a Spec of schema {SCHEMA}.",
                f"Fields missing or not known: {', '.join(wrong)}." if wrong else "",
                "Write it with Spec.to_json().",
            )
        values = {name: value for name, value in data.items() if name not in ("schema", "id", "shape")}
        values |= {name: tuple(data[name]) for name in ("decays", "judged_on") if name in data}
        spec = cls(shape=shape_from_json(data["shape"]), **values)
        if spec.id != data["id"]:
            raise FormatError(
                f"The Spec calls itself {data['id']}, but its content has the id {spec.id}.",
                "An id is the hash of the content: the content was changed after it was written.",
                "Take the Spec from where it was made, or drop it and make a new one.",
            )
        return spec

    def _content(self) -> dict[str, Any]:
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if self._is_content(f)}

    def _is_content(self, part: Field[Any]) -> bool:
        return part.metadata["role"] != "label" and not self._is_unused(part)

    def _is_label(self, part: Field[Any]) -> bool:
        return part.metadata["role"] == "label" and not self._is_unused(part)

    def _is_unused(self, part: Field[Any]) -> bool:
        return "option" in part.metadata and getattr(self, part.name) == part.default


def roles(role: str) -> tuple[str, ...]:
    """Return the names of Spec's fields with this role: scientific, nuisance, fixed or label."""
    return tuple(f.name for f in fields(Spec) if f.metadata["role"] == role)


def _plain(value: Any) -> Any:
    return shape_to_json(value) if isinstance(value, tuple(KINDS.values())) else value


def _check_batch(spec: Spec) -> None:
    if spec.batch < 1 or spec.batch % spec.shape.context:
        raise RequestError(
            f"A batch of {spec.batch} tokens is not a whole number of {_units(spec.shape)} of {spec.shape.context} "
            "tokens.",
            "",
            f"Choose a multiple of {spec.shape.context}.",
        )
    if spec.tokens < spec.batch or spec.tokens % spec.batch:
        raise RequestError(
            f"{spec.tokens} tokens are not a whole number of batches of {spec.batch} tokens.",
            "",
            f"Choose a multiple of {spec.batch}.",
        )


def _units(shape: AnyShape) -> str:
    return {"vit": "images", "mlp": "examples"}.get(shape.kind, "sequences")


def _check_schedule(spec: Spec) -> None:
    if min(spec.warmup_steps, spec.cooldown_steps) < 0 or spec.warmup_steps + spec.cooldown_steps > spec.steps:
        raise RequestError(
            f"{spec.warmup_steps} steps of warm-up and {spec.cooldown_steps} of cooldown do not fit into a run of "
            f"{spec.steps} steps.",
            "",
            "Train on more tokens, with a smaller batch, or warm up for less.",
        )
    if spec.cooldown_steps and spec.schedule not in COOLED:
        raise RequestError(
            f"The schedule '{spec.schedule}' has no cooldown, and the run asks for {spec.cooldown_steps} steps of one.",
            f"Schedules with a cooldown: {', '.join(COOLED)}.",
            "Set cooldown_steps to 0.",
        )
    _check_decays(spec)


def _check_decays(spec: Spec) -> None:
    if spec.decays and spec.schedule != "wsd-s":
        raise RequestError(
            f"The schedule '{spec.schedule}' decays once, and the run asks for {len(spec.decays)} decays before.",
            "",
            'Choose schedule="wsd-s", or leave the decays out.',
        )
    ends = (0, *spec.decays, spec.tokens)
    if any(end % spec.batch for end in spec.decays) or any(b <= a for a, b in pairwise(ends)):
        raise RequestError(
            f"The decays {spec.decays} are not increasing multiples of the batch, {spec.batch} tokens, below "
            f"{spec.tokens} tokens.",
            "",
            "Give the tokens at which each decay before the last one ends.",
        )


def _check_ranges(spec: Spec) -> None:
    if not 0 < spec.lr < float("inf"):
        raise RequestError(f"A learning rate of {spec.lr} trains nothing.", "", "Choose a positive number.")
    if not 0 < spec.max_epochs < float("inf"):
        raise RequestError(f"A corpus cannot be seen {spec.max_epochs} times.", "", "Choose a positive number.")
    if spec.dtype not in DTYPES:
        raise RequestError(f"There is no dtype '{spec.dtype}'.", f"Known: {', '.join(DTYPES)}.", "Choose one of them.")

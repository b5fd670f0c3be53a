"""Shapes: the models that this project trains, one frozen dataclass a kind; every count follows from them.

A kind that is a transformer over text says what it is as an `architecture`, which core/accounting.py counts. The others
bring their own `counts` and FLOPs. `context` is what a token is a part of: Spec.tokens and Spec.batch are multiples of
it. A token is a token of text, a token of the target (translation), a patch (images) or an example (rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, get_args

from isoloss.core.architecture import Architecture, Routing
from isoloss.core.counts import Counts
from isoloss.core.errors import FormatError, RequestError, UnknownNameError


@dataclass(frozen=True)
class Shape:
    """The shape of a decoder-only transformer without biases: what all counts follow from.

    `ff` is the width of the MLP (0 means 4 * width), `tied` says that the head uses the embedding's weights.
    Raises RequestError where no model has this shape.
    """

    kind: ClassVar[str] = "decoder"
    width: int
    depth: int
    heads: int
    vocab: int = 256
    context: int = 128
    ff: int = 0
    tied: bool = False

    def __post_init__(self) -> None:
        _fill(self, ff=4 * self.width)
        _check_whole(self, "width", "depth", "heads", "vocab", "context", "ff")
        _check_heads(self.width, self.heads)

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class MoEShape:
    """The shape of a decoder each of whose MLPs is `experts` MLPs, of which a token takes `active_experts`.

    `routing` "top_k" has a router that learns which (Shazeer et al. 2017), "hash" fixes them by the token's number
    (Roller et al. 2021) and has no weights for it. `expert_ff` is the width of one expert (0: ff, the width of the
    dense model's MLP). One expert is the dense decoder itself, which no router serves. Raises RequestError as Shape
    does.
    """

    kind: ClassVar[str] = "moe"
    width: int
    depth: int
    heads: int
    experts: int
    active_experts: int = 1
    routing: Routing = "top_k"
    vocab: int = 256
    context: int = 128
    ff: int = 0
    expert_ff: int = 0
    tied: bool = False

    def __post_init__(self) -> None:
        _fill(self, ff=4 * self.width)
        _fill(self, expert_ff=self.ff)
        _check_whole(
            self, "width", "depth", "heads", "experts", "active_experts", "vocab", "context", "ff", "expert_ff"
        )
        _check_heads(self.width, self.heads)
        if self.active_experts > self.experts:
            raise RequestError(
                f"A token cannot be routed to {self.active_experts} of {self.experts} experts.",
                do="Choose fewer active experts, or more experts.",
            )
        if self.experts == 1 and self.expert_ff != self.ff:
            raise RequestError(
                f"One expert is the dense model, whose MLP has width {self.ff}, not {self.expert_ff}.",
                do="Leave expert_ff out, or choose two experts or more.",
            )
        if self.routing not in get_args(Routing):
            raise RequestError(
                f"There is no routing '{self.routing}'.", f"Known: {', '.join(get_args(Routing))}.", "Choose one."
            )

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @property
    def dense(self) -> Shape:
        """The dense decoder that this one is built on."""
        return Shape(self.width, self.depth, self.heads, self.vocab, self.context, self.ff, self.tied)

    @property
    def architecture(self) -> Architecture:
        routed = (self.experts, self.active_experts, 0, self.expert_ff)
        own = (self.width, self.depth, self.heads, self.vocab, self.context, self.ff, self.tied)
        return Architecture(*own, 0, 0, False, *routed, routing=self.routing)


@dataclass(frozen=True)
class EncoderDecoderShape:
    """The shape of a transformer that reads `source` tokens (0: context) and writes `context` of them.

    `depth` are the layers of the decoder, which look at its own past and at the encoder's last layer; the encoder has
    `encoder_depth` (0: depth). Source and target share an embedding. Raises RequestError as Shape does.
    """

    kind: ClassVar[str] = "encoder_decoder"
    width: int
    depth: int
    heads: int
    encoder_depth: int = 0
    vocab: int = 256
    context: int = 128
    source: int = 0
    ff: int = 0
    tied: bool = False

    def __post_init__(self) -> None:
        _fill(self, ff=4 * self.width, encoder_depth=self.depth, source=self.context)
        _check_whole(self, "width", "depth", "heads", "encoder_depth", "vocab", "context", "source", "ff")
        _check_heads(self.width, self.heads)

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @property
    def architecture(self) -> Architecture:
        own = (self.width, self.depth, self.heads, self.vocab, self.context, self.ff, self.tied)
        return Architecture(*own, encoder_depth=self.encoder_depth, source=self.source)


@dataclass(frozen=True)
class ViTShape:
    """The shape of a vision transformer: square images of `image` pixels a side, cut into patches of `patch` a side.

    Each patch has a learned place, all look at all, and their mean is classified (Dosovitskiy et al. 2021, without the
    class token; Beyer et al. 2022). Raises RequestError as Shape does.
    """

    kind: ClassVar[str] = "vit"
    width: int
    depth: int
    heads: int
    image: int
    patch: int
    channels: int
    classes: int
    ff: int = 0

    def __post_init__(self) -> None:
        _fill(self, ff=4 * self.width)
        _check_whole(self, "width", "depth", "heads", "image", "patch", "channels", "ff")
        _check_classes(self.classes)
        _check_heads(self.width, self.heads)
        if self.image % self.patch:
            fitting = [p for p in range(1, self.image + 1) if self.image % p == 0]
            raise RequestError(
                f"Patches of {self.patch} pixels do not tile an image of {self.image} a side.",
                f"Those that do: {', '.join(map(str, fitting))}.",
                "Choose one of them.",
            )

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @property
    def context(self) -> int:
        """Patches of an image."""
        return (self.image // self.patch) ** 2

    @property
    def inputs(self) -> int:
        """Numbers in one patch."""
        return self.patch**2 * self.channels

    @cached_property
    def counts(self) -> Counts:
        return Counts(
            embedding=self.context * self.width,
            attention=self.depth * 4 * self.width**2,
            mlp=self.depth * 2 * self.width * self.ff,
            norms=(2 * self.depth + 1) * self.width,
            head=self.width * self.classes,
            inputs=self.inputs * self.width,
        )

    @property
    def forward_flops(self) -> float:
        """FLOPs of a forward pass, per patch: every patch looks at every one, the head is used once an image."""
        c = self.counts
        looked_at = self.depth * 2 * 2 * self.width * self.context
        return 2 * (c.inputs + c.attention + c.mlp) + looked_at + 2 * c.head / self.context


@dataclass(frozen=True)
class MLPShape:
    """The shape of a residual MLP over rows of `features` numbers, of which each belongs to one of `classes`.

    `depth` branches, of width `ff` (0: 4 * width), write into a stream of `width`. Raises RequestError as Shape does.
    """

    kind: ClassVar[str] = "mlp"
    context: ClassVar[int] = 1
    width: int
    depth: int
    features: int
    classes: int
    ff: int = 0

    def __post_init__(self) -> None:
        _fill(self, ff=4 * self.width)
        _check_whole(self, "width", "depth", "features", "ff")
        _check_classes(self.classes)

    @property
    def inputs(self) -> int:
        """Numbers in one row."""
        return self.features

    @cached_property
    def counts(self) -> Counts:
        return Counts(
            embedding=0,
            attention=0,
            mlp=self.depth * 2 * self.width * self.ff,
            norms=(self.depth + 2) * self.width,
            head=self.width * self.classes,
            inputs=self.features * self.width,
        )

    @property
    def forward_flops(self) -> float:
        """FLOPs of a forward pass, per example."""
        return 2 * self.counts.matmul_params


AnyShape = Shape | MoEShape | EncoderDecoderShape | ViTShape | MLPShape
KINDS: dict[str, type[Any]] = {s.kind: s for s in (Shape, MoEShape, EncoderDecoderShape, ViTShape, MLPShape)}


def shape_to_json(shape: AnyShape) -> dict[str, Any]:
    """Return a shape as a JSON object; a decoder, which was the only kind once, says no kind."""
    return asdict(shape) if isinstance(shape, Shape) else {"kind": shape.kind, **asdict(shape)}


def shape_from_json(data: Mapping[str, Any]) -> AnyShape:
    """Return the shape written by `shape_to_json`; raise FormatError or UnknownNameError where `data` is none."""
    kind = data.get("kind", Shape.kind)
    if kind not in KINDS:
        raise UnknownNameError("kind of model", str(kind), KINDS, "A newer version may know it.")
    values = {name: value for name, value in data.items() if name != "kind"}
    if wrong := sorted(set(values) - {f.name for f in fields(KINDS[kind])}):
        raise FormatError(f"This is no shape of the kind '{kind}': it has {', '.join(wrong)}.")
    return KINDS[kind](**values)


def _fill(shape: Any, **defaults: Any) -> None:
    for name, value in defaults.items():
        if getattr(shape, name) == 0:
            object.__setattr__(shape, name, value)


def _check_whole(shape: Any, *names: str) -> None:
    for name in names:
        value = getattr(shape, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise RequestError(f"A model with {name} = {value!r} cannot be.", "", f"Give {name} as an integer from 1.")


def _check_classes(classes: Any) -> None:
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 2:
        raise RequestError(f"A model with classes = {classes!r} cannot be.", "", "Give classes as an integer from 2.")


def _check_heads(width: int, heads: int) -> None:
    if width % heads or (width // heads) % 2:
        even = [h for h in range(1, width + 1) if width % (2 * h) == 0]
        raise RequestError(
            f"{heads} heads do not share width {width} in equal, even parts.",
            f"Heads that do: {', '.join(map(str, even)) or 'none, the width is odd'}.",
            "Choose one of them, or another width.",
        )

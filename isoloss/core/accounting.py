"""Parameters and FLOPs of a model shape: the one place where counting conventions are coded.

Counting the same runs differently moves a fitted exponent of N* ~ C^a from 0.37 to 0.70, so every convention has a name
here and a record keeps all of them. Our own: matrix products alone, lookups zero, the head counted whether or not its
weights are tied, the backward pass twice the forward, and attention as causal attention needs it (a token at place t
looks at t tokens, (T + 1) / 2 on average).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from isoloss.core.architecture import BUCKETS, Architecture
from isoloss.core.errors import RequestError

Attention = Literal["causal", "full"]

BACKWARD_AND_FORWARD = 3  # a matrix product costs one more product for each of its two gradients


@dataclass(frozen=True)
class Shape:
    """The shape of a decoder-only transformer without biases: what all counts follow from.

    `ff` is the width of the MLP (0 means 4 * width), `tied` says that the head uses the embedding's weights.
    Raises RequestError where no model has this shape.
    """

    width: int
    depth: int
    heads: int
    vocab: int = 256
    context: int = 128
    ff: int = 0
    tied: bool = False

    def __post_init__(self) -> None:
        if self.ff == 0:
            object.__setattr__(self, "ff", 4 * self.width)
        for name in ("width", "depth", "heads", "vocab", "context", "ff"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise RequestError(
                    f"A model with {name} = {value!r} cannot be.", "", f"Give {name} as an integer from 1."
                )
        if self.width % self.heads or (self.width // self.heads) % 2:
            even = [h for h in range(1, self.width + 1) if self.width % (2 * h) == 0]
            raise RequestError(
                f"{self.heads} heads do not share width {self.width} in equal, even parts.",
                f"Heads that do: {', '.join(map(str, even)) or 'none, the width is odd'}.",
                "Choose one of them, or another width.",
            )

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


class Dimensions(Protocol):
    """What parameters follow from: a Shape, or a point between shapes whose numbers are not whole."""

    @property
    def width(self) -> float: ...
    @property
    def depth(self) -> float: ...
    @property
    def vocab(self) -> float: ...
    @property
    def ff(self) -> float: ...
    @property
    def tied(self) -> bool: ...


@dataclass(frozen=True)
class Counts:
    """Parameters of a shape, by part; the parts sum to `params`. Tied weights are counted once, as the head's.

    `embedding` holds the tables that are looked up (tokens, learned positions), `norms` all vectors (norms, biases),
    `attention` self and cross attention of decoder and encoder, `mlp` their MLPs, all experts and the routers.
    """

    embedding: float
    attention: float
    mlp: float
    norms: float
    head: float

    @property
    def params(self) -> float:
        """All trainable parameters."""
        return self.embedding + self.attention + self.mlp + self.norms + self.head

    @property
    def body_params(self) -> float:
        """Parameters outside embeddings and head (Kaplan et al. 2020, section 2.1)."""
        return self.attention + self.mlp + self.norms

    @property
    def matmul_params(self) -> float:
        """Parameters that take part in a matrix product: body and head, lookups and norms not."""
        return self.attention + self.mlp + self.head


@dataclass(frozen=True)
class _Plain:
    """Dimensions, whole or not, read as the plainest architecture; what Architecture has beside them stays at one."""

    width: Any
    depth: Any
    vocab: Any
    ff: Any
    tied: bool
    heads: Any = 0
    context: Any = 0
    experts: int = 1
    active_experts: int = 1
    shared_experts: int = 0
    expert_ff: Any = 0
    matrices: int = 2
    routed_layers: int = 0
    norm: str = "rms"
    biases: str = "none"
    positions: str = "rotary"
    encoder_depth: int = 0
    source: int = 0

    @property
    def queries(self) -> Any:
        return self.width

    @property
    def keys(self) -> Any:
        return self.width


def _read(shape: Dimensions | Architecture) -> Architecture | _Plain:
    if isinstance(shape, Architecture):
        return shape
    own = (shape.width, shape.depth, shape.vocab, shape.ff, shape.tied)
    return _Plain(*own, heads=getattr(shape, "heads", 0), context=getattr(shape, "context", 0))


def count(shape: Dimensions | Architecture) -> Counts:
    """Return the parameters of `shape`, by part: whole numbers for a whole shape."""
    a = _read(shape)
    vocabulary = a.vocab * a.width
    return Counts(
        embedding=(0 if a.tied else vocabulary) + _position_tables(a),
        attention=(a.depth + a.encoder_depth) * _attention(a) + _cross_attention(a) + _projected_positions(a),
        mlp=(a.depth - a.routed_layers + a.encoder_depth) * a.matrices * a.width * a.ff + _routed(a, a.experts),
        norms=_norms(a) + _biases(a),
        head=vocabulary,
    )


def active_params(shape: Dimensions | Architecture) -> float:
    """Return the parameters that one token touches: all but those of the experts it is not routed to."""
    a = _read(shape)
    return count(shape).params - _idle(a)


def _attention(a: Architecture | _Plain) -> Any:
    return 2 * a.width * a.queries + 2 * a.width * a.keys


def _cross_attention(a: Architecture | _Plain) -> Any:
    return a.depth * _attention(a) if a.encoder_depth else 0


def _routed(a: Architecture | _Plain, experts: int) -> Any:
    each = a.matrices * a.width * a.expert_ff
    return a.routed_layers * ((experts + a.shared_experts) * each + a.width * a.experts)


def _idle(a: Architecture | _Plain) -> Any:
    return _routed(a, a.experts) - _routed(a, a.active_experts)


def _norms(a: Architecture | _Plain) -> Any:
    stacks, each = (2, 3) if a.encoder_depth else (1, 2)
    vectors = each * a.depth + 2 * a.encoder_depth + stacks
    return vectors * a.width * (2 if a.norm == "layer" else 1)


def _biases(a: Architecture | _Plain) -> Any:
    if a.biases == "none":
        return 0
    attentions = a.depth * (2 if a.encoder_depth else 1) + a.encoder_depth
    of_queries = attentions * (a.queries + 2 * a.keys)
    if a.biases == "qkv":
        return of_queries
    of_dense = (a.depth + a.encoder_depth - a.routed_layers) * ((a.matrices - 1) * a.ff + a.width)
    each = (a.matrices - 1) * a.expert_ff + a.width
    of_routed = a.routed_layers * (a.experts + a.shared_experts) * each
    return of_queries + attentions * a.width + of_dense + of_routed


def _position_tables(a: Architecture | _Plain) -> Any:
    if a.positions == "learned":
        return a.context * a.width + (a.source * a.width if a.encoder_depth else 0)
    if a.positions == "buckets":
        return BUCKETS * a.heads * (2 if a.encoder_depth else 1)
    return 0


def _projected_positions(a: Architecture | _Plain) -> Any:
    return (a.depth + a.encoder_depth) * a.width * a.queries if a.positions == "projected" else 0


def forward_flops(shape: Shape | Architecture, attention: Attention = "causal") -> float:
    """Return the FLOPs of one forward pass, per token (of the decoder, where there is an encoder).

    `attention` is "causal" (our convention: (T + 1) / 2 places looked at on average) or "full" (the whole T x T square,
    what a counter of dense products sees); an encoder and cross attention look at every source token either way.
    Experts cost where a token is routed to them. Projected positions are projected once a step, which no token pays
    for, and looked at like keys.
    """
    a = _read(shape)
    places = (a.context + 1) / 2 if attention == "causal" else a.context
    products = 3 if a.positions == "projected" else 2
    scores_and_mixing = a.depth * 2 * products * a.queries * places
    applied = count(shape).matmul_params - _idle(a) - _projected_positions(a)
    return 2 * applied + scores_and_mixing + _encoder_flops(a, products)


def _encoder_flops(a: Architecture | _Plain, products: int) -> float:
    # What the encoder and its reading cost a token of the decoder: source / context of them, or all places looked at.
    if not a.encoder_depth:
        return 0
    more = a.source / a.context
    of_source = a.encoder_depth * (_attention(a) + a.matrices * a.width * a.ff) + a.depth * 2 * a.width * a.keys
    looked_at = 2 * products * a.queries * a.source
    return 2 * of_source * (more - 1) + looked_at * (a.encoder_depth * more + a.depth)


def training_flops(shape: Shape | Architecture, attention: Attention = "causal") -> float:
    """Return the FLOPs of one forward and backward pass, per token: three times the forward pass."""
    return BACKWARD_AND_FORWARD * forward_flops(shape, attention)


def kaplan(shape: Shape | Architecture) -> float:
    """6 N_body: no embeddings, no head, no attention over the context (Kaplan et al. 2020, section 2.1).

    Here and below N is what one token touches, which for a dense model is all.
    """
    return 6.0 * (count(shape).body_params - _idle(_read(shape)))


def six_n(shape: Shape | Architecture) -> float:
    """6 N with all parameters (Hoffmann et al. 2022, approach 3)."""
    return 6.0 * active_params(shape)


def palm(shape: Shape | Architecture) -> float:
    """6 N + 12 L H Q T with all parameters and the full square of attention (Chowdhery et al. 2022, appendix B)."""
    a = _read(shape)
    return 6.0 * active_params(shape) + 12.0 * a.depth * a.queries * a.context


def chinchilla(shape: Shape | Architecture) -> float:
    """Embeddings, attention with its softmax, MLP and logits (Hoffmann et al. 2022, appendix F)."""
    a = _read(shape)
    embedding = 2 * a.vocab * a.width
    projections = 2 * _attention(a)
    scores_and_mixing = 2 * 2 * a.context * a.queries
    softmax = 3 * a.heads * a.context
    mlp = 2 * a.matrices * a.width * a.ff
    routed = 2 * _routed(a, a.active_experts) - a.routed_layers * mlp
    logits = 2 * a.width * a.vocab
    return 3.0 * (embedding + a.depth * (projections + scores_and_mixing + softmax + mlp) + routed + logits)


def deepseek(shape: Shape | Architecture) -> float:
    """Body matrices and the full square of attention, no vocabulary: M of C = M D (Bi et al. 2024, section 3.2)."""
    a, counts = _read(shape), count(shape)
    applied = counts.attention + counts.mlp - _idle(a) - _projected_positions(a)
    return 6.0 * applied + 12.0 * a.depth * a.queries * a.context


LEDGER: dict[str, Callable[[Shape | Architecture], float]] = {
    "isoloss": training_flops,
    "kaplan": kaplan,
    "six_n": six_n,
    "palm": palm,
    "chinchilla": chinchilla,
    "deepseek": deepseek,
}


def ledger(shape: Shape | Architecture) -> dict[str, float]:
    """Return the training FLOPs per token under every named convention.

    Raises RequestError for an encoder-decoder: the other conventions were made for decoders alone.
    """
    if isinstance(shape, Architecture) and shape.encoder_depth:
        raise RequestError(
            "The ledger's conventions count decoders alone.",
            f"This architecture has an encoder: {shape}.",
            "Take training_flops, which counts both.",
        )
    return {name: convention(shape) for name, convention in LEDGER.items()}

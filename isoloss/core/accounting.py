"""Parameters and FLOPs of a model shape: the one place where counting conventions are coded.

Counting the same runs differently moves a fitted exponent of N* ~ C^a from 0.37 to 0.70, so every convention has a name
here and a record keeps all of them. Our own: matrix products alone, lookups zero, the head counted whether or not its
weights are tied, the backward pass twice the forward, and attention as causal attention needs it (a token at place t
looks at t tokens, (T + 1) / 2 on average). Where the inputs are numbers (patches, rows) nobody asks for their gradient,
and the projection of them costs twice its forward pass, not three times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from isoloss.core.architecture import BUCKETS, Architecture
from isoloss.core.counts import Counts
from isoloss.core.shapes import AnyShape, EncoderDecoderShape, MLPShape, MoEShape, Shape, ViTShape

Attention = Literal["causal", "full"]

BACKWARD_AND_FORWARD = 3  # a matrix product costs one more product for each of its two gradients


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
    routing: str = "top_k"

    @property
    def queries(self) -> Any:
        return self.width

    @property
    def keys(self) -> Any:
        return self.width


def _read(shape: Dimensions | Architecture | AnyShape) -> Architecture | _Plain:
    if isinstance(shape, Architecture):
        return shape
    if isinstance(shape, MoEShape | EncoderDecoderShape):
        return shape.architecture
    assert not isinstance(shape, ViTShape | MLPShape), "these count themselves"
    own = (shape.width, shape.depth, shape.vocab, shape.ff, shape.tied)
    return _Plain(*own, heads=getattr(shape, "heads", 0), context=getattr(shape, "context", 0))


def count(shape: Dimensions | Architecture | AnyShape) -> Counts:
    """Return the parameters of `shape`, by part: whole numbers for a whole shape."""
    if isinstance(shape, ViTShape | MLPShape):
        return shape.counts
    a = _read(shape)
    vocabulary = a.vocab * a.width
    return Counts(
        embedding=(0 if a.tied else vocabulary) + _position_tables(a),
        attention=(a.depth + a.encoder_depth) * _attention(a) + _cross_attention(a) + _projected_positions(a),
        mlp=(a.depth - a.routed_layers + a.encoder_depth) * a.matrices * a.width * a.ff + _routed(a, a.experts),
        norms=_norms(a) + _biases(a),
        head=vocabulary,
    )


def active_params(shape: Dimensions | Architecture | AnyShape) -> float:
    """Return the parameters that one token touches: all but those of the experts it is not routed to."""
    return count(shape).params - idle_params(shape)


def active_matmul_params(shape: Dimensions | Architecture | AnyShape) -> float:
    """Return the parameters in matrix products that one token touches; for a dense model all of them."""
    return count(shape).matmul_params - idle_params(shape)


def idle_params(shape: Dimensions | Architecture | AnyShape) -> float:
    """Return the parameters of the experts that a token is not routed to, all of them in matrix products."""
    return 0 if isinstance(shape, ViTShape | MLPShape) else _idle(_read(shape))


def sizes(shape: AnyShape) -> dict[str, float]:
    """Return what laws know a kind of model by, beside the counts that all have: names of quantities, and numbers.

    A decoder is the routed model of one expert. Encoder and decoder are counted without embedding and head (Ghorbani et
    al. 2021), cross attention with the decoder.
    """
    if isinstance(shape, EncoderDecoderShape):
        each = 4 * shape.width**2 + 2 * shape.width * shape.ff
        encoder = shape.encoder_depth * each + (2 * shape.encoder_depth + 1) * shape.width
        return {"encoder_params": encoder, "decoder_params": count(shape).body_params - encoder}
    if isinstance(shape, MoEShape):
        return {
            "active_params": active_params(shape),
            "dense_params": count(shape.dense).params,
            "experts": shape.experts,
            "active_experts": shape.active_experts,
            "idle_share": 1 - shape.active_experts / shape.experts,
            "granularity": shape.ff / shape.expert_ff,
        }
    if isinstance(shape, Shape):
        params = count(shape).params
        alone = {"experts": 1, "active_experts": 1, "idle_share": 0.0, "granularity": 1.0}
        return {"active_params": params, "dense_params": params, **alone}
    return {}


def _attention(a: Architecture | _Plain) -> Any:
    return 2 * a.width * a.queries + 2 * a.width * a.keys


def _cross_attention(a: Architecture | _Plain) -> Any:
    return a.depth * _attention(a) if a.encoder_depth else 0


def _routed(a: Architecture | _Plain, experts: int) -> Any:
    each = a.matrices * a.width * a.expert_ff
    router = a.width * a.experts if a.routing == "top_k" else 0
    return a.routed_layers * ((experts + a.shared_experts) * each + router)


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


def forward_flops(shape: AnyShape | Architecture, attention: Attention = "causal") -> float:
    """Return the FLOPs of one forward pass, per token.

    That is a token of the decoder where there is an encoder, a patch of an image, an example of a table.

    `attention` is "causal" (our convention: (T + 1) / 2 places looked at on average) or "full" (the whole T x T square,
    what a counter of dense products sees); an encoder and cross attention look at every source token either way.
    Experts cost where a token is routed to them. Projected positions are projected once a step, which no token pays
    for, and looked at like keys. Patches look at all patches either way.
    """
    if isinstance(shape, ViTShape | MLPShape):
        return shape.forward_flops
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


def training_flops(shape: AnyShape | Architecture, attention: Attention = "causal") -> float:
    """Return the FLOPs of one forward and backward pass, per token: three times the forward pass.

    Inputs that are numbers have no gradient, which saves the product that would make it.
    """
    return BACKWARD_AND_FORWARD * forward_flops(shape, attention) - 2 * count(shape).inputs


def kaplan(shape: AnyShape | Architecture) -> float:
    """6 N_body: no embeddings, no head, no attention over the context (Kaplan et al. 2020, section 2.1).

    Here and below N is what one token touches, which for a dense model is all.
    """
    return 6.0 * (count(shape).body_params - idle_params(shape))


def six_n(shape: AnyShape | Architecture) -> float:
    """6 N with all parameters (Hoffmann et al. 2022, approach 3)."""
    return 6.0 * active_params(shape)


def palm(shape: AnyShape | Architecture) -> float:
    """6 N + 12 L H Q T with all parameters and the full square of attention (Chowdhery et al. 2022, appendix B)."""
    a = _read(shape)
    return 6.0 * active_params(shape) + 12.0 * a.depth * a.queries * a.context


def chinchilla(shape: AnyShape | Architecture) -> float:
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


def deepseek(shape: AnyShape | Architecture) -> float:
    """Body matrices and the full square of attention, no vocabulary: M of C = M D (Bi et al. 2024, section 3.2)."""
    a, counts = _read(shape), count(shape)
    applied = counts.attention + counts.mlp - _idle(a) - _projected_positions(a)
    return 6.0 * applied + 12.0 * a.depth * a.queries * a.context


LEDGER: dict[str, Callable[[AnyShape | Architecture], float]] = {
    "isoloss": training_flops,
    "kaplan": kaplan,
    "six_n": six_n,
    "palm": palm,
    "chinchilla": chinchilla,
    "deepseek": deepseek,
}
OF_DECODERS = ("kaplan", "six_n", "palm", "chinchilla", "deepseek")
ENCODED = "it counts a decoder alone, and an encoder's weights work on the tokens of the source"
PATCHED = "it counts next-token prediction, and here the head works once an image and all patches see all"
TABULAR = "it counts a transformer, and a row has neither a context nor an embedding"


def ledger(shape: AnyShape | Architecture) -> dict[str, float]:
    """Return the training FLOPs per token under every named convention that applies to this kind of model."""
    left_out = inapplicable(shape)
    return {name: convention(shape) for name, convention in LEDGER.items() if name not in left_out}


def inapplicable(shape: AnyShape | Architecture) -> dict[str, str]:
    """Return the conventions that would give a wrong number for this kind of model, each with the reason."""
    if isinstance(shape, ViTShape):
        return dict.fromkeys(OF_DECODERS, PATCHED)
    if isinstance(shape, MLPShape):
        return {name: TABULAR for name in OF_DECODERS if name != "six_n"}
    return dict.fromkeys(OF_DECODERS, ENCODED) if _read(shape).encoder_depth else {}

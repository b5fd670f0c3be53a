"""What the numbers of a record count, in words, for each kind of model: tokens, losses, parameters and FLOPs."""

from __future__ import annotations

from isoloss.core.accounting import inapplicable
from isoloss.core.shapes import AnyShape, MoEShape

ALL = {
    "flops": "training FLOPs, forward and backward, of matrix products alone; lookups, norms and softmax cost nothing",
    "params": "all trainable parameters; matmul_params are those in matrix products, body_params those outside "
    "embeddings, projection of inputs and head",
}
CAUSAL = "a token at place t looks at t tokens, (T + 1) / 2 on average"
OF_KIND: dict[str, dict[str, str]] = {
    "decoder": {
        "token": "a token of text, seen once for each time it is trained on",
        "loss": "nats per token",
        "attention": CAUSAL,
    },
    "moe": {
        "token": "a token of text, seen once for each time it is trained on",
        "loss": "nats per token of prediction alone, without the balance of experts, which is in the gradient",
        "attention": CAUSAL,
        "active_params": "all parameters but those of the experts that a token is not routed to; FLOPs count these",
        "dense_params": "parameters of the dense decoder of the same width, depth and MLP, embeddings included",
        "load_imbalance": "load of the busiest expert over the mean, on frozen windows, in the layer with the largest",
        "idle_experts": "share of experts that no token of these windows took, in the layer with the largest",
    },
    "encoder_decoder": {
        "token": "a place of the target, padding included; each comes with source / context places of the source",
        "loss": "nats per token of the target, its end included and padding left out",
        "attention": "the decoder's own: " + CAUSAL + "; encoder and cross attention: every place of the source",
        "flops": "training FLOPs per place of the target, of encoder and decoder, padding included as it is computed; "
        "matrix products alone",
        "encoder_params": "layers and norms of the encoder; the embedding, which both share, is in neither",
        "decoder_params": "layers and norms of the decoder, cross attention included; the head is in neither",
        "padding_share": "share of the target's places in the training data that hold no token",
    },
    "vit": {
        "token": "a patch of an image; an image is as many tokens as it has patches",
        "loss": "nats per image",
        "attention": "every patch looks at every patch",
        "flops": "training FLOPs per patch, the head's being spread over them; matrix products alone; pixels have no "
        "gradient, so that their projection costs twice its forward pass and not three times",
        "error_rate": "share of validation images whose likeliest class is wrong",
    },
    "mlp": {
        "token": "an example, which is one row",
        "loss": "nats per example",
        "flops": "training FLOPs per example, matrix products alone; rows have no gradient, so that their projection "
        "costs twice its forward pass and not three times",
        "error_rate": "share of validation examples whose likeliest class is wrong",
    },
}
ROUTERS = {
    "top_k": "a router's softmax over all experts; the gates of those taken are scaled to sum to one",
    "hash": "fixed by the token's number, the same table for every run, another for each layer; gates are equal",
}


def conventions(shape: AnyShape) -> dict[str, str]:
    """Return what each number means for this kind, and why a convention of FLOPs is not given where it is not."""
    routing = {"routing": ROUTERS[shape.routing]} if isinstance(shape, MoEShape) else {}
    left_out = {f"flops_per_token.{name}": f"not given: {why}" for name, why in inapplicable(shape).items()}
    return {**ALL, **OF_KIND[shape.kind], **routing, **left_out}

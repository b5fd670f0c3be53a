"""From a size to a shape: depth, width, heads and MLP whose parameters come nearest, in widths that run well.

Widths are multiples of 1024 where the size allows it, else of the next smaller power of two, down to 128 and, for small
models, 8: matrix units work on tiles of 64 to 256, and eight heads of keys and values serve heads in equal groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.core.accounting import active_params, count
from isoloss.core.architecture import Architecture, Biases, Norm, Positions
from isoloss.core.errors import RequestError, UnknownNameError
from isoloss.core.estimate import Estimate
from isoloss.core.fit import Fit
from isoloss.planning import answers, cost, literature
from isoloss.planning.iso_cost import best_sizes, size_and_data

MULTIPLES = (1024, 512, 256, 128, 64, 32, 16, 8)
FITTING = 0.4  # a shape judged below this is taken without trying finer widths: aspect within a factor of two
FARTHEST = 10  # times as far off as is close, and times as slender as the style
COARSE = 32  # widths are at most so many times what they are multiples of, so that large ones stay round
DEEPEST, WIDEST = 256, 10**6
COUNTS = ("params", "body_params", "matmul_params", "nonvocab_params", "active_params")
VOCABULARY_LAWS = ("tao2024_vocab_a2", "tao2024_vocab_a1")


@dataclass(frozen=True)
class Style:
    """What a family of models has in common: `aspect` is width over depth, `ff_ratio` the MLP's width over the model's.

    `kv_heads` is the most heads of keys and values (0: as many as heads). `vocab` and `context` are what a shape has if
    nothing else is asked for (a vocabulary of 0: what the published law says). Shapes within the share `close` of a
    size are near enough to choose among them by aspect.
    """

    aspect: float
    ff_ratio: float
    head_dim: int
    gated: bool = False
    kv_heads: int = 0
    tied: bool = False
    norm: Norm = "rms"
    biases: Biases = "none"
    positions: Positions = "rotary"
    close: float = 0.025
    vocab: int = 0
    context: int = 4096
    experts: int = 1


# Llama 3: Grattafiori et al. 2024, table 3 (aspect 128, 102 and 130; MLP 3.5, 3.5 and 3.25 times the width; 8 heads of
# keys and values). GPT: Radford et al. 2019 and Brown et al. 2020, tables 2.1 (aspect 64 to 128, heads of 64 to 128).
# MoE: Mixtral (Jiang et al. 2024, table 1), with one expert a token, as the law of routed models here has it.
# Lab: what this project trains.
STYLES = {
    "llama": Style(aspect=128, ff_ratio=3.5, head_dim=128, gated=True, kv_heads=8),
    "gpt": Style(aspect=64, ff_ratio=4, head_dim=64, tied=True, norm="layer", biases="all", positions="learned"),
    "moe": Style(aspect=128, ff_ratio=3.5, head_dim=128, gated=True, kv_heads=8, vocab=32_000, experts=8),
    "lab": Style(aspect=20, ff_ratio=4, head_dim=16, close=0.06, vocab=256, context=128),
}


def nearest(
    params: Any,
    *,
    style: str | Style = "llama",
    vocab: Any = None,
    context: Any = None,
    counted: str = "params",
    aspect: float | None = None,
) -> Architecture:
    """The architecture of a style whose count `counted` is nearest to `params`.

    Among shapes near enough (2.5%, small ones 6%) the one nearest to the style's width over depth (or `aspect`) is
    taken; widths are tried in multiples of 1024 first, and in finer ones until a shape fits.
    Without a `vocab` it is the style's, or the published law's best for the size (see `best_vocabulary`).
    Raises RequestError for a size that no shape comes near, UnknownNameError for a style or count that does not exist.
    """
    params, chosen = float(params), find_style(style)
    if counted not in COUNTS:
        raise UnknownNameError("count of parameters", counted, COUNTS)
    if not 0 < params < math.inf:
        raise RequestError(f"A model of {params} parameters cannot be.", do="Give a number above 0.")
    wanted = aspect or chosen.aspect
    context = chosen.context if context is None else answers.whole(context, "tokens of context")
    vocab = chosen.vocab or None if vocab is None else answers.whole(vocab, "tokens of vocabulary")
    if vocab is None:
        vocab = _fitting_vocabulary(params, chosen, context, counted, wanted)
    least, best = math.inf, None
    for multiple in MULTIPLES:
        for a in _candidates(params, chosen, (vocab, context, counted), wanted, multiple):
            judged = _judged(a, params, counted, wanted, chosen)
            if judged < least:
                least, best = judged, a
        if least < FITTING:
            break
    if best is None or least >= FARTHEST:
        raise RequestError(
            f"No shape of style '{style}' with a vocabulary of {vocab} has about {params:.4g} {counted}.",
            do="Give a smaller vocab, or another style.",
        )
    return best


def find_style(style: str | Style) -> Style:
    """The style of this name, or the style itself; raises UnknownNameError with near names."""
    if isinstance(style, Style):
        return style
    if style not in STYLES:
        raise UnknownNameError("style of shapes", style, STYLES)
    return STYLES[style]


def best_vocabulary(nonvocab_params: float, width: int, flops: float | None = None) -> tuple[int, dict[str, int]]:
    """The best vocabulary for a model, to a multiple of 128, and what each published law says.

    Tao et al. 2024: approach 2, from the parameters outside the vocabulary, decides; approach 1, from compute, is told
    beside it where `flops` are given.
    """
    inputs = {"nonvocab_params": nonvocab_params, **({"flops": flops} if flops else {})}
    asked = literature.asked(VOCABULARY_LAWS, inputs)
    said = {key: max(128, round(params / width / 128) * 128) for key, params in asked.items()}
    return said[VOCABULARY_LAWS[0]], said


def sizes(architecture: Architecture) -> dict[str, float]:
    """The architecture's size in every count that a law may be stated in."""
    counts = count(architecture)
    vocabulary = architecture.vocab * architecture.width * (1 if architecture.tied else 2)
    return {
        "params": counts.params,
        "body_params": counts.body_params,
        "matmul_params": counts.matmul_params,
        "nonvocab_params": counts.params - vocabulary,
        "active_params": active_params(architecture),
    }


def distance(fit: Fit, architecture: Architecture, flops: float, level: float = 0.9) -> dict[str, Estimate]:
    """How far a shape is from the best size for `flops` FLOP under `fit`: `size_ratio` and `loss_penalty`.

    The penalty is what training this size with the budget's remaining tokens loses against the best size, each draw
    against its own best. Raises RequestError for a law that is not one of a size and tokens, or without a best size.
    """
    if size_and_data(fit.law) is None:
        raise RequestError(
            f"The law '{fit.law.name}' is not one of a size and tokens, so it tells no loss of a shape.",
            do="Give such a law, for example chinchilla.",
        )
    size = next(name for name in fit.law.columns if name in cost.SIZES)
    theta_tp = np.vstack([fit.theta_p, fit.draws_sp])
    budget_t = np.full(len(theta_tp), float(flops))
    best_t = best_sizes(fit.law, theta_tp, budget_t)
    if np.isnan(best_t[0]):
        raise RequestError(f"This fit has no best size for {flops:.4g} FLOP.", do="Look at the fit's findings.")
    ours_t = np.full(len(theta_tp), sizes(architecture)[size])
    penalty_t = _loss(fit, size, ours_t, budget_t, theta_tp) - _loss(fit, size, best_t, budget_t, theta_tp)
    ratio_t = ours_t / best_t
    return {
        "size_ratio": Estimate.of(ratio_t[0], ratio_t[1:], level),
        "loss_penalty": Estimate.of(penalty_t[0], penalty_t[1:], level),
    }


def _loss(fit: Fit, size: str, size_t: np.ndarray, budget_t: np.ndarray, theta_tp: np.ndarray) -> np.ndarray:
    inputs = {size: size_t, "tokens": cost.partner(budget_t, size_t)}
    return fit.law.formula.value([inputs[name] for name in fit.law.columns], list(theta_tp.T))


def _candidates(
    params: float, style: Style, made: tuple[int, int, str], aspect: float, multiple: int
) -> Iterator[Architecture]:
    # For each depth the widths just below and just above the size; deeper models are narrower, which bounds the search.
    vocab, context, counted = made

    def below(width: int, depth: int) -> bool:
        return sizes(_build(width * multiple, depth, style, vocab, context))[counted] < params

    most = 1
    while most * multiple < WIDEST and below(most, 1):
        most *= 2
    for depth in range(1, DEEPEST + 1):
        low, high = 0, most
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if below(middle, depth) else (low, middle)
        for width in {max(1, low) * multiple, high * multiple}:
            if multiple == MULTIPLES[0] or width <= COARSE * multiple:
                yield _build(width, depth, style, vocab, context)
        if high * multiple / depth < aspect / FARTHEST:
            return
        most = high


def _build(width: int, depth: int, style: Style, vocab: int, context: int) -> Architecture:
    head_dim = _head_dim(width, style.head_dim)
    heads = width // head_dim
    step = 128 if width % 128 == 0 else 8
    return Architecture(
        width=width,
        depth=depth,
        heads=heads,
        vocab=vocab,
        context=context,
        ff=max(step, round(style.ff_ratio * width / step) * step),
        tied=style.tied,
        kv_heads=_divisor(heads, style.kv_heads or heads),
        gated=style.gated,
        norm=style.norm,
        biases=style.biases,
        positions=style.positions,
        experts=style.experts,
    )


def _head_dim(width: int, most: int) -> int:
    # At least eight heads before heads get wider.
    fitting = [d for d in (128, 64, 32, 16, 8) if d <= most and width % d == 0 and (width // d >= 8 or d <= 16)]
    return fitting[0] if fitting else min(width, 8)


def _divisor(heads: int, most: int) -> int:
    return max(d for d in range(1, most + 1) if heads % d == 0)


def _judged(a: Architecture, params: float, counted: str, aspect: float, style: Style) -> float:
    # From 1 on, how many times too far off the size is; below, how odd the shape is: its aspect, its groups of heads.
    off = abs(math.log(sizes(a)[counted] / params)) / style.close
    groups = math.log2(min(style.kv_heads, a.heads) / a.kv_heads) if style.kv_heads else 0
    odd = abs(math.log(a.width / a.depth / aspect)) + groups
    return off if off >= 1 else odd / (1 + odd)


def _fitting_vocabulary(params: float, style: Style, context: int, counted: str, aspect: float) -> int:
    vocab = 32_000
    for _ in range(4):  # the vocabulary hardly moves the size, so that a few rounds settle it
        try:
            a = nearest(params, style=style, vocab=vocab, context=context, counted=counted, aspect=aspect)
        except RequestError:
            vocab //= 4
            continue
        settled, _ = best_vocabulary(sizes(a)["nonvocab_params"], a.width)
        if settled == vocab:
            break
        vocab = settled
    return max(vocab, 128)

"""Laws of model size and data together."""

from isoloss.core.law import law
from isoloss.core.maths import exp
from isoloss.core.quantities import (
    Amplitude,
    BodyParams,
    ErrorRate,
    Examples,
    Exponent,
    Floor,
    Flops,
    GentleDecay,
    GentlePower,
    InferenceTokens,
    Intercept,
    LifetimeFlops,
    Loss,
    LowIntercept,
    MinSteps,
    OuterExponent,
    Params,
    Scale,
    Share,
    SlopeFalling,
    SlopeRising,
    Tokens,
    TokensPerParam,
    Turn,
)


@law(cite="hoffmann2022")
def chinchilla(N: Params, D: Tokens, *, E: Floor, A: Amplitude, B: Amplitude, alpha: Exponent, beta: Exponent) -> Loss:
    """A floor, plus what a finite model costs, plus what finite data costs.

    For one pass over the data. With D (or N) endless it is `power_floor` in the other; it is `outer` with k = 1.
    Hoffmann et al. 2022, Eq. 2.
    """
    return E + A * N**-alpha + B * D**-beta


@law(cite="kaplan2020")
def kaplan(N: BodyParams, D: Tokens, *, N_c: Scale, D_c: Scale, alpha_N: Exponent, alpha_D: Exponent) -> Loss:
    """Size and data as two power laws under one exponent, with no floor.

    For early-stopped training, N without embeddings. With D (or N) endless it is `power` in the other; it is `nested`
    with E = 0 and q = alpha_D. Kaplan et al. 2020, Eq. 1.5.
    """
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D


@law(cite="kaplan2020")
def kaplan_steps(N: BodyParams, S: MinSteps, *, N_c: Scale, S_c: Scale, alpha_N: Exponent, alpha_S: Exponent) -> Loss:
    """A learning curve: what a finite model costs, plus what finite training costs; data endless.

    S is the steps that a batch far above critical would need (`min_steps` computes them); after warm-up only. With S
    endless it is `power` in N. Kaplan et al. 2020, Eq. 1.6.
    """
    return (N_c / N) ** alpha_N + (S_c / S) ** alpha_S


@law(cite="skaling2026")
def outer(
    N: Params,
    D: Tokens,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    k: OuterExponent,
) -> Loss:
    """Size and data under one outer exponent k, on a floor: coupled where k is below 1.

    With D endless the loss falls as N^-(alpha k). `chinchilla` has k = 1; Kaplan's law has E = 0 and beta = 1. The best
    split of a budget does not depend on k. `nested` is the same surface in other parameters. Videau et al. 2026;
    Busbridge et al. 2025, who call k gamma.
    """
    return E + (A * N**-alpha + B * D**-beta) ** k


@law(cite="kaplan2020")
def nested(
    N: Params,
    D: Tokens,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    q: OuterExponent,
) -> Loss:
    """The family that holds both Kaplan's and Chinchilla's law, by how size and data combine.

    With D endless it is E + A N^-alpha whatever q is, so parameters compare across q. q = 1 adds the two terms
    (`chinchilla`); q = beta with E = 0, A = N_c^alpha and B = D_c^beta is `kaplan`; small q takes the larger term
    alone. It is `outer` with k = q, its exponents divided by q and its amplitudes to the power 1/q. Kaplan et al.
    2020, Eq. 1.5; Hoffmann et al. 2022, Eq. 2.
    """
    return E + ((A * N**-alpha) ** (1 / q) + (B * D**-beta) ** (1 / q)) ** q


@law(cite="rosenfeld2019")
def rosenfeld(
    m: Params, n: Examples, *, b: Amplitude, c: Floor, alpha: Exponent, beta: Exponent, eps_0: Share, eta: Turn
) -> ErrorRate:
    """Error from random guessing down to a floor, passing through a power law between.

    With e = n^-alpha + b m^-beta + c the error is eps_0 e / sqrt(e^2 + eta^2), the modulus of Rosenfeld's complex form:
    eps_0, that of guessing, for tiny n or m. Far below eta it is `chinchilla` times eps_0 / eta. The amplitude of n is
    1: one factor common to e and eta is free. alpha belongs to the data here. Rosenfeld et al. 2019, Eq. 4-5.
    """
    e = n**-alpha + b * m**-beta + c
    return eps_0 * e / (e**2 + eta**2) ** 0.5


@law(cite="farseer2025")
def farseer(
    N: Params,
    D: Tokens,
    *,
    a_1: SlopeFalling,
    b_1: Intercept,
    alpha: GentlePower,
    a_2: SlopeRising,
    b_2: LowIntercept,
    beta: GentleDecay,
    a_3: SlopeFalling,
    b_3: Intercept,
    gamma: GentlePower,
) -> Loss:
    """A power law in the data whose floor, amplitude and exponent each depend on the model's size.

    Floor exp(a_3 N^gamma + b_3), amplitude exp(a_2 N^beta + b_2), exponent exp(a_1 N^alpha + b_1). With a_1 = a_2 = 0
    data and size no longer interact and it is the data part of `chinchilla`. Li et al. 2025, Eq. 3.
    """
    return exp(a_3 * N**gamma + b_3) + exp(a_2 * N**beta + b_2) * D ** -exp(a_1 * N**alpha + b_1)


@law(cite="pearce2024")
def with_embeddings(N: BodyParams, *, gamma: Amplitude) -> Params:
    """All parameters of a model from those outside its embeddings, for shapes of one aspect ratio and vocabulary.

    Width grows as the cube root of N, so embeddings are gamma N^(1/3). This curvature turns Chinchilla's exponent into
    Kaplan's at small sizes. Pearce and Song 2024, section 3.
    """
    return N + gamma * N ** (1 / 3)


@law(cite="pearce2024")
def body_chinchilla(
    N: BodyParams,
    D: Tokens,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    gamma: Amplitude,
) -> Loss:
    """Chinchilla's law for runs whose size was counted without embeddings.

    It is `chinchilla` at the size that `with_embeddings` gives; gamma = 0 is `chinchilla` itself. Pearce and Song 2024,
    section 3.
    """
    return E + A * (N + gamma * N ** (1 / 3)) ** -alpha + B * D**-beta


@law(cite="gadre2024")
def overtraining(C: Flops, M: TokensPerParam, *, E: Floor, a: Amplitude, b: Amplitude, eta: Exponent) -> Loss:
    """The loss in compute and tokens per parameter, for models trained beyond the best ratio.

    At a fixed ratio it is `power_floor` in compute, whose exponent does not depend on the ratio. It is `chinchilla`
    with alpha = beta = 2 eta, A = a 6^-eta and B = b 6^-eta, for C = 6 N D; the best ratio is (b / a)^(1 / 2 eta).
    Gadre et al. 2024, Eq. 4.
    """
    return E + (a * M**eta + b * M**-eta) * C**-eta


@law(cite="kaplan2020")
def training_flops(N: Params, D: Tokens, *, k: Amplitude) -> Flops:
    """The compute of training, k FLOP for each parameter and token; k = 6 counts two forward, four backward.

    Attention over the context is left out, so it holds where the width is far above a twelfth of the context. It is
    `lifetime_flops` without inference. Kaplan et al. 2020, section 2.1.
    """
    return k * N * D


@law(cite="sardana2023")
def lifetime_flops(
    N: Params, D: Tokens, D_inf: InferenceTokens, *, k_train: Amplitude, k_infer: Amplitude
) -> LifetimeFlops:
    """The compute of training on D tokens and serving D_inf tokens: 6 N D + 2 N D_inf.

    To be minimised at a given loss: much inference favours smaller models trained longer. With D_inf = 0 it is
    `training_flops`. Sardana et al. 2023, Eq. 2-3.
    """
    return k_train * N * D + k_infer * N * D_inf

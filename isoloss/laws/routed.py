"""Laws of routed (mixture-of-experts) models, where a token touches only some of the parameters."""

from isoloss.core.law import law
from isoloss.core.maths import log
from isoloss.core.quantities import (
    ActiveParams,
    Amplitude,
    Array,
    BodyParams,
    Coefficient,
    DenseParams,
    Drift,
    Experts,
    Exponent,
    FewExperts,
    Floor,
    Granularity,
    IdleShare,
    Loss,
    ManyExperts,
    Params,
    SignedExponent,
    Tokens,
)

LOG10 = 2.302585092994046  # natural logarithm of 10


def saturated(E: Array, E_start: Array, E_max: Array) -> Array:
    """The number of experts as the loss feels it: E_start for one expert, about E between, E_max for very many."""
    return 1 / (1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max)


@law(cite="clark2022")
def routed(
    N: DenseParams,
    E: Experts,
    *,
    a: SignedExponent,
    b: SignedExponent,
    c: Drift,
    d: Coefficient,
    E_start: FewExperts,
    E_max: ManyExperts,
) -> Loss:
    """A power law in dense size whose exponent and height change with the number of experts, to a saturation.

    log10 L = a log10 N + b log10 E' + c log10 N log10 E' + d, where E' is E saturated between E_start and E_max; a and
    b are negative, and c > 0 makes experts help less the larger the model. At a fixed number of tokens. At one expert
    it is `power` in N; with E_start = 1 and E_max endless E' is E itself. Clark et al. 2022, Eq. 1 and Table 3.
    """
    experts = log(saturated(E, E_start, E_max)) / LOG10
    size = log(N) / LOG10
    return 10 ** (a * size + b * experts + c * size * experts + d)


@law(cite="clark2022")
def effective_params(
    N: DenseParams,
    E: Experts,
    *,
    a: SignedExponent,
    b: SignedExponent,
    c: Drift,
    E_start: FewExperts,
    E_max: ManyExperts,
) -> DenseParams:
    """The size of the dense model that would reach the loss of a routed one, under the law `routed`.

    Equal to N at one expert. It leaves the law at large N, where c > 0 turns the help of experts into harm.
    Clark et al. 2022, effective parameter count.
    """
    experts = log(saturated(E, E_start, E_max)) / LOG10
    start = log(E_start) / LOG10
    slope = a + c * start
    return 10 ** ((log(N) / LOG10 * (a + c * experts) + b * (experts - start)) / slope)


@law(cite="krajewski2024")
def granular(
    N: BodyParams,
    D: Tokens,
    G: Granularity,
    *,
    c: Floor,
    g: Amplitude,
    gamma: Exponent,
    a: Amplitude,
    alpha: Exponent,
    b: Amplitude,
    beta: Exponent,
) -> Loss:
    """The Chinchilla law where cutting experts into G finer ones lowers the cost of a finite model.

    N counts all experts. For G endless, or g = 0, it is `chinchilla`, with A = a, and at every fixed G with
    A = a + g G^-gamma. For one expansion rate (64 in the paper). Krajewski et al. 2024, Eq. 9.
    """
    return c + (g * G**-gamma + a) * N**-alpha + b * D**-beta


@law(cite="ludziejewski2025")
def joint_routed(
    N: ActiveParams,
    D: Tokens,
    E: Experts,
    *,
    a: Amplitude,
    alpha: SignedExponent,
    delta: SignedExponent,
    gamma: Drift,
    b: Amplitude,
    beta: SignedExponent,
    omega: Coefficient,
    zeta: Drift,
    E_start: FewExperts,
    E_max: ManyExperts,
    c: Floor,
) -> Loss:
    """The Chinchilla law in active size and data, all four constants of which change with the number of experts.

    a E'^delta N^(alpha + gamma ln E') + b E'^omega D^(beta + zeta ln E') + c, with E' saturated as in `routed`.
    Exponents are written with their sign: alpha and beta are negative. At every fixed number of experts it is
    `chinchilla`. Ludziejewski et al. 2025, Eq. 4 and 6.
    """
    experts = saturated(E, E_start, E_max)
    size = a * experts**delta * N ** (alpha + gamma * log(experts))
    data = b * experts**omega * D ** (beta + zeta * log(experts))
    return size + data + c


@law(cite="ludziejewski2025")
def routed_floor(
    N: DenseParams,
    E: Experts,
    *,
    a: Amplitude,
    alpha: SignedExponent,
    delta: SignedExponent,
    gamma: Drift,
    c: Floor,
) -> Loss:
    """A power law in dense size, on a floor, whose height and exponent change with the number of experts.

    It is `joint_routed` at a fixed number of tokens, far from saturation, its data term part of the floor c; at one
    expert it is `power_floor` in N. With no floor it is `routed` far from saturation, its constants in powers of e.
    Ludziejewski et al. 2025, Eq. 4.
    """
    return a * E**delta * N ** (alpha + gamma * log(E)) + c


@law(cite="abnar2025")
def idle_experts(
    N: Params,
    D: Tokens,
    S: IdleShare,
    *,
    e: Floor,
    a: Amplitude,
    alpha: Exponent,
    b: Amplitude,
    beta: Exponent,
    c: Amplitude,
    lam: SignedExponent,
    d: Amplitude,
    delta: Exponent,
    gamma: Exponent,
) -> Loss:
    """The Chinchilla law in all parameters and data, plus what it costs to leave a share S of the experts idle.

    S = (E - K) / E for K of E experts at work; one cost is of S alone, (1 - S)^-lam, one of S and N together. As
    fitted, lam is negative. With c = d = 0 it is `chinchilla`. Abnar et al. 2025, Eq. 6.
    """
    busy = 1 - S
    return e + a * N**-alpha + b * D**-beta + c * busy**-lam + d * busy**-delta * N**-gamma

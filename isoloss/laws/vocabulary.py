"""Laws of the size of the vocabulary."""

from isoloss.core.law import law
from isoloss.core.maths import log
from isoloss.core.quantities import (
    Amplitude,
    BestVocab,
    Drift,
    Exponent,
    Floor,
    Gain,
    NonvocabParams,
    Offset,
    Tokens,
    UnigramLoss,
    Vocab,
    VocabParams,
)


@law(cite="tao2024")
def vocabulary(
    N_nv: NonvocabParams,
    N_v: VocabParams,
    D: Tokens,
    *,
    E: Floor,
    A_1: Amplitude,
    alpha_1: Exponent,
    A_2: Amplitude,
    alpha_2: Exponent,
    B: Amplitude,
    beta: Exponent,
) -> UnigramLoss:
    """The Chinchilla law with parameters of the vocabulary and other parameters apart.

    The loss is less that of the unigram model, so that vocabularies compare; -E is its floor. With a fixed vocabulary
    it is `chinchilla` in N_nv, but for its negative floor. Tao et al. 2024, approach 3.
    """
    return -E + A_1 * N_nv**-alpha_1 + A_2 * N_v**-alpha_2 + B * D**-beta


@law(cite="tao2024")
def vocabulary_coupled(
    N_nv: NonvocabParams,
    V: Vocab,
    D: Tokens,
    *,
    E: Floor,
    h: Gain,
    V_0: BestVocab,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    kappa: Drift,
    lambda_: Drift,
    D_0: Offset,
) -> UnigramLoss:
    """A vocabulary that is best at V_0 given ample size and data, and costs more data the larger it is.

    A larger model and a larger vocabulary have more to learn from the same data: N_nv^kappa V^lambda_. D_0 are the data
    before which the power of D is not yet to be seen. With V = V_0, kappa = lambda_ = 0 and D_0 = 0 it is `chinchilla`
    with a negative floor. An empirical form of this project's, found on the runs of Tao et al. 2024, where the sum of
    three powers (`vocabulary`) leaves a trend in V at small D.
    """
    return -E + h * log(V / V_0) ** 2 + A * N_nv**-alpha + B * N_nv**kappa * V**lambda_ * (D + D_0) ** -beta

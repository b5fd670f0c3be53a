"""Laws of what the training data are mixed from: domains by their shares, languages by their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isoloss.core.formula import Formula
from isoloss.core.law import Input, Law, Parameter, add, law, signed
from isoloss.core.maths import exp, log
from isoloss.core.quantities import (
    Amplitude,
    Coefficient,
    Drift,
    Exponent,
    Floor,
    Gain,
    HelpedShare,
    Languages,
    LanguageTokens,
    LogSlope,
    Loss,
    Params,
    quantity,
    range_of,
)

DOMAINS = range(2, 6)  # the numbers of domains for which laws are registered; factories make those for up to eight

_EXPONENTIAL = """The loss on one domain falls exponentially in the shares of {k} training domains.

L = c + K exp(t_1 r_1 + ... + t_{k} r_{k}): t_j is negative where domain j helps, more so the closer it is to the one
evaluated. Shares sum to 1, so adding a number to every t_j and dividing K by its exponential changes nothing: hold one
of them. One law a validation domain; losses of several add by their weights. At fixed size and data. Ye et al. 2024,
main equation."""

_LINEAR_LOG = """The loss on one domain is linear in the logarithms of the shares of {k} training domains.

L = c + t_1 ln r_1 + ... + t_{k} ln r_{k}: halving a share costs the same wherever it starts. A first order of
`mixing_{k}` about one mixture, with t_j there times K r_j exp(...) here; it fails near a share of nothing. Its
coefficients are linear, so it needs few runs. Compare Ye et al. 2024, who keep the exponential."""

_POWERS = """The loss on one domain is a product of powers of the shares of {k} training domains.

L = K (r_1 + r_0)^t_1 ... (r_{k} + r_0)^t_{k}: t_j is negative where domain j helps. r_0 is the share that the other
domains stand for: without any data of domain j the loss is as with r_0 of it, and stays finite. One law a validation
domain, at fixed size and data. An empirical form of this project's: the power law in data of Kaplan et al. 2020 for
each domain, seen as Hernandez et al. 2021 see data transferred. Compare Ye et al. 2024, whose terms are exponential."""

_ADDITIVE = """The Chinchilla law with a floor that depends on the shares of {k} training domains.

E + 1 / (C_1 h_1^gamma_1 + ... + C_{k} h_{k}^gamma_{k}) + A N^-alpha + B D^-beta: size, data and mixture add, so the
best mixture is the same at every scale. At a fixed mixture it is `chinchilla`. Every share above nothing. Shukor et
al. 2025, additive law."""


def mixing(k: int) -> Law:
    """Ye et al.'s exponential law for k domains, registered as `mixing_2` ... ."""

    def formula(*r: Any, c: Any, K: Any, **t: Any) -> Any:
        return c + K * exp(sum(t[f"t_{j}"] * share for j, share in enumerate(r, 1)))

    return _of_shares("mixing", k, formula, {"c": Floor, "K": Gain, **_each("t", k, Coefficient)}, _EXPONENTIAL)


def mixing_log(k: int) -> Law:
    """The law linear in log shares for k domains, registered as `mixing_log_2` ... ."""

    def formula(*r: Any, c: Any, **t: Any) -> Any:
        return c + sum(t[f"t_{j}"] * log(share) for j, share in enumerate(r, 1))

    return _of_shares("mixing_log", k, formula, {"c": Floor, **_each("t", k, LogSlope)}, _LINEAR_LOG)


def mixing_power(k: int) -> Law:
    """The product of powers of shares for k domains, registered as `mixing_power_2` ... ."""

    def formula(*r: Any, K: Any, r_0: Any, **t: Any) -> Any:
        loss = K
        for j, share in enumerate(r, 1):
            loss = loss * (share + r_0) ** t[f"t_{j}"]
        return loss

    ranges = {"K": Gain, "r_0": HelpedShare, **_each("t", k, LogSlope)}
    return _of_shares("mixing_power", k, formula, ranges, _POWERS)


def mixing_scale(k: int) -> Law:
    """Shukor et al.'s additive law for k domains, model size and data, registered as `mixing_scale_2` ... ."""

    def formula(N: Any, D: Any, *h: Any, E: Any, A: Any, alpha: Any, B: Any, beta: Any, **of_domain: Any) -> Any:
        helped = sum(of_domain[f"C_{j}"] * share ** of_domain[f"gamma_{j}"] for j, share in enumerate(h, 1))
        return E + 1 / helped + A * N**-alpha + B * D**-beta

    ranges = {"E": Floor, "A": Amplitude, "alpha": Exponent, "B": Amplitude, "beta": Exponent}
    ranges |= _each("C", k, Gain) | _each("gamma", k, Exponent)
    before = {"N": "params", "D": "tokens"}
    return _of_shares("mixing_scale", k, formula, ranges, _ADDITIVE, before, "shukor2025mixture", "h")


def _each(letter: str, k: int, kind: Any) -> dict[str, Any]:
    return {f"{letter}_{j}": kind for j in range(1, k + 1)}


def _of_shares(
    name: str,
    k: int,
    formula: Callable[..., Any],
    ranges: Mapping[str, Any],
    doc: str,
    before: Mapping[str, str] | None = None,
    cite: str = "ye2024",
    letter: str = "r",
) -> Law:
    named = {**(before or {}), **{f"{letter}_{j}": f"share_{j}" for j in range(1, k + 1)}}
    inputs = tuple(Input(symbol, quantity(column)) for symbol, column in named.items())
    parameters = tuple(Parameter(name, range_of(kind)) for name, kind in ranges.items())
    traced = Formula(formula, tuple(named), tuple(ranges), signed(inputs, parameters))
    return add(Law(f"{name}_{k}", inputs, parameters, quantity("loss"), traced, cite, doc.format(k=k)))


MIXTURES = tuple(factory(k) for factory in (mixing, mixing_log, mixing_power, mixing_scale) for k in DOMAINS)


@law(cite="longpre2025")
def multilingual(
    N: Params,
    D: LanguageTokens,
    K: Languages,
    *,
    E: Floor,
    A: Amplitude,
    alpha: Exponent,
    phi: Drift,
    B: Amplitude,
    beta: Exponent,
    psi: Drift,
) -> Loss:
    """The Chinchilla law of one language among K, where each language more takes size, and saves a little data.

    D counts the tokens of the language evaluated. For the same loss the model must grow as K^(phi / alpha), and the
    tokens of all K languages together as K^(1 + psi / beta). With one language it is `chinchilla`. Longpre et al. 2025,
    Eq. 7.
    """
    return E + A * K**phi * N**-alpha + B * K**psi * D**-beta

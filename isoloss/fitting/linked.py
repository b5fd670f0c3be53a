"""Problems whose parameters are linked: held at a value, tied to each other, shared between groups, or with a prior.

One table of places says it all: where each parameter of each group stands among the free coordinates.
Shapes: `n` runs of all groups, `p` parameters of the law, `g` groups, `q` free coordinates, `b` problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from isoloss.core.errors import RequestError
from isoloss.core.law import Law
from isoloss.fitting.coordinates import Coordinates, Derivatives
from isoloss.fitting.linearised import Linearised
from isoloss.fitting.links import Links
from isoloss.fitting.objectives import Objective
from isoloss.fitting.problem import Problem
from isoloss.fitting.sample import AS_MEASURED, Sample

HELD = -1


@dataclass(frozen=True, eq=False)
class Linked(Coordinates):
    """Problems of g groups as one, over free coordinates: place_gp is a coordinate's number, or HELD at held_gp.

    Coordinates have normal priors (mean_q, precision_q); a squared standard deviation of one costs `worth` / 2.
    """

    parts: tuple[Problem, ...]
    names: tuple[str, ...]
    place_gp: np.ndarray
    held_gp: np.ndarray
    mean_q: np.ndarray
    precision_q: np.ndarray
    worth: float = 0.0

    @property
    def objective(self) -> Objective:
        return self.parts[0].objective

    @property
    def law(self) -> Law:
        return self.parts[0].law

    @cached_property
    def is_log_p(self) -> np.ndarray:
        return self._one_of("is_log_p")

    @cached_property
    def is_offset_p(self) -> np.ndarray:
        return self._one_of("is_offset_p")

    @cached_property
    def is_term_p(self) -> np.ndarray:
        return self._one_of("is_term_p")

    @cached_property
    def low_p(self) -> np.ndarray:
        return self._over_all("low_p", np.max)

    @cached_property
    def high_p(self) -> np.ndarray:
        return self._over_all("high_p", np.min)

    @cached_property
    def stride_p(self) -> np.ndarray:
        return self._over_all("stride_p", np.max)

    @cached_property
    def y_n(self) -> np.ndarray:
        return np.concatenate([part.y_n for part in self.parts])

    @cached_property
    def x_kn(self) -> np.ndarray:
        return np.concatenate([part.x_kn for part in self.parts], axis=1)

    @cached_property
    def weight_n(self) -> np.ndarray | None:
        if all(part.weight_n is None for part in self.parts):
            return None
        return np.concatenate([np.ones(len(p.y_n)) if p.weight_n is None else p.weight_n for p in self.parts])

    @cached_property
    def design_n(self) -> np.ndarray:
        firsts = np.cumsum([0, *(int(part.design_n.max()) + 1 for part in self.parts[:-1])])
        return np.concatenate([part.design_n + first for part, first in zip(self.parts, firsts, strict=True)])

    @property
    def rounding(self) -> float:
        return sum(part.rounding for part in self.parts)

    def under(self, objective: Objective) -> Linked:
        return replace(self, parts=tuple(part.under(objective) for part in self.parts))

    def weighted(self, weight_n: np.ndarray | None) -> Linked:
        weights = [None if weight_n is None else weight_n[runs] for runs in self._rows]
        return replace(self, parts=tuple(p.weighted(w) for p, w in zip(self.parts, weights, strict=True)))

    def believing(self, worth: float) -> Linked:
        """The same problem, its priors worth this much of the objective."""
        return replace(self, worth=worth)

    def of_runs(self, rows: Any) -> Linked:
        keep_n = np.zeros(len(self.y_n), bool)
        keep_n[rows] = True
        return replace(self, parts=tuple(p.of_runs(keep_n[r]) for p, r in zip(self.parts, self._rows, strict=True)))

    def value(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> np.ndarray:
        values = [part.value(u, rows) for part, u, rows in self._split(u_pb, sample)]
        return sum(values[1:], values[0]) + self._doubt(u_pb, sample).sum(axis=0)

    def crossed(self, u_pb: np.ndarray, sample: Sample) -> np.ndarray:
        values = [part.crossed(u, rows) for part, u, rows in self._split(u_pb, sample)]
        centre_pb = self._centre(sample)
        doubt = (self._cost_p[:, None, None] * (u_pb[:, :, None] - centre_pb[:, None, :]) ** 2).sum(axis=0)
        return sum(values[1:], values[0]) + 0.5 * doubt

    def derivatives(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> Derivatives:
        q, b = u_pb.shape
        value_b, gradient_qb, hessian_qqb = np.zeros(b), np.zeros((q, b)), np.zeros((q, q, b))
        for place_p, (part, u, rows) in zip(self.place_gp, self._split(u_pb, sample), strict=True):
            at, free = part.derivatives(u, rows), np.flatnonzero(place_p != HELD)
            value_b += at.value_b
            for i in free:
                gradient_qb[place_p[i]] += at.gradient_pb[i]
                for j in free:
                    hessian_qqb[place_p[i], place_p[j]] += at.hessian_ppb[i, j]
        if self._cost_p.any():
            value_b += self._doubt(u_pb, sample).sum(axis=0)
            gradient_qb += self._cost_p[:, None] * (u_pb - self._centre(sample))
            hessian_qqb[np.arange(q), np.arange(q)] += self._cost_p[:, None]
        return Derivatives(value_b, gradient_qb, hessian_qqb)

    def residuals(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> np.ndarray:
        """What `linearised` takes for straight: residuals of the runs, then distances from priors, (b, n + q)."""
        own = [part.residuals(u, rows) for part, u, rows in self._split(u_pb, sample)]
        return np.concatenate([*own, (u_pb - self._centre(sample)).T], axis=1)

    def linearised(self, u_pb: np.ndarray, sample: Sample = AS_MEASURED) -> Linearised:
        """The law made straight in every group, and the priors, as if each were one more run."""
        q, b = u_pb.shape
        own = [part.linearised(u, rows) for part, u, rows in self._split(u_pb, sample)]
        far_bq, cost_bq = (u_pb - self._centre(sample)).T, np.repeat(self._cost_p[None], b, axis=0)
        slope_qbn = np.zeros((q, b, len(self.y_n) + q))
        for place_p, rows, law in zip(self.place_gp, self._rows, own, strict=True):
            for j in np.flatnonzero(place_p != HELD).tolist():
                slope_qbn[place_p[j], :, rows] += law.factor_pb[j][:, None] * law.slope_pbn[j]
        slope_qbn[np.arange(q), :, len(self.y_n) + np.arange(q)] = 1.0  # a prior answers to its own coordinate
        return Linearised(
            sum(law.value_b for law in own) + self._doubt(u_pb, sample).sum(axis=0),
            np.concatenate([*(law.residual_bn for law in own), far_bq], axis=1),
            np.concatenate([*(law.pull_bn for law in own), cost_bq * far_bq], axis=1),
            np.concatenate([*(law.stiff_bn for law in own), cost_bq], axis=1),
            np.concatenate([*(law.unit_bn for law in own), np.ones((b, q))], axis=1),
            np.ones((q, b)),
            list(slope_qbn),
        )

    def sensitivity(self, u_p: np.ndarray) -> np.ndarray:
        blocks = []
        for place_p, (part, u_p1, _) in zip(self.place_gp, self._split(u_p[:, None], AS_MEASURED), strict=True):
            block_nq, answer_np = np.zeros((len(part.y_n), len(u_p))), part.sensitivity(u_p1[:, 0])
            for j in np.flatnonzero(place_p != HELD):
                block_nq[:, place_p[j]] += answer_np[:, j]
            blocks.append(block_nq)
        return np.concatenate(blocks)

    def predicted(self, u_p: np.ndarray) -> np.ndarray:
        return np.concatenate([part.predicted(u[:, 0]) for part, u, _ in self._split(u_p[:, None], AS_MEASURED)])

    def each(self, u_pb: np.ndarray) -> list[np.ndarray]:
        """The law's own internal coordinates in every group, g times (p, b)."""
        held = self.place_gp == HELD
        return [
            np.where(is_held_p[:, None], held_p[:, None], u_pb[np.where(is_held_p, 0, place_p)])
            for place_p, is_held_p, held_p in zip(self.place_gp, held, self.held_gp, strict=True)
        ]

    def residual_n(self, u_p: np.ndarray) -> np.ndarray:
        return np.concatenate([part.residual_n(u[:, 0]) for part, u, _ in self._split(u_p[:, None], AS_MEASURED)])

    def gathered(self, groups: Sequence[np.ndarray]) -> np.ndarray:
        """The free coordinates nearest to each group's own, g times (p, b): linked ones are averaged."""
        b = groups[0].shape[1]
        sum_qb, count_q = np.zeros((len(self.names), b)), np.zeros(len(self.names))
        for place_p, u_pb in zip(self.place_gp, groups, strict=True):
            for j in np.flatnonzero(place_p != HELD):
                sum_qb[place_p[j]] += u_pb[j]
                count_q[place_p[j]] += 1
        return self.inside(sum_qb / count_q[:, None])

    @property
    def _cost_p(self) -> np.ndarray:
        return self.worth * self.precision_q

    @cached_property
    def _rows(self) -> list[slice]:
        ends = np.cumsum([0, *(len(part.y_n) for part in self.parts)]).tolist()
        return [slice(first, last) for first, last in pairwise(ends)]

    def _split(self, u_pb: np.ndarray, sample: Sample) -> list[tuple[Problem, np.ndarray, Sample]]:
        return [
            (part, u, sample.of_runs(rows))
            for part, u, rows in zip(self.parts, self.each(u_pb), self._rows, strict=True)
        ]

    def _centre(self, sample: Sample) -> np.ndarray:
        return self.mean_q[:, None] if sample.centre_bp is None else sample.centre_bp.T

    def _doubt(self, u_pb: np.ndarray, sample: Sample) -> np.ndarray:
        return 0.5 * self._cost_p[:, None] * (u_pb - self._centre(sample)) ** 2

    def _one_of(self, what: str) -> np.ndarray:
        return self._over_all(what, lambda values: values[0])

    def _over_all(self, what: str, chosen: Any) -> np.ndarray:
        # What the linked parameters' own arrays say of each coordinate.
        per_gp = np.stack([getattr(part, what) for part in self.parts])
        return np.array([chosen(per_gp[self.place_gp == q]) for q in range(len(self.names))])


def link(parts: Mapping[str, Problem], links: Links) -> Linked:
    """Problems of the same law, by the name of their group, as one problem under these links.

    Raises UnknownNameError for a parameter that the law lacks, RequestError for links that contradict each other.
    """
    problems = tuple(parts.values())
    law = problems[0].law
    shared = {links.of(name) for name in links.share} | ({links.of(n) for n in law.names} if len(parts) == 1 else set())
    places: dict[str, int] = {}
    place_gp = np.full((len(problems), len(law.names)), HELD)
    held_gp = np.zeros(place_gp.shape)
    for g, (label, problem) in enumerate(parts.items()):
        held_theta_p1 = np.array([[links.hold.get(name, 1.0)] for name in law.names])
        held_gp[g] = problem.internal(held_theta_p1)[:, 0]
        for j, name in enumerate(law.names):
            if name not in links.hold:
                root = links.of(name)
                place_gp[g, j] = places.setdefault(root if root in shared else f"{root}[{label}]", len(places))
    if not places:
        raise RequestError(f"Every parameter of the law '{law.name}' is held.", do="Leave one or more free.")
    linked = Linked(problems, tuple(places), place_gp, held_gp, np.zeros(len(places)), np.zeros(len(places)))
    _check_kinds(linked, links)
    mean_q, precision_q = _prior(linked, links)
    return replace(linked, mean_q=mean_q, precision_q=precision_q)


def _prior(linked: Linked, links: Links) -> tuple[np.ndarray, np.ndarray]:
    # Mean and precision of each coordinate's prior, zero precision where it has none; those of tied names multiply.
    mean_q, precision_q = np.zeros(len(linked.names)), np.zeros(len(linked.names))
    for name, (mean, deviation) in links.prior.items():
        for q in np.unique(linked.place_gp[:, linked.law.names.index(name)]):
            is_log = bool(linked.is_log_p[q])
            precision = (mean / deviation if is_log else 1 / deviation) ** 2
            precision_q[q] += precision
            mean_q[q] += (precision / precision_q[q]) * ((np.log(mean) if is_log else mean) - mean_q[q])
    return mean_q, precision_q


def _check_kinds(linked: Linked, links: Links) -> None:
    law, is_log_p = linked.law, linked.parts[0].is_log_p
    for names in links.tie:
        kinds = {bool(is_log_p[law.names.index(name)]) for name in names}
        if len(kinds) > 1:
            raise RequestError(f"{' and '.join(names)} are of different kinds and cannot be tied.")
    for name, (mean, _) in links.prior.items():
        if is_log_p[law.names.index(name)] and mean <= 0:
            raise RequestError(f"{name} is a scale: its prior cannot have the mean {mean:g}.")

"""The space that a solver moves in: internal coordinates with ends, and the objective's derivatives there.

Shapes: `p` coordinates, `b` problems solved together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LOG_REACH = 230.0  # scales are kept within exp(+-230), whose squares a double can still hold


@dataclass(frozen=True)
class Derivatives:
    """The objective of each problem with its gradient and Hessian in the internal coordinates."""

    value_b: np.ndarray
    gradient_pb: np.ndarray
    hessian_ppb: np.ndarray

    def take(self, rows_b: np.ndarray) -> Derivatives:
        """The problems of a mask."""
        return Derivatives(self.value_b[rows_b], self.gradient_pb[:, rows_b], self.hessian_ppb[:, :, rows_b])

    def where(self, chosen_b: np.ndarray, other: Derivatives) -> Derivatives:
        """These derivatives where chosen, the others elsewhere."""
        return Derivatives(
            np.where(chosen_b, self.value_b, other.value_b),
            np.where(chosen_b, self.gradient_pb, other.gradient_pb),
            np.where(chosen_b, self.hessian_ppb, other.hessian_ppb),
        )


class Coordinates(ABC):
    """Coordinates u_p with ends low_p and high_p, logarithms where is_log_p, in which stride_p is a long step.

    Whoever inherits provides the four.
    """

    @cached_property
    @abstractmethod
    def is_log_p(self) -> np.ndarray: ...

    @cached_property
    @abstractmethod
    def low_p(self) -> np.ndarray: ...

    @cached_property
    @abstractmethod
    def high_p(self) -> np.ndarray: ...

    @cached_property
    @abstractmethod
    def stride_p(self) -> np.ndarray: ...

    def theta(self, u_pb: np.ndarray) -> np.ndarray:
        """The parameters themselves, (p, b)."""
        log_p1 = self.is_log_p[:, None]
        return np.where(log_p1, np.exp(np.where(log_p1, u_pb, 0.0)), u_pb)

    def internal(self, theta_pb: np.ndarray) -> np.ndarray:
        """The inverse of `theta`, moved into the parameters' ranges."""
        log_p1 = self.is_log_p[:, None]
        with np.errstate(divide="ignore"):
            logs_pb = np.log(np.where(log_p1, theta_pb, 1.0))
        return self.inside(np.where(log_p1, logs_pb, theta_pb))

    def inside(self, u_pb: np.ndarray) -> np.ndarray:
        """The nearest coordinates within the parameters' ranges."""
        return np.clip(u_pb, self.low_p[:, None], self.high_p[:, None])

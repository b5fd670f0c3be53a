"""How much one visitor may ask of the explorer, and the replies to those who ask for more."""

from __future__ import annotations

from dataclasses import dataclass

from isoloss.core.errors import IsolossError

MB = 2**20


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    upload: int = 16 * MB
    body: int = 256 * 1024  # of every request that is no upload
    upload_seconds: float = 30.0  # in which a body must have arrived
    answer_seconds: float = 60.0
    read_seconds: float = 20.0
    read_memory: int = 3 * 2**30  # address space of the process that reads an upload
    rows: int = 20_000
    columns: int = 1_000
    fit_seconds: float = 300.0
    fits_at_once: int = 2
    fits_waiting: int = 64
    fits_kept: int = 24  # of one session
    tables_kept: int = 12  # of one session
    session_memory: int = 96 * MB
    memory: int = 512 * MB  # of all sessions together
    sessions: int = 200
    session_seconds: float = 8 * 3600.0


class Refused(IsolossError):
    """A request that is answered with an HTTP status of its own; the text is a reply like every other."""

    def __init__(self, status: int, given: str, exists: str = "", do: str = "") -> None:
        super().__init__(given, exists, do)
        self.status = status


def too_large(what: str, size: int, most: int) -> Refused:
    """413: more bytes than are taken."""
    return Refused(
        413,
        f"{what} has {size / MB:.3g} MB." if size else f"{what} is too large.",
        f"At most {most / MB:.3g} MB are taken.",
        "A table of runs has one row for each run: keep the last row of each, and the columns that matter.",
    )


def too_many(what: str, count: int, most: int) -> Refused:
    """413: more rows or columns than are fitted in a page."""
    return Refused(
        413,
        f"This table has {count:,} {what}.",
        f"The explorer takes at most {most:,}; the library and the command line take more.",
        "Keep one row for each run and the columns that matter, or use: isoloss fit FILE.",
    )


def busy(waiting: int) -> Refused:
    """503: the queue is full."""
    return Refused(
        503, "The explorer is busy.", f"{waiting} fits are waiting for their turn.", "Try again in a few seconds."
    )

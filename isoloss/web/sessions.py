"""What visitors brought along: each session's own tables, forgotten when it is idle, or when memory is short."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from isoloss.loaders.table import Table
from isoloss.web.limits import Limits, Refused

LADDER = "ladder"  # the embedded table, which is everybody's


@dataclass(frozen=True)
class Stored:
    """An uploaded table: raw cells under the names they had, and what it weighs in memory, about."""

    id: str
    name: str
    table: Table
    weight: int


@dataclass
class Session:
    """One visitor's tables, the oldest first."""

    tables: OrderedDict[str, Stored] = field(default_factory=OrderedDict)
    seen: float = field(default_factory=time.monotonic)

    @property
    def weight(self) -> int:
        return sum(stored.weight for stored in self.tables.values())


class Sessions:
    """All sessions, the one that was longest away first; nobody sees a table of another's."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def keep(self, session: str, name: str, table: Table) -> Stored:
        """Store a table in a session, at the cost of its oldest ones and of sessions that are longest away."""
        stored = Stored(secrets.token_hex(8), name, table, weigh(table))
        if stored.weight > self._limits.session_memory:
            raise Refused(413, f"{name} is too large to be kept.", do="Keep the columns that matter.")
        with self._lock:
            own = self._of(session)
            own.tables[stored.id] = stored
            while len(own.tables) > self._limits.tables_kept or own.weight > self._limits.session_memory:
                own.tables.popitem(last=False)
            self._forget()
        return stored

    def table(self, session: str, table: str) -> Stored:
        """A session's table by its id; the reply to an unknown one says how long tables live."""
        with self._lock:
            found = self._of(session).tables.get(table)
        if found is None:
            raise Refused(
                404,
                f"There is no table '{table[:40]}' in this session.",
                "An uploaded table lives in the memory of the server that it was given to, for its session alone.",
                "Drop the file again; the rest of the view stays as the link says.",
            )
        return found

    def tables(self, session: str) -> list[Stored]:
        """The session's tables, the latest first."""
        with self._lock:
            known = self._sessions.get(session)
            return list(reversed(known.tables.values())) if known else []

    def _of(self, session: str) -> Session:
        own = self._sessions.setdefault(session, Session())
        own.seen = time.monotonic()
        self._sessions.move_to_end(session)
        return own

    def _forget(self) -> None:
        old = time.monotonic() - self._limits.session_seconds
        while len(self._sessions) > 1:
            first = next(iter(self._sessions.values()))
            too_much = sum(s.weight for s in self._sessions.values()) > self._limits.memory
            if not (too_much or len(self._sessions) > self._limits.sessions or first.seen < old):
                return
            self._sessions.popitem(last=False)


def weigh(table: Table) -> int:
    """About how many bytes a table of cells takes."""
    return sum(64 + len(str(cell)) for cells in table.columns.values() for cell in cells) + 1000 * len(table.columns)

"""Locks: one process at a time holds a file, and what a dead one held is free again.

Where the file system has flock, the system itself frees what a process held when it ends, however it ends. Where it has
not, and between machines that share a folder, the file's time tells: its holder touches it every few seconds, and one
that has not been touched for a minute is stale.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from isoloss.core.errors import OutputError

try:
    import fcntl
except ImportError:
    fcntl = None

BEAT = 10.0  # seconds between touches
STALE = 60.0  # seconds without one after which the holder counts as dead
SETTLE = 0.2  # seconds in which two that wrote at once both have written
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class HeldError(OutputError):
    """Another process holds the lock."""

    def __init__(self, path: Path, holder: Claim | None) -> None:
        super().__init__(
            f"{path.parent} is being trained by another process{f' ({holder})' if holder else ''}.",
            "",
            "Wait for it, or choose another folder.",
        )


@dataclass(frozen=True)
class Claim:
    """What stands in a lock file: who holds it, and since when (UTC)."""

    pid: int
    host: str
    since: str
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @property
    def here(self) -> bool:
        return self.host == platform.node()

    @property
    def dead(self) -> bool:
        """Whether its process is known to have ended: told only for this machine."""
        if not self.here or os.name != "posix":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


class Hold:
    """A lock that is held: touched while it is, and lost if another process took it for stale."""

    def __init__(self, path: Path, claim: Claim) -> None:
        self.path, self.claim, self.lost = path, claim, False
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def _beat(self) -> None:
        while not self.ended.wait(BEAT):
            with contextlib.suppress(OSError):  # a touch that fails is made up for by the next
                os.utime(self.path)
            found = read_claim(self.path)
            self.lost = found is not None and found != self.claim

    def end(self) -> None:
        self.ended.set()
        self.thread.join()


@contextlib.contextmanager
def held(path: Path) -> Iterator[Hold]:
    """Hold the lock file `path`; raise HeldError if another process does, OSError if it cannot be written."""
    claim = Claim(
        os.getpid(), platform.node(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), secrets.token_hex(8)
    )
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        system = _flock(path, descriptor)
        if _taken(path, by_system=system):
            raise HeldError(path, read_claim(path))
        _claim_in_place(descriptor, claim) if system else _claim_by_time(path, claim)
        hold = Hold(path, claim)
        try:
            yield hold
        finally:
            hold.end()
            if not hold.lost:
                _give_up(path, claim)
    finally:
        os.close(descriptor)


def holder(path: Path) -> str | None:
    """Say who holds the lock file `path`; None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        system = _flock(path, descriptor, shared=True)
    except HeldError:
        return str(read_claim(path) or "a process that has not said who it is")
    finally:
        os.close(descriptor)
    return str(read_claim(path)) if _taken(path, by_system=system) else None


def read_claim(path: Path) -> Claim | None:
    """Return what stands in the lock file, or None where it is gone, empty or half-written."""
    try:
        return Claim(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _flock(path: Path, descriptor: int, shared: bool = False) -> bool:
    """Lock by the system and say whether it can; raise HeldError where another process has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HeldError(path, read_claim(path)) from None
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    return True


def _taken(path: Path, by_system: bool) -> bool:
    """Whether a claim stands there that still counts; on one machine the system's word is better than any claim."""
    claim = read_claim(path)
    if claim is None or (by_system and claim.here) or claim.dead:
        return False
    return _age(path) < STALE


def _age(path: Path) -> float:
    """Return the seconds since the file was touched, by the clock of the file system that keeps it."""
    probe = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:  # a folder that can only be read, or a full one
        now = time.time()
    return now - path.stat().st_mtime


def _claim_in_place(descriptor: int, claim: Claim) -> None:
    """Write into the file that is locked: another file of the same name would not be."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(claim)).encode(), 0)


def _claim_by_time(path: Path, claim: Claim) -> None:
    """Write, wait until all that saw the lock free have written, and see who was last (Fischer; Lamport 1987)."""
    draft = path.with_name(f"{path.name}.{claim.token}.part")
    draft.write_text(json.dumps(asdict(claim)), encoding="utf-8")
    os.replace(draft, path)
    time.sleep(SETTLE)
    found = read_claim(path)
    if found != claim:
        raise HeldError(path, found)


def _give_up(path: Path, claim: Claim) -> None:
    if read_claim(path) == claim:
        with contextlib.suppress(OSError):  # what is left goes stale
            os.truncate(path, 0)

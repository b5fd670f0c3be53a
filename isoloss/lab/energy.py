"""Energy, where the machine tells it: the processor's own counters, or those of an accelerator.

Both count a whole package or board, whoever uses it: runs side by side each read the energy of all of them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"
OF_PACKAGE = "all processor packages while the run went on, other processes included"
OF_BOARD = "the accelerator's board while the run went on, other processes included"


class Counter(Protocol):
    """Counts energy from when it was made."""

    def read(self) -> tuple[float | None, str]:
        """Return the joules so far and whose they are, or None and why not."""
        ...


def counter_for(device: Any) -> Counter:
    """Return the counter of a torch device's energy: of its board, or of the processor's packages."""
    return board_counter(device) if device.type == "cuda" else package_counter()


@dataclass(frozen=True)
class Silent:
    """A machine that does not tell."""

    why: str

    def read(self) -> tuple[float | None, str]:
        return None, self.why


@dataclass
class Packages:
    """RAPL counters in microjoules, which begin again from zero at `range` (Linux, power capping framework).

    A counter that begins again twice between two readings is read short: that takes an hour or so at full load.
    """

    zones: list[Path]
    joules: float = 0.0
    last: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last = {zone: _number(zone / "energy_uj") for zone in self.zones}

    def read(self) -> tuple[float | None, str]:
        for zone in self.zones:
            now = _number(zone / "energy_uj")
            used = now - self.last[zone]
            used += _number(zone / "max_energy_range_uj") if used < 0 else 0
            self.joules, self.last[zone] = self.joules + used / 1e6, now
        return self.joules, OF_PACKAGE


def package_counter() -> Counter:
    """Return the counters of the processor's packages, as far as this user may read them."""
    zones = [zone for zone in sorted(POWERCAP.glob("*:*")) if _name(zone).startswith("package")]
    if not zones:
        return Silent("the system offers no counter of the processor's energy")
    try:
        return Packages(zones)
    except OSError as error:
        return Silent(f"the counter of the processor's energy may not be read: {error.strerror}")


@dataclass
class Board:
    """The energy counter of one NVIDIA board, in millijoules since its driver was loaded."""

    library: Any
    handle: Any
    first: int = 0

    def __post_init__(self) -> None:
        self.first = self._now()

    def read(self) -> tuple[float | None, str]:
        return (self._now() - self.first) / 1e3, OF_BOARD

    def _now(self) -> int:
        told = ctypes.c_ulonglong()
        _checked(self.library.nvmlDeviceGetTotalEnergyConsumption(self.handle, ctypes.byref(told)))
        return told.value


def board_counter(device: Any) -> Counter:
    """Return the counter of the board behind a torch device of type cuda."""
    import torch

    try:
        library, handle = ctypes.CDLL(NVML), ctypes.c_void_p()
        _checked(library.nvmlInit_v2())
        name = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
        _checked(library.nvmlDeviceGetHandleByUUID(name, ctypes.byref(handle)))
        return Board(library, handle)
    except (OSError, AttributeError) as error:
        return Silent(f"the board's counter of energy cannot be read: {error}")


def _checked(code: int) -> None:
    if code:
        raise OSError(f"NVML answers {code}")


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _name(zone: Path) -> str:
    try:
        return (zone / "name").read_text(encoding="ascii").strip()
    except OSError:
        return ""

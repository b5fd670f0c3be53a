"""The energy of a run: board power, what share of it is drawn, and what the building adds."""

from __future__ import annotations

from typing import Any

from isoloss.core.estimate import Estimate
from isoloss.planning import intervals
from isoloss.planning.wall_time import HOUR, Machine

DRAWN = Estimate(0.8, 0.6, 1.0)
PUE = Estimate(1.3, 1.1, 1.58)
WHY_DRAWN = "devices draw 0.8 (0.6 to 1) of their board power while they train: assumed, without a source; measure it"
WHY_PUE = (
    "the building takes 1.3 (1.1 to 1.58) times what its machines take (PUE): the largest operators' 1.1, new large "
    "sites' 1.3, the industry's average 1.58 (Uptime Institute, 2024-02-07, "
    "journal.uptimeinstitute.com/large-data-centers-are-mostly-more-efficient-analysis-confirms)"
)
WITHOUT_HOSTS = "energy is that of the accelerators' boards: hosts and network come on top"


def kilowatt_hours(
    machine: Machine, seconds: Estimate, drawn: Any = None, pue: Any = None
) -> tuple[Estimate, tuple[str, ...]]:
    """kWh of a run of `seconds` on all devices of `machine`, and the assumptions behind it.

    `drawn` is the share of board power that is drawn, `pue` what the building takes over what its machines take; both
    may be intervals. Raises RequestError where the table has no power for the accelerator.
    """
    power = machine.accelerator.need("power")
    share = DRAWN if drawn is None else intervals.read(drawn, "drawn")
    building = PUE if pue is None else intervals.read(pue, "pue")
    at_full = intervals.exact(power * machine.devices / (1000 * HOUR))
    said = (
        machine.accelerator.stated("power"),
        WHY_DRAWN if drawn is None else f"devices draw {share} of their board power, given by you",
        WHY_PUE if pue is None else f"PUE {building}, given by you",
        WITHOUT_HOSTS,
    )
    return intervals.times(seconds, at_full, share, building), said

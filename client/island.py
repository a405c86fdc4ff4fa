"""A grid outage at home: no import, no export, no trade; the battery carries the home, down to the last of its reserve.

The smallest honest model: a home without battery is dark, with panels too, because an inverter must not feed a dead
line (IEEE 1547); a home with a battery is an island, whose battery follows the load below the reserve, too, and takes
up what the sun gives beyond the load.  What neither covers is *unserved*: counted, and never billed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Flow, Ints, Mode, follow

if TYPE_CHECKING:
    from client.store import HomeState

Bools = NDArray[np.bool_]


def follow_or_island(bank: BatteryBank, stored_kwh: Floats, net_wh: Ints, mode: Mode, dark: Bools) -> Flow:
    """Let batteries follow the net load of a slot: in their mode, or as islands where the grid is away.

    Args:
        bank, stored_kwh, net_wh, mode: as of :func:`client.battery.follow`.
        dark: whether each home's grid is away, shape ``(H,)``.
    """
    flow = follow(bank, stored_kwh, net_wh, mode)
    if not dark.any():
        return flow
    nothing = np.zeros(len(bank))
    island = follow(
        replace(bank, reserve_kwh=nothing),
        stored_kwh,
        net_wh,
        Mode(nothing, nothing, nothing, bank.ceiling_kwh, nothing, np.full(len(bank), np.inf)),
    )
    return Flow(
        np.where(dark, island.charge_wh, flow.charge_wh),
        np.where(dark, island.discharge_wh, flow.discharge_wh),
        np.where(dark, island.stored_kwh, flow.stored_kwh),
    )


def count_unserved(state: HomeState, load_wh: int, pv_wh: int, battery_wh: int, alone_wh: int) -> None:
    """Add what a slot of an outage leaves unserved to what the home remembers.

    Args:
        state: of the home.
        load_wh, pv_wh: what the home would have used, and what its panels could give.
        battery_wh: charge - discharge of its battery, AC; alone_wh: the same of the battery that never trades.
    """
    state.unserved_b1_wh += load_wh
    state.unserved_wh += max(load_wh - pv_wh + battery_wh, 0)
    state.unserved_alone_wh += max(load_wh - pv_wh + alone_wh, 0)

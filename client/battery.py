"""Home batteries: their limits, and how they follow the meter inside a slot.

A battery is never given a fixed set-point.  It is given a :class:`Mode`: levels of stored energy up to which it charges
and down to which it discharges.  Within the mode it follows the net load that really comes.

All arrays have a leading ``home`` axis, and a home's numbers are bitwise the same alone or among others.  Charging is
positive; ``_kwh`` is stored energy unless said otherwise, ``_wh`` is energy at the AC terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from common.config import BatterySpec
from common.units import WH_PER_KWH

UNBOUNDED_WH = 1e9
"""An import ceiling that binds no home; finite, because a home's state is kept as JSON."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class BatteryBank:
    """Batteries of ``H`` homes, arrays of shape ``(H,)``.

    Attributes:
        reserve_kwh, ceiling_kwh: least and most stored energy; equal where there is no battery.
        one_way_efficiency: stored per AC energy when charging, AC per stored energy when discharging.
        max_slot_wh: most AC energy that a slot can move, either way.
    """

    reserve_kwh: Floats
    ceiling_kwh: Floats
    one_way_efficiency: Floats
    max_slot_wh: Floats

    @staticmethod
    def of(specs: Sequence[BatterySpec]) -> BatteryBank:
        """Bank of one battery a home, in the order of ``specs``."""
        return BatteryBank(
            reserve_kwh=np.array([s.reserve_kwh for s in specs], np.float64),
            ceiling_kwh=np.array([s.ceiling_kwh for s in specs], np.float64),
            one_way_efficiency=np.array([s.one_way_efficiency for s in specs], np.float64),
            max_slot_wh=np.array([s.max_slot_kwh * WH_PER_KWH for s in specs], np.float64),
        )

    def __len__(self) -> int:
        return len(self.reserve_kwh)

    @property
    def usable_kwh(self) -> Floats:
        """Stored energy between reserve and ceiling, shape ``(H,)``."""
        return self.ceiling_kwh - self.reserve_kwh

    def homes(self, part: slice | Ints) -> BatteryBank:
        """The batteries of some of the homes."""
        return BatteryBank(
            self.reserve_kwh[part], self.ceiling_kwh[part], self.one_way_efficiency[part], self.max_slot_wh[part]
        )


@dataclass(frozen=True)
class Mode:
    """What batteries do in a slot, whatever the net load turns out to be; arrays of shape ``(H,)``.

    Attributes:
        grid_charge_to_kwh: charge from the grid while less than this is stored ...
        grid_charge_limit_wh: ... by at most this AC energy in the slot ...
        import_ceiling_wh: ... and only while the home imports less than this; up to the reserve neither binds.
        surplus_charge_to_kwh: charge from the home's own surplus while less than this is stored.
        discharge_to_load_down_to_kwh: cover the home's need while more than this is stored.
        discharge_to_export_down_to_kwh: export while more than this is stored.

    In ascending order: grid charge, both of (surplus charge, load), export; so no energy goes both ways.
    """

    grid_charge_to_kwh: Floats
    grid_charge_limit_wh: Floats
    import_ceiling_wh: Floats
    surplus_charge_to_kwh: Floats
    discharge_to_load_down_to_kwh: Floats
    discharge_to_export_down_to_kwh: Floats

    def rows(self) -> list[list[float]]:
        """The mode of each home, as it is kept."""
        kept: list[list[float]] = np.array([getattr(self, field.name) for field in fields(self)], np.float64).T.tolist()
        return kept

    @staticmethod
    def of_rows(rows: Sequence[Sequence[float]]) -> Mode:
        """Inverse of :meth:`rows`."""
        return Mode(*np.array(rows, np.float64).T)


@dataclass(frozen=True)
class Flow:
    """What batteries did in a slot; arrays of shape ``(H,)``.

    Attributes:
        charge_wh, discharge_wh: AC energy in and out, whole Wh; never both positive.
        stored_kwh: stored energy after the slot.
    """

    charge_wh: Ints
    discharge_wh: Ints
    stored_kwh: Floats


def follow(bank: BatteryBank, stored_kwh: Floats, net_wh: Ints, mode: Mode) -> Flow:
    """Let batteries follow the actual net load of a slot; power and state of charge limits bind always.

    Args:
        bank: the batteries.
        stored_kwh: stored energy at the start of the slot, shape ``(H,)``.
        net_wh: load - PV + sold - bought of the slot, shape ``(H,)``; positive is need.
        mode: what the batteries may do.

    Returns:
        The flow; AC energies are rounded towards zero to whole Wh.
    """
    net = np.asarray(net_wh, np.float64)
    need, surplus = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    charge, discharge = _wanted_wh(bank, stored_kwh, need, surplus, mode)
    charge, discharge = np.floor(charge), np.floor(discharge)
    stored = stored_kwh + (charge * bank.one_way_efficiency - discharge / bank.one_way_efficiency) / WH_PER_KWH
    return Flow(charge.astype(np.int64), discharge.astype(np.int64), stored)


def _wanted_wh(
    bank: BatteryBank, stored_kwh: Floats, need: Floats, surplus: Floats, mode: Mode
) -> tuple[Floats, Floats]:
    """AC Wh that the mode asks to charge and to discharge, within all limits."""
    into, out_of = WH_PER_KWH / bank.one_way_efficiency, WH_PER_KWH * bank.one_way_efficiency

    def room(level_kwh: Floats) -> Floats:
        return np.maximum(np.minimum(level_kwh, bank.ceiling_kwh) - stored_kwh, 0.0) * into

    def above(level_kwh: Floats) -> Floats:
        return np.maximum(stored_kwh - np.maximum(level_kwh, bank.reserve_kwh), 0.0) * out_of

    # The grid adds to the surplus only what is missing to its own, lower level; after an outage, all up to the reserve.
    from_surplus = np.minimum(np.minimum(surplus, room(mode.surplus_charge_to_kwh)), bank.max_slot_wh)
    most = np.minimum(mode.grid_charge_limit_wh, np.maximum(mode.import_ceiling_wh - need, 0.0))
    from_grid = np.minimum(np.maximum(room(mode.grid_charge_to_kwh) - from_surplus, 0.0), most)
    from_grid = np.maximum(from_grid, room(bank.reserve_kwh) - from_surplus)
    charge = np.minimum(from_surplus + from_grid, bank.max_slot_wh)

    # Energy above the level for export may leave whatever the load is; energy above the level for load only for it.
    to_load = np.minimum(need, above(mode.discharge_to_load_down_to_kwh))
    discharge = np.minimum(np.maximum(to_load, above(mode.discharge_to_export_down_to_kwh)), bank.max_slot_wh)
    return charge, np.where(charge > 0.0, 0.0, discharge)

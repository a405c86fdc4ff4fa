"""What the planner knows of the coming slots, and what a stored kWh earns or costs in each of them.

A slot has four ways through the battery: to the load, out to the grid, in from the home's surplus, in from the grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Ints
from common.units import WH_PER_KWH

NUSD_PER_UUSD = 1000


@dataclass(frozen=True)
class Outlook:
    """What the planner knows of the coming ``T`` slots.

    Attributes:
        net_wh: net load, shape ``(H, K, T)`` with ``K`` scenarios; positive is need.
        import_uusd, export_uusd: prices, u$/kWh, shape ``(T,)`` or ``(H, T)``.
        terminal_uusd: value of a stored kWh after the last slot, u$ (off-peak price over one-way efficiency); one for
            all homes or shape ``(H,)``.
        grid_charge_cap_wh: most AC energy to charge from the grid in each slot, shape ``(H, T)``; None for no cap.
    """

    net_wh: Floats
    import_uusd: Ints
    export_uusd: Ints
    terminal_uusd: float | Floats
    grid_charge_cap_wh: Floats | None = None

    def homes(self, part: slice) -> Outlook:
        """The outlook of some of the homes."""
        cap = self.grid_charge_cap_wh
        return Outlook(
            self.net_wh[part],
            self.import_uusd[part] if self.import_uusd.ndim > 1 else self.import_uusd,
            self.export_uusd[part] if self.export_uusd.ndim > 1 else self.export_uusd,
            self.terminal_nusd[part] / NUSD_PER_UUSD,
            None if cap is None else cap[part],
        )

    def slots(self, some: slice | NDArray[np.bool_]) -> Outlook:
        """The outlook of some of the slots."""
        cap = self.grid_charge_cap_wh
        return Outlook(
            self.net_wh[..., some],
            self.import_uusd[..., some],
            self.export_uusd[..., some],
            self.terminal_uusd,
            None if cap is None else cap[:, some],
        )

    @property
    def exporting_pays(self) -> NDArray[np.bool_]:
        """Whether the export price is above the import price, of the shape of the prices."""
        pays: NDArray[np.bool_] = self.export_uusd > self.import_uusd
        return pays

    @property
    def terminal_nusd(self) -> Floats:
        """Terminal value in whole n$, shape ``(H,)``."""
        terminal: Floats = np.rint(np.multiply(self.terminal_uusd, float(NUSD_PER_UUSD)))
        return np.broadcast_to(terminal, len(self.net_wh))


@dataclass(frozen=True)
class Reach:
    """Most AC energy of a slot's four ways through the battery, kWh, shape ``(T, h, K)``."""

    to_load: Floats
    exported: Floats
    from_surplus: Floats
    from_grid: Floats


@dataclass(frozen=True)
class Worth:
    """What a stored kWh earns or costs on each of the four ways, whole n$, shape ``(T, 1 or h, 1 or K)``."""

    to_load: Floats
    exported: Floats
    from_surplus: Floats
    from_grid: Floats


def reach_of(bank: BatteryBank, outlook: Outlook) -> Reach:
    """Reach in each slot of an outlook; no grid charging where the export price is above the import price."""
    net, power = outlook.net_wh.transpose(2, 0, 1) / WH_PER_KWH, bank.max_slot_wh[:, None] / WH_PER_KWH
    to_load, from_surplus = np.minimum(np.maximum(net, 0.0), power), np.minimum(np.maximum(-net, 0.0), power)
    from_grid: Floats = power - from_surplus
    if outlook.grid_charge_cap_wh is not None:
        from_grid = np.minimum(from_grid, outlook.grid_charge_cap_wh.T[:, :, None] / WH_PER_KWH)
    if outlook.exporting_pays.any():
        from_grid = np.where(np.atleast_2d(outlook.exporting_pays).T[:, :, None], 0.0, from_grid)
    return Reach(to_load, power - to_load, from_surplus, from_grid)


def worth_of(bank: BatteryBank, outlook: Outlook) -> Worth:
    """Worth in each slot of an outlook.

    Where the export price is above the import price, all of a discharge is worth the mean price of a full one: the
    envelope of what it earns, of which the part to the load earns less than the rest.
    """
    efficiency = bank.one_way_efficiency[:, None]
    buy, sell = (
        np.atleast_2d(price).T[:, :, None].astype(np.float64) * NUSD_PER_UUSD
        for price in (outlook.import_uusd, outlook.export_uusd)
    )
    worth = Worth(*(np.rint(w) for w in (buy * efficiency, sell * efficiency, sell / efficiency, buy / efficiency)))
    if not outlook.exporting_pays.any():
        return worth
    reach = reach_of(bank, outlook)
    power = np.maximum(reach.to_load + reach.exported, np.finfo(np.float64).tiny)
    mean = np.rint((buy * reach.to_load + sell * reach.exported) / power * efficiency)
    return replace(
        worth,
        to_load=np.where(sell > buy, mean, worth.to_load),
        exported=np.where(sell > buy, mean, worth.exported),
    )

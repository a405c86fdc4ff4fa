"""What the planner knows of the coming slots, and what a stored kWh earns or costs in each of them.

A slot has ways through the battery: to the load, to neighbours, out to the grid; in from the home's surplus (which else
neighbours or the grid would take), in from the grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Ints
from common.units import WH_PER_KWH

NUSD_PER_UUSD = 1000


@dataclass(frozen=True)
class Sales:
    """What neighbours are expected to take from a home in the coming ``T`` slots, before the rest is exported.

    Attributes:
        price_uusd: what the home gets for it, u$ per injected kWh, shape ``(T,)``.
        most_wh: injected Wh a slot, shape ``(T,)``.
    """

    price_uusd: Ints
    most_wh: Floats

    def slots(self, some: slice | NDArray[np.bool_]) -> Sales:
        """The sales of some of the slots."""
        return Sales(self.price_uusd[some], self.most_wh[some])


@dataclass(frozen=True)
class Outlook:
    """What the planner knows of the coming ``T`` slots.

    Attributes:
        net_wh: net load, shape ``(H, K, T)`` with ``K`` scenarios; positive is need.
        import_uusd, export_uusd: prices, u$/kWh, shape ``(T,)`` or ``(H, T)``.
        terminal_uusd: value of a stored kWh after the last slot, u$ (off-peak price over one-way efficiency); one for
            all homes or shape ``(H,)``.
        grid_charge_cap_wh: most AC energy to charge from the grid in each slot, shape ``(H, T)``; None for no cap.
        sales: what neighbours take, where the price lies between export and import; None for no trade.
    """

    net_wh: Floats
    import_uusd: Ints
    export_uusd: Ints
    terminal_uusd: float | Floats
    grid_charge_cap_wh: Floats | None = None
    sales: Sales | None = None

    def homes(self, part: slice) -> Outlook:
        """The outlook of some of the homes."""
        cap = self.grid_charge_cap_wh
        return Outlook(
            self.net_wh[part],
            self.import_uusd[part] if self.import_uusd.ndim > 1 else self.import_uusd,
            self.export_uusd[part] if self.export_uusd.ndim > 1 else self.export_uusd,
            self.terminal_nusd[part] / NUSD_PER_UUSD,
            None if cap is None else cap[part],
            self.sales,
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
            None if self.sales is None else self.sales.slots(some),
        )

    def after_first(self, caps_wh: Floats | None = None, sales: Sales | None = None) -> Outlook:
        """The outlook without its first slot, with these caps on grid charging and these sales."""
        return replace(self, grid_charge_cap_wh=caps_wh, sales=sales).slots(slice(1, None))

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
class Ways:
    """A figure for each of a slot's ways through the battery, broadcastable to ``(T, h, K)``.

    Attributes:
        to_load, sold, exported: discharge to the home's need, then to neighbours, then to the grid.
        from_surplus, from_sale, from_grid: charge from surplus that else would be exported, then from surplus that else
            neighbours would buy, then from the grid.
    """

    to_load: Floats
    sold: Floats
    exported: Floats
    from_surplus: Floats
    from_sale: Floats
    from_grid: Floats


def reach_of(bank: BatteryBank, outlook: Outlook) -> Ways:
    """Most AC energy on each way, kWh; no grid charging where the export price is above the import price."""
    net, power = outlook.net_wh.transpose(2, 0, 1) / WH_PER_KWH, bank.max_slot_wh[:, None] / WH_PER_KWH
    surplus = np.maximum(-net, 0.0)
    to_load, charged = np.minimum(np.maximum(net, 0.0), power), np.minimum(surplus, power)
    from_grid: Floats = power - charged
    if outlook.grid_charge_cap_wh is not None:
        from_grid = np.minimum(from_grid, outlook.grid_charge_cap_wh.T[:, :, None] / WH_PER_KWH)
    if outlook.exporting_pays.any():
        from_grid = np.where(np.atleast_2d(outlook.exporting_pays).T[:, :, None], 0.0, from_grid)
    if outlook.sales is None:
        nothing = np.zeros_like(net)
        return Ways(to_load, nothing, power - to_load, charged, nothing, from_grid)
    taken = _taken_kwh(outlook)
    from_sale = np.maximum(np.minimum(charged, charged + taken - surplus), 0.0)  # what is exported is charged first
    sold = np.minimum(np.maximum(taken - surplus, 0.0), power - to_load)
    return Ways(to_load, sold, power - to_load - sold, charged - from_sale, from_sale, from_grid)


def _taken_kwh(outlook: Outlook) -> Floats:
    """What neighbours take where it pays more than the grid and costs less, kWh, shape ``(T, 1 or h, 1)``."""
    assert outlook.sales is not None
    price = outlook.sales.price_uusd
    pays = np.atleast_2d((outlook.export_uusd <= price) & (price <= outlook.import_uusd))
    taken: Floats = (pays * (outlook.sales.most_wh / WH_PER_KWH)).T[:, :, None]
    return taken


def worth_of(bank: BatteryBank, outlook: Outlook) -> Ways:
    """What a stored kWh earns or costs on each way, whole n$.

    Where the export price is above the import price, all of a discharge is worth the mean price of a full one: the
    envelope of what it earns, of which the part to the load earns less than the rest.
    """
    efficiency = bank.one_way_efficiency[:, None]
    sale_uusd = outlook.export_uusd if outlook.sales is None else outlook.sales.price_uusd
    buy, sale, sell = (
        np.atleast_2d(price).T[:, :, None].astype(np.float64) * NUSD_PER_UUSD
        for price in (outlook.import_uusd, sale_uusd, outlook.export_uusd)
    )
    earned, cost = (buy * efficiency, sale * efficiency, sell * efficiency), (sell, sale, buy)
    worth = Ways(*(np.rint(w) for w in (*earned, *(c / efficiency for c in cost))))
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

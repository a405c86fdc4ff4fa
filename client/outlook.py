"""What the planner knows of the coming slots, and what a stored kWh earns or costs in each of them.

A slot has ways through the battery: to the load (which else the grid or neighbours would serve), to neighbours, out to
the grid; in from the home's surplus (which else neighbours or the grid would take), from neighbours, from the grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Ints
from common.units import WH_PER_KWH

NUSD_PER_UUSD = 1000


@dataclass(frozen=True)
class Trade:
    """What neighbours are expected to take from a home, or to give it, in the coming ``T`` slots.

    Attributes:
        price_uusd: what the home gets or pays for it, u$ per kWh at its meter, shape ``(T,)``.
        most_wh: Wh a slot at its meter, shape ``(T,)``.
    """

    price_uusd: Ints
    most_wh: Floats

    def slots(self, some: slice | NDArray[np.bool_]) -> Trade:
        """The trade of some of the slots."""
        return Trade(self.price_uusd[some], self.most_wh[some])


@dataclass(frozen=True)
class Outlook:
    """What the planner knows of the coming ``T`` slots.

    Attributes:
        net_wh: net load, shape ``(H, K, T)`` with ``K`` scenarios; positive is need.
        import_uusd, export_uusd: prices, u$/kWh, shape ``(T,)`` or ``(H, T)``.
        terminal_uusd: value of a stored kWh after the last slot, u$ (off-peak price over one-way efficiency); one for
            all homes or shape ``(H,)``.
        grid_charge_cap_wh: most AC energy to charge from the grid in each slot, shape ``(H, T)``; None for no cap.
        sales: what neighbours take before the rest is exported; purchases: what they give before the rest is imported;
            where the price lies between export and import. None for no trade.
    """

    net_wh: Floats
    import_uusd: Ints
    export_uusd: Ints
    terminal_uusd: float | Floats
    grid_charge_cap_wh: Floats | None = None
    sales: Trade | None = None
    purchases: Trade | None = None

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
            self.purchases,
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
            None if self.purchases is None else self.purchases.slots(some),
        )

    def after_first(self, caps_wh: Floats | None = None) -> Outlook:
        """The outlook without its first slot, with these caps on grid charging."""
        return replace(self, grid_charge_cap_wh=caps_wh).slots(slice(1, None))

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
        to_load, to_bought, sold, exported: discharge to the home's need that the grid would serve, to that which
            neighbours would serve, then to neighbours, then to the grid.
        from_surplus, from_sale, from_bought, from_grid: charge from surplus that else would be exported, then from
            surplus that else neighbours would buy, then from what neighbours offer, then from the grid.
    """

    to_load: Floats
    to_bought: Floats
    sold: Floats
    exported: Floats
    from_surplus: Floats
    from_sale: Floats
    from_bought: Floats
    from_grid: Floats


def reach_of(bank: BatteryBank, outlook: Outlook) -> Ways:
    """Most AC energy on each way, kWh; no grid charging where the export price is above the import price."""
    net, power = outlook.net_wh.transpose(2, 0, 1) / WH_PER_KWH, bank.max_slot_wh[:, None] / WH_PER_KWH
    need, surplus = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    served, charged = np.minimum(need, power), np.minimum(surplus, power)
    nothing = np.zeros_like(net)
    to_bought, from_bought, from_sale, sold = nothing, nothing, nothing, nothing
    if outlook.purchases is not None:
        given = _kwh(outlook, outlook.purchases)
        to_bought = served - np.minimum(np.maximum(need - given, 0.0), power)
        from_bought = np.minimum(np.maximum(given - need, 0.0), power - charged)
    if outlook.sales is not None:
        taken = _kwh(outlook, outlook.sales)
        from_sale = np.maximum(np.minimum(charged, charged + taken - surplus), 0.0)  # what is exported is charged first
        sold = np.minimum(np.maximum(taken - surplus, 0.0), power - served)
    from_grid: Floats = power - charged - from_bought
    if outlook.grid_charge_cap_wh is not None:
        from_grid = np.minimum(from_grid, outlook.grid_charge_cap_wh.T[:, :, None] / WH_PER_KWH)
    if outlook.exporting_pays.any():
        from_grid = np.where(np.atleast_2d(outlook.exporting_pays).T[:, :, None], 0.0, from_grid)
    return Ways(
        to_load=served - to_bought,
        to_bought=to_bought,
        sold=sold,
        exported=power - served - sold,
        from_surplus=charged - from_sale,
        from_sale=from_sale,
        from_bought=from_bought,
        from_grid=from_grid,
    )


def _kwh(outlook: Outlook, trade: Trade) -> Floats:
    """What is traded where it pays more than the grid and costs less, kWh, shape ``(T, 1 or h, 1)``."""
    price = trade.price_uusd
    pays = np.atleast_2d((outlook.export_uusd <= price) & (price <= outlook.import_uusd))
    energy: Floats = (pays * (trade.most_wh / WH_PER_KWH)).T[:, :, None]
    return energy


def worth_of(bank: BatteryBank, outlook: Outlook) -> Ways:
    """What a stored kWh earns or costs on each way, whole n$.

    Where the export price is above the import price, all of a discharge is worth the mean price of a full one: the
    envelope of what it earns, of which the part to the load earns less than the rest.
    """
    efficiency = bank.one_way_efficiency[:, None]
    sale_uusd = outlook.export_uusd if outlook.sales is None else outlook.sales.price_uusd
    bought_uusd = outlook.import_uusd if outlook.purchases is None else outlook.purchases.price_uusd
    buy, bought, sale, sell = (
        np.atleast_2d(price).T[:, :, None].astype(np.float64) * NUSD_PER_UUSD
        for price in (outlook.import_uusd, bought_uusd, sale_uusd, outlook.export_uusd)
    )
    earned, cost = (np.rint(price * efficiency) for price in (buy, bought, sale, sell)), (sell, sale, bought, buy)
    worth = Ways(*earned, *(np.rint(price / efficiency) for price in cost))
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

"""Smart charging: when a car that is plugged in takes the energy that it needs before it leaves.

Energy that is charged in a slot costs the export price as far as the home has surplus, and the import price beyond it.
With foresight of a scenario the plan takes the cheapest energy of the stay, the earliest first among the equal ones,
which is exact (tests hold it against HiGHS).  One more Wh now is worth what the dearest Wh would cost that the rest of
the stay has to give without it: its mean over the scenarios.

The car is planned before the battery, which then sees its charging as load.  Where energy costs the same whenever both
may charge, as off-peak, this order loses next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from client.battery import Floats, Ints
from client.outlook import Outlook
from client.planner import scenario_mean
from client.trading import largest_energy

_BEYOND_UUSD = 1e9
"""Worth of energy that the rest of the stay cannot give any more: $1000 a kWh."""


@dataclass(frozen=True)
class Stays:
    """Cars of ``H`` homes at the gate closure of a slot; integer arrays of shape ``(H,)``.

    Attributes:
        need_wh: AC energy that each car still needs; 0 where none is plugged in.
        slots: slots that it stays, this one among them.
        max_slot_wh: most AC energy that its charger gives in a slot.
    """

    need_wh: Ints
    slots: Ints
    max_slot_wh: Ints

    @property
    def must_wh(self) -> Ints:
        """What a slot has to give, for the later ones cannot give all of the rest."""
        later = np.maximum(self.slots - 1, 0) * self.max_slot_wh
        must: Ints = np.clip(self.need_wh - later, 0, self.max_slot_wh)
        return must


@dataclass(frozen=True)
class Charging:
    """Planned charging in each scenario.

    Attributes:
        rows: numbers of the homes whose car needs energy, shape ``(C,)``.
        surplus_wh, grid_wh: AC Wh of the home's own surplus, and beyond it, shape ``(C, K, T)``.
    """

    rows: NDArray[np.intp]
    surplus_wh: Floats
    grid_wh: Floats

    def beside(self, outlook: Outlook) -> Outlook:
        """The outlook with the cars' charging as load."""
        if not len(self.rows):
            return outlook
        net = outlook.net_wh.copy()
        net[self.rows] += self.surplus_wh + self.grid_wh
        return replace(outlook, net_wh=net)


def plan_charging(stays: Stays, outlook: Outlook, caps_wh: Floats | None = None) -> Charging:
    """The cheapest charging of each scenario with foresight of it.

    Args:
        stays: of the cars.
        outlook: prices of one tariff for all homes, and net load without the cars.
        caps_wh: most energy beyond the surplus in each slot, shape ``(H, T)``; None for no cap.
    """
    rows = np.flatnonzero(stays.need_wh > 0)
    amount, order, _ = _offered(stays, outlook, caps_wh, rows)
    taken = np.minimum(np.cumsum(amount, axis=2), stays.need_wh[rows, None, None])
    planned = np.empty_like(taken)
    planned[:, :, order] = np.diff(taken, axis=2, prepend=0.0)
    surplus, grid = np.split(planned, 2, axis=2)
    return Charging(rows, surplus, grid)


def wanted_wh(stays: Stays, outlook: Outlook, price_uusd: float, caps_wh: Floats | None = None) -> Ints:
    """Energy that the cars want in the outlook's first slot at a price, eagerly: what is as cheap later is taken now.

    Args:
        stays: of the cars.
        outlook: of the slot and those after it, without the cars.
        price_uusd: of the energy, u$/kWh.
        caps_wh: of :func:`plan_charging`, for the later slots.

    Returns:
        Whole Wh, shape ``(H,)``, at most what the charger gives.
    """
    wanted = np.zeros_like(stays.need_wh)
    rows = np.flatnonzero(stays.need_wh > 0)
    if not len(rows):
        return wanted
    later = replace(stays, slots=stays.slots - 1)
    amount, _, price = _offered(later, outlook.after_first(), None if caps_wh is None else caps_wh[:, 1:], rows)
    available = np.cumsum(amount, axis=2)
    prices = np.append(price, _BEYOND_UUSD)

    def worth_it(energy_wh: Floats) -> NDArray[np.bool_]:
        short = (stays.need_wh[rows] - energy_wh + 0.5)[:, None, None]  # the middle of the Wh that is spared
        dearest = prices[np.count_nonzero(available < short, axis=2)]
        spared: NDArray[np.bool_] = scenario_mean(dearest) >= price_uusd
        return spared

    most = np.minimum(stays.need_wh, stays.max_slot_wh)[rows]
    wanted[rows] = np.minimum(largest_energy(worth_it, len(rows)), most)
    return wanted


def beyond_surplus_uusd(outlook: Outlook) -> Ints:
    """Price of what a car takes beyond its home's surplus, u$/kWh, shape ``(T,)``.

    Where exporting pays more than importing costs, batteries discharge and what the car takes comes out of the export.
    """
    return np.maximum(outlook.import_uusd, outlook.export_uusd)


def paces_wh(stays: Stays, price_uusd: Ints) -> Floats:
    """Caps on charging from the grid that spread it evenly over the cheapest slots of each stay.

    A car that is gone by the morning cannot wait for its share of a valley, as batteries do; were all cars to charge as
    early as they might, the evening would have a new peak.

    Args:
        stays: of the cars.
        price_uusd: of what is not surplus in each slot from the stays' first one on, shape ``(T,)``.

    Returns:
        AC Wh, shape ``(H, T)``; as much as each car needs.
    """
    power = stays.max_slot_wh[:, None].astype(np.float64)
    here = np.arange(len(price_uusd)) < stays.slots[:, None]
    left, caps = stays.need_wh[:, None].astype(np.float64), np.zeros(here.shape)
    for price in np.unique(price_uusd).tolist():
        slots = here & (price_uusd == price)
        count = slots.sum(axis=1, keepdims=True)
        pace = np.minimum(left / np.maximum(count, 1), power)
        caps += pace * slots
        left = left - pace * count
    caps[:, 0] = np.maximum(caps[:, 0], stays.must_wh)
    return caps


def limits_wh(stays: Stays, outlook: Outlook, caps_wh: Floats | None = None) -> tuple[Ints, Ints]:
    """What the chargers do in the outlook's first slot: the least, from the grid if need be, and the most, of surplus.

    Args:
        stays, outlook, caps_wh: as of :func:`wanted_wh`.
    """
    sell = int(outlook.export_uusd[0])
    dear = int(beyond_surplus_uusd(outlook)[0])
    least = wanted_wh(stays, outlook, dear, caps_wh)
    if caps_wh is not None:
        least = np.minimum(least, np.floor(caps_wh[:, 0]).astype(np.int64))
    least = np.maximum(least, stays.must_wh)
    return least, np.maximum(wanted_wh(stays, outlook, sell, caps_wh), least)


def charge(net_wh: Ints, least_wh: Ints, most_wh: Ints) -> Ints:
    """What the cars take in a slot: the home's surplus between the limits, Wh.

    Args:
        net_wh: load - PV + sold - bought of the slot without the cars, shape ``(H,)``; positive is need.
        least_wh, most_wh: by :func:`limits_wh`.
    """
    return np.clip(-net_wh, least_wh, most_wh)


def _offered(
    stays: Stays, outlook: Outlook, caps_wh: Floats | None, rows: NDArray[np.intp]
) -> tuple[Floats, NDArray[np.intp], Floats]:
    """What slots can give the cars of ``rows``, the cheapest and then the earliest first.

    Returns:
        Energy, Wh, shape ``(rows, K, 2 T)``; its place among (surplus of each slot, grid in each slot), shape
        ``(2 T,)``; its price, u$/kWh, of the same shape.
    """
    net, slots = outlook.net_wh[rows], outlook.net_wh.shape[2]
    stays_on = np.arange(slots) < stays.slots[rows, None]
    power = (stays.max_slot_wh[rows, None] * stays_on)[:, None, :]
    surplus = np.minimum(np.maximum(-net, 0.0), power)
    grid = power - surplus
    if caps_wh is not None:
        grid = np.minimum(grid, caps_wh[rows, None, :])
    price = np.concatenate([outlook.export_uusd, beyond_surplus_uusd(outlook)])
    order = np.lexsort((np.tile(np.arange(slots), 2), price))
    amount = np.concatenate([surplus, grid], axis=2)[:, :, order]
    return amount, order, price[order].astype(np.float64)

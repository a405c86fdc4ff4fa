"""Sizing of firm orders: a newsvendor with the battery as recourse.

A firm order is a promise made before the slot's net load is known.  What one more Wh at the meter will then be worth
is known for each scenario: the tariff where the home imports or exports at the margin, and the value of stored energy
where its battery takes up the difference.  A home buys while the expected worth is above the price, and sells while it
is below what the seller gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Ints
from client.outlook import NUSD_PER_UUSD
from client.planner import scenario_mean
from client.value import StoredValue
from common.config import MarketRules
from common.units import WH_PER_KWH

_SEARCH_BITS = 17  # orders up to 2**17 - 1 Wh, more than a home's meter can carry in a slot


@dataclass(frozen=True)
class Offers:
    """Orders of a slot, integer arrays of shape ``(H,)``; a home buys, sells, or holds (both energies 0).

    Attributes:
        buy_wh: delivered energy that the home wants to buy.
        sell_wh: energy that it promises to inject.
        limit_uusd: the most it pays or the least it accepts, per delivered kWh; the posted price when it holds.
    """

    buy_wh: Ints
    sell_wh: Ints
    limit_uusd: Ints


@dataclass(frozen=True)
class Position:
    """What homes know of a slot when they trade in it.

    Attributes:
        bank: their batteries, ``H`` homes.
        stored_kwh: stored energy at the start of the slot, shape ``(H,)``.
        value: marginal value of energy that is stored after the slot.
        net_wh: scenarios of the slot's net load, shape ``(H, K)``; positive is need.
        import_uusd, export_uusd: the tariff of the slot, u$/kWh.
        limit_worth_uusd: what a kWh of the sell limit is worth for later sales of the day, u$, shape ``(H,)``.
    """

    bank: BatteryBank
    stored_kwh: Floats
    value: StoredValue
    net_wh: Floats
    import_uusd: int
    export_uusd: int
    limit_worth_uusd: Floats | float = 0.0

    def worth_uusd(self, delivered_wh: NDArray[np.floating]) -> Floats:
        """Expected worth of one more Wh at the meter, u$/kWh.

        Args:
            delivered_wh: energy that the market brings (negative: takes), shape ``(H,)``.

        Returns:
            The worth, between the export and the import price, shape ``(H,)``; never rises with ``delivered_wh``.
        """
        rest = self.net_wh - delivered_wh[:, None]  # (H, K): what battery and grid must make good
        efficiency, power = self.bank.one_way_efficiency[:, None], self.bank.max_slot_wh[:, None]
        need = rest > 0.0
        per_wh = np.where(need, 1.0 / efficiency, efficiency)  # stored per AC energy
        value = self.value.at(self.stored_kwh[:, None] - rest * per_wh / WH_PER_KWH)
        worth = np.clip(value * per_wh / NUSD_PER_UUSD, self.export_uusd, self.import_uusd)
        worth = np.where(rest > power, self.import_uusd, np.where(rest < -power, self.export_uusd, worth))
        return scenario_mean(worth)

    def room_wh(self) -> tuple[Ints, Ints]:
        """Most energy that home and battery could take in, and give, in any scenario; whole Wh, shape ``(H,)``."""
        power = self.bank.max_slot_wh
        take, give = self.net_wh.max(axis=1) + power, power - self.net_wh.min(axis=1)
        take_wh, give_wh = (np.floor(np.maximum(room, 0.0)).astype(np.int64) for room in (take, give))
        return take_wh, give_wh


def size_orders(position: Position, price_uusd: int | Ints, sell_left_wh: Ints, rules: MarketRules) -> Offers:
    """Firm orders for a slot at a posted price.

    Args:
        position: of the homes.
        price_uusd: posted price per delivered kWh; or one for each home, shape ``(H,)``.
        sell_left_wh: what is left of the day's sell limit, injected Wh, shape ``(H,)``.
        rules: of the market; a seller is paid for what is delivered of the injected energy.

    Returns:
        The orders that no home expects to lose by: each Wh of a bid is worth more than the price, each Wh of an offer
        less than the seller's share of it.  None where exporting pays more than importing costs: homes export then, and
        nobody may buy to export.
    """
    received = price_uusd * rules.delivered_share - position.limit_worth_uusd
    buy = largest_energy(lambda wh: position.worth_uusd(wh - 0.5) > price_uusd, len(position.bank))
    sell = largest_energy(lambda wh: position.worth_uusd(0.5 - wh) < received, len(position.bank))
    # Nobody buys to export, nor sells what is imported, even at an odd price.
    most_buy, most_sell = position.room_wh()
    buy, sell = np.minimum(buy, most_buy), np.minimum(np.minimum(sell, most_sell), np.maximum(sell_left_wh, 0))
    highest_bid = np.floor(position.worth_uusd(buy - 0.5))
    lowest_ask = np.ceil((position.worth_uusd(0.5 - sell) + position.limit_worth_uusd) / rules.delivered_share)
    if position.export_uusd > position.import_uusd:
        buy, sell = np.zeros_like(buy), np.zeros_like(sell)
    limit = np.where(buy > 0, highest_bid, np.where(sell > 0, lowest_ask, price_uusd))
    return Offers(buy, sell, np.clip(limit, rules.floor_uusd, rules.ceiling_uusd).astype(np.int64))


def largest_energy(wanted: Callable[[Floats], NDArray[np.bool_]], homes: int) -> Ints:
    """Largest whole energy of which each Wh is wanted, by bisection; ``wanted(wh)`` judges the ``wh``-th Wh."""
    energy = np.zeros(homes)
    for bit in reversed(range(_SEARCH_BITS)):
        more = energy + (1 << bit)
        energy = np.where(wanted(more), more, energy)
    return energy.astype(np.int64)

"""Admission of orders: which promises the market takes, and why it refuses the others.

An order's limit is the home's own reservation price and may lie outside the market's floor and ceiling: those bound
the price of trades, and a limit outside only says "at any price" or "at none".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

import numpy as np

from common.config import MarketRules
from common.messages import Order
from market.book import Bools, HomeTable, Ints, OrderBook, eagerness


class RefusalReason(StrEnum):
    """Why the market did not take an order, or not all of it."""

    UNKNOWN_HOME = "unknown-home"
    WRONG_SLOT = "wrong-slot"
    ENERGY_OUT_OF_BOUNDS = "energy-out-of-bounds"
    BOTH_SIDES = "both-sides"
    DUPLICATE_SIDE = "duplicate-side"
    TOO_MANY_ORDERS = "too-many-orders"
    DAILY_SELL_LIMIT = "daily-sell-limit"


@dataclass(frozen=True)
class OrderRefusal:
    """An order, or a part of it, that the market did not take.

    Attributes:
        order: as the home sent it.
        reason: why.
        refused_wh: energy that was not taken, Wh; less than the order's where a sale was cut to the daily limit.
    """

    order: Order
    reason: RefusalReason
    refused_wh: int


def sellable_wh(home_id: str, sold_today_wh: Mapping[str, int], rules: MarketRules) -> int:
    """Energy that a home may still inject for sale in this local day, Wh."""
    left_wh = rules.daily_sell_limit_wh - sold_today_wh.get(home_id, 0)
    assert left_wh >= 0, f"{home_id} sold {-left_wh} Wh over the daily limit"
    return left_wh


@dataclass(frozen=True, eq=False)
class Registry:
    """Homes that may order.

    Attributes:
        homes: the homes.
        max_slot_wh: most energy that each one's connection carries in a slot, Wh, shape ``(H,)``.
    """

    homes: HomeTable
    max_slot_wh: Ints

    @staticmethod
    def of(max_slot_wh: Mapping[str, int]) -> Registry:
        """Registry of homes by id."""
        homes = HomeTable.of(max_slot_wh)
        return Registry(homes, np.array([max_slot_wh[home] for home in homes.ids], np.int64))


def admit(
    orders: Sequence[Order],
    slot: int,
    sold_today_wh: Mapping[str, int],
    registry: Registry,
    rules: MarketRules,
    most_orders: int = 1,
) -> tuple[OrderBook, tuple[OrderRefusal, ...]]:
    """Take the valid orders of a slot, at most ``most_orders`` of each home and all of them on one side.

    A home that orders both sides, or one side more often, has all of its orders of the slot refused: to keep one of
    them would make the arrival order matter. A home's orders together are cut to what its connection carries, and a
    sale to what is left of the day, those that it is least eager to trade first: the lowest bids, the highest offers.

    Args:
        orders: as they arrived, in any order.
        slot: the slot that is being cleared.
        sold_today_wh: energy that each home has injected for sale in the local day of ``slot``, Wh.
        registry: the known homes.
        rules: of the market.
        most_orders: of one home in a slot; of several a mechanism may fill some.

    Returns:
        The accepted orders and the refusals; accepted and refused energy add up to what was ordered.
    """
    columns = _Columns.of(orders, registry.homes)
    at, refused = _sound(columns, slot, registry, most_orders)
    home, sale, limit = columns.home[at], columns.sells[at], columns.limit_uusd[at]
    at = at[eagerness(home, sale, columns.energy_wh[at], limit)]
    home, sale, energy = columns.home[at], columns.sells[at], columns.energy_wh[at]
    carried = _cut(home, energy, registry.max_slot_wh[home])
    left = np.full(len(registry.homes.ids), rules.daily_sell_limit_wh)
    for home_id in sold_today_wh.keys() & registry.homes.number.keys():
        left[registry.homes.number[home_id]] = sellable_wh(home_id, sold_today_wh, rules)
    room = carried.copy()
    room[sale] = _cut(home[sale], carried[sale], left[home[sale]])
    refused.append((at, RefusalReason.ENERGY_OUT_OF_BOUNDS, energy - carried))
    refused.append((at, RefusalReason.DAILY_SELL_LIMIT, carried - room))
    some = room > 0
    book = OrderBook(registry.homes, slot, home[some], sale[some], room[some], columns.limit_uusd[at][some])
    return book, tuple(
        OrderRefusal(orders[row], reason, wh)
        for rows, reason, amounts in refused
        for row, wh in zip(rows[amounts > 0].tolist(), amounts[amounts > 0].tolist(), strict=True)
    )


_Refused = tuple[Ints, RefusalReason, Ints]
"""Rows of orders, why they are refused, and how much of each, Wh."""


@dataclass(frozen=True, eq=False)
class _Columns:
    """Orders as they came, shape ``(n,)``; an unknown home has number -1."""

    home: Ints
    slot: Ints
    sells: Bools
    energy_wh: Ints
    limit_uusd: Ints

    @staticmethod
    def of(orders: Sequence[Order], homes: HomeTable) -> _Columns:
        number = homes.number
        return _Columns(
            home=np.array([number.get(home, -1) for home in map(attrgetter("home_id"), orders)], np.int64),
            slot=np.array(list(map(attrgetter("slot"), orders)), np.int64),
            sells=np.array([side == "sell" for side in map(attrgetter("side"), orders)], np.bool_),
            energy_wh=np.array(list(map(attrgetter("energy_wh"), orders)), np.int64),
            limit_uusd=np.array(list(map(attrgetter("limit_uusd"), orders)), np.int64),
        )


def _sound(columns: _Columns, slot: int, registry: Registry, most_orders: int) -> tuple[Ints, list[_Refused]]:
    """Rows of orders that have no fault in themselves or beside their home's other orders, and those that have."""
    at, refused = np.arange(len(columns.home)), list[_Refused]()

    def drop(faulty: Bools, reason: RefusalReason) -> Ints:
        refused.append((at[faulty], reason, columns.energy_wh[at[faulty]]))
        return at[~faulty]

    at = drop(columns.home[at] < 0, RefusalReason.UNKNOWN_HOME)
    at = drop(columns.slot[at] != slot, RefusalReason.WRONG_SLOT)
    at = drop(columns.energy_wh[at] > registry.max_slot_wh[columns.home[at]], RefusalReason.ENERGY_OUT_OF_BOUNDS)
    homes = len(registry.homes.ids)
    bids, offers = (np.bincount(columns.home[at[columns.sells[at] == s]], minlength=homes) for s in (False, True))
    at = drop(((bids > 0) & (offers > 0))[columns.home[at]], RefusalReason.BOTH_SIDES)
    reason = RefusalReason.DUPLICATE_SIDE if most_orders == 1 else RefusalReason.TOO_MANY_ORDERS
    return drop((bids + offers > most_orders)[columns.home[at]], reason), refused


def _cut(home: Ints, energy_wh: Ints, most_wh: Ints) -> Ints:
    """What fits of each order, Wh, when a home's orders, which stand together, are cut from the last one on.

    Args:
        home, energy_wh: of the orders.
        most_wh: of the order's home in all, shape as ``energy_wh``.
    """
    if len(home) == 0:
        return energy_wh
    before = np.cumsum(energy_wh) - energy_wh
    opens = np.diff(home, prepend=-1) != 0
    before -= before[opens][np.cumsum(opens) - 1]
    fits: Ints = np.clip(most_wh - before, 0, energy_wh)
    return fits

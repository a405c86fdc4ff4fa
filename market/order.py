"""Admission of orders: which promises the market takes, and why it refuses the others.

An order's limit is the home's own reservation price and may lie outside the market's floor and ceiling: those bound
the price of trades, and a limit outside only says "at any price" or "at none".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from common.config import MarketRules
from common.messages import Order


class RefusalReason(StrEnum):
    """Why the market did not take an order, or not all of it."""

    UNKNOWN_HOME = "unknown-home"
    WRONG_SLOT = "wrong-slot"
    ENERGY_OUT_OF_BOUNDS = "energy-out-of-bounds"
    BOTH_SIDES = "both-sides"
    DUPLICATE_SIDE = "duplicate-side"
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


def admit(
    orders: Sequence[Order],
    slot: int,
    sold_today_wh: Mapping[str, int],
    max_slot_wh: Mapping[str, int],
    rules: MarketRules,
) -> tuple[tuple[Order, ...], tuple[OrderRefusal, ...]]:
    """Take the valid orders of a slot, at most one for each home.

    A home that orders both sides, or one side twice, has all of its orders of the slot refused: to keep one of them
    would make the arrival order matter. A sale over the daily limit is cut to what is left of it.

    Args:
        orders: as they arrived, in any order.
        slot: the slot that is being cleared.
        sold_today_wh: energy that each home has injected for sale in the local day of ``slot``, Wh.
        max_slot_wh: most energy that each known home's connection carries in a slot, Wh.
        rules: of the market.

    Returns:
        The accepted orders and the refusals; accepted and refused energy add up to what was ordered.
    """
    refusals: list[OrderRefusal] = []
    by_home: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        reason = _own_fault(order, slot, max_slot_wh)
        if reason is None:
            by_home[order.home_id].append(order)
        else:
            refusals.append(OrderRefusal(order, reason, order.energy_wh))

    accepted: list[Order] = []
    for home_id, home_orders in by_home.items():
        if len(home_orders) > 1:
            sides = {order.side for order in home_orders}
            reason = RefusalReason.BOTH_SIDES if len(sides) > 1 else RefusalReason.DUPLICATE_SIDE
            refusals.extend(OrderRefusal(order, reason, order.energy_wh) for order in home_orders)
            continue
        order = home_orders[0]
        if order.side == "sell":
            taken_wh = min(order.energy_wh, sellable_wh(home_id, sold_today_wh, rules))
            if taken_wh < order.energy_wh:
                refused_wh = order.energy_wh - taken_wh
                refusals.append(OrderRefusal(order, RefusalReason.DAILY_SELL_LIMIT, refused_wh))
                if taken_wh == 0:
                    continue
                order = order.model_copy(update={"energy_wh": taken_wh})
        accepted.append(order)
    return tuple(accepted), tuple(refusals)


def _own_fault(order: Order, slot: int, max_slot_wh: Mapping[str, int]) -> RefusalReason | None:
    """Reason that lies in the order alone, whatever else the home sent."""
    if order.home_id not in max_slot_wh:
        return RefusalReason.UNKNOWN_HOME
    if order.slot != slot:
        return RefusalReason.WRONG_SLOT
    if order.energy_wh > max_slot_wh[order.home_id]:
        return RefusalReason.ENERGY_OUT_OF_BOUNDS
    return None

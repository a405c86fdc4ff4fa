"""What a home may expect to trade: what neighbours will want or offer; what the sell limit leaves, and is worth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from client.battery import Floats, Ints
from client.outlook import Trade
from client.planner import scenario_mean
from common.clock import local_of
from common.config import BatterySpec, MarketRules
from common.messages import Quote
from common.tariff import dear_until

_COMES_ABOUT = 0.8
"""Share that comes about of what is expected: of later sales, whose worth a unit of the limit is kept for, and of what
neighbours offer."""
_NEIGHBOURS_GIVE = 0.7
"""Share of what a home will lack in dear hours that it counts on neighbours for."""


def expected_sales(quote: Quote, import_uusd: Ints, delivered_share: float) -> Trade:
    """What neighbours are expected to take from the quoted slot on; after the curve's day as on it.

    The price is the highest that the curve has at the same import price: what is stored is sold when it is scarce,
    and a plan with few prices is made fast.  In slots before the import price falls it is the highest of such slots of
    the curve, where that is lower.

    Args:
        quote: of central.
        import_uusd: import price of each slot from the quoted one on, shape ``(T,)``.
        delivered_share: of the injected energy, which alone is paid for.
    """
    falls = np.append(np.diff(import_uusd) < 0, False)
    before_fall = _highest_uusd(quote, import_uusd, falls[: len(quote.curve_uusd)])
    price = _highest_uusd(quote, import_uusd)
    price = np.where(falls, np.minimum(before_fall, price), price)
    return Trade(np.rint(price * delivered_share).astype(np.int64), _over(quote.wanted_wh, len(import_uusd)))


def expected_purchases(quote: Quote, import_uusd: Ints) -> Trade:
    """What neighbours are expected to give from the quoted slot on; after the curve's day as on it.

    The price is the highest of the slots in which something is offered at the same import price.

    Args:
        quote, import_uusd: as of :func:`expected_sales`.
    """
    offered = np.array(quote.offered_wh) > 0
    price = _highest_uusd(quote, import_uusd, offered)
    return Trade(price, _over(quote.offered_wh, len(import_uusd)) * _COMES_ABOUT)


def expected_cost_uusd(quote: Quote, import_uusd: Ints, export_uusd: Ints, rules: MarketRules) -> Ints:
    """What a home expects to pay for what it will lack in dear hours: most of it neighbours will give.

    Who values its battery at the tariff alone buys early, at a price that it can still pay when it knows that it lacks
    something.  No neighbour gives it for less than exporting pays; nor, where the day has no sun to spare, for less
    than buying and storing it costs: where the tariff's prices are that near to each other nobody is counted on.

    Args:
        quote, import_uusd: as of :func:`expected_sales`.
        export_uusd: export price of the same slots.
        rules: of the market.

    Returns:
        u$/kWh, shape ``(T,)``; the import price in its cheapest hours.
    """
    stored_uusd = 0 if any(quote.offered_wh) else round(int(import_uusd.min()) / BatterySpec().round_trip_efficiency)
    least = rules.least_price_uusd(np.maximum(export_uusd, stored_uusd))
    price = np.minimum(np.maximum(_highest_uusd(quote, import_uusd), least), import_uusd)
    dear = import_uusd > import_uusd.min()
    return np.where(dear, np.rint(import_uusd - _NEIGHBOURS_GIVE * (import_uusd - price)).astype(np.int64), import_uusd)


def _highest_uusd(quote: Quote, import_uusd: Ints, counts: NDArray[np.bool_] | bool = True) -> Ints:
    """Highest price of the curve's slots that count, at each slot's import price; that itself where none counts."""
    curve, price = np.array(quote.curve_uusd, np.int64), import_uusd.copy()
    for level in np.unique(import_uusd[: len(curve)]).tolist():
        same = (import_uusd[: len(curve)] == level) & counts
        if same.any():
            price[import_uusd == level] = curve[same].max()
    return price


def _over(energy_wh: tuple[int, ...], slots: int) -> Floats:
    """A day's energies, day after day."""
    return np.resize(np.array(energy_wh, np.float64), slots)


def sellable_wh(surplus_wh: Floats, left_wh: Ints, limit_wh: int, day: Ints) -> Floats:
    """Planned surplus that the sell limit lets a home sell, first come, first sold.

    Args:
        surplus_wh: planned export, injected Wh, shape ``(H, K, T)``.
        left_wh: what is left of the limit of the first slot's day, shape ``(H,)``; limit_wh: of a whole day.
        day: number of the local day of each slot, shape ``(T,)``.

    Returns:
        Of the shape of ``surplus_wh``.
    """
    sellable = np.empty_like(surplus_wh)
    for inside, left in _limits_by_day(left_wh, limit_wh, day):
        sold = np.minimum(np.cumsum(surplus_wh[:, :, inside], axis=2), left[:, None, None])
        sellable[:, :, inside] = np.diff(sold, axis=2, prepend=0.0)
    return sellable


def _limits_by_day(left_wh: Ints, limit_wh: int, day: Ints) -> Iterator[tuple[NDArray[np.bool_], Ints]]:
    """Each local day's slots, and what is left of its sell limit; arguments as of :func:`sellable_wh`."""
    for number in np.unique(day).tolist():
        left = left_wh if number == day[0] else np.full_like(left_wh, limit_wh)
        yield day == number, np.maximum(left, 0)


def sellable_besides_wh(
    stored_wh: Floats, sold_wh: Ints, left_wh: Ints, limit_wh: int, day: Ints, import_uusd: Ints
) -> Ints:
    """What homes could sell in dear hours beyond their plans, of what is then still stored.

    A battery holds energy for the night after the peak.  Sold at the peak instead, it saves a neighbour what charging
    from the grid costs, and costs the home the night's import.

    Args:
        stored_wh: what a battery could still give after each slot, AC, shape ``(H, T)``.
        sold_wh: planned sales, injected Wh, shape ``(H, T)``.
        left_wh, limit_wh, day: as of :func:`sellable_wh`.
        import_uusd: import price of each slot, u$/kWh, shape ``(T,)``.

    Returns:
        Injected Wh, shape ``(H, T)``; the same energy in all slots of a run of dear ones within a day, 0 in the
        cheapest hours.  How fast a battery can give it does not count; a run that the plan cuts off ends with it.
    """
    until, slots = dear_until(import_uusd), np.arange(len(import_uusd))
    besides = np.where(until > slots, stored_wh[:, until - 1], 0.0)
    for inside, left in _limits_by_day(left_wh, limit_wh, day):
        besides[:, inside] = np.minimum(besides[:, inside], (left - sold_wh[:, inside].sum(axis=1))[:, None])
    return np.rint(np.maximum(besides, 0.0)).astype(np.int64)


def limit_worth_uusd(surplus_wh: Floats, left_wh: Ints, gain_uusd: Floats, today: NDArray[np.bool_]) -> Floats:
    """What one more kWh of today's sell limit would earn a home, u$/kWh, shape ``(H,)``.

    In each scenario the limit is best spent on the slots that gain most; a home whose surplus is more than its limit
    would spend one more unit on the best slot that is left out. Zero where the limit does not bind.  A sale is worth
    its while only if it earns more than that: a promise that the battery or the grid has to make good spends the limit,
    too.

    Args:
        surplus_wh: planned export, injected Wh, shape ``(H, K, T)``.
        left_wh: what is left of today's limit, shape ``(H,)``.
        gain_uusd: what a sold kWh is expected to earn over an exported one, u$ per injected kWh, shape ``(T,)``.
        today: slots of the local day of the first one, shape ``(T,)``.
    """
    gain = np.maximum(gain_uusd, 0.0)[today]
    order = np.argsort(-gain, kind="stable")
    spent = np.cumsum(surplus_wh[:, :, today][:, :, order], axis=2) > np.maximum(left_wh, 0)[:, None, None]
    marginal = np.where(spent.any(axis=2), gain[order][np.argmax(spent, axis=2)], 0.0)
    return _COMES_ABOUT * scenario_mean(marginal)


def local_days(slot: int, count: int) -> Ints:
    """Number of the local day of ``count`` slots from ``slot`` on."""
    return np.array([local_of(at).toordinal() for at in range(slot, slot + count)], np.int64)

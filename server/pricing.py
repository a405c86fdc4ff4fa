"""The price signal and the charging guard that central broadcasts, both from the homes' indicative plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.config import BatterySpec, MarketRules
from common.messages import MOST_WH
from common.tariff import charge_windows, dear_until
from market.mechanism import Mechanism

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNLIMITED = 2.0
"""A share of charging that limits nothing; finite, because the wire carries no infinity."""
_OVER_REFILL = 1 / 8
"""How far the price may stand before the tariff falls, of the way from what refilling costs a seller to the tariff."""
_OVER_REFILL_OF_STORED = 1 / 4
"""The same in dear hours, where enough is stored to sell."""
_STORED_OVER_LACK = 3
"""How often must be stored what dear hours lack, before the price falls as far as that.

An eighth under the tariff a home orders only what it lacks almost surely; at a low price sellers keep what they may
need."""
_SPARE_OVER_LACK = 8
"""How often must be spare what dear hours lack, before the price falls to what refilling costs.

At that price homes buy in place of discharging, too.  The long side is shared pro rata, so were there little to spare
those that lack something would get a part of it."""
_OVER_EXPECTED = 1.1
"""A day's usual peak over the highest of what plans expect of each half-hour: chance makes some half-hour higher."""


@dataclass(frozen=True)
class PlanSums:
    """Sums of the homes' plans, attributes as of :class:`common.messages.Plan`, Wh, shape ``(T,)``."""

    need_wh: Ints
    charge_wh: Ints
    surplus_wh: Ints
    stored_wh: Ints
    spare_wh: Ints


def price_curve(
    plans: PlanSums, import_uusd: Ints, export_uusd: Ints, rules: MarketRules, mechanism: Mechanism
) -> tuple[int, ...]:
    """The price of each slot: the mechanism's, but lower where much is stored for later, and before the tariff falls.

    What is stored will be worth at least the lowest import price, less the loss of a battery.  In dear hours the price
    is the mechanism's as well for what is spare, and for what is stored, over several times what these hours lack from
    the slot on, where that is lower; it goes down to what refilling costs, and near it.

    Args:
        plans: of ``T`` slots.
        import_uusd: import prices, u$/kWh, of the slots and the one after them, shape ``(T + 1,)``.
        export_uusd: export prices, shape ``(T,)``.
        rules: of the market.
        mechanism: of the market.
    """
    now, after = import_uusd[:-1], import_uusd[1:]
    lowest, efficiency = np.full_like(now, now.min()), BatterySpec().round_trip_efficiency

    def posted(supply_wh: Ints, wanted_wh: Ints, least_uusd: Ints) -> Ints:
        prices = (now.tolist(), export_uusd.tolist(), least_uusd.tolist())
        slots = zip(supply_wh.tolist(), wanted_wh.tolist(), *prices, strict=True)
        return np.array([mechanism.posted_price(*slot, rules) for slot in slots], np.int64)

    price = posted(plans.surplus_wh, plans.need_wh, (lowest * efficiency).astype(np.int64))
    lack_wh = _until_wh(np.maximum(plans.need_wh - rules.deliverable_wh(plans.surplus_wh), 0), dear_until(now))
    near_refill = _near_refilling_uusd(now, lowest, _OVER_REFILL_OF_STORED, rules)
    for supply_wh, times, least_uusd in (
        (plans.stored_wh, _STORED_OVER_LACK, near_refill),
        (plans.spare_wh, _SPARE_OVER_LACK, (lowest / efficiency).astype(np.int64)),
    ):
        price = np.minimum(price, posted(supply_wh, times * lack_wh, least_uusd))
    least = np.maximum(rules.least_price_uusd(export_uusd), rules.floor_uusd)
    most = np.maximum(_near_refilling_uusd(now, after, _OVER_REFILL, rules), least)
    return tuple(np.minimum(price, most).tolist())


def _until_wh(planned_wh: Ints, until: Ints) -> Ints:
    """Sum of what is planned from each slot on until another one, shape ``(T,)``."""
    before: Ints = np.append(0, np.cumsum(planned_wh))
    return before[until] - before[:-1]


def _near_refilling_uusd(import_uusd: Ints, later_uusd: Ints, over: float, rules: MarketRules) -> Ints:
    """A price near what it costs the giver to refill later what is given in a slot.

    As an upper bound it limits nothing unless the import price falls by more than the losses.  A home that lacks
    something just before such a fall will not make it good from its battery, and at a price near the tariff it orders
    only what it lacks almost surely.

    Args:
        import_uusd, later_uusd: import price of each slot and of refilling, u$/kWh.
        over: how far over what refilling costs, of the way from there to the tariff.
        rules: of the market.
    """
    refill_uusd = later_uusd / (BatterySpec().round_trip_efficiency * rules.delivered_share)
    return np.rint(refill_uusd + over * (import_uusd - refill_uusd)).astype(np.int64)


def wanted_wh(surplus_wh: Ints, need_wh: Ints, sellers: int, rules: MarketRules) -> tuple[int, ...]:
    """What homes want of neighbours beyond what is offered, for each home that has something to offer.

    Homes that know it keep for their neighbours what else they would use up themselves; each its part, so that not all
    of them keep the same.

    Args:
        surplus_wh, need_wh: sums of the homes' plans, Wh, shape ``(T,)``.
        sellers: homes that plan a surplus; without any nothing is wanted.
        rules: of the market.

    Returns:
        Injected Wh, shape ``(T,)``.
    """
    lacking = np.maximum(need_wh / rules.delivered_share - surplus_wh, 0.0) / max(sellers, 1) * (sellers > 0)
    return tuple(np.minimum(lacking, MOST_WH).astype(np.int64).tolist())


def offered_wh(surplus_wh: Ints, need_wh: Ints, buyers: Ints, rules: MarketRules) -> tuple[int, ...]:
    """What homes offer beyond what is wanted, for each home that has nothing to offer.

    Homes that know it need not fill their batteries from the grid for what neighbours will give; each its part, so that
    not all of them count on the same.

    Args:
        surplus_wh, need_wh: sums of the homes' plans, Wh, shape ``(T,)``.
        buyers: homes that plan no surplus in the slot, shape ``(T,)``; without any nothing is offered.
        rules: of the market.

    Returns:
        Delivered Wh, shape ``(T,)``.
    """
    spare = np.maximum(surplus_wh * rules.delivered_share - need_wh, 0.0) / np.maximum(buyers, 1) * (buyers > 0)
    return tuple(np.minimum(spare, MOST_WH).astype(np.int64).tolist())


def charge_share(net_wh: Ints, charge_wh: Ints, import_uusd: Ints, seen_wh: Ints) -> tuple[float, ...]:
    """Share of a home's own planned grid charging that it may do in each slot, so that no new peak arises.

    The charging of a window is poured like water over the rest of the community's net import in the window's cheapest
    slots, so that together they are as flat as can be: neighbours' sun, where it is expected, is filled first.  It
    never stands higher than the community's usual peak (a tenth over the highest import beside charging that plans
    expect, or over their mean import, charging included) or, where that is higher, than what it has imported beside
    charging in a half-hour of the day already: that makes no new peak.  A window ends where the import price rises; the
    client has the same rule (:func:`common.tariff.charge_windows`).

    Plans name of a home's sun only what its sell limit lets it sell, so the guard does not see the rest.  Bills
    hardly feel it: neighbours may not buy that sun, and charging at the same import price costs the same in any slot.
    What is missed is flatness: more charging could stand in the slots of that sun, and less beside them.

    Args:
        net_wh: the community's planned import less what it plans to export within the sell limits, Wh, shape ``(T,)``,
            in which ...
        charge_wh: ... this much import is charged into batteries.
        import_uusd: import prices, u$/kWh, shape ``(T,)``.
        seen_wh: the highest import so far on the local day of each slot, charging left out, Wh, shape ``(T,)``.

    Returns:
        Shares, shape ``(T,)``; :data:`UNLIMITED` in dearer slots, where nobody charges from the grid for later.
    """
    share = np.full(len(net_wh), UNLIMITED)
    rest = (net_wh - charge_wh).astype(np.float64)
    # The mean counts where homes need little but what they charge.
    usual_peak = _OVER_EXPECTED * max(float(rest.max()), float(net_wh.mean()))
    window = charge_windows(import_uusd)
    for number in range(int(window[-1]) + 1):
        inside = window == number
        cheapest = inside & (import_uusd == import_uusd[inside].min())
        total = int(charge_wh[inside].sum())
        if total > 0:
            headroom = np.maximum(np.maximum(seen_wh, usual_peak) - rest, 0.0)[cheapest]
            poured = np.minimum(_pour(rest[cheapest], total), headroom) / total
        else:
            poured = np.full(1, 1.0 / np.count_nonzero(cheapest))  # no plan yet: evenly
        share[cheapest] = np.minimum(poured, 1.0)
    return tuple(share.tolist())


def _pour(ground: Floats, volume: float) -> Floats:
    """Depth of ``volume`` of water over each cell of ``ground``."""
    low = np.sort(ground)
    cells = np.arange(1, len(low) + 1)
    filled = cells * low - np.cumsum(low)  # volume when the water stands at each cell's ground
    wet = int(np.count_nonzero(filled < volume))
    level = low[wet - 1] + (volume - filled[wet - 1]) / wet
    depth: Floats = np.maximum(level - ground, 0.0)
    return depth
